//! Where the image is written to, and how it is compressed: `--output`, `--push`, `compression`,
//! `publish-contract` and their flags.

use std::collections::BTreeMap;
use std::path::Path;

use super::validator::{RawValue, Validator, ValueOrigin, flag_or_file, flags_or_file, from_flag};
use crate::recipe::flag_overrides::RecipeOverrides;
use crate::recipe::recipe_paths::resolvable_from;
use crate::recipe::recipe_settings::{OutputSettings, SbomOutput};
use crate::recipe::schema::RecipeFile;
use coracle_core::fs;
use coracle_core::hint::Hint as _;
use coracle_inventory::sbom::{ParseSbomFormatError, SbomFormat};
use coracle_oci::copy::{ImageLocation, ParseNewImageLocationError};
use coracle_oci::layer::{Compression, ParseCompressionError};
use coracle_oci::layout::{DiskFormat, DiskLocation};

impl Validator<'_> {
    /// Parses the destinations of the image and its contract, and the compression.
    pub(super) fn parse_output(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
        recipe_dir: &Path,
    ) -> fs::Result<OutputSettings> {
        Ok(OutputSettings {
            destinations: self.parse_destinations(flags)?,
            push: self.parse_push(file, flags),
            load_engine: None,
            publish_contract: self.parse_contract_destination(file, flags, recipe_dir),
            sbom: self.parse_sbom(file, flags, recipe_dir)?,
            compression: self.parse_compression(file, flags),
        })
    }

    /// Parses the formats of attached SBOMs, and the files with their formats: `--sbom-format`, or that of
    /// the file's name.
    fn parse_sbom(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
        recipe_dir: &Path,
    ) -> fs::Result<SbomOutput> {
        let hint = |error: &ParseSbomFormatError| error.hint();
        let raw_values = flags_or_file(&file.image.0.sbom, &flags.attach_sbom, "--attach-sbom");
        let attached = raw_values.iter().filter_map(|raw| self.parse_value(raw, hint)).collect();
        let format: Option<SbomFormat> = flags.sbom_format.as_ref().and_then(|format| {
            let raw = RawValue { value: format.clone(), origin: ValueOrigin::Flag("--sbom-format") };
            self.parse_value(&raw, hint)
        });
        let mut files = BTreeMap::new();
        for path in &flags.sbom_files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let format = format.unwrap_or_else(|| SbomFormat::of_file_name(&name));
            files.insert(resolvable_from(recipe_dir, path.clone())?, format);
        }
        Ok(SbomOutput { files, attached })
    }

    fn parse_compression(&mut self, file: &RecipeFile, flags: &RecipeOverrides) -> Compression {
        let raw = flag_or_file(&file.image.0.compression, &flags.compression, "--compression");
        let hint = |error: &ParseCompressionError| error.hint();
        raw.and_then(|raw| self.parse_value(&raw, hint)).unwrap_or_default()
    }

    /// Parses `--output`. Several tags may go to one image layout; other destinations must differ.
    fn parse_destinations(&mut self, flags: &RecipeOverrides) -> fs::Result<Vec<ImageLocation>> {
        let mut destinations: Vec<ImageLocation> = Vec::new();
        for raw in from_flag(&flags.destinations, "--output") {
            let hint = |error: &ParseNewImageLocationError| error.hint();
            let Some(location) =
                self.ok_or_report(ImageLocation::parse_new_image(&raw.value), &raw.origin, hint)
            else {
                continue;
            };
            let mut conflict = None;
            for other in &destinations {
                if conflict.is_none() && is_conflict(other, &location)? {
                    conflict = Some(other);
                }
            }
            match conflict {
                Some(other) => {
                    let message = format!("`{location}` is the same destination as `{other}`");
                    self.report(
                        &raw.origin,
                        message,
                        Some("give each `--output` its own destination".into()),
                    );
                }
                None => destinations.push(location),
            }
        }
        Ok(destinations)
    }

    /// Returns whether to push. Reports a problem if the image has no name.
    fn parse_push(&mut self, file: &RecipeFile, flags: &RecipeOverrides) -> bool {
        if flags.push && flags.names.is_empty() && file.image.0.name.is_none() {
            let table = self
                .document
                .map_or_else(|| "image".into(), |document| document.table_header(&(0..0), "image"));
            self.report(
                &ValueOrigin::Flag("--push"),
                "the image has no name, so its registry is unknown".into(),
                Some(format!("name it: `--tag REGISTRY/NAME:TAG`, or `name` below `[{table}]`")),
            );
        }
        flags.push
    }

    /// Parses the destination of the contract: an image layout or a repository, without a tag. An
    /// artifact is found by the digest of its image, and a tag would be taken for an image. A
    /// relative path in the recipe starts at its directory.
    fn parse_contract_destination(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
        recipe_dir: &Path,
    ) -> Option<ImageLocation> {
        let raw =
            flag_or_file(&file.image.0.publish_contract, &flags.publish_contract, "--publish-contract")?;
        let hint = |error: &ParseNewImageLocationError| error.hint();
        let mut location =
            self.ok_or_report(ImageLocation::parse_new_image(&raw.value), &raw.origin, hint)?;
        let without_tag = match &mut location {
            ImageLocation::OnDisk(destination) if destination.format != DiskFormat::Layout => {
                let message = format!("`{destination}` can't hold an artifact");
                self.report(&raw.origin, message, Some("write a layout: `oci:DIR`".into()));
                return Some(location);
            }
            ImageLocation::OnDisk(destination) => {
                let without_tag = DiskLocation { tag: None, ..destination.clone() };
                if let (ValueOrigin::File(_), false) = (&raw.origin, recipe_dir == Path::new(".")) {
                    destination.path = recipe_dir.join(&destination.path);
                }
                without_tag.to_string()
            }
            ImageLocation::Registry(named) => format!("docker://{}", named.reference.repository()),
            ImageLocation::Engine(named) => {
                let message = format!("`{named}` can't hold an artifact");
                let hint = "write a layout, `oci:DIR`, or a repository, `docker://NAME`";
                self.report(&raw.origin, message, Some(hint.into()));
                return Some(location);
            }
        };
        if without_tag != raw.value {
            let message = format!(
                "`{}`: a contract is stored without a tag, and found by its image's digest",
                raw.value
            );
            self.report(&raw.origin, message, Some(format!("write `{without_tag}`")));
        }
        Some(location)
    }
}

/// Returns whether both destinations would write to the same location.
fn is_conflict(one: &ImageLocation, other: &ImageLocation) -> fs::Result<bool> {
    Ok(match (one, other) {
        (ImageLocation::OnDisk(one), ImageLocation::OnDisk(other)) => {
            let both_layouts = (one.format, other.format) == (DiskFormat::Layout, DiskFormat::Layout);
            !both_layouts && fs::absolute_path(&one.path)? == fs::absolute_path(&other.path)?
        }
        (ImageLocation::Registry(one), ImageLocation::Registry(other)) => {
            one.reference.full_name() == other.reference.full_name()
        }
        (ImageLocation::Engine(_), ImageLocation::Engine(_)) => one == other,
        _ => false,
    })
}
