//! Hints about what a program may need at run time and its image lacks, with the arguments that add
//! it. Hints do not change the image.

use super::implicit_policy::{ImplicitPolicy, Inclusion, TimeZones};
use coracle_core::path::{RawPath, escape_bytes};

/// Something that a program may need and that its image may lack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DependencyHint {
    /// The kind of the missing thing.
    pub kind: HintKind,
    /// The missing paths, the name of the library, or a description of the data.
    pub subject: String,
    /// Why it may be needed: a symbol, a literal or a note, and the object that has it.
    pub reason: String,
    /// The size of the files that [`Self::remedy`] names, in bytes. `None` if it is unknown.
    pub size: Option<u64>,
    /// The arguments that add it.
    pub remedy: Remedy,
    /// How likely it is that the program needs it.
    pub likelihood: Likelihood,
    /// The files that end the hint when the image has all of them. Relative paths start at the
    /// program's directory. Empty if only an option ends it.
    pub files: Vec<RawPath>,
}

impl DependencyHint {
    /// Returns a hint about paths that are included. `None` if there are none.
    pub(super) fn for_includes(
        kind: HintKind,
        reason: String,
        likelihood: Likelihood,
        paths: Vec<HintedPath>,
        files: Vec<RawPath>,
    ) -> Option<Self> {
        Self::for_paths(kind, reason, likelihood, paths, files, Remedy::Include)
    }

    /// Returns a hint about programs. `None` if there are none.
    pub(super) fn for_programs(
        reason: String,
        likelihood: Likelihood,
        paths: Vec<HintedPath>,
    ) -> Option<Self> {
        let files = paths.iter().map(|path| path.to.clone()).collect();
        Self::for_paths(HintKind::Command, reason, likelihood, paths, files, Remedy::Programs)
    }

    fn for_paths(
        kind: HintKind,
        reason: String,
        likelihood: Likelihood,
        paths: Vec<HintedPath>,
        files: Vec<RawPath>,
        remedy: fn(Vec<HintedPath>) -> Remedy,
    ) -> Option<Self> {
        let subject = describe_paths(&paths);
        let size = Some(paths.iter().map(|path| path.size).sum());
        let is_empty = paths.is_empty();
        let hint = Self { kind, subject, reason, size, remedy: remedy(paths), likelihood, files };
        (!is_empty).then_some(hint)
    }

    /// Returns one hint about the paths of both hints, with the reason of `self`.
    #[must_use]
    pub fn merged_with(self, other: Self) -> Self {
        let remedies = match self.remedy {
            Remedy::All(remedies) => [remedies, vec![other.remedy]].concat(),
            remedy => vec![remedy, other.remedy],
        };
        Self {
            subject: format!("{}, {}", self.subject, other.subject),
            size: self.size.zip(other.size).map(|(a, b)| a + b),
            remedy: Remedy::All(remedies),
            likelihood: self.likelihood.min(other.likelihood),
            files: [self.files, other.files].concat(),
            ..self
        }
    }

    /// Returns the paths that the remedy adds. Empty if it is an option.
    pub fn paths(&self) -> &[HintedPath] {
        match &self.remedy {
            Remedy::Include(paths) | Remedy::Programs(paths) => paths,
            _ => &[],
        }
    }

    /// Returns the hint with its paths replaced by `paths`. `None` if `paths` is empty.
    #[must_use]
    pub fn with_paths(self, paths: Vec<HintedPath>) -> Option<Self> {
        let remedy = match self.remedy {
            Remedy::Programs(_) => Remedy::Programs,
            _ => Remedy::Include,
        };
        Self::for_paths(self.kind, self.reason, self.likelihood, paths, self.files, remedy)
    }
}

/// Formats a few paths, or the first of many paths and the number of the others.
fn describe_paths(paths: &[HintedPath]) -> String {
    const MAX_SHOWN: usize = 2;
    let shown: Vec<String> =
        paths.iter().take(MAX_SHOWN).map(|path| escape_bytes(path.from.as_bytes())).collect();
    match paths.len().saturating_sub(MAX_SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The kind of thing that a hint is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HintKind {
    /// A regular file.
    File,
    /// A directory with all files in it.
    Directory,
    /// A shared library.
    Library,
    /// A program that is started.
    Command,
    /// Data of a library, such as time zones or plugins.
    Data,
}

impl HintKind {
    /// Returns the name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Library => "library",
            Self::Command => "command",
            Self::Data => "data",
        }
    }
}

/// How likely it is that a program needs something. The most likely is first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Likelihood {
    /// The program cannot start without it.
    Certain,
    /// The program itself names it.
    Likely,
    /// A library of the program names it.
    Possible,
}

/// The ways to add the subject of a hint to the image.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Remedy {
    /// Files and directories are included.
    Include(Vec<HintedPath>),
    /// Programs are added at their own paths.
    Programs(Vec<HintedPath>),
    /// The entrypoint opens a library.
    Dlopen(String),
    /// The bundle of CA certificates.
    Certificates,
    /// OpenSSL's providers and engines.
    OpenSsl,
    /// All time zones.
    TimeZones,
    /// A locale.
    Locale(String),
    /// PAM services.
    Pam(Vec<String>),
    /// A plugin family.
    Plugins(&'static str),
    /// A directory that the program can write to.
    State(RawPath),
    /// Several remedies.
    All(Vec<Remedy>),
    /// Something that no argument adds, with advice.
    Manual(String),
}

/// A path to add.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HintedPath {
    /// The path in the file system in which the program is resolved.
    pub from: RawPath,
    /// The path in the image; a relative path starts at the program's directory.
    pub to: RawPath,
    /// The size of the files there, in bytes.
    pub size: u64,
}

impl HintedPath {
    /// Returns a path that is the same in the image.
    pub(super) fn at_same_path(path: &RawPath, size: u64) -> Self {
        Self { from: path.clone(), to: path.clone(), size }
    }
}

impl Remedy {
    /// Returns the arguments of `coracle build` that add the subject. `root` is the host directory of
    /// the file system in which the program is resolved; empty for the host itself. Programs are named by
    /// their paths there.
    pub fn args(&self, root: &str) -> Vec<String> {
        let text = |path: &RawPath| escape_bytes(path.as_bytes());
        let pair = |flag: &str, value: String| vec![flag.to_owned(), value];
        match self {
            Self::Include(paths) => paths
                .iter()
                .flat_map(|path| pair("--include", format!("{root}{}:{}", text(&path.from), text(&path.to))))
                .collect(),
            Self::Programs(paths) => paths.iter().map(|path| text(&path.from)).collect(),
            Self::Dlopen(name) => pair("--dlopen", name.clone()),
            Self::Certificates => pair("--certificates", "true".into()),
            Self::OpenSsl => pair("--openssl", "true".into()),
            Self::TimeZones => vec!["--time-zones".into()],
            Self::Locale(name) => pair("--locale", name.clone()),
            Self::Pam(services) => services.iter().flat_map(|name| pair("--pam", name.clone())).collect(),
            Self::Plugins(family) => pair("--plugins", (*family).into()),
            Self::State(path) => pair("--state", text(path)),
            Self::All(remedies) => remedies.iter().flat_map(|remedy| remedy.args(root)).collect(),
            Self::Manual(_) => Vec::new(),
        }
    }
}

impl ImplicitPolicy {
    /// Returns this policy with the option that `remedy` sets; unchanged if `remedy` is no option
    /// of a policy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: &Remedy) -> Self {
        let add = |names: &mut Vec<String>, name: &str| {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        };
        match remedy {
            Remedy::Dlopen(name) => add(&mut self.dlopen, name),
            Remedy::Certificates => self.certificates = Inclusion::Always,
            Remedy::OpenSsl => self.openssl = Inclusion::Always,
            Remedy::TimeZones => self.time_zones = Some(TimeZones::All),
            Remedy::Locale(name) => add(self.locales.get_or_insert_default(), name),
            Remedy::Pam(services) => {
                services.iter().for_each(|name| add(self.pam.get_or_insert_default(), name));
            }
            Remedy::Plugins(family) => add(self.plugins.get_or_insert_default(), family),
            Remedy::All(remedies) => return remedies.iter().fold(self, Self::with_remedy),
            Remedy::Include(_) | Remedy::Programs(_) | Remedy::State(_) | Remedy::Manual(_) => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_arguments() {
        let beside = HintedPath {
            to: RawPath::new("/app/lib"),
            ..HintedPath::at_same_path(&RawPath::new("/srv/lib"), 1)
        };
        let include =
            Remedy::Include(vec![HintedPath::at_same_path(&RawPath::new("/usr/share/vim"), 2), beside]);
        assert_eq!(
            include.args("/sys"),
            ["--include", "/sys/usr/share/vim:/usr/share/vim", "--include", "/sys/srv/lib:/app/lib"]
        );
        let programs = Remedy::Programs(vec![HintedPath::at_same_path(&RawPath::new("/bin/sh"), 1)]);
        assert_eq!(programs.args(""), ["/bin/sh"]);
        assert_eq!(Remedy::TimeZones.args(""), ["--time-zones"]);
    }

    #[test]
    fn adds_options_to_a_policy_once() {
        let policy = ImplicitPolicy::default()
            .with_remedy(&Remedy::Plugins("gio"))
            .with_remedy(&Remedy::Plugins("gio"));
        assert_eq!(policy.plugins, Some(vec!["gio".to_owned()]));
        assert_eq!(policy.with_remedy(&Remedy::TimeZones).time_zones, Some(TimeZones::All));
    }
}
