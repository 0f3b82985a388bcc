//! Dependencies of included ELF files: programs, and modules that the entrypoint opens (extensions
//! of Python, Perl, Ruby or Node).
//!
//! They are resolved at their paths in the image, so that `$ORIGIN` has its final value.

use super::plan::Request;
use super::{Error, Node, Reason, Rootfs};
use coracle_ld::closure::{Closure, Elf, Executed, Kind, NotOpened, Opener, Opening, Tracer, versions};
use coracle_ld::elf::{Machine, Priority};
use coracle_core::fs;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, Spelled};
use coracle_ld::implicit::{self, Needs, Places};
use coracle_core::file_system::Tree;

/// The closures and implicit dependencies of included files.
#[derive(Default)]
pub(super) struct Included {
    /// The closure of each included program, and of the entrypoint with the modules that it opens.
    pub(super) closures: Vec<Closure>,
    /// Their implicit dependencies.
    pub(super) needs: Needs,
}

/// The maximum number of files listed in one warning.
const NAMED: usize = 8;

/// Resolves the included ELF files of `rootfs` in `tree`, which contains `rootfs`.
pub(super) fn follow(tree: &dyn Tree, rootfs: &Rootfs, request: &Request<'_>) -> Result<Included, Error> {
    let files = elf_files(rootfs)?;
    let mut included = Included::default();
    if files.is_empty() {
        return Ok(included);
    }
    let tracer = Tracer::new(tree, request.around);
    let places = Places { tree, ..request.places };
    let mut entrypoint = match rootfs.programs().first() {
        Some(path) => tracer.resolve(&Spelled::from(path)).ok(),
        None => None,
    };
    let machine = entrypoint.as_mut().and_then(interpreter).and_then(|executed| loading_machine(executed));
    let (mut modules, mut failed_files) = (Vec::new(), Vec::new());
    for path in files {
        let mut closure = match tracer.trace(&Spelled::from(&path)) {
            Ok(closure) => closure,
            // Object files and core dumps are never loaded.
            Err(coracle_ld::closure::Error::NotExecutable { .. } | coracle_ld::closure::Error::Elf { .. }) => continue,
            Err(error) => {
                failed_files.push((path, error.to_string()));
                continue;
            }
        };
        let Some(Kind::Elf(elf)) = closure.executed.first().map(|executed| &executed.kind) else { continue };
        if elf.objects.is_library() && machine.is_some_and(|machine| machine.is_kin_of(elf.machine)) {
            modules.push(path);
        } else if elf.objects.is_incomplete() {
            failed_files
                .push((path, missing(elf.objects.missing.iter().map(|missing| missing.name.as_slice()))));
        } else {
            for executed in &mut closure.executed {
                included.needs.add(implicit::complete(&tracer, places, request.policy, executed, false)?);
            }
            included.closures.push(closure);
        }
    }
    if let Some(mut closure) = entrypoint.filter(|_| !modules.is_empty()) {
        if let Some(executed) = interpreter(&mut closure) {
            let failed = tracer.open(executed, modules.iter().map(opening).collect())?;
            failed_files.extend(failed.iter().filter_map(of_module));
            included.needs.add(implicit::complete(&tracer, places, request.policy, executed, true)?);
        }
        included.closures.push(closure);
    }
    included.needs.notes.extend(warning(&failed_files));
    included.needs.notes.extend(lacking_versions(rootfs, &included.closures)?);
    Ok(included)
}

/// Returns the program that opens modules: the last one executed, such as the interpreter of a
/// script.
fn interpreter(closure: &mut Closure) -> Option<&mut Executed> {
    closure.executed.last_mut()
}

/// Returns the machine of a dynamically linked program.
fn loading_machine(executed: &Executed) -> Option<Machine> {
    match &executed.kind {
        Kind::Elf(elf) if elf.objects.loader.is_some() => Some(elf.machine),
        _ => None,
    }
}

fn opening(path: &ImagePath) -> Opening {
    Opening {
        by: Opener::Program,
        names: vec![path.as_bytes().to_vec()],
        why: "it is included".into(),
        priority: Priority::Recommended,
    }
}

fn of_module(failed: &NotOpened) -> Option<(ImagePath, String)> {
    let path = ImagePath::parse(failed.opening.names.first()?).ok()?;
    Some((path, missing(failed.map.missing.iter().map(|missing| missing.name.as_slice()))))
}

fn missing<'a>(names: impl Iterator<Item = &'a [u8]>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{}`", Spelled::new(name))).collect();
    format!("cannot find {}", names.join(", "))
}

fn warning(failed_files: &[(ImagePath, String)]) -> Option<Note> {
    let mut lines: Vec<String> =
        failed_files.iter().take(NAMED).map(|(path, why)| format!("{path}: {why}")).collect();
    let more = failed_files.len().saturating_sub(NAMED);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    let files = if failed_files.len() == 1 { "one included file" } else { "some included files" };
    (!failed_files.is_empty())
        .then(|| Note::Warning(format!("{files} can't be loaded in the image\n{}", lines.join("\n"))))
}

/// Warns about symbol versions that modules need and libraries lack: the modules cannot be opened,
/// the program starts.
fn lacking_versions(rootfs: &Rootfs, closures: &[Closure]) -> fs::Result<Vec<Note>> {
    let mut notes = Vec::new();
    for closure in closures {
        // Objects that a program of the recipe maps at its start are checked elsewhere.
        let is_named = closure.executed.first().is_some_and(|first| rootfs.programs().contains(&first.path));
        let maps = closure.elves().flat_map(Elf::maps).filter(|map| !is_named || map.added.is_some());
        for map in maps.filter(|map| !map.is_incomplete()) {
            let problems = versions::check(map)?.into_iter().map(|problem| Note::Warning(problem.message));
            notes.extend(problems.filter(|note| !notes.contains(note)).collect::<Vec<_>>());
        }
    }
    Ok(notes)
}

/// The size of the smallest ELF header, in bytes. Smaller files are not opened.
const HEADER: u64 = 52;

/// Returns the paths of included ELF files.
fn elf_files(rootfs: &Rootfs) -> fs::Result<Vec<ImagePath>> {
    let mut files = Vec::new();
    for (path, entry) in rootfs.iter() {
        let (Node::File(content), Reason::Included(_)) = (&entry.node, &entry.reason) else { continue };
        if content.size() >= HEADER && content.open()?.bytes_at(0, 4)? == b"\x7fELF" {
            files.push(path.clone());
        }
    }
    Ok(files)
}
