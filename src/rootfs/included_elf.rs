//! Dependencies of included ELF files: programs, and modules that the entrypoint opens (extensions
//! of Python, Perl, Ruby or Node).
//!
//! They are resolved at their paths in the image, so that `$ORIGIN` has its final value.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::error::RootfsError;
use super::file_tree::Rootfs;
use super::plan_request::PlanRequest;
use super::script_library_path::library_path_of_scripts;
use super::unloadable_files::UnloadableFiles;
use coracle_core::entry::{EntryNode, EntryReason};
use coracle_core::file_system::FileSystem;
use coracle_core::fs;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{
    self, Closure, DlopenCaller, DlopenFailure, DlopenRequest, ElfProgram, ExecutedFile, ExecutedKind,
    LinkMap, MissingLibrary, Resolver, check_symbol_versions,
};
use coracle_ld::elf::{DlopenPriority, Header, Machine};
use coracle_ld::implicit::{self, DataSources, ImplicitDependencies, ProgramRole};

/// The closures and implicit dependencies of included files.
#[derive(Default)]
pub(super) struct IncludedDependencies {
    /// The closure of each included program, and of the entrypoint with the modules that it opens.
    pub(super) closures: Vec<Closure>,
    /// The implicit dependencies of included programs.
    pub(super) requirements: ImplicitDependencies,
    /// The link maps of modules that need libraries which were not found.
    pub(super) incomplete_modules: Vec<Rc<LinkMap>>,
}

/// Resolves the included ELF files of `rootfs` in `tree`, which contains `rootfs`.
pub(super) fn resolve_included_elf(
    file_system: &dyn FileSystem,
    rootfs: &Rootfs,
    request: &PlanRequest<'_>,
) -> Result<IncludedDependencies, RootfsError> {
    let files = included_elf_files(rootfs)?;
    let mut included = IncludedDependencies::default();
    if files.is_empty() {
        return Ok(included);
    }
    let resolver = Resolver::new(file_system, request.resolve_options);
    let data_sources = DataSources { tree: file_system, ..request.data_sources };
    let mut entrypoint = match rootfs.programs().first() {
        Some(path) => match resolver.resolve(&RawPath::from(path)) {
            Err(closure::Error::Io(error)) => return Err(error.into()),
            // The check inside of the image reports it.
            entrypoint => entrypoint.ok(),
        },
        None => None,
    };
    let machine = entrypoint.as_mut().and_then(last_executed).and_then(|executed| dynamic_machine(executed));
    let own_machine = entrypoint.as_ref().and_then(|closure| closure.elf_programs().last());
    let mut unloadable = UnloadableFiles::new(own_machine.map(|elf| elf.machine));
    let script_path = library_path_of_scripts(request.programs, rootfs)?;
    let mut modules = BTreeMap::new();
    for (path, file_machine) in files {
        let mut closure = match resolver.resolve_partial(&RawPath::from(&path)) {
            Ok(closure) => closure,
            // Object files and core dumps are never loaded.
            Err(closure::Error::NotExecutable { .. } | closure::Error::InvalidElf { .. }) => continue,
            Err(closure::Error::Io(error)) => return Err(error.into()),
            Err(error) => {
                unloadable.add(path, file_machine, error.to_string());
                continue;
            }
        };
        let Some(ExecutedKind::Elf(elf)) = closure.executed.first().map(|executed| &executed.kind) else {
            continue;
        };
        if elf.link_map.is_library()
            && machine.is_some_and(|machine| machine.has_same_architecture(elf.machine))
        {
            modules.insert(path, file_machine);
        } else if is_completed_by_script(&elf.link_map, &script_path) {
            included.incomplete_modules.push(Rc::clone(&elf.link_map));
        } else if elf.link_map.lacks_required_library() {
            unloadable.add_incomplete(path, file_machine, &elf.link_map);
        } else {
            for executed in &mut closure.executed {
                included.requirements.merge(implicit::add_implicit_dependencies(
                    &resolver,
                    data_sources,
                    request.policy,
                    executed,
                    ProgramRole::Included,
                )?);
            }
            included.closures.push(closure);
        }
    }
    if let Some(mut closure) = entrypoint.filter(|_| !modules.is_empty()) {
        let entrypoint_role = match closure.executed.len() {
            1 => ProgramRole::Entrypoint,
            _ => ProgramRole::EntrypointInterpreter,
        };
        if let Some(executed) = last_executed(&mut closure) {
            let paths: Vec<ImagePath> = modules.keys().cloned().collect();
            let failed = open_modules(&resolver, executed, &paths)?;
            for failure in &failed {
                let name = failure.request.names.first();
                let Some(path) = name.and_then(|name| ImagePath::parse(name).ok()) else { continue };
                let file_machine = modules.get(&path).copied().flatten();
                unloadable.add_incomplete(path, file_machine, &failure.link_map);
            }
            included.incomplete_modules.extend(failed.into_iter().map(|failed| failed.link_map));
            included.requirements.merge(implicit::add_implicit_dependencies(
                &resolver,
                data_sources,
                request.policy,
                executed,
                entrypoint_role,
            )?);
        }
        included.closures.push(closure);
    }
    included.requirements.notes.extend(unloadable.into_warnings());
    included.requirements.notes.extend(missing_version_warnings(rootfs, &included.closures)?);
    Ok(included)
}

/// Returns whether a script adds the directories of all libraries that are not found to `LD_LIBRARY_PATH`.
fn is_completed_by_script(map: &LinkMap, script_path: &BTreeSet<ImagePath>) -> bool {
    let is_added = |missing: &MissingLibrary| {
        missing
            .added_at
            .as_ref()
            .and_then(ImagePath::parent)
            .is_some_and(|directory| script_path.contains(&directory))
    };
    map.lacks_required_library() && map.missing.iter().all(is_added)
}

/// Opens modules, and returns those that need libraries which are not found. A module may need another
/// one that the program opens before it, as those of a Java home need `libjvm.so`.
fn open_modules(
    resolver: &Resolver<'_>,
    executed: &mut ExecutedFile,
    modules: &[ImagePath],
) -> Result<Vec<DlopenFailure>, closure::Error> {
    let mut failed = resolver.dlopen(executed, modules.iter().map(module_dlopen_request).collect())?;
    let is_module = |name: &[u8]| modules.iter().any(|module| module.file_name() == Some(name));
    loop {
        let mut still_failed = Vec::new();
        let count = failed.len();
        for failure in failed {
            let provider = failure.link_map.missing.first().map(|missing| missing.name.clone());
            let opened = match provider.filter(|name| is_module(name)) {
                Some(provider) => {
                    let caller = DlopenCaller::Library(provider);
                    let request = DlopenRequest { caller, ..failure.request.clone() };
                    resolver.dlopen(executed, vec![request])?.is_empty()
                }
                None => false,
            };
            if !opened {
                still_failed.push(failure);
            }
        }
        failed = still_failed;
        if failed.len() == count {
            return Ok(failed);
        }
    }
}

/// Returns the program that opens modules: the last one executed, such as the interpreter of a
/// script.
fn last_executed(closure: &mut Closure) -> Option<&mut ExecutedFile> {
    closure.executed.last_mut()
}

/// Returns the machine of a dynamically linked program.
fn dynamic_machine(executed: &ExecutedFile) -> Option<Machine> {
    match &executed.kind {
        ExecutedKind::Elf(elf) if elf.link_map.loader.is_some() => Some(elf.machine),
        _ => None,
    }
}

fn module_dlopen_request(path: &ImagePath) -> DlopenRequest {
    DlopenRequest {
        caller: DlopenCaller::Program,
        names: vec![path.as_bytes().to_vec()],
        purpose: "it is included".into(),
        priority: DlopenPriority::Recommended,
    }
}

/// Warns about symbol versions that modules need and libraries lack: the modules cannot be opened,
/// the program starts.
fn missing_version_warnings(rootfs: &Rootfs, closures: &[Closure]) -> fs::Result<Vec<Note>> {
    let mut notes = Vec::new();
    for closure in closures {
        // Objects that a program of the recipe maps at its start are checked elsewhere.
        let is_named = closure.executed.first().is_some_and(|first| rootfs.programs().contains(&first.path));
        let maps = closure
            .elf_programs()
            .flat_map(ElfProgram::all_link_maps)
            .filter(|map| !is_named || map.opened_objects.is_some());
        for map in maps.filter(|map| !map.lacks_required_library()) {
            let problems =
                check_symbol_versions(map)?.into_iter().map(|problem| Note::Warning(problem.message));
            notes.extend(problems.filter(|note| !notes.contains(note)).collect::<Vec<_>>());
        }
    }
    Ok(notes)
}

/// The size of the smallest ELF header, in bytes. Smaller files are not opened.
const MIN_ELF_SIZE: u64 = 52;

/// Returns the paths of included ELF files with their machines; `None` if the header is damaged.
fn included_elf_files(rootfs: &Rootfs) -> fs::Result<Vec<(ImagePath, Option<Machine>)>> {
    let mut files = Vec::new();
    for (path, entry) in rootfs.iter() {
        let (EntryNode::File(content), EntryReason::Included(_)) = (&entry.node, &entry.reason) else {
            continue;
        };
        if content.size() < MIN_ELF_SIZE {
            continue;
        }
        let file = content.open()?;
        if file.read_bytes_at(0, 4)? == b"\x7fELF" {
            files.push((path.clone(), Header::read(&file).ok().map(|header| header.machine)));
        }
    }
    Ok(files)
}
