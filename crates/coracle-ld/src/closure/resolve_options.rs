//! The inputs of a resolution besides the file system.

use std::collections::{BTreeMap, BTreeSet};

use crate::ldso::LoaderEnvironment;
use coracle_core::path::ImagePath;

/// The options of a resolution. The host's environment is never read.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// The directory that relative paths start at.
    pub working_dir: ImagePath,
    /// `PATH`, in which `env` searches for the interpreter of a script.
    pub path_variable: String,
    /// The variables of the image, which libraries read.
    pub variables: BTreeMap<String, String>,
    /// Files that the image adds, and that the existing cache therefore does not list. `ldconfig`
    /// would list the libraries among them that are in directories of `ld.so.conf`.
    pub added_files: BTreeSet<ImagePath>,
    /// The environment of the loader.
    pub loader_environment: LoaderEnvironment,
}

/// The default `PATH` of container engines.
pub const DEFAULT_PATH_VARIABLE: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl ResolveOptions {
    /// Returns the path of a file called `name` that the image adds.
    pub(super) fn added_file(&self, name: &[u8]) -> Option<ImagePath> {
        self.added_files.iter().find(|path| path.file_name() == Some(name)).cloned()
    }
}

impl Default for ResolveOptions {
    fn default() -> Self {
        let loader = LoaderEnvironment::default();
        Self {
            working_dir: ImagePath::root(),
            path_variable: DEFAULT_PATH_VARIABLE.into(),
            variables: BTreeMap::new(),
            added_files: BTreeSet::new(),
            loader_environment: loader,
        }
    }
}
