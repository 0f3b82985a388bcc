//! Implicit dependencies: `[runtime]` and its flags.

use std::collections::BTreeSet;

use super::validator::{RawValue, Validator, ValueOrigin, flag_or_file, flags_or_file, from_flag};
use crate::recipe::flag_overrides::RuntimeOverrides;
use crate::recipe::schema::{self, Spanned};
use coracle_core::path::escape_bytes;
use coracle_ld::elf::DlopenPriority;
use coracle_ld::implicit::{ImplicitPolicy, Inclusion, PLUGIN_FAMILIES, TimeZones};
use coracle_ld::ldso::HwcapsSelection;

impl Validator<'_> {
    /// Parses the flags' values, or the file's where a flag is absent.
    pub(super) fn parse_implicit_policy(
        &mut self,
        file: &schema::RuntimeTable,
        flags: &RuntimeOverrides,
    ) -> ImplicitPolicy {
        ImplicitPolicy {
            certificates: self.parse_inclusion(&file.certificates, &flags.certificates, "--certificates"),
            local_certificates: flags.local_certificates || file.local_certificates.unwrap_or_default(),
            nss: self.parse_inclusion(&file.nss, &flags.nss, "--nss"),
            nss_modules: self.parse_names(
                &flags_or_file(&file.nss_modules, &flags.nss_modules, "--nss-module"),
                is_path_component,
            ),
            openssl: self.parse_inclusion(&file.openssl, &flags.openssl, "--openssl"),
            libgcc: self.parse_inclusion(&file.libgcc, &flags.libgcc, "--libgcc"),
            dlopen: self.parse_names(&flags_or_file(&file.dlopen, &flags.dlopen, "--dlopen"), |_| true),
            dlopen_notes: self.parse_dlopen_notes(file, flags),
            time_zones: self.parse_time_zones(file, flags),
            locales: self.parse_optional_names(&file.locales, &flags.locales, "--locale", is_path_component),
            charsets: self.parse_optional_names(&file.charsets, &flags.charsets, "--charset", |_| true),
            pam: self.parse_optional_names(&file.pam, &flags.pam, "--pam", is_path_component),
            plugins: self.parse_plugins(file, flags),
            ignored: self.parse_ignored_names(file, flags),
        }
    }

    /// Parses which library variants for newer CPUs to add: all (the default), none, or up to a
    /// level.
    pub(super) fn parse_hwcaps(
        &mut self,
        file: &schema::RuntimeTable,
        flags: &RuntimeOverrides,
    ) -> HwcapsSelection {
        match flag_or_file(&file.hwcaps, &flags.hwcaps, "--hwcaps") {
            None => HwcapsSelection::All,
            Some(raw) if raw.value == "none" => HwcapsSelection::None,
            Some(raw) => HwcapsSelection::UpTo(raw.value.into_bytes()),
        }
    }

    fn parse_inclusion(
        &mut self,
        file: &Option<Spanned<schema::BoolOrString>>,
        flag: &Option<String>,
        name: &'static str,
    ) -> Inclusion {
        let Some(raw) = flag_or_file(file, flag, name) else { return Inclusion::Auto };
        match raw.value.as_str() {
            "auto" => Inclusion::Auto,
            "true" => Inclusion::Always,
            "false" => Inclusion::Never,
            other => {
                let message =
                    format!("`{}` is none of `auto`, `true` and `false`", escape_bytes(other.as_bytes()));
                self.report(&raw.origin, message, None);
                Inclusion::Auto
            }
        }
    }

    fn parse_dlopen_notes(
        &mut self,
        file: &schema::RuntimeTable,
        flags: &RuntimeOverrides,
    ) -> Option<DlopenPriority> {
        let Some(raw) = flag_or_file(&file.dlopen_notes, &flags.dlopen_notes, "--dlopen-notes") else {
            return ImplicitPolicy::default().dlopen_notes;
        };
        match raw.value.as_str() {
            "required" => Some(DlopenPriority::Required),
            "recommended" => Some(DlopenPriority::Recommended),
            "suggested" => Some(DlopenPriority::Suggested),
            "false" => None,
            other => {
                let message = format!(
                    "`{}` is none of `required`, `recommended`, `suggested` and `false`",
                    escape_bytes(other.as_bytes())
                );
                self.report(&raw.origin, message, None);
                None
            }
        }
    }

    fn parse_time_zones(
        &mut self,
        file: &schema::RuntimeTable,
        flags: &RuntimeOverrides,
    ) -> Option<TimeZones> {
        let raw_values = match (&flags.time_zones, &file.time_zones) {
            (Some(names), _) if names.is_empty() => return Some(TimeZones::All),
            (Some(names), _) => from_flag(names, "--time-zones"),
            (None, None) => return None,
            (None, Some(zones)) => match zones.get_ref() {
                schema::BoolOrNames::Bool(true) => return Some(TimeZones::All),
                schema::BoolOrNames::Bool(false) => return Some(TimeZones::Listed(Vec::new())),
                schema::BoolOrNames::Names(names) => {
                    let raw = |name: &String| RawValue {
                        value: name.clone(),
                        origin: ValueOrigin::File(zones.span()),
                    };
                    names.iter().map(raw).collect()
                }
            },
        };
        Some(TimeZones::Listed(self.parse_names(&raw_values, |name| {
            !name.starts_with('/') && !name.split('/').any(|part| part == "..")
        })))
    }

    fn parse_plugins(
        &mut self,
        file: &schema::RuntimeTable,
        flags: &RuntimeOverrides,
    ) -> Option<Vec<String>> {
        let names = self.parse_optional_names(&file.plugins, &flags.plugins, "--plugins", |_| true)?;
        let is_known = |name: &str| PLUGIN_FAMILIES.iter().any(|family| family.name == name);
        if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
            let known: Vec<String> =
                PLUGIN_FAMILIES.iter().map(|family| format!("`{}`", family.name)).collect();
            let origin = match file.plugins.iter().flatten().find(|name| name.get_ref() == unknown) {
                Some(raw) if flags.plugins.is_empty() => ValueOrigin::File(raw.span()),
                _ => ValueOrigin::Flag("--plugins"),
            };
            let message = format!("`{}` is not a known plugin family", escape_bytes(unknown.as_bytes()));
            self.report(&origin, message, Some(format!("known families: {}", known.join(", "))));
        }
        Some(names)
    }

    /// Parses the names that hints leave out. They may contain blanks.
    fn parse_ignored_names(
        &mut self,
        file: &schema::RuntimeTable,
        flags: &RuntimeOverrides,
    ) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for word in flags_or_file(&file.ignore, &flags.ignore, "--ignore") {
            if word.value.trim().is_empty() {
                let hint = "write a path or a name as a hint shows it".to_owned();
                self.report(&word.origin, "the name of an ignored hint is empty".into(), Some(hint));
            }
            names.insert(word.value);
        }
        names
    }

    /// Parses an optional list. An absent list (`None`) differs from an empty one.
    fn parse_optional_names(
        &mut self,
        file: &Option<Vec<Spanned<String>>>,
        flags: &[String],
        flag: &'static str,
        is_legal: fn(&str) -> bool,
    ) -> Option<Vec<String>> {
        let none = Vec::new();
        let raw_values = flags_or_file(file.as_ref().unwrap_or(&none), flags, flag);
        (file.is_some() || !flags.is_empty()).then(|| self.parse_names(&raw_values, is_legal))
    }

    fn parse_names(&mut self, raw_values: &[RawValue], is_legal: fn(&str) -> bool) -> Vec<String> {
        let mut names = Vec::new();
        for raw in raw_values {
            let value = &raw.value;
            let is_text = !value.is_empty() && !value.contains(|c: char| c.is_control() || c.is_whitespace());
            if !is_text || !is_legal(value) {
                self.report(
                    &raw.origin,
                    format!("`{}` is not a valid name", escape_bytes(value.as_bytes())),
                    None,
                );
            } else if !names.contains(value) {
                names.push(value.clone());
            }
        }
        names
    }
}

/// Returns whether `name` is a single path component.
fn is_path_component(name: &str) -> bool {
    !name.contains('/') && name != "." && name != ".."
}
