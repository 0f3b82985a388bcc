//! The flags of `coracle config render`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use coracle::recipe::{ConfigOverrides, Overrides};

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle config render                             as ./coracle.toml says
  coracle config render --environment production -o out
  coracle config render --config /etc/app=config/ --set port=8080
  coracle config render --set-file db.password=./password -o out

A folder is taken with every file in it; a name that ends in `.j2` is a template. `values.toml` (or `.yaml`, `.json`) and
`schema.json` in it are values and their JSON Schema. A file that uses a value marked `writeOnly` is secret: it is
written with `-o` alone, and only its owner can read it.")]
pub(in crate::cli) struct RenderArgs {
    /// Read the recipe in FILE; ./coracle.toml unless `--config` says all
    #[arg(short, long = "file", value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,

    /// Mount the files of FOLDER at MOUNT, in place of the recipe's mounts
    #[arg(long = "config", value_name = "MOUNT=FOLDER")]
    mounts: Vec<OsString>,

    /// Hold values to this JSON Schema
    #[arg(long, value_name = "FILE", help_heading = "Values")]
    schema: Option<PathBuf>,

    /// Take the values of `[environments.NAME]`
    #[arg(long, value_name = "NAME", help_heading = "Values")]
    environment: Option<String>,

    /// Put the values in FILE on top: TOML, YAML or JSON
    #[arg(long = "values", value_name = "FILE", help_heading = "Values")]
    values: Vec<PathBuf>,

    /// Set one value: JSON, else text
    #[arg(long = "set", value_name = "KEY=VALUE", help_heading = "Values")]
    sets: Vec<String>,

    /// Set one value to the text of FILE, or of `-`, what is piped in: the way for secrets
    #[arg(long = "set-file", value_name = "KEY=FILE", help_heading = "Values")]
    set_files: Vec<OsString>,

    /// Write the files below DIR, each at its path
    #[arg(short, long = "output", value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,
}

impl RenderArgs {
    /// Whether flags alone say what is rendered.
    pub(in crate::cli) fn needs_no_recipe(&self) -> bool {
        self.file.is_none() && !self.mounts.is_empty()
    }

    pub(in crate::cli) fn overrides(&self) -> Overrides {
        let config = ConfigOverrides {
            mounts: self.mounts.clone(),
            schema: self.schema.clone(),
            environment: self.environment.clone(),
            values: self.values.clone(),
            sets: self.sets.clone(),
            set_files: self.set_files.clone(),
        };
        Overrides { config, ..Overrides::default() }
    }
}
