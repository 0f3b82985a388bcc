//! Warnings about included ELF files that cannot be loaded in the image: one about files for other
//! machines or another C library, which packages for several platforms contain, and one about all
//! other files.

use std::collections::BTreeSet;

use super::MAX_LISTED;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{LinkMap, MissingLibrary};
use coracle_ld::elf::Machine;

/// Included files that cannot be loaded.
pub(super) struct UnloadableFiles {
    /// The machine of the entrypoint.
    machine: Option<Machine>,
    /// Files that are for another machine or another C library.
    foreign: Vec<ImagePath>,
    other_machines: BTreeSet<String>,
    has_other_libc: bool,
    /// The other files, with reasons.
    broken: Vec<(ImagePath, String)>,
}

impl UnloadableFiles {
    pub(super) fn new(machine: Option<Machine>) -> Self {
        Self {
            machine,
            foreign: Vec::new(),
            other_machines: BTreeSet::new(),
            has_other_libc: false,
            broken: Vec::new(),
        }
    }

    /// Adds a file for `machine`, which cannot be loaded because of `reason`.
    pub(super) fn add(&mut self, path: ImagePath, machine: Option<Machine>, reason: String) {
        let is_other = |other: &Machine| self.machine.is_some_and(|own| !own.has_same_architecture(*other));
        match machine.filter(is_other) {
            Some(other) => {
                let platform = other.platform().map(|platform| platform.to_string());
                self.other_machines.insert(platform.unwrap_or_else(|| other.to_string()));
                self.foreign.push(path);
            }
            None => self.broken.push((path, reason)),
        }
    }

    /// Adds a file for `machine`, which needs libraries that are not found.
    pub(super) fn add_incomplete(&mut self, path: ImagePath, machine: Option<Machine>, map: &LinkMap) {
        let names: Vec<&[u8]> = map.missing.iter().map(|missing| missing.name.as_slice()).collect();
        if names.iter().any(|name| is_libc(name)) {
            self.has_other_libc = true;
            self.foreign.push(path);
            return;
        }
        let texts: Vec<String> = map.missing.iter().map(missing_library_text).collect();
        self.add(path, machine, format!("cannot find {}", texts.join(", ")));
    }

    pub(super) fn into_warnings(self) -> Vec<Note> {
        [self.foreign_warning(), self.broken_warning()].into_iter().flatten().collect()
    }

    fn foreign_warning(&self) -> Option<Note> {
        let first = self.foreign.first()?;
        let mut targets: Vec<String> = self.other_machines.iter().cloned().collect();
        targets.extend(self.has_other_libc.then(|| "another C library".to_owned()));
        let targets = targets.join(", ");
        Some(Note::Warning(match self.foreign.len() {
            1 => format!("`{first}` is for {targets}: this image cannot load it"),
            count => format!(
                "{count} included files such as `{first}` are for {targets}: this image cannot load them"
            ),
        }))
    }

    fn broken_warning(&self) -> Option<Note> {
        let mut lines: Vec<String> =
            self.broken.iter().take(MAX_LISTED).map(|(path, why)| format!("{path}: {why}")).collect();
        let more = self.broken.len().saturating_sub(MAX_LISTED);
        lines.extend((more > 0).then(|| format!("and {more} more")));
        let files = if self.broken.len() == 1 { "one included file" } else { "some included files" };
        (!self.broken.is_empty())
            .then(|| Note::Warning(format!("{files} can't be loaded in the image\n{}", lines.join("\n"))))
    }
}

fn missing_library_text(missing: &MissingLibrary) -> String {
    let name = RawPath::new(missing.name.as_slice());
    match &missing.added_at {
        Some(path) => format!("`{name}`, which is not searched for at {path}"),
        None => format!("`{name}`"),
    }
}

/// Returns whether `name` is the C library of glibc or musl. The C library of the image is always
/// found.
fn is_libc(name: &[u8]) -> bool {
    name == b"libc.so" || name == b"libc.so.6" || name.starts_with(b"libc.musl-")
}
