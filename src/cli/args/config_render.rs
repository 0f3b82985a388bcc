//! The flags of `coracle config render`.

use std::path::PathBuf;

use clap::Args;
use coracle::recipe::RecipeOverrides;

use super::config_flags::ConfigFlags;

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle config render                             the configuration of ./coracle.toml
  coracle config render --environment production -o out
  coracle config render --config /etc/app=config/ --set port=8080
  coracle config render --set-file db.password=./password -o out

A directory is used with every file in it; a file whose name ends in `.j2` is a template. `values.toml` (or `.yaml`,
`.json`) and `schema.json` in it are the values and their JSON Schema. A file that uses a value marked `writeOnly` is
secret: it is written only with `-o`, readable only by its owner.")]
pub(in crate::cli) struct ConfigRenderArgs {
    /// Read the recipe from FILE; default: ./coracle.toml, or Cargo.toml under cargo, unless
    /// `--config` is given
    #[arg(short, long = "file", value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,

    /// Write the files below DIR, each at its path, replacing what this command wrote there before
    #[arg(short, long = "output", value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,

    // Its `next_help_heading` applies to all arguments that follow, so it comes last.
    #[command(flatten)]
    config: ConfigFlags,
}

impl ConfigRenderArgs {
    /// Whether the flags specify everything that is rendered.
    pub(in crate::cli) fn needs_no_recipe(&self) -> bool {
        self.file.is_none() && self.config.has_mounts()
    }

    pub(in crate::cli) fn overrides(&self) -> RecipeOverrides {
        RecipeOverrides { config: self.config.overrides(), ..RecipeOverrides::default() }
    }
}
