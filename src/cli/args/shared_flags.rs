//! Flags that several commands share: for registries, the caches and configuration.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use coracle::recipe::ConfigOverrides;
use coracle_core::fs::Durability;

#[derive(Args)]
#[command(next_help_heading = "Registries")]
pub(in crate::cli) struct RegistryArgs {
    /// Allow this registry without TLS; loopback addresses are always allowed
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(in crate::cli) insecure: Vec<String>,

    /// Allow the registry to have its uploads sent to this host
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(in crate::cli) upload_host: Vec<String>,

    /// Also trust the CA certificates in this PEM file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ca_file: Vec<PathBuf>,

    /// Look for logins in this file first, before those of Podman and Docker
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) authfile: Option<PathBuf>,
}

/// The configuration flags that several commands share.
#[derive(Args)]
#[command(next_help_heading = "Configuration")]
pub(in crate::cli) struct ConfigFlags {
    /// Mount the files of FOLDER at TO; replaces the recipe's mounts
    #[arg(long = "config", value_name = "FOLDER:TO")]
    mounts: Vec<OsString>,

    /// Mount a Secret with these keys at TO; replaces the recipe's Secrets
    #[arg(long = "secret", value_name = "KEY[,KEY]:TO")]
    secrets: Vec<String>,

    /// Declare a directory that the program writes to; replaces those of the recipe
    #[arg(long, value_name = "PATH")]
    state: Vec<String>,

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

    /// Override one value with the content of FILE, or of stdin for `-`, without a final line feed;
    /// use it for secrets
    #[arg(long = "set-file", value_name = "KEY=FILE")]
    set_files: Vec<OsString>,

    /// Like `--set-file`, but with a final line feed
    #[arg(long = "set-file-exact", value_name = "KEY=FILE")]
    exact_set_files: Vec<OsString>,
}

impl ConfigFlags {
    /// Whether `--config` specifies mounts.
    pub(in crate::cli) fn has_mounts(&self) -> bool {
        !self.mounts.is_empty()
    }

    /// Returns the flags as arguments of `coracle config render`.
    pub(in crate::cli) fn render_args(&self) -> Vec<String> {
        let texts = |flag: &str, values: Vec<String>| -> Vec<String> {
            values.into_iter().flat_map(|value| [flag.to_owned(), value]).collect()
        };
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
        let raw =
            |values: &[OsString]| values.iter().map(|value| value.to_string_lossy().into_owned()).collect();
        [
            texts("--config", raw(&self.mounts)),
            texts("--schema", paths(self.schema.as_slice())),
            texts("--environment", self.environment.iter().cloned().collect()),
            texts("--values", paths(&self.values)),
            texts("--set", self.sets.clone()),
            texts("--set-file", raw(&self.set_files)),
        ]
        .concat()
    }

    pub(in crate::cli) fn overrides(&self) -> ConfigOverrides {
        ConfigOverrides {
            mounts: self.mounts.clone(),
            secrets: self.secrets.clone(),
            state: self.state.clone(),
            schema: self.schema.clone(),
            environment: self.environment.clone(),
            values: self.values.clone(),
            sets: self.sets.clone(),
            set_files: self.set_files.clone(),
            exact_set_files: self.exact_set_files.clone(),
        }
    }
}

#[derive(Args)]
pub(in crate::cli) struct DiskArgs {
    /// Do not wait until layouts and archives are on the storage device: faster, but a crash of the
    /// machine can damage them
    #[arg(long)]
    no_sync: bool,
}

impl DiskArgs {
    /// Whether written layouts and archives survive a crash of the machine.
    pub(in crate::cli) fn durability(&self) -> Durability {
        if self.no_sync { Durability::Unsynced } else { Durability::Synced }
    }
}

#[derive(Args)]
pub(in crate::cli) struct CacheArgs {
    /// Neither read nor write the build cache
    #[arg(long, conflicts_with = "cache_dir", help_heading = "Cache")]
    pub(in crate::cli) no_cache: bool,

    /// The build cache's directory; default: `coracle` in the user's cache directory
    #[arg(long, value_name = "DIR", help_heading = "Cache")]
    pub(in crate::cli) cache_dir: Option<PathBuf>,
}

#[derive(Args)]
pub(in crate::cli) struct RemoteCacheArgs {
    /// Reuse layers that other builds pushed to this repository, after verifying their content
    #[arg(long, value_name = "REPOSITORY", help_heading = "Cache")]
    pub(in crate::cli) cache_from: Vec<String>,

    /// Push packed layers to this repository, for reuse by other builds
    #[arg(long, value_name = "REPOSITORY", help_heading = "Cache")]
    pub(in crate::cli) cache_to: Option<String>,

    /// Do not verify the content of layers from `--cache-from`
    #[arg(long, requires = "cache_from", help_heading = "Cache")]
    pub(in crate::cli) trust_cache: bool,
}
