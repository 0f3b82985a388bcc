//! The input and the result of planning a file tree.

use std::path::PathBuf;

use super::exclude_pattern::ExcludePattern;
use super::file_tree::Rootfs;
use coracle_core::entry::{EntryReason, Owner};
use coracle_core::file_system::FileSystem;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{Closure, ResolveOptions};
use coracle_ld::implicit::{DataSources, DependencyHint, ImplicitDependencies, ImplicitPolicy};

/// The input of [`super::plan_rootfs`].
pub struct PlanRequest<'a> {
    /// The programs with their dependencies; the entrypoint is first.
    pub programs: &'a [PlannedProgram],
    /// The host's file system, which includes are read from.
    pub host: &'a dyn FileSystem,
    /// The files and directories to include.
    pub includes: &'a [ResolvedInclude],
    /// The user and group that the program runs as.
    pub user: Owner,
    /// Generated files, with their paths in the image.
    pub generated_files: &'a [GeneratedFile],
    /// The mount points. Empty directories are planned for them, since a container with a read-only
    /// root cannot create them.
    pub mount_points: &'a [ImagePath],
    /// The directories that the program writes to.
    pub state_dirs: &'a [ImagePath],
    /// The options of resolution: working directory, `PATH` and loader environment.
    pub resolve_options: &'a ResolveOptions,
    /// Directories that exist only on this machine. No file of the image may be at a path in them.
    pub private_dirs: &'a [ImagePath],
    /// Exceptions from [`Self::private_dirs`].
    pub allowed_private_dirs: &'a [ImagePath],
    /// `true` if to strip symbols and debugging sections from programs.
    pub strip: bool,
    /// The implicit dependencies of the programs.
    pub requirements: ImplicitDependencies,
    /// `true` if the image is planned again with what its hints name.
    pub is_complete: bool,
    /// Which implicit dependencies to add for included programs.
    pub policy: &'a ImplicitPolicy,
    /// The file systems that implicit dependencies are read from.
    pub data_sources: DataSources<'a>,
    /// The base image.
    pub base: BaseFiles<'a>,
}

/// A planned image.
pub struct PlannedRootfs {
    /// The entries that the image adds to its base image.
    pub rootfs: Rootfs,
    /// The number of files that are omitted because the base image has them.
    pub shared_files: usize,
    /// Warnings and hints.
    pub notes: Vec<Note>,
    /// Optional dependencies that were not added.
    pub hints: Vec<DependencyHint>,
}

/// A generated file. It is executable if it is a script.
#[derive(Clone, Debug)]
pub struct GeneratedFile {
    /// Its path in the image.
    pub path: ImagePath,
    /// The content.
    pub bytes: Vec<u8>,
    /// The reason why it is in the image.
    pub reason: EntryReason,
}

/// A program with its closure and its path in the image.
#[derive(Debug)]
pub struct PlannedProgram {
    /// The files that starting it needs.
    pub closure: Closure,
    /// Its path in the image. `None` for the default path.
    pub to: Option<ImagePath>,
}

/// A file or directory of the host and its path in the image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResolvedInclude {
    /// The absolute path on the host.
    pub from: PathBuf,
    /// The absolute path in the image. With a trailing slash, the directory that a file is copied
    /// into.
    pub to: RawPath,
    /// The files of a directory that are left out.
    pub exclude: Vec<ExcludePattern>,
    /// The modification time of its files, in seconds since 1970.
    pub modified: u64,
}

/// The file system of a base image, with modes and owners of directories.
pub trait BaseFileSystem: FileSystem {
    /// Returns mode and owner of the directory at `path`. `None` if there is no directory.
    fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)>;
}

impl BaseFileSystem for coracle_oci::layout::ImageFs {
    fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)> {
        self.directory(path)
    }
}

/// The base image of a planned image, and whether its files were read.
#[derive(Clone, Copy)]
pub enum BaseFiles<'a> {
    /// No base image.
    NoBase,
    /// A base image whose files were not read, because none can be at a planned path.
    Unread,
    /// A base image whose files were read; files that it has are omitted.
    Read(&'a dyn BaseFileSystem),
}

impl<'a> BaseFiles<'a> {
    /// Returns the base image's file system if it was read.
    pub(crate) fn read_base(self) -> Option<&'a dyn BaseFileSystem> {
        match self {
            Self::NoBase | Self::Unread => None,
            Self::Read(base) => Some(base),
        }
    }
}
