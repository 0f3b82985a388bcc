//! A program's configuration: renders templates and values to the files of mounted directories.
//!
//! None of the files is in an image. A file that uses a secret value is secret as a whole.
mod configuration;
mod configuration_problems;
mod error;
mod render;
mod source_files;

pub use configuration::{
    ConfigMount, Configuration, FileVariable, MountFileSource, RenderedFile, RenderedMount, SecretMount,
    WritableDirectory,
};
pub use configuration::{ParseReloadError, ReloadMethod};
pub use configuration_problems::configuration_problems;
pub use error::ConfigError;
pub use render::{PartialRender, missing_secrets, render_all, render_partial, render_public};
pub use source_files::{ConfigDir, read_config_dir};
pub use source_files::{VerbatimOrTemplate, read_source, source_fingerprint};

pub use crate::kubernetes_limits::MAX_OBJECT_BYTES;
