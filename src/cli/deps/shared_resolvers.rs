//! Resolves many files in one process: files with the same root file systems share what was read.

use std::collections::BTreeMap;
use std::rc::Rc;

use coracle::Error;
use coracle::root_file_systems::{RootFileSystems, RootId};
use coracle_core::file_system::FileSystem;
use coracle_core::path::{ImagePath, ParseImagePathError, RawPath};
use coracle_ld::closure::{Closure, ResolveOptions, Resolver};
use coracle_ld::ldso::{HwcapsSelection, LoaderEnvironment};

use crate::cli::args::DepsArgs;
use crate::cli::error::CliError;

/// The file systems, each with the number of files that are resolved in it.
pub(super) struct SharedFileSystems(BTreeMap<RootId, (Rc<dyn FileSystem>, usize)>);

/// The resolvers of the file systems, made when needed.
pub(super) struct SharedResolvers<'a> {
    file_systems: &'a SharedFileSystems,
    options: &'a ResolveOptions,
    resolvers: BTreeMap<&'a RootId, Resolver<'a>>,
}

impl SharedFileSystems {
    /// Opens the file systems `ids`, one for each file that will be resolved.
    pub(super) fn open<'a>(roots: &RootFileSystems, ids: impl Iterator<Item = &'a RootId>) -> Self {
        let mut file_systems = BTreeMap::new();
        for id in ids {
            file_systems.entry(id.clone()).or_insert_with(|| (roots.file_system(id), 0)).1 += 1;
        }
        Self(file_systems)
    }

    pub(super) fn resolvers<'a>(&'a self, options: &'a ResolveOptions) -> SharedResolvers<'a> {
        SharedResolvers { file_systems: self, options, resolvers: BTreeMap::new() }
    }
}

impl SharedResolvers<'_> {
    /// Resolves the file `path` in the file system `id`, which must be among the IDs passed to
    /// [`SharedFileSystems::open`]. If only one file uses the file system, nothing is cached,
    /// because there may be thousands of such file systems. The outer error is internal.
    pub(super) fn resolve(
        &mut self,
        id: &RootId,
        path: &RawPath,
    ) -> Result<Result<Closure, Error>, CliError> {
        let Some((id, (file_system, files))) = self.file_systems.0.get_key_value(id) else {
            return Err(CliError::internal("a file is in a root file system that was not opened"));
        };
        let new_resolver = || Resolver::new(&**file_system, self.options);
        let closure = match files {
            1 => new_resolver().resolve_partial(path),
            _ => self.resolvers.entry(id).or_insert_with(new_resolver).resolve_partial(path),
        };
        Ok(closure.map_err(Error::from))
    }
}

/// The value of `--hwcaps` for no level.
const NO_HWCAPS: &str = "none";

/// Returns the options that the flags select.
pub(super) fn resolve_options(args: &DepsArgs) -> Result<ResolveOptions, CliError> {
    let bytes = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let working_dir = match &args.working_dir {
        None => ImagePath::root(),
        Some(path) => path.parse().map_err(|error: ParseImagePathError| {
            CliError::usage(error.to_string(), "write the absolute path of a directory in the root")
        })?,
    };
    let loader_environment = LoaderEnvironment {
        library_path: bytes(&args.library_path),
        preload: bytes(&args.preload),
        audit: Vec::new(),
        reads_preload_file: true,
        hwcaps: match args.hwcaps.as_deref() {
            None => HwcapsSelection::All,
            Some(NO_HWCAPS) => HwcapsSelection::None,
            Some(level) => HwcapsSelection::UpTo(level.as_bytes().to_vec()),
        },
        platform: args.platform_token.clone().map(String::into_bytes),
    };
    Ok(ResolveOptions { working_dir, loader_environment, ..ResolveOptions::default() })
}
