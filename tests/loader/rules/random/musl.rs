//! Generates random roots with musl's loader.

use super::random_numbers::Dice;
use super::random_root::{ElfFeature, RandomRoot, RootEntry};
use crate::rules::elf::{E_TYPE, EI_OSABI};

const NAMES: [&str; 5] = ["liba.so", "libb.so", "libd.so", "liba.so.1", "libcrypt.so"];

const DIRECTORIES: [&str; 9] =
    ["/r", "/s", "/r/lib", "/opt/x", "/opt/x/lib", "/lib", "/usr/lib", "/usr/local/lib", "/"];

const SPECIAL_NAMES: [&str; 13] = [
    "libc.so",
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libc.",
    "ld-musl-x86_64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "nowhere.so",
    "$ORIGIN/liba.so",
    "./liba.so",
    "r/liba.so",
    "liba.so/",
    "",
];

const ODD_ELEMENTS: [&str; 14] = [
    "",
    ".",
    "r",
    "/",
    "$ORIGIN",
    "${ORIGIN}/lib",
    "$ORIGIN/../lib",
    "$ORIGINAL",
    "/r\n/s",
    "$LIB",
    "/none",
    "/app",
    "$",
    "/r//",
];

/// The root with this number.
pub(super) fn root(number: u64) -> RandomRoot {
    let root = RandomRoot { musl: true, entries: Vec::new(), files: Vec::new() };
    let mut root = Root { dice: Dice::new(number), root, directories: Vec::new() };
    root.fill();
    root.root.entries.sort();
    root.root
}

struct Root {
    dice: Dice,
    root: RandomRoot,
    directories: Vec<&'static str>,
}

impl Root {
    fn fill(&mut self) {
        if self.dice.percent(20) {
            let path = self.dice.one_of(&["/r", "/opt/x", "/work"]).to_owned();
            self.root.entries.push(RootEntry::WorkingDir(path));
        }
        self.directories = (0..4).map(|_| self.dice.one_of(&DIRECTORIES)).collect();
        let program = self.dice.one_of(&["/app", "/opt/x/app"]).to_owned();
        self.elf(program.clone(), true);
        self.root.files.push(program);
        for _ in 0..3 + self.dice.below(6) {
            let path = self.path();
            if self.root.is_free(&path) {
                self.library(path);
            }
        }
        for _ in 0..self.dice.below(3) {
            self.link();
        }
        self.surroundings();
    }

    fn path(&mut self) -> String {
        let directory = self.dice.one_of(&self.directories);
        let name = if self.dice.percent(95) { self.dice.one_of(&NAMES) } else { "libm.so.6" };
        format!("{}/{name}", directory.trim_end_matches('/'))
    }

    fn library(&mut self, path: String) {
        let entry = match self.dice.below(40) {
            0 => RootEntry::File {
                path,
                text: "no library at all, but long enough to be one: 64 bytes and more".into(),
            },
            1 => RootEntry::Cut { path, size: self.dice.one_of(&[0, 4, 52, 63, 64, 100]) },
            2 => RootEntry::Directory(path),
            _ => return self.elf(path, false),
        };
        self.root.entries.push(entry);
    }

    fn elf(&mut self, path: String, is_program: bool) {
        let mut features = Vec::new();
        for _ in 0..self.dice.below(3) + usize::from(is_program) {
            let name = self.name();
            features.push(ElfFeature::Needed(name));
        }
        if self.dice.percent(30) {
            features.push(ElfFeature::Soname(self.dice.one_of(&NAMES).into()));
        }
        for make in [ElfFeature::Rpath as fn(String) -> ElfFeature, ElfFeature::Runpath] {
            if self.dice.percent(35) {
                let list = self.list();
                features.push(make(list));
            }
        }
        if self.dice.percent(5) {
            let name = self.name();
            features.push(ElfFeature::Filter(name));
        }
        if !is_program && self.dice.percent(5) {
            let odd = [
                ElfFeature::Pie,
                ElfFeature::Machine("I386"),
                ElfFeature::Byte(EI_OSABI, 9),
                ElfFeature::Byte(E_TYPE, 1),
            ];
            features.push(odd[self.dice.below(odd.len())].clone());
        }
        if !is_program && self.dice.percent(5) {
            features.extend(["__libc_start_main", "stdin"].map(ElfFeature::Export));
        }
        self.root.entries.push(RootEntry::Elf { path, is_program, features });
    }

    fn name(&mut self) -> String {
        match self.dice.below(100) {
            0..75 => self.dice.one_of(&NAMES).to_owned(),
            75..85 => self.path(),
            _ => self.dice.one_of(&SPECIAL_NAMES).to_owned(),
        }
    }

    fn list(&mut self) -> String {
        let elements: Vec<String> = (0..=self.dice.below(3)).map(|_| self.element()).collect();
        elements.join(":")
    }

    fn element(&mut self) -> String {
        let directory = self.dice.one_of(&self.directories);
        match self.dice.below(10) {
            0..7 => directory.to_owned(),
            7 => format!("{directory}/../{}", directory.rsplit('/').next().unwrap()),
            _ => self.dice.one_of(&ODD_ELEMENTS).to_owned(),
        }
    }

    fn link(&mut self) {
        let path = if self.dice.percent(30) { self.dice.one_of(&DIRECTORIES).into() } else { self.path() };
        if !self.root.is_free(&path) {
            return;
        }
        let file = self.path();
        let is_directory = DIRECTORIES.contains(&path.as_str());
        let exists = self
            .root
            .entries
            .iter()
            .any(|entry| matches!(entry, RootEntry::Elf { path, .. } if *path == file));
        let entry = match self.dice.below(10) {
            0..3 if !is_directory && exists => RootEntry::HardLink { first: file, second: path },
            0..7 if is_directory => {
                RootEntry::Link { path, target: self.dice.one_of(&self.directories).into() }
            }
            0..7 => RootEntry::Link { path, target: file },
            7 => RootEntry::Link { target: path.clone(), path },
            _ => RootEntry::Link { path, target: "nowhere".into() },
        };
        self.root.entries.push(entry);
    }

    fn surroundings(&mut self) {
        if self.dice.percent(20) {
            let list = self.list();
            self.root.entries.push(RootEntry::LibraryPath(list));
        }
        if self.dice.percent(20) {
            let (first, second) = (self.name(), self.name());
            let separator = self.dice.one_of(&[":", " ", " : "]);
            self.root.entries.push(RootEntry::Preload(format!("{first}{separator}{second}")));
        }
        if self.dice.percent(30) {
            let (first, second) = (self.list(), self.list());
            let separator = self.dice.one_of(&[":", "\n", "\n\n"]);
            let text =
                if self.dice.percent(10) { String::new() } else { format!("{first}{separator}{second}\n") };
            self.root.entries.push(RootEntry::File { path: "/etc/ld-musl-x86_64.path".into(), text });
        }
    }
}
