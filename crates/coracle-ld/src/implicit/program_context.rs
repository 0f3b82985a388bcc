//! A program with everything that is mapped for it, and access to its data files.

use std::collections::BTreeSet;

use super::error::Error;
use super::function_calls::FunctionCalls;
use super::implicit_policy::ImplicitPolicy;
use super::requests::{DataContent, DataFile};
use crate::closure::{DlopenCaller, ElfProgram, LinkMap, MappedObject, ResolveOptions};
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

/// One ELF program, with what the rules need to know about it.
pub(super) struct ProgramContext<'a> {
    pub(super) sources: DataSources<'a>,
    pub(super) policy: &'a ImplicitPolicy,
    /// Whether it is the image's entrypoint.
    pub(super) is_entrypoint: bool,
    /// The link map of the program's start, then those of opened libraries.
    pub(super) maps: Vec<&'a LinkMap>,
    program_object: &'a MappedObject,
    objects: Vec<&'a MappedObject>,
    /// The calls of functions that need more than the mapped libraries.
    pub(super) calls: FunctionCalls,
}

impl<'a> ProgramContext<'a> {
    /// Collects the objects and calls of `elf`.
    pub(super) fn new(
        sources: DataSources<'a>,
        policy: &'a ImplicitPolicy,
        is_entrypoint: bool,
        elf: &'a ElfProgram,
    ) -> Result<Self, Error> {
        let program_object = elf.link_map.objects.first();
        let program_object = program_object.ok_or(Error::Internal("a link map has no program"))?;
        let opened = elf.dlopened.iter().filter_map(|opened| opened.maps.first());
        let maps: Vec<&LinkMap> = std::iter::once(&elf.link_map).chain(opened).map(AsRef::as_ref).collect();
        let mut calls = FunctionCalls::default();
        for map in &maps {
            calls.add_calls_in(map)?;
        }
        let mut seen = BTreeSet::new();
        let new_objects = maps.iter().flat_map(|map| map.new_objects()).map(|(_, mapped)| mapped);
        let objects = new_objects.filter(|mapped| seen.insert(&mapped.raw_path)).collect();
        Ok(Self { sources, program_object, policy, is_entrypoint, maps, objects, calls })
    }

    /// Returns the program's own object.
    pub(super) fn program_object(&self) -> &'a MappedObject {
        self.program_object
    }

    /// Returns whether the program has no loader.
    pub(super) fn is_static(&self) -> bool {
        self.maps.iter().all(|map| map.loader.is_none())
    }

    /// Returns `mapped` as a caller of `dlopen`.
    pub(super) fn dlopen_caller(&self, mapped: &MappedObject) -> DlopenCaller {
        if self.program_object.raw_path == mapped.raw_path {
            DlopenCaller::Program
        } else {
            DlopenCaller::from_library(mapped)
        }
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

    /// Returns the data file at `raw_path`, with the links on its path. `None` if there is none.
    pub(super) fn data_file(&self, raw_path: &RawPath, purpose: &str) -> fs::Result<Option<DataFile>> {
        for tree in std::iter::once(self.sources.tree).chain(self.sources.fallback) {
            let found = find_data_file(tree, &self.sources.options.working_dir, raw_path, purpose)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Returns the files below the directory at `raw_path`, with the links on their paths. Empty if
    /// there is no directory. Entries listed in `skip` are ignored at the top level.
    pub(super) fn data_files_below(
        &self,
        raw_path: &RawPath,
        skip: &[&str],
        purpose: &str,
    ) -> fs::Result<Vec<DataFile>> {
        for tree in std::iter::once(self.sources.tree).chain(self.sources.fallback) {
            let mut files = Vec::new();
            collect_files(tree, raw_path, skip, purpose, &mut files)?;
            if !files.is_empty() {
                return Ok(files);
            }
        }
        Ok(Vec::new())
    }
}

/// Maximum depth of directories, so that circular links end.
const MAX_DEPTH: usize = 32;

/// Adds the files below the directory at `raw_path` to `files`.
fn collect_files(
    tree: &dyn FileSystem,
    raw_path: &RawPath,
    skip: &[&str],
    purpose: &str,
    files: &mut Vec<DataFile>,
) -> fs::Result<()> {
    let ResolutionEnd::Directory(directory) =
        file_system::resolve_path(tree, &ImagePath::root(), raw_path.as_bytes())?.end
    else {
        return Ok(());
    };
    let depth = raw_path.as_bytes().iter().filter(|&&byte| byte == b'/').count();
    if depth > MAX_DEPTH {
        return Ok(());
    }
    for name in tree.list(&directory)? {
        if skip.iter().any(|skipped| skipped.as_bytes() == name) {
            continue;
        }
        let below = RawPath::join_bytes(raw_path.as_bytes(), &name);
        match tree.node(&directory.join(&name))? {
            Some(FsNode::Directory) => collect_files(tree, &below, &[], purpose, files)?,
            _ => files.extend(find_data_file(tree, &ImagePath::root(), &below, purpose)?),
        }
    }
    Ok(())
}

/// Returns the data file at `raw_path` in `tree`; `None` if there is none.
fn find_data_file(
    tree: &dyn FileSystem,
    start: &ImagePath,
    raw_path: &RawPath,
    purpose: &str,
) -> fs::Result<Option<DataFile>> {
    let walk = file_system::resolve_path(tree, start, raw_path.as_bytes())?;
    let ResolutionEnd::File(path, file) = walk.end else { return Ok(None) };
    Ok(Some(DataFile {
        raw_path: raw_path.clone(),
        path,
        steps: walk.steps,
        content: DataContent::File(file),
        purpose: purpose.to_owned(),
    }))
}
