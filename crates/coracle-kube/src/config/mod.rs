//! A program's configuration: renders templates and values to the files of mounted directories.
//!
//! None of the files is in an image. A file that uses a secret value is secret as a whole.

mod config_dir;
mod configuration;
mod error;
mod reload;
mod render;
mod source_files;
mod validation;

pub use config_dir::{ConfigDir, mount_file, read_config_dir};
pub use configuration::{
    ConfigMount, Configuration, FileVariable, MountFile, RenderedFile, RenderedMount, SecretMount,
    WritableDirectory,
};
pub use error::ConfigError;
pub use reload::{ParseReloadError, ReloadMethod};
pub use render::{PartialRender, render, render_partial, render_public};
pub use source_files::{FileSource, read_source, source_fingerprint};
pub use validation::find_problems;

pub use crate::kubernetes_limits::MAX_OBJECT_BYTES;
