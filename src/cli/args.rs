//! The arguments, as clap reads them. What a value means is said by the recipe, not here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use coracle::recipe::Overrides;

/// Turns a program that is already built into the smallest honest container image.
#[derive(Parser)]
#[command(
    name = "coracle",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands",
    after_help = "\
Examples:
  coracle build ./app                     the image of a program, written to ./app.oci
  coracle build /usr/bin/curl -t curl     with every library that its loader would map
  coracle build                           as ./coracle.toml says

Exit codes: 0 done, 1 failed, 2 wrong usage or recipe, 3 registry or network, 4 findings."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,

    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    #[allow(dead_code, reason = "read by `color` before clap, so that help and errors follow it as well")]
    color: Color,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Build an image of programs that are already built
    Build(Box<BuildArgs>),
}

#[derive(Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle build ./app                               to ./app.oci, run as user 65532
  coracle build ./app -t shop:1.2 -o oci-archive:shop.tar
  coracle build ./app:/usr/bin/shop --expose 8080 -- --config /etc/shop/shop.toml
  coracle build ./app --include assets/:/srv/assets --dry-run
  coracle build -f a/coracle.toml -f b/coracle.toml --format json

Paths in flags start at the working directory, those of a recipe at the recipe.
Lists in flags replace the recipe's, NAME=VALUE flags are merged into its own.")]
pub(super) struct BuildArgs {
    /// ELF files or `#!` scripts, and their paths in the image; the first is the entrypoint. Without one,
    /// ./coracle.toml is read
    #[arg(value_name = "PROGRAM[:TO]")]
    programs: Vec<OsString>,

    /// Read the recipe in FILE; several files, several images
    #[arg(short, long = "file", value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// Name the image
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    tags: Vec<String>,

    /// Write the image to `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE`; `oci:NAME.oci` when
    /// nothing is said
    #[arg(short, long = "output", value_name = "DEST")]
    output: Vec<String>,

    /// List what would be packed and why, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// How stdout is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(super) format: Format,

    /// Say nothing on stderr but warnings and errors
    #[arg(short, long)]
    pub(super) quiet: bool,

    /// Give the program an argument
    #[arg(long = "arg", value_name = "ARG", allow_hyphen_values = true, help_heading = "Image")]
    args: Vec<String>,

    /// Run as this user, by number
    #[arg(long, value_name = "UID[:GID]", help_heading = "Image")]
    user: Option<String>,

    /// Set a variable that never changes between deployments
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Image")]
    env: Vec<String>,

    /// Declare a port; TCP when nothing is said
    #[arg(long, value_name = "PORT[/PROTOCOL]", help_heading = "Image")]
    expose: Vec<String>,

    /// Start the program in this directory
    #[arg(long, value_name = "PATH", help_heading = "Image")]
    working_dir: Option<String>,

    /// Ask the program to end by this signal
    #[arg(long, value_name = "SIGNAL", help_heading = "Image")]
    stop_signal: Option<String>,

    /// Set a label of the image
    #[arg(long = "label", value_name = "NAME=VALUE", help_heading = "Image")]
    labels: Vec<String>,

    /// Set an annotation of the manifest
    #[arg(long = "annotation", value_name = "NAME=VALUE", help_heading = "Image")]
    annotations: Vec<String>,

    /// Put a file or a directory into the image; `TO/` means into that directory
    #[arg(long = "include", value_name = "FROM:TO", help_heading = "Image")]
    includes: Vec<OsString>,

    /// Leave out the programs' symbols and debug information
    #[arg(long, help_heading = "Image")]
    strip: bool,

    /// Say what a program's header can't, such as the variant of ARM
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", help_heading = "Image")]
    platform: Option<String>,

    /// The time in the image's config, in seconds since 1970; SOURCE_DATE_EPOCH or 0 when nothing is said
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true, help_heading = "Image")]
    pub(super) epoch: Option<String>,

    /// More arguments for the program
    #[arg(last = true, value_name = "ARG")]
    rest: Vec<String>,
}

impl BuildArgs {
    /// What the flags say about the image.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            names: self.tags.clone(),
            programs: self.programs.clone(),
            args: self.args.iter().chain(&self.rest).cloned().collect(),
            user: self.user.clone(),
            expose: self.expose.clone(),
            env: self.env.clone(),
            working_dir: self.working_dir.clone(),
            stop_signal: self.stop_signal.clone(),
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            includes: self.includes.clone(),
            strip: self.strip,
            platform: self.platform.clone(),
            destinations: self.output.clone(),
        }
    }
}

/// What `--color` says in `args`. It is needed before clap has read them: help and errors have colours, too.
pub(super) fn color(args: &[OsString]) -> anstream::ColorChoice {
    let flags = args.iter().map_while(|arg| arg.to_str().filter(|arg| *arg != "--"));
    let mut choice = anstream::ColorChoice::Auto;
    let mut before = "";
    for arg in flags {
        let value = arg.strip_prefix("--color=").or_else(|| (before == "--color").then_some(arg));
        choice = match value {
            Some("always") => anstream::ColorChoice::Always,
            Some("never") => anstream::ColorChoice::Never,
            _ => choice,
        };
        before = arg;
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_is_content_with_the_flags() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn colour_is_known_before_the_rest() {
        let choice = |args: &str| color(&args.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(choice("coracle --color never build"), anstream::ColorChoice::Never);
        assert_eq!(choice("coracle build --color=always"), anstream::ColorChoice::Always);
        assert_eq!(choice("coracle build -- --color=always"), anstream::ColorChoice::Auto);
    }
}
