//! Writes ELF files for tests, with any dynamic section, including ones that no linker writes. Entries
//! keep their order. Real loaders map the files; programs exit with status 0.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use coracle_testing::requirement::{find, is_available};

/// The description of an ELF file.
#[derive(Clone, Debug)]
pub(crate) struct Elf {
    pub(crate) machine: Machine,
    kind: u16,
    interpreter: Option<String>,
    dynamic: Vec<(u64, Value)>,
    exports: Vec<String>,
    property: Option<u32>,
    bytes: Vec<(usize, u8)>,
}

/// Class, byte order, machine and flags of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Machine {
    pub(crate) is_64: bool,
    pub(crate) is_little_endian: bool,
    pub(crate) number: u16,
    pub(crate) flags: u32,
}

#[derive(Clone, Debug)]
enum Value {
    String(String),
    Number(u64),
}

pub(crate) const AMD64: Machine = Machine { is_64: true, is_little_endian: true, number: 62, flags: 0 };
pub(crate) const I386: Machine = Machine { is_64: false, is_little_endian: true, number: 3, flags: 0 };
pub(crate) const X32: Machine = Machine { is_64: false, is_little_endian: true, number: 62, flags: 0 };
pub(crate) const ARM64: Machine = Machine { is_64: true, is_little_endian: true, number: 183, flags: 0 };
pub(crate) const ARMHF: Machine =
    Machine { is_64: false, is_little_endian: true, number: 40, flags: 0x500_0400 };
pub(crate) const ARMEL: Machine =
    Machine { is_64: false, is_little_endian: true, number: 40, flags: 0x500_0200 };
pub(crate) const MIPSEL: Machine =
    Machine { is_64: false, is_little_endian: true, number: 8, flags: 0x7000_1007 };
pub(crate) const MIPS64EL: Machine =
    Machine { is_64: true, is_little_endian: true, number: 8, flags: 0x8000_0007 };
pub(crate) const PPC64EL: Machine = Machine { is_64: true, is_little_endian: true, number: 21, flags: 2 };
pub(crate) const RISCV64: Machine = Machine { is_64: true, is_little_endian: true, number: 243, flags: 5 };
pub(crate) const S390X: Machine = Machine { is_64: true, is_little_endian: false, number: 22, flags: 0 };

pub(crate) const EI_DATA: usize = 5;
pub(crate) const EI_VERSION: usize = 6;
pub(crate) const EI_OSABI: usize = 7;
pub(crate) const EI_ABIVERSION: usize = 8;
pub(crate) const EI_PAD: usize = 9;
pub(crate) const E_TYPE: usize = 16;
pub(crate) const E_VERSION: usize = 20;

const DT_NEEDED: u64 = 1;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SYMENT: u64 = 11;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DT_AUXILIARY: u64 = 0x7fff_fffd;
const DT_FILTER: u64 = 0x7fff_ffff;

pub(crate) const DF_1_NODEFLIB: u64 = 0x800;
pub(crate) const DF_1_NOOPEN: u64 = 0x40;
pub(crate) const DF_1_PIE: u64 = 0x0800_0000;

/// Returns a shared library for x86-64.
pub(crate) fn library() -> Elf {
    Elf {
        machine: AMD64,
        kind: 3,
        interpreter: None,
        dynamic: Vec::new(),
        exports: Vec::new(),
        property: None,
        bytes: Vec::new(),
    }
}

/// Returns a program for x86-64 with glibc's loader.
pub(crate) fn program() -> Elf {
    library().interpreter("/lib64/ld-linux-x86-64.so.2")
}

/// Returns a program for x86-64 with musl's loader.
pub(crate) fn musl_program() -> Elf {
    library().interpreter("/lib/ld-musl-x86_64.so.1")
}

/// Compiles a library with the compiler of this machine; `None` if there is none.
pub(crate) fn linked(source: &str, options: &[&str]) -> Option<Vec<u8>> {
    if !is_available("cc", find("cc").is_some(), "gcc libc6-dev") {
        return None;
    }
    let folder = tempfile::TempDir::new().unwrap();
    let [from, to] = ["lib.c", "lib.so"].map(|name| folder.path().join(name));
    fs::write(&from, source).unwrap();
    let mut cc = Command::new("cc");
    let output = cc.args(["-shared", "-fPIC"]).args(options).arg("-o").arg(&to).arg(&from).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(fs::read(&to).unwrap())
}

impl Elf {
    pub(crate) fn interpreter(mut self, path: &str) -> Self {
        self.interpreter = Some(path.into());
        self
    }

    pub(crate) fn machine(mut self, machine: Machine) -> Self {
        self.machine = machine;
        self
    }

    /// `ET_EXEC`, a program at a fixed address.
    pub(crate) fn executable(mut self) -> Self {
        self.kind = 2;
        self
    }

    pub(crate) fn needed(self, name: &str) -> Self {
        self.string(DT_NEEDED, name)
    }

    pub(crate) fn soname(self, name: &str) -> Self {
        self.string(DT_SONAME, name)
    }

    pub(crate) fn rpath(self, list: &str) -> Self {
        self.string(DT_RPATH, list)
    }

    pub(crate) fn runpath(self, list: &str) -> Self {
        self.string(DT_RUNPATH, list)
    }

    pub(crate) fn filter(self, name: &str) -> Self {
        self.string(DT_FILTER, name)
    }

    pub(crate) fn auxiliary(self, name: &str) -> Self {
        self.string(DT_AUXILIARY, name)
    }

    pub(crate) fn flags_1(mut self, flags: u64) -> Self {
        self.dynamic.push((DT_FLAGS_1, Value::Number(flags)));
        self
    }

    /// Defines a function.
    pub(crate) fn exports(mut self, symbol: &str) -> Self {
        self.exports.push(symbol.into());
        self
    }

    /// Says in `GNU_PROPERTY_X86_ISA_1_NEEDED` what the CPU must have.
    pub(crate) fn isa_needed(mut self, bits: u32) -> Self {
        self.property = Some(bits);
        self
    }

    /// Overwrites a byte of the finished file.
    pub(crate) fn byte(mut self, at: usize, value: u8) -> Self {
        self.bytes.push((at, value));
        self
    }

    fn string(mut self, tag: u64, text: &str) -> Self {
        self.dynamic.push((tag, Value::String(text.into())));
        self
    }

    /// Writes the file, executable.
    pub(crate) fn write(&self, path: &Path) {
        fs::write(path, self.image()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Header, program headers, and one segment with everything else; addresses are offsets from `base`.
    pub(crate) fn image(&self) -> Vec<u8> {
        let base = if self.kind == 2 { 0x40_0000 } else { 0 };
        let w = Writer { machine: self.machine, base };
        let headers = w.header_size() + SEGMENTS * w.segment_size();
        let mut body = Body { bytes: Vec::new(), at: headers };

        let code = body.add(&end_with_status_0(self.machine), 16);
        let mut strings = vec![0];
        let mut add = |text: &str| {
            let at = strings.len() as u64;
            strings.extend(text.bytes().chain([0]));
            at
        };
        let mut dynamic: Vec<(u64, u64)> = Vec::new();
        for (tag, value) in &self.dynamic {
            let value = match value {
                Value::String(text) => add(text),
                Value::Number(number) => *number,
            };
            dynamic.push((*tag, value));
        }
        let names: Vec<u64> = self.exports.iter().map(|symbol| add(symbol)).collect();
        let strings_at = body.add(&strings, 1);
        let symbols = w.symbols(&names, base + code as u64);
        let symbols_at = body.add(&symbols, 8);
        let hash_at = body.add(&w.hash(names.len()), 8);
        let interpreter = self.interpreter.as_ref().map(|path| {
            let bytes = [path.as_bytes(), b"\0"].concat();
            (body.add(&bytes, 1), bytes.len())
        });
        let property = self.property.map(|bits| {
            let note = property(bits);
            (body.add(&note, 8), note.len())
        });
        let address = |offset: usize| base + offset as u64;
        dynamic.extend([
            (DT_HASH, address(hash_at)),
            (DT_STRTAB, address(strings_at)),
            (DT_SYMTAB, address(symbols_at)),
            (DT_STRSZ, strings.len() as u64),
            (DT_SYMENT, if self.machine.is_64 { 24 } else { 16 }),
            (0, 0),
        ]);
        let table: Vec<u8> =
            dynamic.iter().flat_map(|(tag, value)| [w.word(*tag), w.word(*value)].concat()).collect();
        let dynamic_at = body.add(&table, 8);

        let mut file = w.header(self.kind, address(code));
        let segments = [
            w.segment(6, w.header_size(), SEGMENTS * w.segment_size()),
            interpreter.map_or_else(|| w.segment(0, 0, 0), |(at, size)| w.segment(3, at, size)),
            w.segment(1, 0, body.at),
            w.segment(2, dynamic_at, table.len()),
            property.map_or_else(|| w.segment(0, 0, 0), |(at, size)| w.segment(4, at, size)),
            w.segment(0x6474_e551, 0, 0),
        ];
        file.extend(segments.concat());
        file.extend(body.bytes);
        for &(at, value) in &self.bytes {
            file[at] = value;
        }
        file
    }
}

/// `PT_PHDR`, `PT_INTERP`, `PT_LOAD`, `PT_DYNAMIC`, `PT_NOTE`, `PT_GNU_STACK`.
const SEGMENTS: usize = 6;

/// The bytes after the program headers.
struct Body {
    bytes: Vec<u8>,
    /// Returns the file offset of the next byte.
    at: usize,
}

impl Body {
    fn add(&mut self, bytes: &[u8], align: usize) -> usize {
        let at = self.at.next_multiple_of(align);
        self.bytes.resize(self.bytes.len() + at - self.at, 0);
        self.bytes.extend(bytes);
        self.at = at + bytes.len();
        at
    }
}

/// How one machine writes numbers and tables.
struct Writer {
    machine: Machine,
    base: u64,
}

impl Writer {
    fn header_size(&self) -> usize {
        if self.machine.is_64 { 64 } else { 52 }
    }

    fn segment_size(&self) -> usize {
        if self.machine.is_64 { 56 } else { 32 }
    }

    fn number(&self, value: u64, size: usize) -> Vec<u8> {
        if self.machine.is_little_endian {
            value.to_le_bytes()[..size].to_vec()
        } else {
            value.to_be_bytes()[8 - size..].to_vec()
        }
    }

    fn word(&self, value: u64) -> Vec<u8> {
        self.number(value, if self.machine.is_64 { 8 } else { 4 })
    }

    fn header(&self, kind: u16, entry: u64) -> Vec<u8> {
        let Machine { is_64, is_little_endian, number, flags } = self.machine;
        let mut bytes = b"\x7fELF".to_vec();
        bytes.extend([1 + u8::from(is_64), 2 - u8::from(is_little_endian), 1]);
        bytes.resize(16, 0);
        bytes.extend(self.number(kind.into(), 2));
        bytes.extend(self.number(number.into(), 2));
        bytes.extend(self.number(1, 4));
        bytes.extend(self.word(entry));
        bytes.extend(self.word(self.header_size() as u64));
        bytes.extend(self.word(0));
        bytes.extend(self.number(flags.into(), 4));
        let halves = [self.header_size(), self.segment_size(), SEGMENTS, 0, 0, 0];
        bytes.extend(halves.iter().flat_map(|&half| self.number(half as u64, 2)));
        bytes
    }

    fn segment(&self, kind: u64, offset: usize, size: usize) -> Vec<u8> {
        let (flags, align) = (self.number(7, 4), self.word(if kind == 1 { 0x1000 } else { 8 }));
        let (kind, size) = (self.number(kind, 4), self.word(size as u64));
        let (address, offset) = (self.word(self.base + offset as u64), self.word(offset as u64));
        if self.machine.is_64 {
            [kind, flags, offset, address.clone(), address, size.clone(), size, align].concat()
        } else {
            [kind, offset, address.clone(), address, size.clone(), size, flags, align].concat()
        }
    }

    /// The null symbol and one global function for each name.
    fn symbols(&self, names: &[u64], address: u64) -> Vec<u8> {
        let null = vec![0; if self.machine.is_64 { 24 } else { 16 }];
        let defined = names.iter().flat_map(|&name| {
            let (name, info, section) = (self.number(name, 4), vec![0x12, 0], self.number(1, 2));
            let (value, size) = (self.word(address), self.word(1));
            if self.machine.is_64 {
                [name, info, section, value, size].concat()
            } else {
                [name, value, size, info, section].concat()
            }
        });
        null.into_iter().chain(defined).collect()
    }

    /// One bucket with all symbols.
    fn hash(&self, symbols: usize) -> Vec<u8> {
        let first = u64::from(symbols > 0);
        let chain = (0..=symbols as u64)
            .map(|index| if index == 0 || index == symbols as u64 { 0 } else { index + 1 });
        let words = [1, symbols as u64 + 1, first].into_iter().chain(chain);
        words.flat_map(|word| self.number(word, 4)).collect()
    }
}

/// `exit(0)`, where a test starts programs.
fn end_with_status_0(machine: Machine) -> Vec<u8> {
    match machine {
        AMD64 => vec![0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05],
        ARM64 => {
            [0xd280_0000_u32, 0xd280_0ba8, 0xd400_0001].iter().flat_map(|word| word.to_le_bytes()).collect()
        }
        _ => vec![0],
    }
}

/// A `.note.gnu.property` with one property.
fn property(bits: u32) -> Vec<u8> {
    let words = [4, 16, 5, u32::from_le_bytes(*b"GNU\0"), 0xc000_8002, 4, bits, 0];
    words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect()
}
