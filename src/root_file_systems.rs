//! The file system that each program is resolved in: the host, a root with everything, or a sysroot
//! with libraries.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use crate::error::Error;
use crate::recipe::{Recipe, RecipeProgram, RootOverride, RootOverrideKind};
use coracle_core::distribution_directories::is_system_path;
use coracle_core::file_system::{self, FileSystem, FsFile, FsNode, HostFs, ResolutionEnd};
use coracle_core::fs::{self, Context as _};
use coracle_core::input_tracker::InputTracker;
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::platform::Platform;
use coracle_ld::elf::{self, Header};

/// The host's file system, and the roots and sysroots. Each caches and records what is read from
/// it.
pub struct RootFileSystems {
    host: Rc<HostFs>,
    roots: Vec<(RootOverride, Rc<HostFs>)>,
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
            let file_system = HostFs::new(&root.directory);
            (root, Rc::new(file_system))
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
            let raw_path = raw_path_in_root(file);
            return Ok((self.find_root(&raw_path)?, raw_path));
        }
        let raw_path = RawPath::new(fs::path_to_bytes(&fs::absolute_path(file)?));
        if self.roots.is_empty() {
            return Ok((RootId::HostOnly, raw_path));
        }
        Ok(match self.sysroot_of_file(&raw_path)? {
            Some((Some(index), path)) => {
                (RootId::Sysroot(index, host_path_of_program(&path)), RawPath::from(&path))
            }
            _ => (RootId::HostOnly, raw_path),
        })
    }

    /// Returns the file system that `root` identifies.
    pub fn file_system(&self, root: &RootId) -> Rc<dyn FileSystem> {
        let file_system =
            |index: usize| self.roots.get(index).map_or(&self.host, |(_, file_system)| file_system).clone();
        match root {
            RootId::HostOnly => self.host.clone(),
            RootId::Root(index) => file_system(*index),
            RootId::Sysroot(index, own) => self.sysroot_fs(file_system(*index), vec![own.clone()]),
        }
    }

    fn sysroot_fs(&self, libraries: Rc<HostFs>, host_paths: Vec<ImagePath>) -> Rc<dyn FileSystem> {
        Rc::new(SysrootFs { host: self.host.clone(), libraries, host_paths })
    }

    /// Returns the first root that has a file at `raw_path` for the root's platform.
    fn find_root(&self, raw_path: &RawPath) -> Result<RootId, Error> {
        let mut mismatch = None;
        for (index, (root, file_system)) in self.roots.iter().enumerate() {
            let Some((_, file)) = file_at(&**file_system, raw_path)? else { continue };
            match (&root.platform, platform_of_file(&file)?) {
                (Some(wanted), Some(actual)) if !wanted.matches_ignoring_variant(&actual) => {
                    let (program, wanted) = (raw_path.clone(), wanted.clone());
                    mismatch.get_or_insert(Error::PlatformMismatch { program, found: actual, wanted });
                }
                _ => return Ok(RootId::Root(index)),
            }
        }
        // Resolving it in the first root gives the best error.
        mismatch.map_or(Ok(RootId::Root(0)), Err)
    }

    /// Returns the sysroot for the host's file at `raw_path`, if any, and the file's real path.
    /// `None` if there is no file.
    fn sysroot_of_file(&self, raw_path: &RawPath) -> Result<Option<(Option<usize>, ImagePath)>, Error> {
        let Some((path, file)) = file_at(&*self.host, raw_path)? else { return Ok(None) };
        Ok(Some((self.sysroot_for(platform_of_file(&file)?.as_ref()), path)))
    }

    /// Returns the sysroot for the platform, else the first without a platform.
    fn sysroot_for(&self, platform: Option<&Platform>) -> Option<usize> {
        let is_match = |(root, _): &(RootOverride, _)| match (&root.platform, platform) {
            (Some(wanted), Some(actual)) => wanted.matches_ignoring_variant(actual),
            _ => false,
        };
        let by_platform = self.roots.iter().position(is_match);
        by_platform.or_else(|| self.roots.iter().position(|(root, _)| root.platform.is_none()))
    }
}

/// Returns `file` as a raw path from the root; a relative path starts at the root, too.
fn raw_path_in_root(file: &Path) -> RawPath {
    RawPath::new(fs::path_to_bytes(&Path::new("/").join(file)))
}

fn file_at(file_system: &dyn FileSystem, raw_path: &RawPath) -> Result<Option<(ImagePath, FsFile)>, Error> {
    Ok(match file_system::resolve_path(file_system, &ImagePath::root(), raw_path.as_bytes())?.end {
        ResolutionEnd::File(path, file) => Some((path, file)),
        _ => None,
    })
}

/// Returns the platform of a file's ELF header. `None` for a script.
fn platform_of_file(file: &FsFile) -> Result<Option<Platform>, Error> {
    match Header::read(&file.content.open()?) {
        Err(elf::Error::Io(error)) => Err(error.into()),
        header => Ok(header.ok().and_then(|header| header.machine.platform())),
    }
}

/// Returns the platform of the ELF file at `raw_path`. `None` for a script, or if there is no file.
pub(crate) fn platform_at(
    file_system: &dyn FileSystem,
    raw_path: &RawPath,
) -> Result<Option<Platform>, Error> {
    match file_at(file_system, raw_path)? {
        Some((_, file)) => platform_of_file(&file),
        None => Ok(None),
    }
}

fn check_directory(root: &RootOverride) -> Result<(), Error> {
    let metadata = std::fs::metadata(&root.directory).context("use the root", &root.directory)?;
    if metadata.is_dir() { Ok(()) } else { Err(Error::RootNotDirectory(root.directory.clone())) }
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

    /// Returns the file systems that may have a package database with the file at `host_path`, each with the
    /// file's path in it: the root that contains it, then the host.
    pub(crate) fn roots_with(&self, host_path: &Path) -> Vec<(&HostFs, ImagePath)> {
        let Ok(host_path) = fs::absolute_path(host_path) else { return Vec::new() };
        let within = self.roots.iter().filter_map(|(root, file_system)| {
            let below = host_path.strip_prefix(fs::absolute_path(&root.directory).ok()?).ok()?;
            Some((&**file_system, below.to_owned()))
        });
        // A root may be named by a link.
        let directory = host_path.parent().and_then(|directory| directory.canonicalize().ok());
        let real_path = directory.and_then(|directory| Some(directory.join(host_path.file_name()?)));
        let on_host = std::iter::once((&*self.host, real_path.unwrap_or_else(|| host_path.clone())));
        let candidates = within.chain(on_host).filter_map(|(file_system, path)| {
            let path = fs::path_to_bytes(&Path::new("/").join(path));
            Some((file_system, ImagePath::parse(&path).ok()?))
        });
        candidates.collect()
    }

    /// Returns all inputs that were read so far, from any file system.
    pub(crate) fn input_tracker(&self) -> InputTracker {
        let mut tracker = InputTracker::default();
        self.host.record_inputs(&mut tracker);
        self.roots.iter().for_each(|(_, file_system)| file_system.record_inputs(&mut tracker));
        tracker
    }
}

/// A file system, and the programs to resolve in it.
pub(crate) struct ProgramGroup<'a> {
    pub(crate) file_system: Rc<dyn FileSystem>,
    pub(crate) programs: Vec<(RawPath, &'a RecipeProgram)>,
    /// The required platform of the programs, if the root has one.
    pub(crate) platform: Option<Platform>,
}

/// Returns the file systems that the programs of `recipe` are resolved in. With roots, every
/// program is resolved in each root. Otherwise each is resolved in the sysroot of its platform, or
/// on the host.
pub(crate) fn program_groups<'a>(
    recipe: &'a Recipe,
    roots: &RootFileSystems,
) -> Result<Vec<ProgramGroup<'a>>, Error> {
    let full_roots: Vec<_> =
        roots.roots.iter().filter(|(root, _)| root.kind == RootOverrideKind::Root).collect();
    if full_roots.is_empty() {
        return roots.group_by_sysroot(recipe);
    }
    let programs = recipe.contents.programs.iter().map(|program| (raw_path_in_root(&program.from), program));
    let programs: Vec<_> = programs.collect();
    let groups = full_roots.into_iter().map(|(root, file_system)| {
        check_directory(root)?;
        Ok(ProgramGroup {
            file_system: file_system.clone(),
            programs: programs.clone(),
            platform: root.platform.clone(),
        })
    });
    groups.collect()
}

impl RootFileSystems {
    /// Groups the host's programs by sysroot: the one of their platform, or none.
    fn group_by_sysroot<'a>(&self, recipe: &'a Recipe) -> Result<Vec<ProgramGroup<'a>>, Error> {
        let mut groups: BTreeMap<Option<usize>, SysrootGroup<'_>> = BTreeMap::new();
        for program in &recipe.contents.programs {
            let raw_path =
                RawPath::new(fs::path_to_bytes(&fs::absolute_path(&recipe.resolve_path(&program.from))?));
            // Without sysroots, a program keeps the path with links; a sysroot does not have those
            // links.
            let found = if self.roots.is_empty() { None } else { self.sysroot_of_file(&raw_path)? };
            match found {
                Some((index, path)) => {
                    let group = groups.entry(index).or_default();
                    group.host_paths.push(host_path_of_program(&path));
                    group.programs.push((RawPath::from(&path), program));
                }
                // Resolving a missing file on the host gives the best error.
                None => groups.entry(None).or_default().programs.push((raw_path, program)),
            }
        }
        let program_group = |(index, group): (Option<usize>, SysrootGroup<'a>)| {
            let file_system: Rc<dyn FileSystem> = match index.and_then(|index| self.roots.get(index)) {
                None => self.host.clone(),
                Some((root, file_system)) => {
                    check_directory(root)?;
                    self.sysroot_fs(file_system.clone(), group.host_paths)
                }
            };
            Ok(ProgramGroup { file_system, programs: group.programs, platform: None })
        };
        groups.into_iter().map(program_group).collect()
    }
}

/// Programs that share a sysroot.
#[derive(Default)]
struct SysrootGroup<'a> {
    programs: Vec<(RawPath, &'a RecipeProgram)>,
    host_paths: Vec<ImagePath>,
}

/// A file system with dynamic loader and libraries of a sysroot, and programs of the host.
struct SysrootFs {
    host: Rc<HostFs>,
    libraries: Rc<HostFs>,
    /// The paths that are read from the host.
    host_paths: Vec<ImagePath>,
}

/// Returns the path that is read from the host for a program: its top directory (such as `/home`),
/// but in a system directory only the program itself.
fn host_path_of_program(program: &ImagePath) -> ImagePath {
    if is_system_path(program) {
        program.clone()
    } else {
        ImagePath::root().join_components(program.components().take(1))
    }
}

impl SysrootFs {
    fn is_host_path(&self, path: &ImagePath) -> bool {
        self.host_paths.iter().any(|own| path.is_within(own))
    }
}

impl FileSystem for SysrootFs {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        if self.is_host_path(path) {
            return self.host.node(path);
        }
        match self.libraries.node(path)? {
            None if self.host_paths.iter().any(|own| own.is_within(path)) => Ok(Some(FsNode::Directory)),
            node => Ok(node),
        }
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        if self.is_host_path(path) { self.host.list(path) } else { self.libraries.list(path) }
    }

    fn node_untracked(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        if self.is_host_path(path) {
            self.host.node_untracked(path)
        } else {
            self.libraries.node_untracked(path)
        }
    }

    fn list_untracked(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        if self.is_host_path(path) {
            self.host.list_untracked(path)
        } else {
            self.libraries.list_untracked(path)
        }
    }
}
