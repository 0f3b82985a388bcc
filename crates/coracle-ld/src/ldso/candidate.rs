//! Whether a loader accepts a file found under the right name.
//!
//! glibc skips files of another class or machine, and ends the search at a file that is damaged or
//! not ELF. musl ends the search at the first file that opens. Source: `open_verify`,
//! `elf/dl-load.c`; `load_library`, `ldso/dynlink.c`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::rc::Rc;

use coracle_core::content::Reader;
use crate::elf::{self, Header, Machine, Type};
use coracle_core::fs::{self, Identity};
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Tree, TreeFile, Walk};

/// A file that the loader accepts.
#[derive(Debug)]
pub struct Candidate {
    /// The path as the loader builds it.
    pub spelled: Spelled,
    /// The directories and links that the path passes through.
    pub walk: Walk,
    /// The file's own path, without links.
    pub path: ImagePath,
    /// The file's identity and content.
    pub file: TreeFile,
    /// The parsed ELF object.
    pub object: Rc<elf::Object>,
}

/// Why a loader rejects a file.
#[derive(Debug)]
pub enum Refusal {
    /// The file is for another machine.
    Machine {
        /// The file's machine.
        found: Machine,
        /// The program's machine.
        wanted: Machine,
    },
    /// The file is not ELF, or damaged.
    Elf(elf::Error),
    /// The loader does not support this `EI_OSABI`.
    OsAbi(u8),
    /// The ELF identification has nonzero padding or an unsupported `EI_ABIVERSION`.
    Irregular,
    /// The file has no loadable segments, or no dynamic section.
    NotLoadable,
    /// The file is an executable, a relocatable object or a core dump.
    NotShared,
    /// The file can't be read.
    Unreadable(fs::Error),
    /// The path leads to a directory, a device or the like.
    NotAFile,
    /// The path has more links than the kernel follows.
    Loop,
}

/// The result of trying one path.
pub(super) enum Outcome {
    /// There is no file: the search continues.
    Absent,
    /// The file is rejected; `fatal` ends the search.
    Refused {
        refusal: Refusal,
        fatal: bool,
    },
    /// The path has more links than the kernel follows. glibc skips the rest of this list of
    /// directories, musl ends the search.
    Loop,
    Taken(Box<Candidate>),
}

/// How a loader treats the first file it finds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// glibc: skips files for another machine.
    PassOver,
    /// musl: ends the search at the first file that opens.
    First,
}

/// What a search for libraries of one program needs.
pub(super) struct Search<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) start: &'a ImagePath,
    pub(super) wanted: Machine,
    /// Objects of files accepted earlier.
    pub(super) taken: &'a Taken,
}

/// Objects of accepted files by identity, so that a library that many programs need is read once.
pub(super) type Taken = RefCell<BTreeMap<Identity, Rc<elf::Object>>>;

impl Search<'_> {
    /// Tries the file at this path.
    pub(super) fn open(&self, spelled: &Spelled, manner: Manner) -> fs::Result<Outcome> {
        let walk = match file_system::walk(self.tree, self.start, spelled.as_bytes()) {
            Ok(walk) => walk,
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                return Ok(Outcome::Refused { refusal: Refusal::Unreadable(e), fatal: false });
            }
            Err(e) => return Err(e),
        };
        let (path, file) = match &walk.end {
            End::File(path, file) => (path.clone(), file.clone()),
            End::Directory(_) | End::Special(..) => {
                return Ok(Outcome::Refused { refusal: Refusal::NotAFile, fatal: true });
            }
            End::Loop => return Ok(Outcome::Loop),
            End::Missing(_) | End::NotDirectory(_) => return Ok(Outcome::Absent),
        };
        let known = self.taken.borrow().get(&file.stat.identity).cloned();
        if let Some(object) = known {
            return Ok(Outcome::Taken(Box::new(Candidate {
                spelled: spelled.clone(),
                walk,
                path,
                file,
                object,
            })));
        }
        let reader = match file.content.open() {
            Ok(reader) => reader,
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                return Ok(Outcome::Refused { refusal: Refusal::Unreadable(e), fatal: false });
            }
            Err(e) => return Err(e),
        };
        Ok(match self.judge(&reader, manner) {
            Ok(object) => {
                let object = Rc::new(object);
                self.taken.borrow_mut().insert(file.stat.identity, object.clone());
                Outcome::Taken(Box::new(Candidate { spelled: spelled.clone(), walk, path, file, object }))
            }
            Err((refusal, fatal)) => Outcome::Refused { refusal, fatal },
        })
    }

    fn judge(&self, reader: &Reader, manner: Manner) -> Result<elf::Object, (Refusal, bool)> {
        let fatal = |error| (Refusal::Elf(error), true);
        let header = Header::read(reader).map_err(fatal)?;
        let (found, wanted) = (header.machine, self.wanted);
        if !wanted.takes(found) {
            // glibc compares `e_machine` before it checks the byte order.
            let is_fatal = found.is_64 == wanted.is_64
                && found.is_little_endian != wanted.is_little_endian
                && found.number.swap_bytes() == wanted.number;
            return Err((Refusal::Machine { found, wanted }, is_fatal || manner == Manner::First));
        }
        if manner == Manner::PassOver {
            identify(&header).map_err(|refusal| (refusal, true))?;
        }
        let object = elf::Object::read_after(reader, header).map_err(fatal)?;
        if !object.is_loadable {
            return Err((Refusal::NotLoadable, true));
        }
        // musl maps position-independent executables as libraries.
        let is_program = manner == Manner::PassOver && object.dynamic.is_pie();
        if object.header.kind != Type::Shared || is_program {
            return Err((Refusal::NotShared, true));
        }
        Ok(object)
    }
}

/// Checks the parts of the ELF identification that glibc checks and musl ignores.
fn identify(header: &Header) -> Result<(), Refusal> {
    if !KNOWN_OS_ABIS.contains(&header.os_abi) {
        return Err(Refusal::OsAbi(header.os_abi));
    }
    let is_gnu_abi = header.os_abi == ELFOSABI_GNU && header.abi_version < LIBC_ABI_MAX;
    if !header.is_regular || header.abi_version != 0 && !is_gnu_abi {
        return Err(Refusal::Irregular);
    }
    Ok(())
}

const ELFOSABI_GNU: u8 = 3;
/// `ELFOSABI_SYSV` and `ELFOSABI_GNU`.
const KNOWN_OS_ABIS: [u8; 2] = [0, ELFOSABI_GNU];
/// The first `EI_ABIVERSION` that the loader does not support (`libc-abis`).
const LIBC_ABI_MAX: u8 = 4;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine { found, wanted } => write!(f, "it is for {found}, not for {wanted}"),
            Self::Elf(error) => error.fmt(f),
            Self::OsAbi(abi) => write!(f, "the loader does not support its OS ABI {abi}"),
            Self::Irregular => {
                f.write_str("its ELF identification has values that the loader does not support")
            }
            Self::NotLoadable => f.write_str("it has no loadable segments or no dynamic section"),
            Self::NotShared => f.write_str("it is a program, not a shared library"),
            Self::Unreadable(error) => error.fmt(f),
            Self::NotAFile => f.write_str("it is not a regular file"),
            Self::Loop => f.write_str("its symbolic links form a loop"),
        }
    }
}
