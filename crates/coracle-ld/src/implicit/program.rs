//! A program with everything that is mapped for it, and access to its data files.

use std::collections::BTreeSet;

use super::imports::Imports;
use super::policy::Policy;
use super::wants::{Extra, ExtraNode};
use crate::closure::{Elf, LinkMap, Mapped, Surroundings};
use coracle_core::fs;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Node, Tree};

/// Where to look for the data files of programs.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The file system in which programs are resolved.
    pub tree: &'a dyn Tree,
    /// The file system to search for machine-independent data that is not in `tree`: the host, if
    /// `tree` is a sysroot.
    pub fallback: Option<&'a dyn Tree>,
    /// The options of the resolution.
    pub around: &'a Surroundings,
}

/// A program, as input of the rules.
pub(super) struct Program<'a> {
    pub(super) places: Places<'a>,
    pub(super) policy: &'a Policy,
    /// Whether it is the image's entrypoint.
    pub(super) is_entrypoint: bool,
    /// The link map of the program's start, then those of opened libraries.
    pub(super) maps: Vec<&'a LinkMap>,
    objects: Vec<&'a Mapped>,
    pub(super) imports: Imports,
}

impl<'a> Program<'a> {
    pub(super) fn of(
        places: Places<'a>,
        policy: &'a Policy,
        is_entrypoint: bool,
        elf: &'a Elf,
    ) -> fs::Result<Self> {
        let opened = elf.opened.iter().filter_map(|opened| opened.maps.first());
        let maps: Vec<&LinkMap> = std::iter::once(&elf.objects).chain(opened).map(AsRef::as_ref).collect();
        let mut imports = Imports::default();
        for map in &maps {
            imports.add(map)?;
        }
        let mut seen = BTreeSet::new();
        let news = maps.iter().flat_map(|map| map.news()).map(|(_, mapped)| mapped);
        let objects = news.filter(|mapped| seen.insert(&mapped.spelled)).collect();
        Ok(Self { places, policy, is_entrypoint, maps, objects, imports })
    }

    /// Returns the program's own object; a link map is never empty.
    pub(super) fn itself(&self) -> Option<&'a Mapped> {
        self.maps.first().and_then(|map| map.objects.first())
    }

    /// Returns all mapped objects, each once.
    pub(super) fn objects(&self) -> impl Iterator<Item = &'a Mapped> {
        self.objects.iter().copied()
    }

    /// Returns the first object whose soname starts with `name`, as in `libssl.so`.
    pub(super) fn library(&self, name: &str) -> Option<&'a Mapped> {
        self.objects().find(|mapped| {
            let soname = mapped.object.dynamic.soname.as_deref().unwrap_or(mapped.spelled.name());
            soname.starts_with(name.as_bytes())
        })
    }

    /// Returns glibc, if that is the C library.
    pub(super) fn glibc(&self) -> Option<&'a Mapped> {
        self.library("libc.so.6")
    }

    /// Returns the data file at `spelled`, with the links on its path. `None` if there is none.
    pub(super) fn data(&self, spelled: &Spelled, why: &str) -> fs::Result<Option<Extra>> {
        for tree in std::iter::once(self.places.tree).chain(self.places.fallback) {
            let found = file(tree, &self.places.around.working_dir, spelled, why)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Returns the files below the directory at `spelled`, with the links on their paths. Empty if
    /// there is no directory. Entries listed in `skip` are ignored at the top level.
    pub(super) fn folder(&self, spelled: &Spelled, skip: &[&str], why: &str) -> fs::Result<Vec<Extra>> {
        for tree in std::iter::once(self.places.tree).chain(self.places.fallback) {
            let mut extras = Vec::new();
            collect(tree, spelled, skip, why, &mut extras)?;
            if !extras.is_empty() {
                return Ok(extras);
            }
        }
        Ok(Vec::new())
    }
}

/// Maximum depth of directories, so that circular links end.
const MAX_DEPTH: usize = 32;

fn collect(
    tree: &dyn Tree,
    spelled: &Spelled,
    skip: &[&str],
    why: &str,
    extras: &mut Vec<Extra>,
) -> fs::Result<()> {
    let End::Directory(directory) = file_system::walk(tree, &ImagePath::root(), spelled.as_bytes())?.end else {
        return Ok(());
    };
    let depth = spelled.as_bytes().iter().filter(|&&byte| byte == b'/').count();
    if depth > MAX_DEPTH {
        return Ok(());
    }
    for name in tree.list(&directory)? {
        if skip.iter().any(|skipped| skipped.as_bytes() == name) {
            continue;
        }
        let below = Spelled::in_directory(spelled.as_bytes(), &name);
        match tree.node(&directory.join(&name))? {
            Some(Node::Directory) => collect(tree, &below, &[], why, extras)?,
            _ => extras.extend(file(tree, &ImagePath::root(), &below, why)?),
        }
    }
    Ok(())
}

fn file(tree: &dyn Tree, start: &ImagePath, spelled: &Spelled, why: &str) -> fs::Result<Option<Extra>> {
    let walk = file_system::walk(tree, start, spelled.as_bytes())?;
    let End::File(path, file) = walk.end else { return Ok(None) };
    Ok(Some(Extra {
        spelled: spelled.clone(),
        path,
        steps: walk.steps,
        node: ExtraNode::File(file),
        why: why.to_owned(),
    }))
}
