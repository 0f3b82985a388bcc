//! `coracle cache`, and the build cache that the flags select.

use std::path::PathBuf;

use coracle::Settings;
use coracle_oci::cache::{self, Cache};
use coracle_core::note::Note;
use coracle_core::reference::Reference;
use coracle_oci::remote_cache::Shared;
use coracle_core::size::Size;
use indicatif::DecimalBytes;

use super::args::{CacheArgs, CacheCommand, PruneArgs, SharedArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::{output, report, table};

/// Opens the cache that the flags select; `None` with `--no-cache`. Fails if the directory in
/// `--cache-dir` is unusable; for the default directory that is only a warning.
pub(super) fn open(args: &CacheArgs, quiet: bool) -> Result<Option<Cache>, Failure> {
    let Some(directory) = args.cache_dir.clone().or_else(default).filter(|_| !args.no_cache) else {
        return Ok(None);
    };
    match Cache::open(&directory, tool()) {
        Ok(cache) => Ok(Some(cache)),
        Err(error) if args.cache_dir.is_some() => Err(refused(error)),
        Err(error) => {
            let failure = refused(error);
            let notes = [
                Note::Warning(format!("{}; building without it", failure.message)),
                Note::Hint(failure.hint.unwrap_or_default()),
            ];
            report::notes(&notes, quiet);
            Ok(None)
        }
    }
}

/// Like [`open`], for a command that discards its image: builds are not recorded.
pub(super) fn for_layers(args: &CacheArgs, quiet: bool) -> Result<Option<Cache>, Failure> {
    Ok(open(args, quiet)?.map(Cache::without_records))
}

/// Returns the repositories of the remote cache that the flags select.
pub(super) fn shared(args: &SharedArgs) -> Result<Shared, Failure> {
    let repository = |flag: &str, text: &str| -> Result<Reference, Failure> {
        let name = text.strip_prefix("docker://").unwrap_or(text);
        let refused = |why: String| {
            Failure::usage(format!("`{flag}`: {why}"), "write a repository, such as `ghcr.io/acme/cache`")
        };
        let reference = name.parse::<Reference>().map_err(|error| refused(error.to_string()))?;
        // The cache writes one tag per layer.
        if reference.to_string() == name {
            return Err(refused(format!("`{text}` includes a tag, but the cache uses a whole repository")));
        }
        Ok(reference)
    };
    let from = args.cache_from.iter().map(|text| repository("--cache-from", text));
    Ok(Shared {
        from: from.collect::<Result<_, _>>()?,
        to: args.cache_to.as_deref().map(|text| repository("--cache-to", text)).transpose()?,
        is_trusted: args.trust_cache,
    })
}

/// Prunes the cache after all builds, and prints its warning, if any.
pub(super) fn close(settings: &Settings) {
    if let Some(cache) = &settings.cache {
        cache.tidy();
        report::notes(cache.note().as_slice(), false);
    }
}

pub(super) fn run(command: &CacheCommand) -> Result<Exit, Failure> {
    let CacheCommand::Prune(args) = command;
    let limit = limit(args)?;
    let Some(directory) = args.cache_dir.clone().or_else(default) else {
        return Err(Failure::usage(
            "there is no default cache directory: neither XDG_CACHE_HOME nor HOME is set",
            "name one with `--cache-dir`",
        ));
    };
    if !directory.exists() {
        output::print(&format!("nothing to remove: `{}` does not exist\n", directory.display()))?;
        return Ok(Exit::Done);
    }
    let cache = Cache::open(&directory, tool()).map_err(refused)?;
    let pruned = cache.prune(limit).map_err(coracle::Error::from)?;
    output::print(&format!(
        "removed {}, {}; {} left in `{}`\n",
        table::count(pruned.removed, "file"),
        DecimalBytes(pruned.freed),
        DecimalBytes(pruned.left),
        directory.display(),
    ))?;
    Ok(Exit::Done)
}

fn limit(args: &PruneArgs) -> Result<u64, Failure> {
    if args.all {
        return Ok(0);
    }
    let size = args.keep.parse::<Size>().map(|size| size.0);
    size.map_err(|error| Failure::usage(format!("`--keep`: {error}"), error.hint()))
}

fn refused(error: cache::Error) -> Failure {
    let hint = error.hint();
    let why = std::error::Error::source(&error).map(|why| format!(": {why}")).unwrap_or_default();
    Failure {
        exit: Exit::Failed,
        message: format!("cannot use the build cache: {error}{why}"),
        hint: Some(hint),
    }
}

/// Returns `coracle` in the user's cache directory. Source: XDG Base Directory Specification.
#[allow(clippy::disallowed_methods, reason = "the command line reads the environment, the library never")]
fn default() -> Option<PathBuf> {
    let directory = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = directory("XDG_CACHE_HOME").or_else(|| Some(directory("HOME")?.join(".cache")))?;
    Some(caches.join("coracle"))
}

/// Returns an identifier of this executable, for cache keys. The version alone does not change
/// between development builds.
fn tool() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let file = file.and_then(|file| Ok((file.len(), file.modified()?)));
    format!("{} {:?}", env!("CARGO_PKG_VERSION"), file.ok())
}
