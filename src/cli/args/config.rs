//! The flags that say what a program's configuration is made of.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use coracle::recipe::ConfigOverrides;

#[derive(Args)]
pub(super) struct ConfigArgs {
    /// Mount the files of FOLDER at MOUNT, in place of the recipe's mounts
    #[arg(long = "config", value_name = "MOUNT=FOLDER", help_heading = "Configuration")]
    pub(super) mounts: Vec<OsString>,

    /// Hold values to this JSON Schema
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    schema: Option<PathBuf>,

    /// Take the values of `[environments.NAME]`
    #[arg(long, value_name = "NAME", help_heading = "Configuration")]
    environment: Option<String>,

    /// Put the values in FILE on top: TOML, YAML or JSON
    #[arg(long = "values", value_name = "FILE", help_heading = "Configuration")]
    values: Vec<PathBuf>,

    /// Set one value: JSON, else text
    #[arg(long = "set", value_name = "KEY=VALUE", help_heading = "Configuration")]
    sets: Vec<String>,

    /// Set one value to the text of FILE, or of `-`, what is piped in: the way for secrets
    #[arg(long = "set-file", value_name = "KEY=FILE", help_heading = "Configuration")]
    set_files: Vec<OsString>,
}

impl ConfigArgs {
    pub(super) fn overrides(&self) -> ConfigOverrides {
        ConfigOverrides {
            mounts: self.mounts.clone(),
            schema: self.schema.clone(),
            environment: self.environment.clone(),
            values: self.values.clone(),
            sets: self.sets.clone(),
            set_files: self.set_files.clone(),
        }
    }
}
