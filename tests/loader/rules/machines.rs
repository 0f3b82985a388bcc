//! The same rules for other machines, which have their own constants, byte order, cache flags and CPU
//! levels.

use coracle_core::path::RawPath;
use coracle_ld::elf::Machine;
use coracle_ld::ldso::{CacheEntry, HwcapsSelection, LdCache};

use crate::rules::case::Case;
use crate::rules::foreign_machines::{Foreign, MACHINES, Platform};

fn machine(foreign: &Foreign) -> Machine {
    let crate::rules::elf::Machine { is_64, is_little_endian, number, flags } = foreign.machine;
    Machine { is_64, is_little_endian, e_machine: number, e_flags: flags }
}

/// Returns a root with the machine's loader, and the options for the CPU here.
fn root(foreign: &'static Foreign) -> Case {
    match foreign.platform {
        Platform::Here(name) => Case::foreign(foreign).platform(name),
        Platform::Always(_) | Platform::None => Case::foreign(foreign),
    }
}

/// Returns the CPU level here.
fn here(foreign: &Foreign) -> HwcapsSelection {
    foreign.variants.map_or(HwcapsSelection::All, |(best, _)| HwcapsSelection::UpTo(best.into()))
}

#[test]
fn paths_and_tokens() {
    for foreign in &MACHINES {
        let (library, triplet) = (foreign.library(), foreign.triplet);
        let in_lib = format!("/opt/lib/{triplet}/libb.so");
        root(foreign)
            .elf(
                "/opt/bin/app",
                &foreign.program().needed("liba.so").needed("libb.so").rpath("$ORIGIN/../lib:/opt/$LIB:/r"),
            )
            .elf("/opt/lib/liba.so", &library.clone().needed("libc.so").needed(name_of(foreign.loader)))
            .elf(&in_lib, &library)
            .elf("/r/libc.so", &library)
            .link("/usr/bin/app", "../../opt/bin/app")
            .maps("/opt/bin/app", &["/opt/bin/../lib/liba.so", &in_lib, "/r/libc.so", foreign.loader])
            .maps("/usr/bin/app", &["/opt/bin/../lib/liba.so", &in_lib, "/r/libc.so", foreign.loader]);
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[test]
fn the_platform_is_what_the_loader_takes_the_cpu_for() {
    for foreign in &MACHINES {
        let case = |directory: &str| {
            root(foreign)
                .elf("/app", &foreign.program().needed("libb.so").runpath("/r/$PLATFORM:/s"))
                .elf(&format!("{directory}/libb.so"), &foreign.library())
        };
        if let Platform::Always(name) | Platform::Here(name) = foreign.platform {
            case(&format!("/r/{name}")).maps("/app", &[&format!("/r/{name}/libb.so")]);
        }
        // A token without a value drops its element.
        case("/r").maps("/app", &["libb.so => not found"]);
        case("/s").maps("/app", &["/s/libb.so"]);
    }
}

#[test]
fn default_directories_are_those_of_its_loader() {
    for foreign in &MACHINES {
        let directories = ["/lib/TRIPLET", "/usr/lib/TRIPLET", "/lib", "/usr/lib"]
            .map(|directory| directory.replace("TRIPLET", foreign.triplet));
        for first in 0..directories.len() {
            let case = root(foreign)
                .elf("/app", &foreign.program().needed("libb.so"))
                .elf("/usr/lib/x86_64-linux-gnu/libb.so", &foreign.library());
            let case = directories[first..]
                .iter()
                .fold(case, |case, directory| case.elf(&format!("{directory}/libb.so"), &foreign.library()));
            case.maps("/app", &[&format!("{}/libb.so", directories[first])]);
        }
    }
}

#[test]
fn libraries_of_other_machines_are_passed_over() {
    for foreign in &MACHINES {
        let others = MACHINES.iter().map(|other| other.machine).chain([crate::rules::elf::AMD64]);
        let others = others.filter(|other| *other != foreign.machine).enumerate();
        let (case, list) = others.fold((root(foreign), String::new()), |(case, list), (index, other)| {
            let case = case.elf(&format!("/{index}/libb.so"), &crate::rules::elf::library().machine(other));
            (case, format!("{list}/{index}:"))
        });
        case.elf("/app", &foreign.program().needed("libb.so").runpath(&format!("{list}/s")))
            .elf("/s/libb.so", &foreign.library())
            .maps("/app", &["/s/libb.so"]);
    }
}

fn cache(foreign: &Foreign, names: &[&str]) -> Vec<u8> {
    let entry =
        |name: &&str| CacheEntry { name: name.as_bytes().into(), path: RawPath::new(format!("/opt/{name}")) };
    LdCache::serialize(names.iter().map(entry).collect(), machine(foreign)).unwrap()
}

#[test]
fn its_loader_reads_a_cache_of_ours() {
    for foreign in &MACHINES {
        let library = foreign.library();
        root(foreign)
            .elf("/app", &foreign.program().needed("libb.so.10").needed("liba.so").needed("libb.so.9"))
            .elf("/opt/libb.so.9", &library)
            .elf("/opt/libb.so.10", &library)
            .elf("/opt/liba.so", &library)
            .file("/etc/ld.so.cache", cache(foreign, &["libb.so.9", "libb.so.10", "liba.so"]))
            .maps("/app", &["/opt/libb.so.10", "/opt/liba.so", "/opt/libb.so.9"]);
    }
}

/// Asserts which cache entries the loader accepts, given flags (`None` for the machine's own) and
/// masks.
fn are_taken(foreign: &'static Foreign, entries: &[(Option<u32>, u64, bool)]) {
    let little = foreign.machine.is_little_endian;
    let names: Vec<String> = (0..entries.len()).map(|index| format!("lib{}.so", index + 100)).collect();
    let mut cache = cache(foreign, &names.iter().map(String::as_str).collect::<Vec<_>>());
    for (index, (flags, mask, _)) in entries.iter().rev().enumerate() {
        let at = 48 + index * 24;
        if let Some(flags) = flags {
            let bytes = if little { flags.to_le_bytes() } else { flags.to_be_bytes() };
            cache[at..at + 4].copy_from_slice(&bytes);
        }
        let bytes = if little { mask.to_le_bytes() } else { mask.to_be_bytes() };
        cache[at + 16..at + 24].copy_from_slice(&bytes);
    }
    let app = names.iter().fold(foreign.program(), |app, name| app.needed(name));
    let case = root(foreign).hwcaps(here(foreign)).elf("/app", &app).file("/etc/ld.so.cache", cache);
    let case = names.iter().fold(case, |case, name| case.elf(&format!("/opt/{name}"), &foreign.library()));
    let (taken, missing): (Vec<_>, Vec<_>) = names.iter().zip(entries).partition(|(_, entry)| entry.2);
    let taken = taken.iter().map(|(name, _)| format!("/opt/{name}"));
    let missing = missing.iter().map(|(name, _)| format!("{name} => not found"));
    let expected: Vec<String> = taken.chain(missing).collect();
    case.maps("/app", &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn entries_are_taken_by_their_flags() {
    for foreign in &MACHINES {
        let (own, other) = foreign.flags;
        let all = [0, 1, 3, 0x303, 0x403, 0x503, 0x703, 0x803, 0x903, 0xa03, 0xb03, 0xf03, 0x1003];
        let entries = all.map(|flags| (Some(flags), 0, flags == own || Some(flags) == other));
        are_taken(foreign, &entries);
    }
}

#[test]
fn entries_are_taken_by_their_masks() {
    for foreign in &MACHINES {
        let (_, mask) = foreign.legacy;
        let others = [1 << 30, 1 << 44, 1 << 60].map(|bit| (None, bit, false));
        let own = [(None, mask, true), (None, 1 << 63, mask != 0), (None, mask | 1 << 30, false)];
        are_taken(foreign, &[own, others].concat());
    }
}

#[test]
fn variants_are_those_of_the_machine() {
    for foreign in &MACHINES {
        let case = |names: &[&str]| {
            let case = root(foreign)
                .hwcaps(here(foreign))
                .elf("/app", &foreign.program().needed("libb.so").runpath("/r"))
                .elf("/r/libb.so", &foreign.library());
            names.iter().fold(case, |case, name| {
                case.elf(&format!("/r/glibc-hwcaps/{name}/libb.so"), &foreign.library())
            })
        };
        case(&["x86-64-v2", foreign.triplet]).maps("/app", &["/r/libb.so"]);
        if let Some((best, beyond)) = foreign.variants {
            case(&[best, beyond]).maps("/app", &[&format!("/r/glibc-hwcaps/{best}/libb.so")]);
            case(&[beyond]).maps("/app", &["/r/libb.so"]);
        }
    }
}

#[test]
fn directories_for_some_cpus_are_those_of_the_machine() {
    for foreign in &MACHINES {
        let case = |directory: &str| {
            root(foreign)
                .hwcaps(here(foreign))
                .elf("/app", &foreign.program().needed("libb.so").runpath("/r"))
                .elf("/r/libb.so", &foreign.library())
                .elf(&format!("/r/{directory}/libb.so"), &foreign.library())
        };
        let (mut directory, _) = foreign.legacy;
        // Each of them is searched without those in front of it, too.
        loop {
            case(directory).maps("/app", &[&format!("/r/{directory}/libb.so")]);
            let Some((_, rest)) = directory.split_once('/') else { break };
            directory = rest;
        }
        case("x86_64").maps("/app", &["/r/libb.so"]);
    }
}
