//! Whether a loader takes a file that has the right name.
//!
//! Source: `open_verify`, `elf/dl-load.c`: a file of another class or machine is passed over, one that is damaged or no
//! ELF at all ends the search. musl takes the first file that opens, for better or worse.

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

/// A file that a loader takes.
#[derive(Debug)]
pub struct Candidate {
    /// As the loader spells it.
    pub spelled: Spelled,
    /// How its path leads there.
    pub walk: Walk,
    /// Its own path.
    pub path: ImagePath,
    /// Its identity and content.
    pub file: TreeFile,
    /// What it says of itself.
    pub object: Rc<elf::Object>,
}

/// Why a loader does not take a file.
#[derive(Debug)]
pub enum Refusal {
    /// It is for another machine.
    Machine {
        /// The file's.
        found: Machine,
        /// The program's.
        wanted: Machine,
    },
    /// It is not sound, or no ELF file.
    Elf(elf::Error),
    /// `EI_OSABI` is none that the loader knows.
    OsAbi(u8),
    /// Its identification has bits that the loader does not expect.
    Irregular,
    /// Nothing of it would be mapped, or it has no dynamic section.
    NotLoadable,
    /// It is a program, or not linked.
    NotShared,
    /// It can't be read.
    Unreadable(fs::Error),
    /// It is a directory, a device or the like.
    NotAFile,
    /// There are more links than the kernel follows.
    Loop,
}

/// How one file fares.
pub(super) enum Outcome {
    /// Nothing there: on to the next place.
    Absent,
    /// There, but not taken; `fatal` ends the search.
    Refused {
        refusal: Refusal,
        fatal: bool,
    },
    /// There are more links than the kernel follows: glibc gives up this list of directories, musl the search.
    Loop,
    Taken(Box<Candidate>),
}

/// What a loader does with a file for another machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// glibc passes over it.
    PassOver,
    /// musl ends there.
    First,
}

/// One program's search in one tree.
pub(super) struct Search<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) start: &'a ImagePath,
    pub(super) wanted: Machine,
    /// Files that were taken before.
    pub(super) taken: &'a Taken,
}

/// What is known of files that a loader took: a library that many programs need is read once.
pub(super) type Taken = RefCell<BTreeMap<Identity, Rc<elf::Object>>>;

impl Search<'_> {
    /// Tries the file at `spelled`.
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
            // glibc reads `e_machine` in its own byte order, and only then looks at the file's.
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
        // musl does not ask whether what it can map is a program.
        let is_program = manner == Manner::PassOver && object.dynamic.is_pie();
        if object.header.kind != Type::Shared || is_program {
            return Err((Refusal::NotShared, true));
        }
        Ok(object)
    }
}

/// What glibc demands of an identification, and musl does not look at.
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
/// The first `EI_ABIVERSION` that the loader does not know (`libc-abis`).
const LIBC_ABI_MAX: u8 = 4;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine { found, wanted } => write!(f, "machine is {found}, {wanted} is wanted"),
            Self::Elf(error) => error.fmt(f),
            Self::OsAbi(abi) => write!(f, "its OS ABI is {abi}, which the loader does not take"),
            Self::Irregular => f.write_str("its ELF header has bits that the loader does not expect"),
            Self::NotLoadable => f.write_str("it has no loaded segments, or no dynamic section"),
            Self::NotShared => f.write_str("it is a program, not a shared library"),
            Self::Unreadable(error) => error.fmt(f),
            Self::NotAFile => f.write_str("it is not a file"),
            Self::Loop => f.write_str("its links go round in a circle"),
        }
    }
}
