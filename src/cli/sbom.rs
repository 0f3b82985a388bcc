//! `coracle sbom`: the software bill of materials of an image of any tool.

use std::time::SystemTime;

use coracle::sbom;
use coracle_inspect::ReadDepth;
use coracle_inventory::sbom::{SbomFormat, SbomImage};
use coracle_oci::layout::{ParsedImage, ParsedPlatform};
use serde_json::Value;

use super::args::{SbomArgs, SbomDocumentFormat};
use super::error::{CliError, CliExit};
use super::image_reader::{ImageOpener, parse_platform};
use super::{console_output, inspect, interrupt};

/// Runs `coracle sbom`.
pub(super) fn run_sbom(args: &SbomArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let wanted = parse_platform(args.platform.as_deref())?;
    let image = ImageOpener::new(&args.registry).open(&args.image)?;
    let platform = image.image_for_platform(wanted.as_ref()).map_err(coracle::Error::from)?;
    let depth = ReadDepth { contents: true, digests: false };
    let contents = inspect::read_contents(&image, platform, depth, args.quiet)?.unpacked;
    let problems = contents.layers.iter().enumerate();
    if let Some((index, problem)) =
        problems.filter_map(|(index, layer)| layer.problem.as_ref().map(|problem| (index, problem))).next()
    {
        return Err(CliError::failed_with_hint(
            format!("layer {} of `{}` is damaged: {}", index + 1, image.source.location, problem.why),
            "an SBOM would lack its files: push or copy the image again",
        ));
    }
    let sbom = sbom::sbom_of_file_system(described_image(&image, platform), &contents.file_system)?;
    let format = match args.format {
        SbomDocumentFormat::Spdx => SbomFormat::Spdx,
        SbomDocumentFormat::Cyclonedx => SbomFormat::CycloneDx,
    };
    console_output::print_bytes(&sbom::document(&sbom, format)?)?;
    Ok(CliExit::Success)
}

/// Describes the image of one platform by its name, its digest, and the labels of its config. An archive
/// of Docker has no manifest: its digest is the image's ID.
fn described_image(image: &ParsedImage, platform: &ParsedPlatform) -> SbomImage {
    let label = |name: &str| {
        let value = platform.config.pointer("/config/Labels").and_then(|labels| labels.get(name));
        value.and_then(Value::as_str).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let digest = platform.manifest.as_ref().map_or(platform.config_digest, |manifest| manifest.digest);
    let platform_name = platform.platform.to_string();
    let named = match image.source.names.first() {
        Some(name) => SbomImage::named(name, digest.to_string(), platform_name),
        None => SbomImage {
            name: image.source.location.clone(),
            digest: digest.to_string(),
            platform: platform_name,
            ..SbomImage::default()
        },
    };
    SbomImage {
        created: created_seconds(&platform.config),
        authors: label("org.opencontainers.image.authors"),
        vendor: label("org.opencontainers.image.vendor"),
        licence: label("org.opencontainers.image.licenses"),
        ..named
    }
}

/// Returns the creation time in a config, in seconds since 1970; 0 if there is none.
fn created_seconds(config: &Value) -> u64 {
    let created = config.get("created").and_then(Value::as_str);
    let time = created.and_then(|created| humantime::parse_rfc3339(created).ok());
    time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs())
}
