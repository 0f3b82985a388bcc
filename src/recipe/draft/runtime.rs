//! Implicit dependencies: `[runtime]` and its flags.

use super::super::RuntimeOverrides;
use super::super::schema::{self, Spanned};
use super::{Check, Origin, Word, either, of_flag, one};
use coracle_ld::elf::Priority;
use coracle_ld::ldso::Hwcaps;
use coracle_ld::implicit::{FAMILIES, Policy, TimeZones, When};

impl Check<'_> {
    /// Parses the flags' values, or the file's where a flag is absent.
    pub(super) fn runtime(&mut self, file: &schema::Runtime, flags: &RuntimeOverrides) -> Policy {
        Policy {
            certificates: self.when(&file.certificates, &flags.certificates, "--certificates"),
            nss: self.when(&file.nss, &flags.nss, "--nss"),
            nss_modules: self.names(&either(&file.nss_modules, &flags.nss_modules, "--nss-module"), is_word),
            openssl: self.when(&file.openssl, &flags.openssl, "--openssl"),
            libgcc: self.when(&file.libgcc, &flags.libgcc, "--libgcc"),
            dlopen: self.names(&either(&file.dlopen, &flags.dlopen, "--dlopen"), |_| true),
            dlopen_notes: self.priority(file, flags),
            time_zones: self.time_zones(file, flags),
            locales: self.maybe(&file.locales, &flags.locales, "--locale", is_word),
            charsets: self.maybe(&file.charsets, &flags.charsets, "--charset", |_| true),
            pam: self.maybe(&file.pam, &flags.pam, "--pam", is_word),
            plugins: self.plugins(file, flags),
        }
    }

    /// Parses which library variants for newer CPUs to add: all (the default), none, or up to a
    /// level.
    pub(super) fn hwcaps(&mut self, file: &schema::Runtime, flags: &RuntimeOverrides) -> Hwcaps {
        match one(&file.hwcaps, &flags.hwcaps, "--hwcaps") {
            None => Hwcaps::All,
            Some(word) if word.value == "none" => Hwcaps::None,
            Some(word) => Hwcaps::UpTo(word.value.into_bytes()),
        }
    }

    fn when(
        &mut self,
        file: &Option<Spanned<schema::Choice>>,
        flag: &Option<String>,
        name: &'static str,
    ) -> When {
        let Some(word) = one(file, flag, name) else { return When::Auto };
        match word.value.as_str() {
            "auto" => When::Auto,
            "true" => When::Always,
            "false" => When::Never,
            other => {
                let message = format!("`{}` is none of `auto`, `true` and `false`", shown(other));
                self.problem(&word.origin, message, None);
                When::Auto
            }
        }
    }

    fn priority(&mut self, file: &schema::Runtime, flags: &RuntimeOverrides) -> Option<Priority> {
        let Some(word) = one(&file.dlopen_notes, &flags.dlopen_notes, "--dlopen-notes") else {
            return Policy::default().dlopen_notes;
        };
        match word.value.as_str() {
            "required" => Some(Priority::Required),
            "recommended" => Some(Priority::Recommended),
            "suggested" => Some(Priority::Suggested),
            "false" => None,
            other => {
                let message = format!(
                    "`{}` is none of `required`, `recommended`, `suggested` and `false`",
                    shown(other)
                );
                self.problem(&word.origin, message, None);
                None
            }
        }
    }

    fn time_zones(&mut self, file: &schema::Runtime, flags: &RuntimeOverrides) -> Option<TimeZones> {
        let words = match (&flags.time_zones, &file.time_zones) {
            (Some(names), _) if names.is_empty() => return Some(TimeZones::All),
            (Some(names), _) => of_flag(names, "--time-zones"),
            (None, None) => return None,
            (None, Some(zones)) => match zones.get_ref() {
                schema::Names::Whether(true) => return Some(TimeZones::All),
                schema::Names::Whether(false) => return Some(TimeZones::Some(Vec::new())),
                schema::Names::Some(names) => {
                    let word =
                        |name: &String| Word { value: name.clone(), origin: Origin::File(zones.span()) };
                    names.iter().map(word).collect()
                }
            },
        };
        Some(TimeZones::Some(
            self.names(&words, |name| !name.starts_with('/') && !name.split('/').any(|part| part == "..")),
        ))
    }

    fn plugins(&mut self, file: &schema::Runtime, flags: &RuntimeOverrides) -> Option<Vec<String>> {
        let names = self.maybe(&file.plugins, &flags.plugins, "--plugins", |_| true)?;
        let is_known = |name: &str| FAMILIES.iter().any(|family| family.name == name);
        if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
            let known: Vec<String> = FAMILIES.iter().map(|family| format!("`{}`", family.name)).collect();
            let origin = match file.plugins.iter().flatten().find(|name| name.get_ref() == unknown) {
                Some(word) if flags.plugins.is_empty() => Origin::File(word.span()),
                _ => Origin::Flag("--plugins"),
            };
            let message = format!("`{}` is not a known plugin family", shown(unknown));
            self.problem(&origin, message, Some(format!("known families: {}", known.join(", "))));
        }
        Some(names)
    }

    /// Parses an optional list. An absent list (`None`) differs from an empty one.
    fn maybe(
        &mut self,
        file: &Option<Vec<Spanned<String>>>,
        flags: &[String],
        flag: &'static str,
        is_legal: fn(&str) -> bool,
    ) -> Option<Vec<String>> {
        let none = Vec::new();
        let words = either(file.as_ref().unwrap_or(&none), flags, flag);
        (file.is_some() || !flags.is_empty()).then(|| self.names(&words, is_legal))
    }

    fn names(&mut self, words: &[Word], is_legal: fn(&str) -> bool) -> Vec<String> {
        let mut names = Vec::new();
        for word in words {
            let value = &word.value;
            let is_text = !value.is_empty() && !value.contains(|c: char| c.is_control() || c.is_whitespace());
            if !is_text || !is_legal(value) {
                self.problem(&word.origin, format!("`{}` is not a valid name", shown(value)), None);
            } else if !names.contains(value) {
                names.push(value.clone());
            }
        }
        names
    }
}

/// Whether `name` is a single path component.
fn is_word(name: &str) -> bool {
    !name.contains('/') && name != "." && name != ".."
}

fn shown(text: &str) -> String {
    coracle_core::path::printable(text.as_bytes())
}
