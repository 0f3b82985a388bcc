//! Names, run configuration and platform of the image: `[image]`, and `--base`.

use std::path::Path;

use super::validator::{RawValue, Validator, ValueOrigin, flag_or_file, flags_or_file, from_flag};
use crate::recipe::flag_overrides::RecipeOverrides;
use crate::recipe::numeric_user::{ParseUserError, parse_user};
use crate::recipe::recipe_settings::ImageSettings;
use crate::recipe::schema::RecipeFile;
use crate::rootfs::Owner;
use coracle_core::hint::Hint as _;
use coracle_core::path::ParseImagePathError;
use coracle_core::platform::ParsePlatformError;
use coracle_core::port::ParsePortError;
use coracle_core::reference::{ImageReference, ParseImageReferenceError};
use coracle_core::signal_name::ParseSignalNameError;
use coracle_oci::copy::{ImageLocation, ParseLocationError, RegistryImageName};

/// Values that mean no base image.
const NO_BASE: [&str; 2] = ["", "scratch"];

impl Validator<'_> {
    /// Parses the settings of the image's config and manifest.
    pub(super) fn parse_image_settings(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
        recipe_dir: &Path,
    ) -> ImageSettings {
        let table = &file.image.0;
        let ports = flags_or_file(&table.expose, &flags.expose, "--expose");
        let working_dir = flag_or_file(&table.working_dir, &flags.working_dir, "--working-dir");
        let stop_signal = flag_or_file(&table.stop_signal, &flags.stop_signal, "--stop-signal");
        let platform = flag_or_file(&table.platform, &flags.platform, "--platform");
        ImageSettings {
            names: self.parse_image_names(file, flags),
            has_default_name: false,
            base: self.parse_base_location(file, flags, recipe_dir),
            args: self.parse_args(file, flags),
            user: self.parse_image_user(file, flags),
            exposed_ports: ports
                .iter()
                .filter_map(|port| self.parse_value(port, |error: &ParsePortError| error.hint()))
                .collect(),
            env: self.parse_string_map(&table.env, &flags.env, "--env"),
            working_dir: working_dir.and_then(|path| self.parse_value(&path, |_: &ParseImagePathError| None)),
            stop_signal: stop_signal
                .and_then(|signal| self.parse_value(&signal, |error: &ParseSignalNameError| error.hint())),
            labels: self.parse_string_map(&table.labels, &flags.labels, "--label"),
            annotations: self.parse_string_map(&table.annotations, &flags.annotations, "--annotation"),
            platform: platform
                .and_then(|platform| self.parse_value(&platform, |error: &ParsePlatformError| error.hint())),
        }
    }

    fn parse_image_names(&mut self, file: &RecipeFile, flags: &RecipeOverrides) -> Vec<ImageReference> {
        let from_file: Vec<RawValue> = file.image.0.name.iter().map(RawValue::from_file).collect();
        let raw_values = if flags.names.is_empty() { from_file } else { from_flag(&flags.names, "--tag") };
        let mut names = Vec::new();
        for raw in raw_values {
            let name = self.parse_value(&raw, |error: &ParseImageReferenceError| error.hint());
            names.extend(name.filter(|name| !names.contains(name)));
        }
        names
    }

    fn parse_args(&mut self, file: &RecipeFile, flags: &RecipeOverrides) -> Vec<String> {
        let raw_values = flags_or_file(&file.image.0.args, &flags.args, "--arg");
        raw_values.into_iter().filter_map(|raw| self.parse_without_nul("an argument", &raw)).collect()
    }

    fn parse_image_user(&mut self, file: &RecipeFile, flags: &RecipeOverrides) -> Option<Owner> {
        let user = flag_or_file(&file.image.0.user, &flags.user, "--user");
        // A group in `--user` replaces the file's.
        let has_group = flags.user.as_ref().is_some_and(|user| user.contains(':'));
        let group = file.image.0.group.as_ref().filter(|_| !has_group).map(RawValue::from_file);
        let text = |raw: &Option<RawValue>| raw.as_ref().map(|raw| raw.value.clone());
        let result = parse_user(text(&user).as_deref(), text(&group).as_deref());
        let raw = user.or(group)?;
        self.ok_or_report(result, &raw.origin, ParseUserError::hint)
    }

    /// Parses the location of the base image. A relative path in the recipe starts at the recipe's
    /// directory.
    fn parse_base_location(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
        recipe_dir: &Path,
    ) -> Option<ImageLocation> {
        let raw = flag_or_file(&file.image.0.base, &flags.base, "--base")?;
        if NO_BASE.contains(&raw.value.as_str()) {
            return None;
        }
        let mut location = self.parse_image_location(&raw)?;
        if let ImageLocation::Engine(named) = &location {
            let message =
                format!("`{named}` cannot be a base image: it must be in an image layout or at a registry");
            let hint = format!("copy it here first: `coracle copy {named} oci:base`, then name `oci:base`");
            self.report(&raw.origin, message, Some(hint));
            return None;
        }
        if let (ImageLocation::OnDisk(local), ValueOrigin::File(_), false) =
            (&mut location, &raw.origin, recipe_dir == Path::new("."))
        {
            local.path = recipe_dir.join(&local.path);
        }
        Some(location)
    }

    /// Parses the location of an image, or its name at a registry.
    pub(super) fn parse_image_location(&mut self, raw: &RawValue) -> Option<ImageLocation> {
        // `debian:12` and `oci:dir` look alike, but a transport is not an image name.
        if !ImageLocation::has_transport(&raw.value)
            && let Ok(named) = raw.value.parse::<RegistryImageName>()
        {
            return Some(ImageLocation::Registry(named));
        }
        self.parse_value(raw, |error: &ParseLocationError| error.hint())
    }
}
