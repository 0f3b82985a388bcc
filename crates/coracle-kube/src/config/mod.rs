//! A program's configuration: renders templates and values to the files of mounted directories.
//!
//! None of the files is in an image. A file that uses a secret value is secret as a whole.
mod configuration;
mod configuration_problems;
mod error;
mod render;
mod source_files;
mod source_folder;

pub use configuration::{
    ConfigMount, Configuration, FileVariable, MountFileSource, RenderedFile, RenderedMount, SecretFile,
    SecretMount, WritableDirectory,
};
pub use configuration::{ParseReloadError, ReloadMethod};
pub use configuration_problems::configuration_problems;
pub use error::ConfigError;
pub(crate) use render::format_of_unchanged;
pub use render::{
    PartialRender, format_warnings, missing_secrets, render_all, render_partial, render_public,
};
pub use source_files::{VerbatimOrTemplate, read_source, source_fingerprint};
pub use source_folder::{ConfigDir, included_files, read_config_dir, read_folder};

pub use crate::kubernetes_limits::MAX_OBJECT_BYTES;
pub use crate::mounted_path::path_in_mount;
