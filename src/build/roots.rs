//! Which tree each program is resolved in: the host's, a root that holds everything, or a sysroot with the libraries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Error;
use crate::elf::Header;
use crate::fs;
use crate::path::{ImagePath, Spelled};
use crate::platform::Platform;
use crate::recipe::{Program, Recipe, Root, RootKind};
use crate::rootfs::is_system;
use crate::tree::{self, End, HostTree, Node, Tree};

/// A tree, and the programs to resolve in it.
pub(super) struct Place<'a> {
    pub(super) tree: Box<dyn Tree>,
    pub(super) programs: Vec<(Spelled, &'a Program)>,
    /// What the programs must be for, when the root says so.
    pub(super) platform: Option<Platform>,
}

/// Where each program of `recipe` is resolved. With roots, every program in each of them; else each program by itself,
/// in the sysroot for its platform, or on the host.
pub(super) fn places(recipe: &Recipe) -> Result<Vec<Place<'_>>, Error> {
    let roots: Vec<&Root> = recipe.roots.iter().filter(|root| root.kind == RootKind::Whole).collect();
    if !roots.is_empty() {
        return roots.into_iter().map(|root| in_root(recipe, root)).collect();
    }
    if recipe.roots.is_empty() {
        let programs = recipe.programs.iter().map(|program| Ok((on_host(recipe, program)?, program)));
        let programs = programs.collect::<Result<_, Error>>()?;
        return Ok(vec![Place { tree: Box::new(HostTree::new("/")), programs, platform: None }]);
    }
    with_sysroots(recipe)
}

fn in_root<'a>(recipe: &'a Recipe, root: &Root) -> Result<Place<'a>, Error> {
    let directory = existing(&recipe.locate(&root.directory))?;
    let spelled = |program: &Program| Spelled::new(fs::bytes_of(&Path::new("/").join(&program.from)));
    let programs = recipe.programs.iter().map(|program| (spelled(program), program)).collect();
    Ok(Place { tree: Box::new(HostTree::new(directory)), programs, platform: root.platform.clone() })
}

fn on_host(recipe: &Recipe, program: &Program) -> Result<Spelled, Error> {
    Ok(Spelled::new(fs::bytes_of(&fs::absolute(&recipe.locate(&program.from))?)))
}

/// The host's programs, each with the libraries of the sysroot for its platform; without one, with the host's.
fn with_sysroots(recipe: &Recipe) -> Result<Vec<Place<'_>>, Error> {
    let host = HostTree::new("/");
    let mut groups: BTreeMap<Option<usize>, Group<'_>> = BTreeMap::new();
    for program in &recipe.programs {
        let spelled = on_host(recipe, program)?;
        let walk = tree::walk(&host, &ImagePath::root(), spelled.as_bytes())?;
        if let End::File(path, file) = walk.end {
            let header = Header::read(&file.content.open()?);
            let platform = header.ok().and_then(|header| header.machine.platform());
            let group = groups.entry(sysroot_for(recipe, platform.as_ref())).or_default();
            group.own.push(own_part(&path));
            group.programs.push((Spelled::from(&path), program));
        } else {
            // Resolving it on the host says best what is wrong.
            groups.entry(None).or_default().programs.push((spelled, program));
        }
    }
    groups.into_iter().map(|(index, group)| group.place(recipe, index)).collect()
}

/// Programs that share a sysroot.
#[derive(Default)]
struct Group<'a> {
    programs: Vec<(Spelled, &'a Program)>,
    own: Vec<ImagePath>,
}

impl<'a> Group<'a> {
    fn place(self, recipe: &Recipe, sysroot: Option<usize>) -> Result<Place<'a>, Error> {
        let host = HostTree::new("/");
        let tree: Box<dyn Tree> = match sysroot.and_then(|index| recipe.roots.get(index)) {
            None => Box::new(host),
            Some(root) => {
                let libraries = HostTree::new(existing(&recipe.locate(&root.directory))?);
                Box::new(Sysroot { host, libraries, own: self.own })
            }
        };
        Ok(Place { tree, programs: self.programs, platform: None })
    }
}

/// The sysroot that names the platform, else one that names none.
fn sysroot_for(recipe: &Recipe, platform: Option<&Platform>) -> Option<usize> {
    let fits = |root: &Root| match (&root.platform, platform) {
        (Some(wanted), Some(found)) => (&wanted.os, &wanted.architecture) == (&found.os, &found.architecture),
        _ => false,
    };
    let by_platform = recipe.roots.iter().position(fits);
    by_platform.or_else(|| recipe.roots.iter().position(|root| root.platform.is_none()))
}

/// The part of the host that belongs to the program: all of `/home` or the like, but of a system directory only itself.
fn own_part(program: &ImagePath) -> ImagePath {
    if is_system(program) { program.clone() } else { ImagePath::root().join_all(program.names().take(1)) }
}

fn existing(directory: &Path) -> Result<PathBuf, Error> {
    if directory.is_dir() { Ok(directory.to_owned()) } else { Err(Error::NoRoot(directory.to_owned())) }
}

/// A sysroot with the programs' own parts of the host in it.
struct Sysroot {
    host: HostTree,
    libraries: HostTree,
    own: Vec<ImagePath>,
}

impl Sysroot {
    fn is_own(&self, path: &ImagePath) -> bool {
        self.own.iter().any(|own| path.is_within(own))
    }
}

impl Tree for Sysroot {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<Node>> {
        if self.is_own(path) {
            return self.host.node(path);
        }
        match self.libraries.node(path)? {
            None if self.own.iter().any(|own| own.is_within(path)) => Ok(Some(Node::Directory)),
            node => Ok(node),
        }
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        if self.is_own(path) { self.host.list(path) } else { self.libraries.list(path) }
    }
}
