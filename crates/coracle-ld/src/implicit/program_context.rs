//! A program with everything that is mapped for it, and access to its data files.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::dependency_hint::Likelihood;
use super::error::Error;
use super::function_calls::{FunctionCall, FunctionCalls, FunctionNeed};
use super::ignored_paths;
use super::implicit_policy::ImplicitPolicy;
use super::requested_dependencies::{DataContent, DataFile};
use crate::closure::{DlopenCaller, ElfProgram, LinkMap, MappedObject, ResolveOptions};
use crate::elf::{self, DataMatches, DataQuery, PathLiteralForm, Toolchain};
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
    /// The same file system as `tree`, for hints: what is read here does not belong to the inputs of a
    /// build, so that a change of it does not repeat the build.
    pub untracked: &'a dyn FileSystem,
    /// The options of the resolution.
    pub options: &'a ResolveOptions,
}

/// The role of a program in an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProgramRole {
    /// The program that the image starts.
    Entrypoint,
    /// The interpreter of the script that the image starts.
    EntrypointInterpreter,
    /// A program that the user named.
    Program,
    /// An interpreter, or a program that another program may start. Hints that are only possible
    /// are left out, because most features of such a program are not used.
    Helper,
    /// A program in an included directory, which may never be started. It only has hints about
    /// files without which it cannot start.
    Included,
}

/// Directories of libraries, besides the directories of single architectures.
const LIBRARY_DIRECTORIES: [&str; 6] =
    ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"];

/// One ELF program, with what the rules need to know about it.
pub(super) struct ProgramContext<'a> {
    pub(super) sources: DataSources<'a>,
    pub(super) policy: &'a ImplicitPolicy,
    /// The program's role in the image.
    pub(super) role: ProgramRole,
    /// The link map of the program's start, then the link maps of opened libraries.
    pub(super) maps: Vec<&'a LinkMap>,
    program_object: &'a MappedObject,
    objects: Vec<&'a MappedObject>,
    /// The matches in the data of the program itself.
    pub(super) own_data: Rc<DataMatches>,
    /// The calls of functions that need more than the mapped libraries.
    pub(super) calls: FunctionCalls,
}

/// The texts that are looked for in a program.
const SEARCHED_TEXTS: [&str; 4] = ["SSL_CERT_FILE", "ssl/certs", "/zoneinfo", "crypto/x509."];

/// Searches the data of a program.
pub(super) fn search_own_data(elf: &ElfProgram) -> Result<Rc<DataMatches>, Error> {
    let program = elf.link_map.objects.first();
    let program = program.ok_or(Error::Internal("a link map has no program"))?;
    let query = DataQuery {
        texts: &SEARCHED_TEXTS,
        parts: &[".so", "libnss_"],
        paths: Some(path_literal_form(program)?),
        is_wanted_word: None,
    };
    Ok(Rc::new(elf::search_data(&program.file.content.open()?, &program.object, &query)?))
}

/// Returns how paths are separated in the data of an object.
pub(super) fn path_literal_form(mapped: &MappedObject) -> Result<PathLiteralForm, Error> {
    let toolchain = elf::detect_toolchain(&mapped.file.content.open()?, &mapped.object.header)?;
    Ok(match toolchain {
        Some(Toolchain::Rust | Toolchain::Go) => PathLiteralForm::Concatenated,
        None => PathLiteralForm::Terminated,
    })
}

impl ProgramRole {
    /// Returns whether a program of this role has a hint of this likelihood.
    pub(super) fn accepts_hint(self, likelihood: Likelihood) -> bool {
        match self {
            Self::Entrypoint | Self::Program => true,
            Self::EntrypointInterpreter | Self::Helper => likelihood != Likelihood::Possible,
            Self::Included => likelihood == Likelihood::Certain,
        }
    }

    /// Returns whether the user named the program.
    pub(super) fn is_named_by_user(self) -> bool {
        matches!(self, Self::Entrypoint | Self::Program)
    }
}

impl<'a> ProgramContext<'a> {
    /// Collects the objects and calls of `elf`.
    pub(super) fn new(
        sources: DataSources<'a>,
        policy: &'a ImplicitPolicy,
        role: ProgramRole,
        elf: &'a ElfProgram,
        own_data: Rc<DataMatches>,
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
        Ok(Self { sources, program_object, policy, role, own_data, maps, objects, calls })
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
    pub(super) fn as_dlopen_caller(&self, mapped: &MappedObject) -> DlopenCaller {
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

    /// Returns whether `mapped` is the program, or a library that is not in a directory of libraries, so
    /// that it belongs to the program.
    pub(super) fn is_own_object(&self, mapped: &MappedObject) -> bool {
        let directory = RawPath::from(&mapped.path).dirname();
        let is_private = !LIBRARY_DIRECTORIES.iter().any(|shared| directory.as_bytes() == shared.as_bytes())
            && !ignored_paths::is_library_directory(directory.as_bytes());
        mapped.raw_path == self.program_object.raw_path || is_private
    }

    /// Returns the libraries that belong to the program.
    pub(super) fn own_libraries(&self) -> impl Iterator<Item = &'a MappedObject> {
        let program = &self.program_object.raw_path;
        self.objects().filter(move |mapped| mapped.raw_path != *program && self.is_own_object(mapped))
    }

    /// Returns whether the object at `raw_path` is the program or a library that belongs to it.
    pub(super) fn is_own_path(&self, raw_path: &RawPath) -> bool {
        self.objects().any(|mapped| mapped.raw_path == *raw_path && self.is_own_object(mapped))
    }

    /// Returns the first call of a function with this need by the program itself. Libraries call
    /// some of these functions only for rare features.
    pub(super) fn own_call(&self, need: FunctionNeed) -> Option<&FunctionCall> {
        self.calls.first_call(need).filter(|call| self.is_own_path(&call.caller))
    }

    /// Returns the libraries that the program uses directly: the libraries that it or another such
    /// library needs. A library that only `is_excluded` libraries need is left out, because it
    /// serves their rare features.
    pub(super) fn directly_used_libraries(
        &self,
        is_excluded: fn(&MappedObject) -> bool,
    ) -> Vec<&'a MappedObject> {
        let mut requested = Vec::new();
        let mut known = BTreeSet::new();
        for map in &self.maps {
            let first = map.opened_objects.as_ref().and_then(|opened| opened.first().copied()).unwrap_or(0);
            let mut queue = vec![first];
            let mut visited = BTreeSet::new();
            while let Some(index) = queue.pop() {
                let Some(mapped) = map.objects.get(index).filter(|_| visited.insert(index)) else { continue };
                let is_program = mapped.raw_path == self.program_object.raw_path;
                if !is_program && is_excluded(mapped) {
                    continue;
                }
                if !is_program && known.insert(&mapped.path) {
                    requested.push(mapped);
                }
                queue.extend(map.edges.iter().filter(|edge| edge.from == index).map(|edge| edge.to));
            }
        }
        requested
    }

    /// Returns the first object whose soname starts with `name`, as in `libssl.so`.
    pub(super) fn library_with_prefix(&self, name: &str) -> Option<&'a MappedObject> {
        self.objects().find(|mapped| {
            let soname = mapped.object.dynamic.soname.as_deref().unwrap_or(mapped.raw_path.file_name());
            soname.starts_with(name.as_bytes())
        })
    }

    /// Returns glibc, if that is the C library.
    pub(super) fn glibc(&self) -> Option<&'a MappedObject> {
        self.library_with_prefix("libc.so.6")
    }

    /// Returns the data file at `raw_path` in the sources of this program.
    pub(super) fn data_file(&self, raw_path: &RawPath, purpose: &str) -> fs::Result<Option<DataFile>> {
        self.sources.data_file(raw_path, purpose)
    }
}

impl DataSources<'_> {
    /// Returns the data file at `raw_path`, with the links on its path. `None` if there is none.
    pub(super) fn data_file(&self, raw_path: &RawPath, purpose: &str) -> fs::Result<Option<DataFile>> {
        for tree in std::iter::once(self.tree).chain(self.fallback) {
            let found = find_data_file(tree, &self.options.working_dir, raw_path, purpose)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Returns the files in the directory at `raw_path` itself, sorted, with the links on their paths. Empty
    /// if there is no directory.
    pub(super) fn data_files_in(&self, raw_path: &RawPath, purpose: &str) -> fs::Result<Vec<DataFile>> {
        let start = &self.options.working_dir;
        for tree in std::iter::once(self.tree).chain(self.fallback) {
            let end = file_system::resolve_path(tree, start, raw_path.as_bytes())?.end;
            let ResolutionEnd::Directory(directory) = end else { continue };
            let paths = tree.list(&directory)?.into_iter().map(|name| {
                let path = RawPath::join_bytes(raw_path.as_bytes(), &name);
                find_data_file(tree, start, &path, purpose)
            });
            return paths.filter_map(Result::transpose).collect();
        }
        Ok(Vec::new())
    }

    /// Returns the files below the directory at `raw_path`, with the links on their paths. Empty if
    /// there is no directory. Entries listed in `skip` are ignored at the top level.
    pub(super) fn data_files_below(
        &self,
        raw_path: &RawPath,
        skip: &[&str],
        purpose: &str,
    ) -> fs::Result<Vec<DataFile>> {
        for tree in std::iter::once(self.tree).chain(self.fallback) {
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
