//! Which implicit dependencies the user requests: the recipe's `[runtime]` and its flags.

use std::collections::BTreeSet;

use crate::elf::DlopenPriority;

/// Which implicit dependencies go into an image.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct ImplicitPolicy {
    /// The bundle of CA certificates.
    pub certificates: Inclusion,
    /// `true` if the bundle has the certificates that only this machine trusts, too.
    pub local_certificates: bool,
    /// `/etc/nsswitch.conf` and the modules listed there.
    pub nss: Inclusion,
    /// Additional NSS modules by name: `sss`, `mdns4_minimal`.
    pub nss_modules: Vec<String>,
    /// OpenSSL's configuration; with [`Inclusion::Always`] also its providers and engines.
    pub openssl: Inclusion,
    /// `libgcc_s.so.1`, which glibc opens to end a thread.
    pub libgcc: Inclusion,
    /// Libraries that the entrypoint opens.
    pub dlopen: Vec<String>,
    /// The lowest priority of dlopen notes whose libraries are added; `None` ignores the notes.
    pub dlopen_notes: Option<DlopenPriority>,
    /// Time zones; `None` if unspecified.
    pub time_zones: Option<TimeZones>,
    /// Locales by name, such as `C.UTF-8`; `None` if unspecified.
    pub locales: Option<Vec<String>>,
    /// Character sets of `iconv` by name, such as `UTF-16`; `None` if unspecified.
    pub charsets: Option<Vec<String>>,
    /// PAM services by name; `None` if unspecified.
    pub pam: Option<Vec<String>>,
    /// Plugin families by name, see [`super::PLUGIN_FAMILIES`]; `None` if unspecified.
    pub plugins: Option<Vec<String>>,
    /// Paths and names that the user does not want to have hints about.
    pub ignored: BTreeSet<String>,
}

/// When an implicit dependency is added.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Hash)]
pub enum Inclusion {
    /// If something in the closure needs it.
    #[default]
    Auto,
    /// Always; it is an error if it is not found.
    Always,
    /// Never.
    Never,
}

/// Which time zones are added.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum TimeZones {
    /// The listed time zones, such as `Europe/Berlin`; none if the list is empty.
    Listed(Vec<String>),
    /// All time zones.
    All,
}

impl Default for ImplicitPolicy {
    fn default() -> Self {
        Self {
            certificates: Inclusion::Auto,
            local_certificates: false,
            nss: Inclusion::Auto,
            nss_modules: Vec::new(),
            openssl: Inclusion::Auto,
            libgcc: Inclusion::Auto,
            dlopen: Vec::new(),
            dlopen_notes: Some(DlopenPriority::Recommended),
            time_zones: None,
            locales: None,
            charsets: None,
            pam: None,
            plugins: None,
            ignored: BTreeSet::new(),
        }
    }
}
