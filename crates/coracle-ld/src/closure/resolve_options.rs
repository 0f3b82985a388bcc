//! The inputs of a resolution besides the file system.

use crate::ldso::LoaderEnvironment;
use coracle_core::path::ImagePath;

/// The options of a resolution. The host's environment is never read.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// The directory that relative paths start at.
    pub working_dir: ImagePath,
    /// `PATH`, in which `env` searches for the interpreter of a script.
    pub search_path: String,
    /// The environment of the loader.
    pub loader_environment: LoaderEnvironment,
}

/// The default `PATH` of container engines.
pub const DEFAULT_SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Default for ResolveOptions {
    fn default() -> Self {
        let loader = LoaderEnvironment::default();
        Self {
            working_dir: ImagePath::root(),
            search_path: DEFAULT_SEARCH_PATH.into(),
            loader_environment: loader,
        }
    }
}
