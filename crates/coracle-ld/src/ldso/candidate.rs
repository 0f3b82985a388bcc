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

use crate::elf::{self, ElfType, Header, Machine};
use coracle_core::content::OpenContent;
use coracle_core::file_system::{self, FileSystem, FsFile, PathResolution, ResolutionEnd};
use coracle_core::fs::{self, FileId};
use coracle_core::path::{ImagePath, RawPath};

/// A file that the loader accepts.
#[derive(Debug)]
pub struct AcceptedFile {
    /// The path as the loader builds it.
    pub raw_path: RawPath,
    /// The directories and links that the path passes through.
    pub walk: PathResolution,
    /// The file's own path, without links.
    pub path: ImagePath,
    /// The file's identity and content.
    pub file: FsFile,
    /// The parsed ELF object.
    pub object: Rc<elf::ElfObject>,
}

/// Why a loader rejects a file.
#[derive(Debug)]
pub enum Rejection {
    /// The file is for another machine.
    Machine {
        /// The file's machine.
        found: Machine,
        /// The program's machine.
        wanted: Machine,
    },
    /// The file is not ELF, or damaged.
    InvalidElf(elf::Error),
    /// The loader does not support this `EI_OSABI`.
    OsAbi(u8),
    /// The ELF identification has nonzero padding or an unsupported `EI_ABIVERSION`.
    UnsupportedIdent,
    /// The file has no loadable segments, or no dynamic section.
    NotLoadable,
    /// The file is an executable, a relocatable object or a core dump.
    NotShared,
    /// The file can't be read.
    Unreadable(fs::Error),
    /// The path leads to a directory, a device or the like.
    NotRegularFile,
    /// The path has more links than the kernel follows.
    LinkLoop,
}

/// The result of trying one path.
pub(super) enum CandidateOutcome {
    /// There is no file: the search continues.
    Absent,
    /// The file is rejected; `is_fatal` ends the search.
    Rejected { rejection: Rejection, is_fatal: bool },
    /// The path has more links than the kernel follows. glibc skips the rest of this list of
    /// directories, musl ends the search.
    Loop,
    /// The loader accepts the file.
    Accepted(Box<AcceptedFile>),
}

/// How a loader treats the first file it finds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MismatchPolicy {
    /// glibc: skips files for another machine.
    Skip,
    /// musl: ends the search at the first file that opens.
    EndSearch,
}

/// The inputs of a search that are the same for all libraries of a program.
pub(super) struct SearchContext<'a> {
    pub(super) tree: &'a dyn FileSystem,
    /// The directory that relative paths start at.
    pub(super) start: &'a ImagePath,
    /// The program's machine.
    pub(super) machine: Machine,
    /// Parsed objects of the files that were accepted earlier.
    pub(super) accepted: &'a AcceptedObjects,
}

/// Objects of accepted files by identity, so that a library that many programs need is read once.
pub(super) type AcceptedObjects = RefCell<BTreeMap<FileId, Rc<elf::ElfObject>>>;

impl SearchContext<'_> {
    /// Returns whether the path leads to a directory that can be searched.
    pub(super) fn is_directory(&self, path: &RawPath) -> fs::Result<bool> {
        match file_system::resolve_path(self.tree, self.start, path.as_bytes()) {
            Ok(walk) => Ok(matches!(walk.end, ResolutionEnd::Directory(_))),
            Err(e) if e.kind() == ErrorKind::PermissionDenied => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Tries the file at this path.
    pub(super) fn try_path(
        &self,
        raw_path: &RawPath,
        policy: MismatchPolicy,
    ) -> fs::Result<CandidateOutcome> {
        let walk = match file_system::resolve_path(self.tree, self.start, raw_path.as_bytes()) {
            Ok(walk) => walk,
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                return Ok(CandidateOutcome::Rejected {
                    rejection: Rejection::Unreadable(e),
                    is_fatal: false,
                });
            }
            Err(e) => return Err(e),
        };
        let (path, file) = match &walk.end {
            ResolutionEnd::File(path, file) => (path.clone(), file.clone()),
            ResolutionEnd::Directory(_) | ResolutionEnd::Special(..) => {
                return Ok(CandidateOutcome::Rejected {
                    rejection: Rejection::NotRegularFile,
                    is_fatal: true,
                });
            }
            ResolutionEnd::TooManyLinks => return Ok(CandidateOutcome::Loop),
            ResolutionEnd::Missing(_) | ResolutionEnd::NotDirectory(_) => {
                return Ok(CandidateOutcome::Absent);
            }
        };
        let known = self.accepted.borrow().get(&file.stat.file_id).cloned();
        if let Some(object) = known {
            let raw_path = raw_path.clone();
            return Ok(CandidateOutcome::Accepted(Box::new(AcceptedFile {
                raw_path,
                walk,
                path,
                file,
                object,
            })));
        }
        let reader = match file.content.open() {
            Ok(reader) => reader,
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                return Ok(CandidateOutcome::Rejected {
                    rejection: Rejection::Unreadable(e),
                    is_fatal: false,
                });
            }
            Err(e) => return Err(e),
        };
        Ok(match self.read_if_accepted(&reader, policy) {
            Ok(object) => {
                let object = Rc::new(object);
                self.accepted.borrow_mut().insert(file.stat.file_id, object.clone());
                let raw_path = raw_path.clone();
                CandidateOutcome::Accepted(Box::new(AcceptedFile { raw_path, walk, path, file, object }))
            }
            Err((Rejection::InvalidElf(elf::Error::Io(error)), _)) => return Err(error),
            Err((rejection, is_fatal)) => CandidateOutcome::Rejected { rejection, is_fatal },
        })
    }

    /// Parses the file if the loader accepts it. Otherwise returns why not, and whether that ends
    /// the search.
    fn read_if_accepted(
        &self,
        reader: &OpenContent,
        policy: MismatchPolicy,
    ) -> Result<elf::ElfObject, (Rejection, bool)> {
        let fatal = |error| (Rejection::InvalidElf(error), true);
        let header = Header::read(reader).map_err(fatal)?;
        let (found, wanted) = (header.machine, self.machine);
        if !wanted.accepts(found) {
            // glibc compares `e_machine` before it checks the byte order.
            let is_fatal = found.is_64 == wanted.is_64
                && found.is_little_endian != wanted.is_little_endian
                && found.e_machine.swap_bytes() == wanted.e_machine;
            return Err((
                Rejection::Machine { found, wanted },
                is_fatal || policy == MismatchPolicy::EndSearch,
            ));
        }
        if policy == MismatchPolicy::Skip {
            check_elf_ident(&header).map_err(|rejection| (rejection, true))?;
        }
        let object = elf::ElfObject::read_with_header(reader, header).map_err(fatal)?;
        if !object.is_loadable {
            return Err((Rejection::NotLoadable, true));
        }
        // musl maps position-independent executables as libraries.
        let is_program = policy == MismatchPolicy::Skip && object.dynamic.is_pie();
        if object.header.elf_type != ElfType::Shared || is_program {
            return Err((Rejection::NotShared, true));
        }
        Ok(object)
    }
}

/// Checks the parts of the ELF identification that glibc checks and musl ignores.
fn check_elf_ident(header: &Header) -> Result<(), Rejection> {
    if !KNOWN_OS_ABIS.contains(&header.os_abi) {
        return Err(Rejection::OsAbi(header.os_abi));
    }
    let is_gnu_abi = header.os_abi == ELFOSABI_GNU && header.abi_version < LIBC_ABI_MAX;
    if !header.has_valid_ident || header.abi_version != 0 && !is_gnu_abi {
        return Err(Rejection::UnsupportedIdent);
    }
    Ok(())
}

const ELFOSABI_GNU: u8 = 3;
/// `ELFOSABI_SYSV` and `ELFOSABI_GNU`.
const KNOWN_OS_ABIS: [u8; 2] = [0, ELFOSABI_GNU];
/// The first `EI_ABIVERSION` that the loader does not support (`libc-abis`).
const LIBC_ABI_MAX: u8 = 4;

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine { found, wanted } => write!(f, "it is for {found}, not for {wanted}"),
            Self::InvalidElf(error) => error.fmt(f),
            Self::OsAbi(abi) => write!(f, "the loader does not support its OS ABI {abi}"),
            Self::UnsupportedIdent => {
                f.write_str("its ELF identification has values that the loader does not support")
            }
            Self::NotLoadable => f.write_str("it has no loadable segments or no dynamic section"),
            Self::NotShared => f.write_str("it is a program, not a shared library"),
            Self::Unreadable(error) => error.fmt(f),
            Self::NotRegularFile => f.write_str("it is not a regular file"),
            Self::LinkLoop => f.write_str("its symbolic links form a loop"),
        }
    }
}
