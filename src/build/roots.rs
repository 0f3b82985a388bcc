//! The file system that each program is resolved in: the host, a root with everything, or a sysroot
//! with libraries.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use super::Error;
use super::sysroot::{SysrootFs, host_part};
use crate::recipe::{Recipe, RecipeProgram, RootOverride, RootOverrideKind};
use coracle_core::file_system::{self, FileSystem, FsFile, HostFs, ResolutionEnd};
use coracle_core::fs;
use coracle_core::input_tracker::InputTracker;
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::platform::Platform;
use coracle_ld::elf::Header;

/// The host's file system, and the roots and sysroots. Each caches and records what is read from
/// it.
pub struct RootFileSystems {
    host: Rc<HostFs>,
    roots: Vec<(RootOverride, Rc<HostFs>)>,
}

/// Identifies the file system of [`Roots`] that one file is resolved in.
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
            let spelled = in_root(file);
            return Ok((self.find_root(&spelled)?, spelled));
        }
        let spelled = RawPath::new(fs::path_to_bytes(&fs::absolute_path(file)?));
        if self.roots.is_empty() {
            return Ok((RootId::HostOnly, spelled));
        }
        Ok(match self.sysroot_of_file(&spelled)? {
            Some((Some(index), path)) => (RootId::Sysroot(index, host_part(&path)), RawPath::from(&path)),
            _ => (RootId::HostOnly, spelled),
        })
    }

    /// Returns the file system that `view` identifies.
    pub fn file_system(&self, view: &RootId) -> Rc<dyn FileSystem> {
        let tree = |index: usize| self.roots.get(index).map_or(&self.host, |(_, tree)| tree).clone();
        match view {
            RootId::HostOnly => self.host.clone(),
            RootId::Root(index) => tree(*index),
            RootId::Sysroot(index, own) => self.sysroot_fs(tree(*index), vec![own.clone()]),
        }
    }

    fn sysroot_fs(&self, libraries: Rc<HostFs>, own: Vec<ImagePath>) -> Rc<dyn FileSystem> {
        Rc::new(SysrootFs { host: self.host.clone(), libraries, host_paths: own })
    }

    /// Returns the first root that has a file at `spelled` for the root's platform.
    fn find_root(&self, spelled: &RawPath) -> Result<RootId, Error> {
        let mut refused = None;
        for (index, (root, tree)) in self.roots.iter().enumerate() {
            let Some((_, file)) = file_at(&**tree, spelled)? else { continue };
            match (&root.platform, platform_of_file(&file)?) {
                (Some(wanted), Some(found)) if !wanted.matches_ignoring_variant(&found) => {
                    let (program, wanted) = (spelled.clone(), wanted.clone());
                    refused.get_or_insert(Error::PlatformMismatch { program, found, wanted });
                }
                _ => return Ok(RootId::Root(index)),
            }
        }
        // Resolving it in the first root gives the best error.
        refused.map_or(Ok(RootId::Root(0)), Err)
    }

    /// Returns the sysroot for the host's file at `spelled`, if any, and the file's real path.
    /// `None` if there is no file.
    fn sysroot_of_file(&self, spelled: &RawPath) -> Result<Option<(Option<usize>, ImagePath)>, Error> {
        let Some((path, file)) = file_at(&*self.host, spelled)? else { return Ok(None) };
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
fn in_root(file: &Path) -> RawPath {
    RawPath::new(fs::path_to_bytes(&Path::new("/").join(file)))
}

fn file_at(tree: &dyn FileSystem, spelled: &RawPath) -> Result<Option<(ImagePath, FsFile)>, Error> {
    Ok(match file_system::resolve_path(tree, &ImagePath::root(), spelled.as_bytes())?.end {
        ResolutionEnd::File(path, file) => Some((path, file)),
        _ => None,
    })
}

/// Returns the platform of a file's ELF header. `None` for a script.
fn platform_of_file(file: &FsFile) -> Result<Option<Platform>, Error> {
    let header = Header::read(&file.content.open()?);
    Ok(header.ok().and_then(|header| header.machine.platform()))
}

/// Returns the platform of the ELF file at `spelled`. `None` for a script, or if there is no file.
pub(super) fn platform_at(tree: &dyn FileSystem, spelled: &RawPath) -> Result<Option<Platform>, Error> {
    match file_at(tree, spelled)? {
        Some((_, file)) => platform_of_file(&file),
        None => Ok(None),
    }
}

fn check_directory(root: &RootOverride) -> Result<(), Error> {
    if root.directory.is_dir() { Ok(()) } else { Err(Error::RootNotDirectory(root.directory.clone())) }
}

/// A file system, and the programs to resolve in it.
pub(super) struct ProgramGroup<'a> {
    pub(super) tree: Rc<dyn FileSystem>,
    pub(super) programs: Vec<(RawPath, &'a RecipeProgram)>,
    /// The required platform of the programs, if the root has one.
    pub(super) platform: Option<Platform>,
}

/// Returns the file systems that the programs of `recipe` are resolved in. With roots, every
/// program is resolved in each root. Otherwise each is resolved in the sysroot of its platform, or
/// on the host.
pub(super) fn program_groups<'a>(
    recipe: &'a Recipe,
    roots: &RootFileSystems,
) -> Result<Vec<ProgramGroup<'a>>, Error> {
    let whole: Vec<_> = roots.roots.iter().filter(|(root, _)| root.kind == RootOverrideKind::Root).collect();
    if whole.is_empty() {
        return roots.group_by_sysroot(recipe);
    }
    let programs = recipe.programs.iter().map(|program| (in_root(&program.from), program));
    let programs: Vec<_> = programs.collect();
    let places = whole.into_iter().map(|(root, tree)| {
        check_directory(root)?;
        Ok(ProgramGroup { tree: tree.clone(), programs: programs.clone(), platform: root.platform.clone() })
    });
    places.collect()
}

impl RootFileSystems {
    /// Returns the roots of `recipe`.
    pub(super) fn from_recipe(recipe: &Recipe) -> Self {
        let located = recipe.root_overrides.iter().map(|root| {
            let directory = recipe.resolve_path(&root.directory);
            RootOverride { directory, ..root.clone() }
        });
        Self::new(located.collect())
    }

    /// Returns the host's file system.
    pub(super) fn host(&self) -> &HostFs {
        &self.host
    }

    /// Returns all inputs that were read so far, from any file system.
    pub(super) fn input_tracker(&self) -> InputTracker {
        let mut witness = InputTracker::default();
        self.host.record_inputs(&mut witness);
        self.roots.iter().for_each(|(_, tree)| tree.record_inputs(&mut witness));
        witness
    }

    /// Groups the host's programs by sysroot: the one of their platform, or none.
    fn group_by_sysroot<'a>(&self, recipe: &'a Recipe) -> Result<Vec<ProgramGroup<'a>>, Error> {
        let mut groups: BTreeMap<Option<usize>, SysrootGroup<'_>> = BTreeMap::new();
        for program in &recipe.programs {
            let spelled =
                RawPath::new(fs::path_to_bytes(&fs::absolute_path(&recipe.resolve_path(&program.from))?));
            // Without sysroots, a program keeps the path with links; a sysroot does not have those
            // links.
            let found = if self.roots.is_empty() { None } else { self.sysroot_of_file(&spelled)? };
            match found {
                Some((index, path)) => {
                    let group = groups.entry(index).or_default();
                    group.own.push(host_part(&path));
                    group.programs.push((RawPath::from(&path), program));
                }
                // Resolving a missing file on the host gives the best error.
                None => groups.entry(None).or_default().programs.push((spelled, program)),
            }
        }
        let place = |(index, group): (Option<usize>, SysrootGroup<'a>)| {
            let tree: Rc<dyn FileSystem> = match index.and_then(|index| self.roots.get(index)) {
                None => self.host.clone(),
                Some((root, tree)) => {
                    check_directory(root)?;
                    self.sysroot_fs(tree.clone(), group.own)
                }
            };
            Ok(ProgramGroup { tree, programs: group.programs, platform: None })
        };
        groups.into_iter().map(place).collect()
    }
}

/// Programs that share a sysroot.
#[derive(Default)]
struct SysrootGroup<'a> {
    programs: Vec<(RawPath, &'a RecipeProgram)>,
    own: Vec<ImagePath>,
}
