//! The build cache as the command line has it: where it is, what is said when it can't be used, `coracle cache`.

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

/// The cache that the flags ask for. One that nobody asked for and that can't be used is a warning.
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
                Note::Warning(format!("{}; nothing is kept for the next build", failure.message)),
                Note::Hint(failure.hint.unwrap_or_default()),
            ];
            report::notes(&notes, quiet);
            Ok(None)
        }
    }
}

/// The same, for a command whose image is thrown away.
pub(super) fn for_layers(args: &CacheArgs, quiet: bool) -> Result<Option<Cache>, Failure> {
    Ok(open(args, quiet)?.map(Cache::without_records))
}

/// The repositories of layers that others have packed.
pub(super) fn shared(args: &SharedArgs) -> Result<Shared, Failure> {
    let repository = |flag: &str, text: &str| -> Result<Reference, Failure> {
        let name = text.strip_prefix("docker://").unwrap_or(text);
        let refused = |why: String| {
            Failure::usage(format!("`{flag}`: {why}"), "write a repository, such as `ghcr.io/acme/cache`")
        };
        let reference = name.parse::<Reference>().map_err(|error| refused(error.to_string()))?;
        // Each layer has a tag of its own.
        if reference.to_string() == name {
            return Err(refused(format!("`{text}` has a tag, and a cache is a whole repository")));
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

/// The builds are done.
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
            "no cache directory is known: neither XDG_CACHE_HOME nor HOME is set",
            "name it with `--cache-dir`",
        ));
    };
    if !directory.exists() {
        output::print(&format!("nothing to remove: there is no `{}`\n", directory.display()))?;
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

/// `coracle` in the user's cache directory. Source: XDG Base Directory Specification.
#[allow(clippy::disallowed_methods, reason = "what the environment decides is read by the command line")]
fn default() -> Option<PathBuf> {
    let directory = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = directory("XDG_CACHE_HOME").or_else(|| Some(directory("HOME")?.join(".cache")))?;
    Some(caches.join("coracle"))
}

/// What tells this program from another version of it: builds of the same version differ while it is developed.
fn tool() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let file = file.and_then(|file| Ok((file.len(), file.modified()?)));
    format!("{} {:?}", env!("CARGO_PKG_VERSION"), file.ok())
}
