//! `coracle sign`.

use coracle::attestations::{self, Signer};
use coracle_core::escape::escape_text;
use coracle_core::note::Note;
use coracle_oci::copy::{self, ImageLocation, RegistryImageName};
use coracle_oci::image::{Artifact, Descriptor};
use coracle_oci::layout::{DiskFormat, ImageSource};
use coracle_sign::stored::unsigned_attestations;
use serde::Serialize;

use super::signer;
use crate::cli::args::{OutputFormat, SignArgs};
use crate::cli::environment::new_registry_client;
use crate::cli::error::{CliError, CliExit};
use crate::cli::image_reader::{parse_location, registry_image};
use crate::cli::{console_output, interrupt};

/// A signed image.
#[derive(Serialize)]
struct SignReport {
    image: String,
    digest: String,
    signatures: Vec<SignatureReport>,
}

/// A signature that was stored with the image.
#[derive(Serialize)]
struct SignatureReport {
    /// The digest of its artifact.
    digest: String,
    /// What was signed: `image`, or the type of a document.
    signed: String,
}

/// Runs `coracle sign`. All signatures are made before the first is stored.
pub(in crate::cli) fn run_sign(args: &SignArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let location = parse_location(&args.image)?;
    check_can_be_signed(&location, args)?;
    let signer = signer("--key", args.key.as_deref(), &args.signer, args.quiet)?
        .ok_or_else(|| CliError::internal("neither `--key` nor `--signer` is given"))?;
    let written: Vec<&RegistryImageName> = registry_image(&location).into_iter().collect();
    let client = new_registry_client(&args.registry, &written)?;
    let source = copy::open_source(&location, &client)?;
    let root = source.require_root_manifest().map_err(coracle::Error::from)?;
    let (artifacts, signatures) = make_signatures(&source, &Descriptor::from(root), &signer)?;
    let graph = source.read_graph().map_err(coracle::Error::from)?;
    let warnings = copy::attach_artifacts(&artifacts, &location, &client, args.disk.durability())?;
    if let (true, Some(name), Signer::Key(key)) =
        (args.signer.simple_signing, registry_image(&location), &signer)
    {
        attestations::push_simple_signatures(key, &graph.documents, &name.reference, &client)?;
    }
    let warnings: Vec<Note> = warnings.iter().map(|warning| Note::Warning(warning.to_string())).collect();
    console_output::print_notes(&warnings, args.quiet);
    let report = SignReport { image: args.image.clone(), digest: root.digest.to_string(), signatures };
    if !args.quiet {
        console_output::print_message(&report.to_text());
    }
    match args.format {
        OutputFormat::Text => console_output::print_data(&format!("{}\n", report.digest))?,
        OutputFormat::Json => console_output::print_json(&report)?,
    }
    Ok(CliExit::Success)
}

fn check_can_be_signed(location: &ImageLocation, args: &SignArgs) -> Result<(), CliError> {
    let can_hold = match location {
        ImageLocation::Registry(_) => true,
        ImageLocation::OnDisk(location) => location.format == DiskFormat::Layout,
        ImageLocation::Engine(_) => false,
    };
    if !can_hold {
        return Err(CliError::usage(
            format!("`{location}` can't hold signatures, only registries and layouts can"),
            "sign the image in a registry or a layout: `docker://NAME[:TAG]`, `oci:DIR[:TAG]`",
        ));
    }
    let is_simple = args.signer.simple_signing;
    if is_simple && (registry_image(location).is_none() || args.key.is_none()) {
        return Err(CliError::usage(
            "`--simple-signing` needs a key, and an image in a registry",
            "engines look for such signatures at a tag: `coracle sign docker://NAME --key KEY --simple-signing`",
        ));
    }
    Ok(())
}

/// Signs the image, and the SBOMs and statements that are stored with it.
fn make_signatures(
    source: &ImageSource,
    image: &Descriptor,
    signer: &Signer,
) -> Result<(Vec<Artifact>, Vec<SignatureReport>), CliError> {
    let sign_error = |error| CliError::from_build_error(&coracle::Error::Sign(error));
    let mut artifacts = vec![signer.sign_image(image).map_err(sign_error)?];
    let mut signed = vec!["image".to_owned()];
    let documents = source.read_graph().map_err(coracle::Error::from)?.documents;
    for document in &documents {
        let found = unsigned_attestations(source, &Descriptor::from(document));
        for attestation in found.map_err(coracle::Error::from)? {
            artifacts.push(signer.sign_attestation(&attestation).map_err(sign_error)?);
            signed.push(attestation.predicate_type);
        }
    }
    let reports = artifacts.iter().zip(signed);
    let reports = reports.map(|(artifact, signed)| SignatureReport {
        digest: artifact.descriptor().digest.to_string(),
        signed,
    });
    let reports = reports.collect();
    Ok((artifacts, reports))
}

impl SignReport {
    fn to_text(&self) -> String {
        let mut text = format!("{}: signed {}\n", escape_text(&self.image), self.digest);
        for SignatureReport { digest, signed } in &self.signatures {
            text += &format!("  signature  {digest}  {}\n", escape_text(signed));
        }
        text
    }
}
