//! `coracle cache`, and the build cache that the flags select.

use std::path::PathBuf;
use std::time::SystemTime;

use coracle::Settings;
use coracle_core::byte_size::ByteSize;
use coracle_core::note::Note;
use coracle_core::reference::ImageReference;
use coracle_oci::cache::{self, BuildCache};
use coracle_oci::remote_cache::RemoteCacheConfig;
use indicatif::DecimalBytes;

use super::args::{CacheArgs, CacheCommand, PruneArgs, RemoteCacheArgs};
use super::console_output::{self, count_noun};
use super::environment::env_path;
use super::error::{CliError, CliExit};

/// Opens the cache that the flags select; `None` with `--no-cache`. Fails if the directory in
/// `--cache-dir` is unusable; for the default directory that is only a warning.
pub(super) fn open_cache(args: &CacheArgs, quiet: bool) -> Result<Option<BuildCache>, CliError> {
    let Some(directory) = args.cache_dir.clone().or_else(default_directory).filter(|_| !args.no_cache) else {
        return Ok(None);
    };
    match BuildCache::open(&directory, executable_id()) {
        Ok(cache) => Ok(Some(cache)),
        Err(error) if args.cache_dir.is_some() => Err(cache_error(error)),
        Err(error) => {
            let failure = cache_error(error);
            let warning = Note::Warning(format!("{}; building without it", failure.message));
            let notes: Vec<Note> = [warning].into_iter().chain(failure.hint.map(Note::Hint)).collect();
            console_output::print_notes(&notes, quiet);
            Ok(None)
        }
    }
}

/// Like [`open_cache`], for a command that discards its image: builds are not recorded.
pub(super) fn open_cache_without_records(
    args: &CacheArgs,
    quiet: bool,
) -> Result<Option<BuildCache>, CliError> {
    Ok(open_cache(args, quiet)?.map(BuildCache::without_records))
}

/// Returns the repositories of the remote cache that the flags select.
pub(super) fn remote_cache_config(args: &RemoteCacheArgs) -> Result<RemoteCacheConfig, CliError> {
    let repository = |flag: &str, text: &str| -> Result<ImageReference, CliError> {
        let name = text.strip_prefix("docker://").unwrap_or(text);
        let usage = |why: String| {
            CliError::usage(
                format!("the value of `{flag}` is invalid: {why}"),
                "write a repository, such as `ghcr.io/acme/cache`",
            )
        };
        let reference = name.parse::<ImageReference>().map_err(|error| usage(error.to_string()))?;
        // The cache writes one tag per layer.
        if reference.to_string() == name {
            return Err(usage(format!("`{text}` includes a tag, but the cache uses a whole repository")));
        }
        Ok(reference)
    };
    let sources = args.cache_from.iter().map(|text| repository("--cache-from", text));
    Ok(RemoteCacheConfig {
        sources: sources.collect::<Result<_, _>>()?,
        target: args.cache_to.as_deref().map(|text| repository("--cache-to", text)).transpose()?,
        is_trusted: args.trust_cache,
    })
}

/// Prunes the cache after all builds, and prints its warning, if any.
pub(super) fn prune_and_report(settings: &Settings) {
    if let Some(cache) = &settings.cache {
        cache.prune_to_default_limit();
        console_output::print_notes(cache.take_warning().as_slice(), false);
    }
}

/// Runs `coracle cache`.
pub(super) fn run_cache(command: &CacheCommand) -> Result<CliExit, CliError> {
    let CacheCommand::Prune(args) = command;
    let limit = parse_limit(args)?;
    let Some(directory) = args.cache_dir.clone().or_else(default_directory) else {
        return Err(CliError::usage(
            "there is no default cache directory: neither XDG_CACHE_HOME nor HOME is set",
            "name one with `--cache-dir`",
        ));
    };
    if !directory.exists() {
        print_pruned(args, &format!("nothing to remove: `{}` does not exist\n", directory.display()))?;
        return Ok(CliExit::Success);
    }
    let cache = BuildCache::open(&directory, executable_id()).map_err(cache_error)?;
    let pruned = cache.prune(limit)?;
    let text = format!(
        "removed {}, {}; {} left in `{}`\n",
        count_noun(pruned.removed_files, "file"),
        DecimalBytes(pruned.freed_bytes),
        DecimalBytes(pruned.remaining_bytes),
        directory.display(),
    );
    print_pruned(args, &text)?;
    Ok(CliExit::Success)
}

fn print_pruned(args: &PruneArgs, text: &str) -> Result<(), CliError> {
    if args.quiet { Ok(()) } else { console_output::print_report(text) }
}

fn parse_limit(args: &PruneArgs) -> Result<u64, CliError> {
    if args.all {
        return Ok(0);
    }
    let size = args.keep.parse::<ByteSize>().map(|size| size.0);
    size.map_err(|error| CliError::with_message(CliExit::Usage, format!("`--keep`: {error}"), &error))
}

fn cache_error(error: cache::CacheError) -> CliError {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    CliError::with_message(CliExit::Failed, format!("cannot use the build cache: {error}{cause}"), &error)
}

/// Returns `coracle` in the user's cache directory. Source: XDG Base Directory Specification.
pub(super) fn default_directory() -> Option<PathBuf> {
    let directory = |name| env_path(name).filter(|path| path.is_absolute());
    let caches = directory("XDG_CACHE_HOME").or_else(|| Some(directory("HOME")?.join(".cache")))?;
    Some(caches.join("coracle"))
}

/// Returns an identifier of this executable, for cache keys: its version, size and modification time.
/// The version alone does not change between development builds.
fn executable_id() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let modified = file.as_ref().ok().and_then(|file| file.modified().ok());
    let modified = modified.and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
    match (file, modified) {
        (Ok(file), Some(modified)) => {
            format!("{version} {} {}.{:09}", file.len(), modified.as_secs(), modified.subsec_nanos())
        }
        // Only the version is known, for example if the executable was removed while it runs.
        _ => version.to_owned(),
    }
}
