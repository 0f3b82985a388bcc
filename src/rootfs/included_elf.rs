//! Dependencies of included ELF files: programs, and modules that the entrypoint opens (extensions
//! of Python, Perl, Ruby or Node).
//!
//! They are resolved at their paths in the image, so that `$ORIGIN` has its final value.

use std::rc::Rc;

use super::MAX_LISTED;
use super::error::RootfsError;
use super::file_tree::Rootfs;
use super::plan_request::PlanRequest;
use coracle_core::entry::{EntryNode, EntryReason};
use coracle_core::file_system::FileSystem;
use coracle_core::fs;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{
    self, Closure, DlopenCaller, DlopenFailure, DlopenRequest, ElfProgram, ExecutedFile, ExecutedKind,
    LinkMap, MissingLibrary, Resolver, check_symbol_versions,
};
use coracle_ld::elf::{DlopenPriority, Machine};
use coracle_ld::implicit::{self, DataSources, ProgramRole, Requirements};

/// The closures and implicit dependencies of included files.
#[derive(Default)]
pub(super) struct IncludedDependencies {
    /// The closure of each included program, and of the entrypoint with the modules that it opens.
    pub(super) closures: Vec<Closure>,
    /// The implicit dependencies of included programs.
    pub(super) requirements: Requirements,
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
    let (mut modules, mut failed_files) = (Vec::new(), Vec::new());
    for path in files {
        let mut closure = match resolver.resolve_partial(&RawPath::from(&path)) {
            Ok(closure) => closure,
            // Object files and core dumps are never loaded.
            Err(closure::Error::NotExecutable { .. } | closure::Error::InvalidElf { .. }) => continue,
            Err(closure::Error::Io(error)) => return Err(error.into()),
            Err(error) => {
                failed_files.push((path, error.to_string()));
                continue;
            }
        };
        let Some(ExecutedKind::Elf(elf)) = closure.executed.first().map(|executed| &executed.kind) else {
            continue;
        };
        if elf.link_map.is_library()
            && machine.is_some_and(|machine| machine.has_same_architecture(elf.machine))
        {
            modules.push(path);
        } else if elf.link_map.is_missing_required() {
            failed_files.push((path, missing_libraries_text(&elf.link_map.missing)));
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
            let failed = open_modules(&resolver, executed, &modules)?;
            failed_files.extend(failed.iter().filter_map(failed_module));
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
    included.requirements.notes.extend(load_failures_warning(&failed_files));
    included.requirements.notes.extend(missing_version_warnings(rootfs, &included.closures)?);
    Ok(included)
}

/// Opens modules, and returns those that need libraries which are not found. A module may need another
/// one that the program opens before it, as those of a Java home need `libjvm.so`.
fn open_modules(
    resolver: &Resolver<'_>,
    executed: &mut ExecutedFile,
    modules: &[ImagePath],
) -> Result<Vec<DlopenFailure>, closure::Error> {
    let mut failed = resolver.dlopen(executed, modules.iter().map(dlopen_of_module).collect())?;
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

fn dlopen_of_module(path: &ImagePath) -> DlopenRequest {
    DlopenRequest {
        caller: DlopenCaller::Program,
        names: vec![path.as_bytes().to_vec()],
        purpose: "it is included".into(),
        priority: DlopenPriority::Recommended,
    }
}

fn failed_module(failed: &DlopenFailure) -> Option<(ImagePath, String)> {
    let path = ImagePath::parse(failed.request.names.first()?).ok()?;
    Some((path, missing_libraries_text(&failed.link_map.missing)))
}

fn missing_libraries_text(missing: &[MissingLibrary]) -> String {
    let text = |missing: &MissingLibrary| {
        let name = RawPath::new(missing.name.as_slice());
        match &missing.added_at {
            Some(path) => format!("`{name}`, which is not searched for at {path}"),
            None => format!("`{name}`"),
        }
    };
    format!("cannot find {}", missing.iter().map(text).collect::<Vec<_>>().join(", "))
}

fn load_failures_warning(failed_files: &[(ImagePath, String)]) -> Option<Note> {
    let mut lines: Vec<String> =
        failed_files.iter().take(MAX_LISTED).map(|(path, why)| format!("{path}: {why}")).collect();
    let more = failed_files.len().saturating_sub(MAX_LISTED);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    let files = if failed_files.len() == 1 { "one included file" } else { "some included files" };
    (!failed_files.is_empty())
        .then(|| Note::Warning(format!("{files} can't be loaded in the image\n{}", lines.join("\n"))))
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
        for map in maps.filter(|map| !map.is_missing_required()) {
            let problems =
                check_symbol_versions(map)?.into_iter().map(|problem| Note::Warning(problem.message));
            notes.extend(problems.filter(|note| !notes.contains(note)).collect::<Vec<_>>());
        }
    }
    Ok(notes)
}

/// The size of the smallest ELF header, in bytes. Smaller files are not opened.
const MIN_ELF_SIZE: u64 = 52;

/// Returns the paths of included ELF files.
fn included_elf_files(rootfs: &Rootfs) -> fs::Result<Vec<ImagePath>> {
    let mut files = Vec::new();
    for (path, entry) in rootfs.iter() {
        let (EntryNode::File(content), EntryReason::Included(_)) = (&entry.node, &entry.reason) else {
            continue;
        };
        if content.size() >= MIN_ELF_SIZE && content.open()?.read_bytes_at(0, 4)? == b"\x7fELF" {
            files.push(path.clone());
        }
    }
    Ok(files)
}
