//! The flags about a program's configuration, for every command that has to know it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use coracle::recipe::ConfigOverrides;

#[derive(Args)]
#[command(next_help_heading = "Configuration")]
pub(in crate::cli) struct ConfigArgs {
    /// Mount the files of FOLDER at MOUNT, in place of the recipe's mounts
    #[arg(long = "config", value_name = "MOUNT=FOLDER")]
    mounts: Vec<OsString>,

    /// Mount a Secret with these keys at MOUNT, in place of the recipe's
    #[arg(long = "secret", value_name = "MOUNT=KEY[,KEY]")]
    secrets: Vec<String>,

    /// Hold values to this JSON Schema
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,

    /// Take the values of `[environments.NAME]`
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,

    /// Put the values in FILE on top: TOML, YAML or JSON
    #[arg(long = "values", value_name = "FILE")]
    values: Vec<PathBuf>,

    /// Set one value: JSON, else text
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,

    /// Set one value to the text of FILE, or of `-`, what is piped in: the way for secrets
    #[arg(long = "set-file", value_name = "KEY=FILE")]
    set_files: Vec<OsString>,
}

impl ConfigArgs {
    /// Whether flags say what is mounted.
    pub(in crate::cli) fn names_mounts(&self) -> bool {
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
