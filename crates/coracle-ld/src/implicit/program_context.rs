//! A program with everything that is mapped for it, and access to its data files.

use std::collections::BTreeSet;

use super::function_calls::FunctionCalls;
use super::policy::ImplicitPolicy;
use super::requests::{DataContent, DataFile};
use crate::closure::{ElfProgram, LinkMap, MappedObject, ResolveOptions};
use coracle_core::file_system::{self, FileSystem, FsNode, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// Where to look for the data files of programs.
#[derive(Clone, Copy)]
pub struct DataSources<'a> {
    /// The file system in which programs are resolved.
    pub tree: &'a dyn FileSystem,
    /// The file system to search for machine-independent data that is not in `tree`: the host, if
    /// `tree` is a sysroot.
    pub fallback: Option<&'a dyn FileSystem>,
    /// The options of the resolution.
    pub options: &'a ResolveOptions,
}

/// A program, as input of the rules.
pub(super) struct ProgramContext<'a> {
    pub(super) sources: DataSources<'a>,
    pub(super) policy: &'a ImplicitPolicy,
    /// Whether it is the image's entrypoint.
    pub(super) is_entrypoint: bool,
    /// The link map of the program's start, then those of opened libraries.
    pub(super) maps: Vec<&'a LinkMap>,
    objects: Vec<&'a MappedObject>,
    pub(super) calls: FunctionCalls,
}

impl<'a> ProgramContext<'a> {
    pub(super) fn new(
        places: DataSources<'a>,
        policy: &'a ImplicitPolicy,
        is_entrypoint: bool,
        elf: &'a ElfProgram,
    ) -> fs::Result<Self> {
        let opened = elf.dlopened.iter().filter_map(|opened| opened.maps.first());
        let maps: Vec<&LinkMap> = std::iter::once(&elf.link_map).chain(opened).map(AsRef::as_ref).collect();
        let mut imports = FunctionCalls::default();
        for map in &maps {
            imports.add(map)?;
        }
        let mut seen = BTreeSet::new();
        let news = maps.iter().flat_map(|map| map.new_objects()).map(|(_, mapped)| mapped);
        let objects = news.filter(|mapped| seen.insert(&mapped.raw_path)).collect();
        Ok(Self { sources: places, policy, is_entrypoint, maps, objects, calls: imports })
    }

    /// Returns the program's own object; a link map is never empty.
    pub(super) fn program_object(&self) -> Option<&'a MappedObject> {
        self.maps.first().and_then(|map| map.objects.first())
    }

    /// Returns all mapped objects, each once.
    pub(super) fn objects(&self) -> impl Iterator<Item = &'a MappedObject> {
        self.objects.iter().copied()
    }

    /// Returns the first object whose soname starts with `name`, as in `libssl.so`.
    pub(super) fn library(&self, name: &str) -> Option<&'a MappedObject> {
        self.objects().find(|mapped| {
            let soname = mapped.object.dynamic.soname.as_deref().unwrap_or(mapped.raw_path.file_name());
            soname.starts_with(name.as_bytes())
        })
    }

    /// Returns glibc, if that is the C library.
    pub(super) fn glibc(&self) -> Option<&'a MappedObject> {
        self.library("libc.so.6")
    }

    /// Returns the data file at `spelled`, with the links on its path. `None` if there is none.
    pub(super) fn data_file(&self, spelled: &RawPath, why: &str) -> fs::Result<Option<DataFile>> {
        for tree in std::iter::once(self.sources.tree).chain(self.sources.fallback) {
            let found = find_data_file(tree, &self.sources.options.working_dir, spelled, why)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Returns the files below the directory at `spelled`, with the links on their paths. Empty if
    /// there is no directory. Entries listed in `skip` are ignored at the top level.
    pub(super) fn data_files_below(
        &self,
        spelled: &RawPath,
        skip: &[&str],
        why: &str,
    ) -> fs::Result<Vec<DataFile>> {
        for tree in std::iter::once(self.sources.tree).chain(self.sources.fallback) {
            let mut extras = Vec::new();
            collect_files(tree, spelled, skip, why, &mut extras)?;
            if !extras.is_empty() {
                return Ok(extras);
            }
        }
        Ok(Vec::new())
    }
}

/// Maximum depth of directories, so that circular links end.
const MAX_DEPTH: usize = 32;

fn collect_files(
    tree: &dyn FileSystem,
    spelled: &RawPath,
    skip: &[&str],
    why: &str,
    extras: &mut Vec<DataFile>,
) -> fs::Result<()> {
    let ResolutionEnd::Directory(directory) =
        file_system::resolve_path(tree, &ImagePath::root(), spelled.as_bytes())?.end
    else {
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
        let below = RawPath::join_bytes(spelled.as_bytes(), &name);
        match tree.node(&directory.join(&name))? {
            Some(FsNode::Directory) => collect_files(tree, &below, &[], why, extras)?,
            _ => extras.extend(find_data_file(tree, &ImagePath::root(), &below, why)?),
        }
    }
    Ok(())
}

fn find_data_file(
    tree: &dyn FileSystem,
    start: &ImagePath,
    spelled: &RawPath,
    why: &str,
) -> fs::Result<Option<DataFile>> {
    let walk = file_system::resolve_path(tree, start, spelled.as_bytes())?;
    let ResolutionEnd::File(path, file) = walk.end else { return Ok(None) };
    Ok(Some(DataFile {
        spelled: spelled.clone(),
        path,
        steps: walk.steps,
        content: DataContent::File(file),
        purpose: why.to_owned(),
    }))
}
