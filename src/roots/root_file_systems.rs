//! The host's file system, and the roots and sysroots that replace it.

use std::path::Path;
use std::rc::Rc;

use super::sysroot_fs::{SysrootFs, host_part};
use crate::error::Error;
use crate::recipe::{Recipe, RootOverride, RootOverrideKind};
use coracle_core::file_system::{self, FileSystem, FsFile, HostFs, ResolutionEnd};
use coracle_core::fs;
use coracle_core::input_tracker::InputTracker;
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::platform::Platform;
use coracle_ld::elf::Header;

/// The host's file system, and the roots and sysroots. Each caches and records what is read from
/// it.
pub struct RootFileSystems {
    pub(super) host: Rc<HostFs>,
    pub(super) roots: Vec<(RootOverride, Rc<HostFs>)>,
}

/// Identifies the file system of [`RootFileSystems`] that one file is resolved in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RootId {
    /// The host.
    HostOnly,
    /// The root with this index.
    Root(usize),
    /// The sysroot with this index, overlaid with this directory of the host.
    Sysroot(usize, ImagePath),
}

impl RootFileSystems {
    /// Wraps `roots`; relative directories start at the working directory. Nothing is read yet.
    pub fn new(roots: Vec<RootOverride>) -> Self {
        let opened = |root: RootOverride| {
            let tree = HostFs::new(&root.directory);
            (root, Rc::new(tree))
        };
        Self { host: Rc::new(HostFs::new("/")), roots: roots.into_iter().map(opened).collect() }
    }

    /// Checks that all roots are directories.
    ///
    /// # Errors
    /// Fails with the first that is not a directory.
    pub fn check_directories(&self) -> Result<(), Error> {
        self.roots.iter().try_for_each(|(root, _)| check_directory(root))
    }

    /// Returns the file system that `file` is resolved in, and its raw path there. With roots, it
    /// is a path inside the first root of its platform that has it. Otherwise it is a path of the
    /// host, with the sysroot of its platform.
    ///
    /// # Errors
    /// Fails if only roots for other platforms have it, or it cannot be read.
    pub fn root_of(&self, file: &Path) -> Result<(RootId, RawPath), Error> {
        if self.roots.iter().any(|(root, _)| root.kind == RootOverrideKind::Root) {
            let raw_path = in_root(file);
            return Ok((self.find_root(&raw_path)?, raw_path));
        }
        let raw_path = RawPath::new(fs::path_to_bytes(&fs::absolute_path(file)?));
        if self.roots.is_empty() {
            return Ok((RootId::HostOnly, raw_path));
        }
        Ok(match self.sysroot_of_file(&raw_path)? {
            Some((Some(index), path)) => (RootId::Sysroot(index, host_part(&path)), RawPath::from(&path)),
            _ => (RootId::HostOnly, raw_path),
        })
    }

    /// Returns the file system that `root` identifies.
    pub fn file_system(&self, root: &RootId) -> Rc<dyn FileSystem> {
        let tree = |index: usize| self.roots.get(index).map_or(&self.host, |(_, tree)| tree).clone();
        match root {
            RootId::HostOnly => self.host.clone(),
            RootId::Root(index) => tree(*index),
            RootId::Sysroot(index, own) => self.sysroot_fs(tree(*index), vec![own.clone()]),
        }
    }

    pub(super) fn sysroot_fs(&self, libraries: Rc<HostFs>, own: Vec<ImagePath>) -> Rc<dyn FileSystem> {
        Rc::new(SysrootFs { host: self.host.clone(), libraries, host_paths: own })
    }

    /// Returns the first root that has a file at `raw_path` for the root's platform.
    fn find_root(&self, raw_path: &RawPath) -> Result<RootId, Error> {
        let mut refused = None;
        for (index, (root, tree)) in self.roots.iter().enumerate() {
            let Some((_, file)) = file_at(&**tree, raw_path)? else { continue };
            match (&root.platform, platform_of_file(&file)?) {
                (Some(wanted), Some(found)) if !wanted.matches_ignoring_variant(&found) => {
                    let (program, wanted) = (raw_path.clone(), wanted.clone());
                    refused.get_or_insert(Error::PlatformMismatch { program, found, wanted });
                }
                _ => return Ok(RootId::Root(index)),
            }
        }
        // Resolving it in the first root gives the best error.
        refused.map_or(Ok(RootId::Root(0)), Err)
    }

    /// Returns the sysroot for the host's file at `raw_path`, if any, and the file's real path.
    /// `None` if there is no file.
    pub(super) fn sysroot_of_file(
        &self,
        raw_path: &RawPath,
    ) -> Result<Option<(Option<usize>, ImagePath)>, Error> {
        let Some((path, file)) = file_at(&*self.host, raw_path)? else { return Ok(None) };
        Ok(Some((self.sysroot_for(platform_of_file(&file)?.as_ref()), path)))
    }

    /// Returns the sysroot for the platform, else the first without a platform.
    fn sysroot_for(&self, platform: Option<&Platform>) -> Option<usize> {
        let fits = |(root, _): &(RootOverride, _)| match (&root.platform, platform) {
            (Some(wanted), Some(found)) => wanted.matches_ignoring_variant(found),
            _ => false,
        };
        let by_platform = self.roots.iter().position(fits);
        by_platform.or_else(|| self.roots.iter().position(|(root, _)| root.platform.is_none()))
    }
}

/// Returns `file` as a raw path from the root; a relative path starts at the root, too.
pub(super) fn in_root(file: &Path) -> RawPath {
    RawPath::new(fs::path_to_bytes(&Path::new("/").join(file)))
}

fn file_at(tree: &dyn FileSystem, raw_path: &RawPath) -> Result<Option<(ImagePath, FsFile)>, Error> {
    Ok(match file_system::resolve_path(tree, &ImagePath::root(), raw_path.as_bytes())?.end {
        ResolutionEnd::File(path, file) => Some((path, file)),
        _ => None,
    })
}

/// Returns the platform of a file's ELF header. `None` for a script.
fn platform_of_file(file: &FsFile) -> Result<Option<Platform>, Error> {
    let header = Header::read(&file.content.open()?);
    Ok(header.ok().and_then(|header| header.machine.platform()))
}

/// Returns the platform of the ELF file at `raw_path`. `None` for a script, or if there is no file.
pub(crate) fn platform_at(tree: &dyn FileSystem, raw_path: &RawPath) -> Result<Option<Platform>, Error> {
    match file_at(tree, raw_path)? {
        Some((_, file)) => platform_of_file(&file),
        None => Ok(None),
    }
}

pub(super) fn check_directory(root: &RootOverride) -> Result<(), Error> {
    if root.directory.is_dir() { Ok(()) } else { Err(Error::RootNotDirectory(root.directory.clone())) }
}

impl RootFileSystems {
    /// Returns the roots of `recipe`.
    pub(crate) fn from_recipe(recipe: &Recipe) -> Self {
        let located = recipe.contents.root_overrides.iter().map(|root| {
            let directory = recipe.resolve_path(&root.directory);
            RootOverride { directory, ..root.clone() }
        });
        Self::new(located.collect())
    }

    /// Returns the host's file system.
    pub(crate) fn host(&self) -> &HostFs {
        &self.host
    }

    /// Returns all inputs that were read so far, from any file system.
    pub(crate) fn input_tracker(&self) -> InputTracker {
        let mut tracker = InputTracker::default();
        self.host.record_inputs(&mut tracker);
        self.roots.iter().for_each(|(_, tree)| tree.record_inputs(&mut tracker));
        tracker
    }
}
