//! The kinds of files, by their names: noise of every run, temporary, configuration.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coracle_core::distribution_directories::is_system_path;
use coracle_core::path::ImagePath;

use crate::cli::environment::env_path;

/// Directories of the kernel, of the running system, and of locales and character sets, which
/// `[runtime]` adds. Paths below them are never proposed.
const NOISE_DIRECTORIES: &[&str] = &[
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/var/run",
    "/var/cache/ldconfig",
    "/var/cache/nscd",
    "/etc/ld.so.conf.d",
    "/usr/lib/locale",
    "/usr/share/locale",
    "/usr/share/locale-langpack",
    "/usr/share/i18n",
];

/// Files that the image generates itself, that the engine mounts, or that only this machine has.
const NOISE_FILES: &[&str] = &[
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/mtab",
    "/etc/machine-id",
    "/var/lib/dbus/machine-id",
    "/etc/environment",
    "/etc/default/locale",
    "/etc/locale.alias",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.preload",
];

/// Names of files and directories that no image needs, at any place.
const NOISE_NAMES: &[&str] = &["gconv", "__pycache__", ".git", ".hg", ".svn", "coracle.toml"];

/// Directories below `/etc` that hold data, not configuration.
const DATA_IN_ETC: &[&str] = &[
    "/etc/ssl/certs",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/alternatives",
    "/etc/terminfo",
    "/etc/services",
    "/etc/protocols",
];

/// Directories of a distribution, in which files with the names of configuration are data.
const DATA_DIRECTORIES: &[&str] = &["/usr", "/lib", "/lib64", "/bin", "/sbin"];

const CONFIGURATION_EXTENSIONS: &[&str] =
    &["conf", "cfg", "cnf", "ini", "yaml", "yml", "toml", "properties", "env"];

/// Directories for temporary files.
const TEMPORARY_DIRECTORIES: &[&str] = &["/tmp", "/var/tmp", "/dev/shm"];

/// The directories of the user who records.
pub(super) struct UserDirectories {
    /// The directory that the program starts in.
    pub(super) start: PathBuf,
    /// The directories of the programs that are outside the directories of a distribution.
    pub(super) programs: BTreeSet<PathBuf>,
    pub(super) home: Option<PathBuf>,
    /// `TMPDIR`.
    pub(super) temporary: Option<PathBuf>,
}

impl UserDirectories {
    /// Returns the directories that this process's environment names, and the directories of
    /// `programs`.
    pub(super) fn new<'a>(start: &Path, programs: impl Iterator<Item = &'a Path>) -> Self {
        let is_own = |directory: &PathBuf| {
            let path = ImagePath::parse(directory.as_os_str().as_encoded_bytes());
            directory.parent().is_some() && path.is_ok_and(|path| !is_system_path(&path))
        };
        let directories =
            programs.filter_map(|program| Some(program.canonicalize().ok()?.parent()?.to_owned()));
        Self {
            start: start.to_owned(),
            programs: directories.filter(is_own).collect(),
            home: env_path("HOME"),
            temporary: env_path("TMPDIR"),
        }
    }

    /// Returns whether `path` differs from run to run or from machine to machine, so that it is never proposed.
    pub(super) fn is_ignored_path(&self, path: &Path) -> bool {
        let is_below = |directories: &[&str]| directories.iter().any(|directory| path.starts_with(directory));
        let has_noise_name =
            path.components().any(|part| NOISE_NAMES.iter().any(|name| part.as_os_str() == *name));
        has_noise_name
            || is_below(NOISE_DIRECTORIES)
            || NOISE_FILES.iter().any(|file| path == Path::new(file))
            || (!self.is_in_project(path)
                && !self.is_in_start(path)
                && (self.is_temporary(path) || self.is_hidden_in_home(path)))
    }

    /// Returns whether `path` is below the directory of a program, or below the directory that the run starts in
    /// if a program is there, too.
    pub(super) fn is_in_project(&self, path: &Path) -> bool {
        self.programs.iter().any(|directory| path.starts_with(directory))
            || (self.is_in_start(path) && self.is_start_of_programs())
    }

    /// Returns whether `path` is input of the run: it is below the directory that the run starts in, where no
    /// program is.
    pub(super) fn is_input(&self, path: &Path) -> bool {
        self.is_in_start(path) && !self.is_in_project(path)
    }

    fn is_in_start(&self, path: &Path) -> bool {
        self.start.parent().is_some() && path.starts_with(&self.start)
    }

    fn is_start_of_programs(&self) -> bool {
        self.programs.iter().any(|directory| self.is_in_start(directory))
    }

    /// Returns whether `path` is in a directory for temporary files.
    pub(super) fn is_temporary(&self, path: &Path) -> bool {
        let named = self.temporary.iter().filter(|directory| directory.parent().is_some());
        named
            .map(PathBuf::as_path)
            .chain(TEMPORARY_DIRECTORIES.iter().map(Path::new))
            .any(|directory| path.starts_with(directory))
    }

    /// Returns whether `path` is in the home directory, and not in the project: no image has that directory.
    pub(super) fn is_private(&self, path: &Path) -> bool {
        let home = self.home.iter().filter(|home| home.parent().is_some());
        !self.is_in_project(path)
            && home
                .map(PathBuf::as_path)
                .chain([Path::new("/home"), Path::new("/root")])
                .any(|home| path.starts_with(home))
    }

    fn is_hidden_in_home(&self, path: &Path) -> bool {
        let below = self.home.as_ref().and_then(|home| path.strip_prefix(home).ok());
        let first = below.and_then(|below| below.components().next());
        first.is_some_and(|name| name.as_os_str().as_encoded_bytes().starts_with(b"."))
    }

    /// Returns whether `directory` is too general to be included as a whole.
    pub(super) fn is_too_broad(&self, directory: &Path) -> bool {
        let names: Vec<_> =
            directory.components().skip(1).map(|name| name.as_os_str().to_string_lossy()).collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let is_general = match names.as_slice() {
            [] | [_] => true,
            ["usr" | "var" | "home" | "lib" | "lib64" | "media" | "mnt", _] => true,
            ["usr", "local", _] | ["etc", "ssl"] => true,
            ["usr", "lib" | "share", name] => name.contains("-linux-"),
            _ => false,
        };
        let home = self.home.as_ref();
        is_general
            || self.start.starts_with(directory)
            || self.programs.iter().any(|program| program.starts_with(directory))
            || home.is_some_and(|home| home.starts_with(directory))
    }

    /// Returns whether a file looks like configuration, which is mounted and not part of an image.
    pub(super) fn is_configuration(&self, path: &Path) -> bool {
        let is_below = |directories: &[&str]| directories.iter().any(|directory| path.starts_with(directory));
        if path.starts_with("/etc") || path.starts_with("/usr/local/etc") {
            return !is_below(DATA_IN_ETC);
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        !is_below(DATA_DIRECTORIES)
            && extension.is_some_and(|extension| CONFIGURATION_EXTENSIONS.contains(&extension.as_str()))
    }
}

/// Returns whether the loader searches the directory of `path` for every program, so that `dlopen` finds the
/// file by its name.
pub(super) fn is_in_loader_directory(path: &Path) -> bool {
    let Some(directory) = path.parent() else { return false };
    let is_triplet = |name: &Path| name.to_string_lossy().contains("-linux-");
    let base = match directory.file_name() {
        Some(name) if is_triplet(Path::new(name)) => directory.parent().unwrap_or(directory),
        _ => directory,
    };
    ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"]
        .iter()
        .any(|known| base == Path::new(known))
}
