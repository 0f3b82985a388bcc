//! The flags for the recipe's `[runtime]` table, and a parser whose possible values are for shell completion only.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Args, Command};
use coracle::recipe::RuntimeOverrides;

/// Offers these values for completion and accepts any value. The recipe validates it, so that a
/// flag and a recipe key give the same error.
#[derive(Clone)]
pub(super) struct SuggestedValues(pub(super) &'static [&'static str]);

/// The values of `--certificates`, `--nss`, `--openssl` and `--libgcc`.
pub(super) const WHEN_VALUES: SuggestedValues = SuggestedValues(&["auto", "true", "false"]);

impl TypedValueParser for SuggestedValues {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

/// Dependencies that no `DT_NEEDED` entry names.
#[derive(Args)]
#[command(next_help_heading = "Runtime")]
pub(super) struct ImplicitDependencyArgs {
    /// Add CA certificates: `auto` (if an object uses TLS), `true`, `false`
    #[arg(long, value_name = "WHEN", value_parser = WHEN_VALUES, hide_possible_values = true)]
    certificates: Option<String>,

    /// Add the CA certificates, too, that only this machine trusts, besides the distribution's
    #[arg(long)]
    local_certificates: bool,

    /// Add the NSS files that look up users and hosts: `auto` (if an object does), `true`, `false`
    #[arg(long, value_name = "WHEN", value_parser = WHEN_VALUES, hide_possible_values = true)]
    nss: Option<String>,

    /// Add this NSS module, such as `sss`, to `files` and `dns`
    #[arg(long = "nss-module", value_name = "NAME")]
    nss_modules: Vec<String>,

    /// Add OpenSSL's configuration: `auto` (if libcrypto is mapped), `true` (with providers and
    /// engines), `false`
    #[arg(long, value_name = "WHEN", value_parser = WHEN_VALUES, hide_possible_values = true)]
    openssl: Option<String>,

    /// Add libgcc_s, which glibc opens to cancel a thread: `auto` (if an object does), `true`,
    /// `false`
    #[arg(long, value_name = "WHEN", value_parser = WHEN_VALUES, hide_possible_values = true)]
    libgcc: Option<String>,

    /// Add a library that the entrypoint opens with `dlopen`
    #[arg(long, value_name = "NAME")]
    dlopen: Vec<String>,

    /// Add the libraries listed in ELF dlopen notes, down to this priority: `required`,
    /// `recommended` (the default) or `suggested`; `false` adds none
    #[arg(long, value_name = "LEVEL", hide_possible_values = true)]
    #[arg(value_parser = SuggestedValues(&["required", "recommended", "suggested", "false"]))]
    dlopen_notes: Option<String>,

    /// Add time zones; all zones without a value
    #[arg(long, value_name = "ZONE,…", num_args = 0..=1, require_equals = true, value_delimiter = ',')]
    time_zones: Option<Vec<String>>,

    /// Add a locale, such as C.UTF-8
    #[arg(long = "locale", value_name = "NAME")]
    locales: Vec<String>,

    /// Add a character set for `iconv`, such as UTF-16
    #[arg(long = "charset", value_name = "NAME")]
    charsets: Vec<String>,

    /// Add a PAM service with its modules
    #[arg(long, value_name = "SERVICE")]
    pam: Vec<String>,

    /// Add a library's plugins, such as `gio` or `qt5`
    #[arg(long, value_name = "FAMILY")]
    plugins: Vec<String>,

    /// Add everything that hints name and that exists: files, directories, libraries, commands
    #[arg(long)]
    complete: bool,

    /// Leave a path or a name out of hints, such as /bin/sh
    #[arg(long, value_name = "NAME")]
    ignore: Vec<String>,

    /// Add hwcaps variants of libraries only up to this level, such as x86-64-v3, or `none`
    #[arg(long, value_name = "LEVEL")]
    hwcaps: Option<String>,
}

impl ImplicitDependencyArgs {
    pub(super) fn overrides(&self) -> RuntimeOverrides {
        RuntimeOverrides {
            certificates: self.certificates.clone(),
            local_certificates: self.local_certificates,
            nss: self.nss.clone(),
            nss_modules: self.nss_modules.clone(),
            openssl: self.openssl.clone(),
            libgcc: self.libgcc.clone(),
            dlopen: self.dlopen.clone(),
            dlopen_notes: self.dlopen_notes.clone(),
            time_zones: self.time_zones.clone(),
            locales: self.locales.clone(),
            charsets: self.charsets.clone(),
            pam: self.pam.clone(),
            plugins: self.plugins.clone(),
            complete: self.complete,
            ignore: self.ignore.clone(),
            hwcaps: self.hwcaps.clone(),
        }
    }
}
