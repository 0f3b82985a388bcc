//! How two ELF files differ: what they need, and which of their sections have other bytes.

use std::collections::{BTreeMap, BTreeSet};

use coracle_core::content::{Content, OpenContent};
use coracle_core::path::RawPath;
use coracle_ld::elf::{self, ElfObject, SectionRange, SymbolVersions};
use serde::Serialize;

/// The differences of two ELF files.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ElfDiff {
    /// The libraries that only the new file needs.
    pub added_libraries: Vec<String>,
    /// The libraries that only the old file needs.
    pub removed_libraries: Vec<String>,
    /// The symbol versions that only the new file needs, such as `GLIBC_2.38 of libc.so.6`.
    pub added_versions: Vec<String>,
    /// The symbol versions that only the old file needs.
    pub removed_versions: Vec<String>,
    /// Other facts that a loader reads, such as RUNPATH: name, old and new value.
    pub loader_fields: Vec<(String, String, String)>,
    /// The sections that differ.
    pub sections: Vec<SectionChange>,
}

/// A section that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SectionChange {
    /// The name.
    pub name: String,
    /// The old size in bytes; `None` if it was added.
    pub old: Option<u64>,
    /// The new size in bytes; `None` if it was removed.
    pub new: Option<u64>,
}

/// An ELF file, as far as it is compared.
struct ElfFacts {
    file: OpenContent,
    libraries: BTreeSet<String>,
    versions: BTreeSet<String>,
    fields: BTreeMap<&'static str, String>,
    sections: BTreeMap<String, SectionRange>,
}

/// Compares two files; `None` if one of them is not an ELF file that can be read.
pub(super) fn diff_elf_files(old: &Content, new: &Content) -> Option<ElfDiff> {
    let (old, new) = (ElfFacts::read(old)?, ElfFacts::read(new)?);
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| one.difference(other).cloned().collect();
    let names: BTreeSet<&&str> = old.fields.keys().chain(new.fields.keys()).collect();
    let loader_fields = names.into_iter().filter_map(|name| {
        let text = |facts: &ElfFacts| facts.fields.get(*name).cloned().unwrap_or_else(|| "none".into());
        let (one, other) = (text(&old), text(&new));
        (one != other).then(|| ((*name).to_owned(), one, other))
    });
    Some(ElfDiff {
        added_libraries: only(&new.libraries, &old.libraries),
        removed_libraries: only(&old.libraries, &new.libraries),
        added_versions: only(&new.versions, &old.versions),
        removed_versions: only(&old.versions, &new.versions),
        loader_fields: loader_fields.collect(),
        sections: changed_sections(&old, &new),
    })
}

impl ElfFacts {
    fn read(content: &Content) -> Option<Self> {
        let file = content.open().ok()?;
        let object = ElfObject::read(&file).ok()?;
        let text = |bytes: &[u8]| RawPath::new(bytes).to_string();
        let versions = SymbolVersions::read(&file, &object).unwrap_or_default().needed.into_iter();
        let versions = versions.map(|version| format!("{} of {}", text(&version.name), text(&version.file)));
        let dynamic = &object.dynamic;
        let fields = [
            ("interpreter", object.interpreter.as_ref().map(ToString::to_string)),
            ("soname", dynamic.soname.as_deref().map(text)),
            ("RPATH", dynamic.rpath.as_deref().map(text)),
            ("RUNPATH", dynamic.runpath.as_deref().map(text)),
            ("machine", Some(format!("{:?}", object.header.machine))),
            ("type", Some(format!("{:?}", object.header.elf_type))),
        ];
        let sections = elf::list_sections(&file, &object).unwrap_or_default().into_iter();
        Some(Self {
            libraries: dynamic.needed().map(text).collect(),
            versions: versions.collect(),
            fields: fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            sections: sections.map(|section| (text(&section.name), section)).collect(),
            file,
        })
    }
}

fn changed_sections(old: &ElfFacts, new: &ElfFacts) -> Vec<SectionChange> {
    let names: BTreeSet<&String> = old.sections.keys().chain(new.sections.keys()).collect();
    let changes = names.into_iter().filter_map(|name| {
        let (one, other) = (old.sections.get(name), new.sections.get(name));
        let is_same = match (one, other) {
            (Some(one), Some(other)) => has_same_bytes(old, one, new, other),
            _ => false,
        };
        let size = |section: Option<&SectionRange>| section.map(|section| section.size);
        (!is_same).then(|| SectionChange { name: name.clone(), old: size(one), new: size(other) })
    });
    changes.collect()
}

/// The number of bytes that are compared at once.
const BLOCK: u64 = 64 << 10;

fn has_same_bytes(old: &ElfFacts, one: &SectionRange, new: &ElfFacts, other: &SectionRange) -> bool {
    // A damaged table can name any size.
    let size = one.size.min(old.file.size());
    if one.size != other.size {
        return false;
    }
    let mut offset = 0;
    while offset < size {
        let block = usize::try_from((size - offset).min(BLOCK)).unwrap_or_default();
        let read = |facts: &ElfFacts, section: &SectionRange| {
            facts.file.read_bytes_at(section.offset.saturating_add(offset), block).ok()
        };
        let (a, b) = (read(old, one), read(new, other));
        if a.is_none() || a != b {
            return false;
        }
        offset += BLOCK;
    }
    true
}
