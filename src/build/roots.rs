//! The file system that each program is resolved in: the host, a root with everything, or a sysroot
//! with libraries.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use super::Error;
use super::sysroot::{Sysroot, own_part};
use coracle_ld::elf::Header;
use coracle_core::fs;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::platform::Platform;
use crate::recipe::{Program, Recipe, Root, RootKind};
use coracle_core::file_system::{self, End, HostTree, Tree, TreeFile};
use coracle_core::input_tracker::Witness;

/// The host's file system, and the roots and sysroots. Each caches and records what is read from
/// it.
pub struct Roots {
    host: Rc<HostTree>,
    roots: Vec<(Root, Rc<HostTree>)>,
}

/// Identifies the file system of [`Roots`] that one file is resolved in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum View {
    /// The host.
    Host,
    /// The root with this index.
    Root(usize),
    /// The sysroot with this index, overlaid with this directory of the host.
    Sysroot(usize, ImagePath),
}

impl Roots {
    /// Wraps `roots`; relative directories start at the working directory. Nothing is read yet.
    pub fn new(roots: Vec<Root>) -> Self {
        let opened = |root: Root| {
            let tree = HostTree::new(&root.directory);
            (root, Rc::new(tree))
        };
        Self { host: Rc::new(HostTree::new("/")), roots: roots.into_iter().map(opened).collect() }
    }

    /// Checks that all roots are directories.
    ///
    /// # Errors
    /// Fails with the first that is not a directory.
    pub fn check(&self) -> Result<(), Error> {
        self.roots.iter().try_for_each(|(root, _)| existing(root))
    }

    /// Returns the file system that `file` is resolved in, and its raw path there. With roots, it
    /// is a path inside the first root of its platform that has it. Otherwise it is a path of the
    /// host, with the sysroot of its platform.
    ///
    /// # Errors
    /// Fails if only roots for other platforms have it, or it cannot be read.
    pub fn view(&self, file: &Path) -> Result<(View, Spelled), Error> {
        if self.roots.iter().any(|(root, _)| root.kind == RootKind::Whole) {
            let spelled = in_root(file);
            return Ok((self.root_with(&spelled)?, spelled));
        }
        let spelled = Spelled::new(fs::bytes_of(&fs::absolute(file)?));
        if self.roots.is_empty() {
            return Ok((View::Host, spelled));
        }
        Ok(match self.sysroot_of(&spelled)? {
            Some((Some(index), path)) => (View::Sysroot(index, own_part(&path)), Spelled::from(&path)),
            _ => (View::Host, spelled),
        })
    }

    /// Returns the file system that `view` identifies.
    pub fn tree(&self, view: &View) -> Rc<dyn Tree> {
        let tree = |index: usize| self.roots.get(index).map_or(&self.host, |(_, tree)| tree).clone();
        match view {
            View::Host => self.host.clone(),
            View::Root(index) => tree(*index),
            View::Sysroot(index, own) => self.sysroot(tree(*index), vec![own.clone()]),
        }
    }

    fn sysroot(&self, libraries: Rc<HostTree>, own: Vec<ImagePath>) -> Rc<dyn Tree> {
        Rc::new(Sysroot { host: self.host.clone(), libraries, own })
    }

    /// Returns the first root that has a file at `spelled` for the root's platform.
    fn root_with(&self, spelled: &Spelled) -> Result<View, Error> {
        let mut refused = None;
        for (index, (root, tree)) in self.roots.iter().enumerate() {
            let Some((_, file)) = file(&**tree, spelled)? else { continue };
            match (&root.platform, platform(&file)?) {
                (Some(wanted), Some(found)) if !wanted.is_kin_of(&found) => {
                    let (program, wanted) = (spelled.clone(), wanted.clone());
                    refused.get_or_insert(Error::Platform { program, found, wanted });
                }
                _ => return Ok(View::Root(index)),
            }
        }
        // Resolving it in the first root gives the best error.
        refused.map_or(Ok(View::Root(0)), Err)
    }

    /// Returns the sysroot for the host's file at `spelled`, if any, and the file's real path.
    /// `None` if there is no file.
    fn sysroot_of(&self, spelled: &Spelled) -> Result<Option<(Option<usize>, ImagePath)>, Error> {
        let Some((path, file)) = file(&*self.host, spelled)? else { return Ok(None) };
        Ok(Some((self.sysroot_for(platform(&file)?.as_ref()), path)))
    }

    /// Returns the sysroot for the platform, else the first without a platform.
    fn sysroot_for(&self, platform: Option<&Platform>) -> Option<usize> {
        let fits = |(root, _): &(Root, _)| match (&root.platform, platform) {
            (Some(wanted), Some(found)) => wanted.is_kin_of(found),
            _ => false,
        };
        let by_platform = self.roots.iter().position(fits);
        by_platform.or_else(|| self.roots.iter().position(|(root, _)| root.platform.is_none()))
    }
}

/// Returns `file` as a raw path from the root; a relative path starts at the root, too.
fn in_root(file: &Path) -> Spelled {
    Spelled::new(fs::bytes_of(&Path::new("/").join(file)))
}

fn file(tree: &dyn Tree, spelled: &Spelled) -> Result<Option<(ImagePath, TreeFile)>, Error> {
    Ok(match file_system::walk(tree, &ImagePath::root(), spelled.as_bytes())?.end {
        End::File(path, file) => Some((path, file)),
        _ => None,
    })
}

/// Returns the platform of a file's ELF header. `None` for a script.
fn platform(file: &TreeFile) -> Result<Option<Platform>, Error> {
    let header = Header::read(&file.content.open()?);
    Ok(header.ok().and_then(|header| header.machine.platform()))
}

/// Returns the platform of the ELF file at `spelled`. `None` for a script, or if there is no file.
pub(super) fn platform_at(tree: &dyn Tree, spelled: &Spelled) -> Result<Option<Platform>, Error> {
    match file(tree, spelled)? {
        Some((_, file)) => platform(&file),
        None => Ok(None),
    }
}

fn existing(root: &Root) -> Result<(), Error> {
    if root.directory.is_dir() { Ok(()) } else { Err(Error::NoRoot(root.directory.clone())) }
}

/// A file system, and the programs to resolve in it.
pub(super) struct Place<'a> {
    pub(super) tree: Rc<dyn Tree>,
    pub(super) programs: Vec<(Spelled, &'a Program)>,
    /// The required platform of the programs, if the root has one.
    pub(super) platform: Option<Platform>,
}

/// Returns the file systems that the programs of `recipe` are resolved in. With roots, every
/// program is resolved in each root. Otherwise each is resolved in the sysroot of its platform, or
/// on the host.
pub(super) fn places<'a>(recipe: &'a Recipe, roots: &Roots) -> Result<Vec<Place<'a>>, Error> {
    let whole: Vec<_> = roots.roots.iter().filter(|(root, _)| root.kind == RootKind::Whole).collect();
    if whole.is_empty() {
        return roots.by_sysroot(recipe);
    }
    let programs = recipe.programs.iter().map(|program| (in_root(&program.from), program));
    let programs: Vec<_> = programs.collect();
    let places = whole.into_iter().map(|(root, tree)| {
        existing(root)?;
        Ok(Place { tree: tree.clone(), programs: programs.clone(), platform: root.platform.clone() })
    });
    places.collect()
}

impl Roots {
    /// Returns the roots of `recipe`.
    pub(super) fn of(recipe: &Recipe) -> Self {
        let located = recipe.roots.iter().map(|root| {
            let directory = recipe.locate(&root.directory);
            Root { directory, ..root.clone() }
        });
        Self::new(located.collect())
    }

    /// Returns the host's file system.
    pub(super) fn host(&self) -> &HostTree {
        &self.host
    }

    /// Returns all inputs that were read so far, from any file system.
    pub(super) fn witness(&self) -> Witness {
        let mut witness = Witness::default();
        self.host.tell(&mut witness);
        self.roots.iter().for_each(|(_, tree)| tree.tell(&mut witness));
        witness
    }

    /// Groups the host's programs by sysroot: the one of their platform, or none.
    fn by_sysroot<'a>(&self, recipe: &'a Recipe) -> Result<Vec<Place<'a>>, Error> {
        let mut groups: BTreeMap<Option<usize>, Group<'_>> = BTreeMap::new();
        for program in &recipe.programs {
            let spelled = Spelled::new(fs::bytes_of(&fs::absolute(&recipe.locate(&program.from))?));
            // Without sysroots, a program keeps the path with links; a sysroot does not have those
            // links.
            let found = if self.roots.is_empty() { None } else { self.sysroot_of(&spelled)? };
            match found {
                Some((index, path)) => {
                    let group = groups.entry(index).or_default();
                    group.own.push(own_part(&path));
                    group.programs.push((Spelled::from(&path), program));
                }
                // Resolving a missing file on the host gives the best error.
                None => groups.entry(None).or_default().programs.push((spelled, program)),
            }
        }
        let place = |(index, group): (Option<usize>, Group<'a>)| {
            let tree: Rc<dyn Tree> = match index.and_then(|index| self.roots.get(index)) {
                None => self.host.clone(),
                Some((root, tree)) => {
                    existing(root)?;
                    self.sysroot(tree.clone(), group.own)
                }
            };
            Ok(Place { tree, programs: group.programs, platform: None })
        };
        groups.into_iter().map(place).collect()
    }
}

/// Programs that share a sysroot.
#[derive(Default)]
struct Group<'a> {
    programs: Vec<(Spelled, &'a Program)>,
    own: Vec<ImagePath>,
}
