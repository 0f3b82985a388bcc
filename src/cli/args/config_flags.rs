//! The configuration flags that several commands share.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use coracle::recipe::ConfigOverrides;

#[derive(Args)]
#[command(next_help_heading = "Configuration")]
pub(in crate::cli) struct ConfigFlags {
    /// Mount the files of FOLDER at MOUNT; replaces the recipe's mounts
    #[arg(long = "config", value_name = "MOUNT=FOLDER")]
    mounts: Vec<OsString>,

    /// Mount a Secret with these keys at MOUNT; replaces the recipe's Secrets
    #[arg(long = "secret", value_name = "MOUNT=KEY[,KEY]")]
    secrets: Vec<String>,

    /// Validate values with this JSON Schema
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,

    /// Use the values of `[environments.NAME]`
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,

    /// Override values with those in FILE: TOML, YAML or JSON
    #[arg(long = "values", value_name = "FILE")]
    values: Vec<PathBuf>,

    /// Override one value; VALUE is JSON or else text
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,

    /// Override one value with the content of FILE, or of stdin for `-`; use it for secrets
    #[arg(long = "set-file", value_name = "KEY=FILE")]
    set_files: Vec<OsString>,
}

impl ConfigFlags {
    /// Whether `--config` specifies mounts.
    pub(in crate::cli) fn has_mounts(&self) -> bool {
        !self.mounts.is_empty()
    }

    pub(in crate::cli) fn overrides(&self) -> ConfigOverrides {
        ConfigOverrides {
            mounts: self.mounts.clone(),
            secrets: self.secrets.clone(),
            schema: self.schema.clone(),
            environment: self.environment.clone(),
            values: self.values.clone(),
            sets: self.sets.clone(),
            set_files: self.set_files.clone(),
        }
    }
}
