//! The flags of `coracle config render`.

use std::path::PathBuf;

use clap::Args;
use coracle::recipe::Overrides;

use super::config::ConfigArgs;

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
    /// Read the recipe in FILE; ./coracle.toml, under cargo Cargo.toml, unless `--config` says all
    #[arg(short, long = "file", value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,

    /// Write the files below DIR, each at its path, in place of what this command wrote there before
    #[arg(short, long = "output", value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,

    // Its heading holds for all that follows.
    #[command(flatten)]
    config: ConfigArgs,
}

impl RenderArgs {
    /// Whether flags alone say what is rendered.
    pub(in crate::cli) fn needs_no_recipe(&self) -> bool {
        self.file.is_none() && self.config.names_mounts()
    }

    pub(in crate::cli) fn overrides(&self) -> Overrides {
        Overrides { config: self.config.overrides(), ..Overrides::default() }
    }
}
