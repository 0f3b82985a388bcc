//! What somebody wants of the things that no `DT_NEEDED` names: `[runtime]` and its flags.

use crate::elf::Priority;

/// Which of them go into an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// A bundle of CA certificates.
    pub certificates: When,
    /// `/etc/nsswitch.conf`, and the modules that it names.
    pub nss: When,
    /// NSS modules besides `files` and `dns`, by name: `sss`, `mdns4_minimal`.
    pub nss_modules: Vec<String>,
    /// OpenSSL's configuration; when always, its providers and engines too.
    pub openssl: When,
    /// `libgcc_s.so.1`, which glibc opens to end a thread.
    pub libgcc: When,
    /// Libraries that the entrypoint opens.
    pub dlopen: Vec<String>,
    /// Down to which priority the libraries go in that notes about `dlopen` name; none of them when nothing.
    pub dlopen_notes: Option<Priority>,
    /// Time zones; nothing was said when nothing.
    pub time_zones: Option<TimeZones>,
    /// Locales by name, as `C.UTF-8`.
    pub locales: Option<Vec<String>>,
    /// Character sets of `iconv` by name, as `UTF-16`.
    pub charsets: Option<Vec<String>>,
    /// PAM services by name.
    pub pam: Option<Vec<String>>,
    /// Families of plugins by name, see [`super::FAMILIES`].
    pub plugins: Option<Vec<String>>,
}

/// Whether something goes in.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum When {
    /// When something in the closure asks for it.
    #[default]
    Auto,
    /// In any case; it is an error when it can't be had.
    Always,
    /// Not at all.
    Never,
}

/// Which time zones go in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimeZones {
    /// Those of this list, as `Europe/Berlin`; an empty list is none.
    Some(Vec<String>),
    /// All.
    All,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            certificates: When::Auto,
            nss: When::Auto,
            nss_modules: Vec::new(),
            openssl: When::Auto,
            libgcc: When::Auto,
            dlopen: Vec::new(),
            dlopen_notes: Some(Priority::Recommended),
            time_zones: None,
            locales: None,
            charsets: None,
            pam: None,
            plugins: None,
        }
    }
}
