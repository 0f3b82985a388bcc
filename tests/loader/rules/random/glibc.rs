//! Generates random roots with glibc's loader. Few names and directories are used, so that they
//! collide often.

use super::random_numbers::Dice;
use super::random_root::{ElfFeature, RandomRoot, RootEntry};
use crate::rules::elf::{E_TYPE, EI_ABIVERSION, EI_DATA, EI_OSABI, EI_PAD};

const NAMES: [&str; 7] = ["liba.so", "libb.so", "libd.so", "libe.so", "liba.so.1", "libb.so.1", "libc.so.6"];

const DIRECTORIES: [&str; 14] = [
    "/r",
    "/s",
    "/r/lib",
    "/opt/x",
    "/opt/x/bin",
    "/opt/x/lib",
    "/opt/x/lib/deep",
    "/opt/x86_64",
    "/r/lib/x86_64-linux-gnu",
    "/lib",
    "/usr/lib",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/",
];

const VARIANTS: [&str; 8] = [
    "glibc-hwcaps/x86-64-v2",
    "glibc-hwcaps/x86-64-v3",
    "tls",
    "tls/x86_64",
    "x86_64",
    "x86_64/x86_64",
    "haswell",
    "avx512_1",
];

const SPECIAL_NAMES: [&str; 16] = [
    "/app",
    "/opt/x/bin/app",
    "ld-linux-x86-64.so.2",
    "/lib64/ld-linux-x86-64.so.2",
    "/lib64/../lib64/ld-linux-x86-64.so.2",
    "lib64/ld-linux-x86-64.so.2",
    "linux-vdso.so.1",
    "nowhere.so",
    "/nowhere/liba.so",
    "$ORIGIN",
    "$ORIGINAL/liba.so",
    "${ORIGIN/liba.so",
    "liba.so/",
    "./liba.so",
    "$PLATFORM",
    "",
];

const ORIGINS: [&str; 8] = [
    "$ORIGIN",
    "${ORIGIN}",
    "$ORIGIN/..",
    "$ORIGIN/../lib",
    "${ORIGIN}/../lib/",
    "$ORIGIN/deep",
    "$ORIGIN/./lib//",
    "$ORIGIN/../../opt/x/lib",
];

const ODD_ELEMENTS: [&str; 16] = [
    "",
    ".",
    "./",
    "..",
    "/",
    "//",
    "r",
    "lib",
    "$LIB",
    "/$LIB",
    "/opt/$PLATFORM",
    "/r/${LIB}/",
    "$ORIGINAL",
    "${ORIGIN",
    "/$FOO/r",
    "/none",
];

/// Returns the root with this number.
pub(super) fn root(number: u64) -> RandomRoot {
    let root = RandomRoot { musl: false, entries: Vec::new(), files: Vec::new() };
    let mut root = Root { dice: Dice::new(number), root, directories: Vec::new() };
    root.fill();
    root.root.entries.sort();
    root.root
}

struct Root {
    dice: Dice,
    root: RandomRoot,
    /// The directories of this root.
    directories: Vec<String>,
}

impl Root {
    fn fill(&mut self) {
        if self.dice.percent(20) {
            let path = self.dice.one_of(&["/r", "/opt/x", "/work"]).to_owned();
            self.root.entries.push(RootEntry::WorkingDir(path));
        }
        for _ in 0..5 {
            let directory = self.dice.one_of(&DIRECTORIES).to_owned();
            self.directories.push(directory);
        }
        let program = self.dice.one_of(&["/app", "/opt/x/bin/app", "/r/app"]).to_owned();
        self.elf(program.clone(), true);
        self.root.files.push(program);
        let libraries = 3 + self.dice.below(6);
        for _ in 0..libraries {
            let path = self.path_for(15);
            if self.root.is_free(&path) {
                self.library(path);
            }
        }
        self.links();
        self.surroundings();
        self.cache();
        let libraries = self.libraries();
        if !libraries.is_empty() && self.dice.percent(50) {
            let library = self.dice.below(libraries.len());
            self.root.files.push(libraries[library].clone());
        }
    }

    /// Returns the valid libraries, which can be passed to the loader as a program.
    fn libraries(&self) -> Vec<String> {
        let library = |entry: &RootEntry| match entry {
            RootEntry::Elf { path, is_program: false, features } => {
                let is_odd = |own: &ElfFeature| {
                    matches!(
                        own,
                        ElfFeature::Byte(..)
                            | ElfFeature::Machine(_)
                            | ElfFeature::Filter(_)
                            | ElfFeature::Auxiliary(_)
                    )
                };
                let needs = features.iter().any(|own| matches!(own, ElfFeature::Needed(_)));
                (needs && !features.iter().any(is_odd)).then(|| path.clone())
            }
            _ => None,
        };
        self.root.entries.iter().filter_map(library).collect()
    }

    fn path_for(&mut self, variants: usize) -> String {
        let directory = self.directory();
        let variant = if self.dice.percent(variants) { self.dice.one_of(&VARIANTS) } else { "" };
        let name = self.dice.one_of(&NAMES);
        [directory.as_str(), variant, name].iter().filter(|part| !matches!(**part, "" | "/")).fold(
            String::new(),
            |path, part| {
                let part = part.trim_start_matches('/');
                format!("{path}/{part}")
            },
        )
    }

    fn directory(&mut self) -> String {
        self.directories[self.dice.below(self.directories.len())].clone()
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
        let needs = self.dice.below(if is_program { 4 } else { 3 }) + usize::from(is_program);
        for _ in 0..needs {
            let name = self.name();
            features.push(ElfFeature::Needed(name));
        }
        if self.dice.percent(40) {
            let name = self.dice.one_of(&NAMES).to_owned();
            features.push(ElfFeature::Soname(name));
        }
        let (rpath, runpath) = if is_program { (50, 30) } else { (25, 25) };
        if self.dice.percent(rpath) {
            let list = self.list();
            features.push(ElfFeature::Rpath(list));
        }
        if self.dice.percent(runpath) {
            let list = self.list();
            features.push(ElfFeature::Runpath(list));
        }
        for make in [ElfFeature::Filter as fn(String) -> ElfFeature, ElfFeature::Auxiliary] {
            // If the program has filters, glibc loses its own search list; `filters.rs` tests what can be compared.
            if !is_program && self.dice.percent(12) {
                let name = self.dice.one_of(&NAMES);
                let name =
                    if self.dice.percent(85) { name.into() } else { format!("{}/{name}", self.element()) };
                let at = self.dice.below(features.len() + 1);
                features.insert(at, make(name));
            }
        }
        if self.dice.percent(6) {
            features.push(ElfFeature::Nodeflib);
        }
        if !is_program && self.dice.percent(8) {
            let odd = [
                ElfFeature::Pie,
                ElfFeature::Executable,
                ElfFeature::Machine("I386"),
                ElfFeature::Machine("S390X"),
                ElfFeature::Machine("ARM64"),
                ElfFeature::Byte(EI_OSABI, 3),
                ElfFeature::Byte(EI_OSABI, 9),
                ElfFeature::Byte(EI_ABIVERSION, 1),
                ElfFeature::Byte(EI_PAD, 1),
                ElfFeature::Byte(EI_DATA, 2),
                ElfFeature::Byte(E_TYPE, 1),
            ];
            features.push(odd[self.dice.below(odd.len())].clone());
        }
        self.root.entries.push(RootEntry::Elf { path, is_program, features });
    }

    /// Returns a random name for `DT_NEEDED`.
    fn name(&mut self) -> String {
        match self.dice.below(100) {
            0..75 => self.dice.one_of(&NAMES).to_owned(),
            75..88 => {
                let element = self.element();
                format!("{element}/{}", self.dice.one_of(&NAMES))
            }
            _ => self.dice.one_of(&SPECIAL_NAMES).to_owned(),
        }
    }

    /// Returns a random list of directories.
    fn list(&mut self) -> String {
        let elements: Vec<String> = (0..=self.dice.below(3)).map(|_| self.element()).collect();
        elements.join(":")
    }

    fn element(&mut self) -> String {
        let directory = self.directory();
        match self.dice.below(100) {
            0..45 => directory,
            45..55 => self.dice.one_of(&ORIGINS).to_owned(),
            55..65 => self.dice.one_of(&ODD_ELEMENTS).to_owned(),
            65..70 => format!("{directory}/"),
            70..73 => format!("/{directory}//"),
            73..78 => format!("{directory}/../{}", directory.rsplit('/').next().unwrap()),
            78..82 => format!("$ORIGIN/../..{directory}"),
            82..86 => directory.trim_start_matches('/').to_owned(),
            86..92 => directory.replace("lib/x86_64-linux-gnu", "$LIB").replace("x86_64", "${PLATFORM}"),
            _ => format!("{directory}/{}", self.dice.one_of(&VARIANTS)),
        }
    }

    /// Adds hard links, symbolic links to files and directories, and a link to the program.
    fn links(&mut self) {
        for _ in 0..self.dice.below(4) {
            let path =
                if self.dice.percent(30) { self.dice.one_of(&DIRECTORIES).into() } else { self.path_for(5) };
            if !self.root.is_free(&path) {
                continue;
            }
            let files: Vec<String> = self.elves();
            let file = files[self.dice.below(files.len())].clone();
            let is_directory = DIRECTORIES.contains(&path.as_str());
            let up = "../".repeat(path.matches('/').count() - 1);
            let directory = self.directory();
            let target = match self.dice.below(10) {
                0..=1 if !is_directory => {
                    self.root.entries.push(RootEntry::HardLink { first: file, second: path });
                    continue;
                }
                0..=5 if is_directory => directory,
                6..=7 if is_directory => format!("{up}.{directory}"),
                0..=2 | 7 => file,
                3..=5 => format!("{up}.{file}"),
                6 => path.clone(),
                8 => format!("../../../..{file}"),
                _ => "nowhere".into(),
            };
            self.root.entries.push(RootEntry::Link { path, target });
        }
        let program = self.root.files[0].clone();
        if self.dice.percent(25) && self.root.is_free("/usr/bin/app") {
            let target = if self.dice.percent(50) { program } else { format!("../..{program}") };
            self.root.entries.push(RootEntry::Link { path: "/usr/bin/app".into(), target });
            self.root.files.push("/usr/bin/app".into());
        }
    }

    fn elves(&self) -> Vec<String> {
        let elf = |entry: &RootEntry| {
            if let RootEntry::Elf { path, .. } = entry { Some(path.clone()) } else { None }
        };
        self.root.entries.iter().filter_map(elf).collect()
    }

    /// Adds environment variables, the preload file and the CPU level.
    fn surroundings(&mut self) {
        let hwcaps = self.dice.one_of(&["", "x86-64-v2"]);
        self.root.entries.push(RootEntry::Hwcaps(hwcaps));
        if self.dice.percent(25) {
            let (first, second) = (self.list(), self.list());
            let separator = self.dice.one_of(&[":", ";", ";:"]);
            self.root.entries.push(RootEntry::LibraryPath(format!("{first}{separator}{second}")));
        }
        if self.dice.percent(20) {
            let (first, second) = (self.name(), self.name());
            let separator = self.dice.one_of(&[":", " ", " : "]);
            self.root.entries.push(RootEntry::Preload(format!("{first}{separator}{second}")));
        }
        if self.dice.percent(15) && self.root.is_free("/etc/ld.so.preload") {
            let (first, second) = (self.name(), self.name());
            let separator = self.dice.one_of(&[":", " ", "\n", "\t#", " # x\n", "#:\n#\n"]);
            let text = format!("{first}{separator}{second}");
            self.root.entries.push(RootEntry::File { path: "/etc/ld.so.preload".into(), text });
        }
    }

    /// Adds a cache written by `ldconfig` or by us, and removes some of its files.
    fn cache(&mut self) {
        match self.dice.below(10) {
            0..2 => {
                let lines: Vec<String> = (0..=self.dice.below(3)).map(|_| self.directory()).collect();
                self.root.entries.push(RootEntry::Ldconfig(lines.join("\n")));
            }
            2..4 => {
                let mut entries = Vec::new();
                for _ in 0..=self.dice.below(4) {
                    let name = self.dice.one_of(&NAMES).to_owned();
                    let path = self.path_for(10);
                    entries.push((name, path));
                }
                self.root.entries.push(RootEntry::Cache(entries));
            }
            _ => return,
        }
        let libraries = self.libraries();
        if !libraries.is_empty() && self.dice.percent(40) {
            let gone = libraries[self.dice.below(libraries.len())].clone();
            let is_linked =
                |entry: &RootEntry| matches!(entry, RootEntry::HardLink { first, .. } if *first == gone);
            if !self.root.entries.iter().any(is_linked) {
                self.root.entries.push(RootEntry::Without(gone));
            }
        }
    }
}
