//! One program with everything that is mapped for it, at its start or later, and where its data is.

use std::collections::BTreeSet;

use super::imports::Imports;
use super::policy::Policy;
use super::wants::{Extra, ExtraNode};
use crate::closure::{Elf, LinkMap, Mapped, Surroundings};
use coracle_core::fs;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Node, Tree};

/// Where the data of programs is.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The tree in which programs are resolved.
    pub tree: &'a dyn Tree,
    /// Where data that is for every machine is looked for when it is not in the tree: the host, for a sysroot.
    pub fallback: Option<&'a dyn Tree>,
    /// Where relative paths start, and what loaders are told.
    pub around: &'a Surroundings,
}

/// A program, seen by the rules of this module.
pub(super) struct Program<'a> {
    pub(super) places: Places<'a>,
    pub(super) policy: &'a Policy,
    /// It is the one that the image starts.
    pub(super) is_entrypoint: bool,
    /// The map of its start, then those of what is opened.
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

    /// The program itself; a link map is never empty.
    pub(super) fn itself(&self) -> Option<&'a Mapped> {
        self.maps.first().and_then(|map| map.objects.first())
    }

    /// Everything that is mapped, each object once.
    pub(super) fn objects(&self) -> impl Iterator<Item = &'a Mapped> {
        self.objects.iter().copied()
    }

    /// The first object whose soname starts with `name`, as in `libssl.so`.
    pub(super) fn library(&self, name: &str) -> Option<&'a Mapped> {
        self.objects().find(|mapped| {
            let soname = mapped.object.dynamic.soname.as_deref().unwrap_or(mapped.spelled.name());
            soname.starts_with(name.as_bytes())
        })
    }

    /// glibc, when that is the C library.
    pub(super) fn glibc(&self) -> Option<&'a Mapped> {
        self.library("libc.so.6")
    }

    /// The file at `spelled`, for every machine, to go into the image with all links on the way.
    pub(super) fn data(&self, spelled: &Spelled, why: &str) -> fs::Result<Option<Extra>> {
        for tree in std::iter::once(self.places.tree).chain(self.places.fallback) {
            let found = file(tree, &self.places.around.working_dir, spelled, why)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Every file below the directory at `spelled`, with all links on the way; nothing where there is no directory.
    /// Names that `skip` lists are passed over at its top.
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

/// Directories below each other: deeper ones lead round in a circle.
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
