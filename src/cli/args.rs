//! The arguments, as clap reads them. What a value means is said by the recipe, not here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use coracle::recipe::{ConfigOverrides, Overrides, RuntimeOverrides};

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
  coracle deps /usr/bin/curl              what its loader would map

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
    /// Show what a program's loader would map, and why
    Deps(Box<DepsArgs>),
    /// Work on a program's configuration, which stays outside its image
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum ConfigCommand {
    /// Write the configuration as the program will read it
    Render(RenderArgs),
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
  coracle build ./app --sysroot /usr/aarch64-linux-gnu  a program of a cross compiler
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

    /// Take programs and libraries from this root; PROGRAM is a path inside it. Several roots, several platforms
    #[arg(long = "root", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    roots: Vec<OsString>,

    /// Take the loader and the libraries from this root, the programs from here: what a cross build needs
    #[arg(long = "sysroot", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    sysroots: Vec<OsString>,

    /// The time in the image's config, in seconds since 1970; SOURCE_DATE_EPOCH or 0 when nothing is said
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true, help_heading = "Image")]
    pub(super) epoch: Option<String>,

    /// More arguments for the program
    #[arg(last = true, value_name = "ARG")]
    rest: Vec<String>,

    // Its heading holds for all that follows.
    #[command(flatten)]
    runtime: RuntimeArgs,
}

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
pub(super) struct RenderArgs {
    /// Read the recipe in FILE; ./coracle.toml unless `--config` says all
    #[arg(short, long = "file", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,

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

    /// Set one value to the text of FILE: the way for secrets
    #[arg(long = "set-file", value_name = "KEY=FILE", help_heading = "Values")]
    set_files: Vec<OsString>,

    /// Write the files below DIR, each at its path
    #[arg(short, long = "output", value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
}

impl RenderArgs {
    /// Whether flags alone say what is rendered.
    pub(super) fn needs_no_recipe(&self) -> bool {
        self.file.is_none() && !self.mounts.is_empty()
    }

    pub(super) fn overrides(&self) -> Overrides {
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

/// What no `DT_NEEDED` names.
#[derive(Args)]
#[command(next_help_heading = "Runtime")]
struct RuntimeArgs {
    /// Add CA certificates: `auto` when something speaks TLS, `true`, `false`
    #[arg(long, value_name = "WHEN")]
    certificates: Option<String>,

    /// Add what looks up users and hosts: `auto` when something does, `true`, `false`
    #[arg(long, value_name = "WHEN")]
    nss: Option<String>,

    /// Add this NSS module besides `files` and `dns`, such as `sss`
    #[arg(long = "nss-module", value_name = "NAME")]
    nss_modules: Vec<String>,

    /// Add OpenSSL's configuration: `auto` when libcrypto is mapped, `true` with providers and engines, `false`
    #[arg(long, value_name = "WHEN")]
    openssl: Option<String>,

    /// Add libgcc_s, which glibc opens to end a thread: `auto` when something does, `true`, `false`
    #[arg(long, value_name = "WHEN")]
    libgcc: Option<String>,

    /// Add a library that the entrypoint opens, found as `dlopen` would find it
    #[arg(long, value_name = "NAME")]
    dlopen: Vec<String>,

    /// Add libraries that notes say are opened, down to `required`, `recommended` (the default) or `suggested`; `false`
    /// for none
    #[arg(long, value_name = "LEVEL")]
    dlopen_notes: Option<String>,

    /// Add time zones; all when none is named
    #[arg(long, value_name = "ZONE,…", num_args = 0..=1, require_equals = true, value_delimiter = ',')]
    time_zones: Option<Vec<String>>,

    /// Add a locale, such as C.UTF-8
    #[arg(long = "locale", value_name = "NAME")]
    locales: Vec<String>,

    /// Add a character set for `iconv`, such as UTF-16
    #[arg(long = "charset", value_name = "NAME")]
    charsets: Vec<String>,

    /// Add a service of PAM with its modules
    #[arg(long, value_name = "SERVICE")]
    pam: Vec<String>,

    /// Add the plugins of a library, such as `gio` or `qt5`
    #[arg(long, value_name = "FAMILY")]
    plugins: Vec<String>,

    /// Add variants of libraries for newer CPUs up to this level only, such as x86-64-v3, or `none`
    #[arg(long, value_name = "LEVEL")]
    hwcaps: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DepsFormat {
    /// Each object below the one that brought it in
    Tree,
    /// One path a line
    Paths,
    /// An object for one file, an array for several
    Json,
    /// An object a line
    Jsonl,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle deps ./app                       the tree, with sizes and rules
  coracle deps --why libz.so.1 ./app       who needs it, where was looked, its cost
  coracle deps --compressed ./app          what each object adds to an image
  coracle deps --format jsonl /usr/bin/*   thousands of files in one process
  coracle deps --root ./rootfs /bin/app    inside another root, and nowhere else
  coracle deps --sysroot /usr/aarch64-linux-gnu ./app

Nothing is run: neither the program, nor its loader, nor ldd. Exit code 4: something is missing or refused; 1: no FILE
could be read, or nothing is called what `--why` says.")]
pub(super) struct DepsArgs {
    /// ELF programs, shared libraries or `#!` scripts
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,

    /// How stdout is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DepsFormat::Tree)]
    pub(super) format: DepsFormat,

    /// Explain this object, by its path, its file's name, or a name that is asked for: every chain from the program to
    /// it, the rule that found it, where else was looked, what it costs
    #[arg(long, value_name = "NAME")]
    pub(super) why: Option<String>,

    /// Compress every object as an image's layer does, and show its size there
    #[arg(long)]
    pub(super) compressed: bool,

    /// Look for undefined symbols too; versions are always compared
    #[arg(long)]
    pub(super) symbols: bool,

    /// Look into this directory as the root; FILE is a path inside it. Several roots, several platforms: the first that
    /// has FILE for its platform counts
    #[arg(long = "root", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    pub(super) roots: Vec<OsString>,

    /// Take the loader and the libraries from this root, FILE from here
    #[arg(long = "sysroot", value_name = "[PLATFORM=]DIR", help_heading = "Roots")]
    pub(super) sysroots: Vec<OsString>,

    /// What LD_LIBRARY_PATH would be; the environment is not read
    #[arg(long, value_name = "DIRS", help_heading = "Loader")]
    pub(super) library_path: Option<String>,

    /// What LD_PRELOAD would be; the environment is not read
    #[arg(long, value_name = "NAMES", help_heading = "Loader")]
    pub(super) preload: Option<String>,

    /// Where relative paths start, `/` when nothing is said
    #[arg(long, value_name = "PATH", help_heading = "Loader")]
    pub(super) working_dir: Option<String>,

    /// The best variant that the CPU runs, such as x86-64-v3, or `none`; the best that is there when nothing is said
    #[arg(long, value_name = "LEVEL", help_heading = "Loader")]
    pub(super) hwcaps: Option<String>,

    /// What `$PLATFORM` stands for
    #[arg(long, value_name = "NAME", help_heading = "Loader")]
    pub(super) platform_token: Option<String>,
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
            runtime: self.runtime.overrides(),
            platform: self.platform.clone(),
            roots: self.roots.clone(),
            sysroots: self.sysroots.clone(),
            destinations: self.output.clone(),
            config: ConfigOverrides::default(),
        }
    }
}

impl RuntimeArgs {
    fn overrides(&self) -> RuntimeOverrides {
        RuntimeOverrides {
            certificates: self.certificates.clone(),
            nss: self.nss.clone(),
            nss_modules: self.nss_modules.clone(),
            openssl: self.openssl.clone(),
            libgcc: self.libgcc.clone(),
            dlopen: self.dlopen.clone(),
            dlopen_notes: self.dlopen_notes.clone(),
            time_zones: self.time_zones.clone(),
            locales: self.locales.clone(),
            charsets: self.charsets.clone(),
            pam: self.pam.clone(),
            plugins: self.plugins.clone(),
            hwcaps: self.hwcaps.clone(),
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
