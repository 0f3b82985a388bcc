//! The values of flags, which override those of the file.

use std::ffi::OsString;
use std::path::PathBuf;

/// The unparsed values of flags. A non-empty list replaces the file's list; maps are merged into
/// the file's maps.
#[derive(Clone, Default, Debug)]
pub struct RecipeOverrides {
    /// `--tag NAME[:TAG]`
    pub names: Vec<String>,
    /// `--base NAME|PLACE`
    pub base: Option<String>,
    /// `PROGRAM[:TO]`, split at the last colon before a `/`, unless the whole value names a file.
    pub programs: Vec<OsString>,
    /// `--arg ARG`, and the arguments after `--`.
    pub args: Vec<String>,
    /// `--user UID[:GID]`
    pub user: Option<String>,
    /// `--expose PORT[/PROTOCOL]`
    pub expose: Vec<String>,
    /// `--env NAME=VALUE`
    pub env: Vec<String>,
    /// `--working-dir PATH`
    pub working_dir: Option<String>,
    /// `--stop-signal SIGNAL`
    pub stop_signal: Option<String>,
    /// `--label NAME=VALUE`
    pub labels: Vec<String>,
    /// `--annotation NAME=VALUE`
    pub annotations: Vec<String>,
    /// `--include FROM:TO`
    pub includes: Vec<OsString>,
    /// `--exclude PATTERN`, added to the patterns of each include.
    pub exclude: Vec<String>,
    /// `--include-times zero|epoch`
    pub include_times: Option<String>,
    /// `--strip`
    pub strip: bool,
    /// `--no-inventory`
    pub no_inventory: bool,
    /// `--licences`
    pub licences: bool,
    /// `--require-inventory`
    pub require_inventory: bool,
    /// `--linkage HOW`
    pub linkage: Option<String>,
    /// `--compression CODEC[:LEVEL]`
    pub compression: Option<String>,
    /// The flags for `[runtime]`.
    pub runtime: RuntimeOverrides,
    /// The flags for configuration.
    #[cfg(feature = "kube")]
    pub config: ConfigOverrides,
    /// `--platform OS/ARCH[/VARIANT]`
    pub platform: Option<String>,
    /// `--root [PLATFORM=]DIR`
    pub roots: Vec<OsString>,
    /// `--sysroot [PLATFORM=]DIR`
    pub sysroots: Vec<OsString>,
    /// `--output DEST`
    pub destinations: Vec<String>,
    /// `--push`
    pub push: bool,
    /// `--attach-sbom FORMAT`
    pub attach_sbom: Vec<String>,
    /// `--sbom FILE`
    pub sbom_files: Vec<PathBuf>,
    /// `--sbom-format FORMAT`
    pub sbom_format: Option<String>,
    /// `--publish-contract DEST`
    pub publish_contract: Option<String>,
    /// `--allow PATH=REASON`
    pub allow: Vec<String>,
    /// `--strict`
    pub strict: bool,
    /// `--budget-image SIZE`
    pub budget_image: Option<String>,
    /// `--budget-growth PERCENT|SIZE`
    pub budget_growth: Option<String>,
    /// `--previous IMAGE`
    pub previous: Option<String>,
}

/// The unparsed values of the flags for `[runtime]`. `None` or empty if a flag is absent.
#[derive(Clone, Default, Debug)]
pub struct RuntimeOverrides {
    /// `--certificates auto|true|false`
    pub certificates: Option<String>,
    /// `--local-certificates`
    pub local_certificates: bool,
    /// `--nss auto|true|false`
    pub nss: Option<String>,
    /// `--nss-module NAME`
    pub nss_modules: Vec<String>,
    /// `--openssl auto|true|false`
    pub openssl: Option<String>,
    /// `--libgcc auto|true|false`
    pub libgcc: Option<String>,
    /// `--dlopen NAME`
    pub dlopen: Vec<String>,
    /// `--dlopen-notes LEVEL`
    pub dlopen_notes: Option<String>,
    /// `--time-zones[=ZONE,…]`; an empty list means all zones.
    pub time_zones: Option<Vec<String>>,
    /// `--locale NAME`
    pub locales: Vec<String>,
    /// `--charset NAME`
    pub charsets: Vec<String>,
    /// `--pam SERVICE`
    pub pam: Vec<String>,
    /// `--plugins FAMILY`
    pub plugins: Vec<String>,
    /// `--complete`
    pub complete: bool,
    /// `--ignore NAME`
    pub ignore: Vec<String>,
    /// `--hwcaps LEVEL`
    pub hwcaps: Option<String>,
}

/// The unparsed values of the flags for configuration.
#[cfg(feature = "kube")]
#[derive(Clone, Default, Debug)]
pub struct ConfigOverrides {
    /// `--config FOLDER:TO`; one flag replaces all tables `[[config]]`.
    pub mounts: Vec<OsString>,
    /// `--state PATH`; one flag replaces all tables `[[state]]`.
    pub state: Vec<String>,
    /// `--secret KEY[,KEY]:TO`; one flag replaces all tables `[[secret]]`.
    pub secrets: Vec<String>,
    /// `--schema FILE`
    pub schema: Option<PathBuf>,
    /// `--environment NAME`
    pub environment: Option<String>,
    /// `--values FILE`, merged after the recipe's and the environment's files.
    pub values: Vec<PathBuf>,
    /// `--set KEY=VALUE`
    pub sets: Vec<String>,
    /// `--set-file KEY=FILE`
    pub set_files: Vec<OsString>,
    /// `--set-file-exact KEY=FILE`
    pub exact_set_files: Vec<OsString>,
}
