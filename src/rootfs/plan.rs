//! Plans the file tree of an image from closures and includes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::builder::RootfsBuilder;
use super::mapped_objects::link_maps;
use super::planner::TreePlanner;
use super::{
    BaseFiles, EntryReason, LayerKind, Owner, Rootfs, RootfsError, accounts, copy_includes, included_elf,
    verify,
};
use coracle_core::file_system::{FileSystem, OverlayFs};
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{Closure, ResolveOptions};
use coracle_ld::implicit::{DataSources, DependencyHint, ImplicitPolicy, Requirements};

/// The input of [`plan_rootfs`].
pub struct PlanRequest<'a> {
    /// The programs with their dependencies; the entrypoint is first.
    pub programs: &'a [PlannedProgram],
    /// The host's file system, which includes are read from.
    pub host: &'a dyn FileSystem,
    /// The files and directories to include.
    pub includes: &'a [ResolvedInclude],
    /// The user and group that the program runs as.
    pub user: Owner,
    /// The mount points. Empty directories are planned for them, since a container with a read-only
    /// root cannot create them.
    pub mount_points: &'a [ImagePath],
    /// The directories that the program writes to.
    pub state_dirs: &'a [ImagePath],
    /// The options of resolution: working directory, `PATH` and loader environment.
    pub resolve_options: &'a ResolveOptions,
    /// Directories that exist only on this machine. No file of the image may be at a path in them.
    pub private_dirs: &'a [ImagePath],
    /// Exceptions from `private`.
    pub allowed_private_dirs: &'a [ImagePath],
    /// Whether to strip symbols and debugging sections from programs.
    pub strip: bool,
    /// The implicit dependencies of the programs.
    pub requirements: Requirements,
    /// Which implicit dependencies to add for included programs.
    pub policy: &'a ImplicitPolicy,
    /// The file systems that implicit dependencies are read from.
    pub places: DataSources<'a>,
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

/// The maximum number of files listed in one warning.
const MAX_LISTED: usize = 8;

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
}

/// Plans the file tree of an image, and verifies it by resolving all programs again inside it.
///
/// # Errors
/// Fails if different contents are planned for one path, a file cannot be included, or the loader
/// would map other files inside the image.
pub fn plan_rootfs(tree: &dyn FileSystem, request: &PlanRequest<'_>) -> Result<PlannedRootfs, RootfsError> {
    let mut planner = TreePlanner::new(tree, request, RootfsBuilder::default());
    for program in request.programs {
        planner.add_program(program)?;
    }
    copy_includes::add_includes(&mut planner.builder, request.host, request.includes)?;
    planner.builder.add_directory(
        &request.resolve_options.working_dir,
        EntryReason::WorkingDirectory,
        LayerKind::Program,
    );
    for mount_point in request.mount_points {
        planner.builder.add_directory(mount_point, EntryReason::MountPoint, LayerKind::Program);
    }
    for state in request.state_dirs {
        planner.builder.add_state_directory(state, request.user);
    }
    // A base image has accounts of its own.
    if let BaseFiles::NoBase = request.base {
        add_accounts(&mut planner.builder, request.user);
    }
    let (rootfs, mut notes) = planner.finish()?;

    let included =
        included_elf::resolve_included_elf(&OverlayFs { upper: &rootfs, lower: tree }, &rootfs, request)?;
    let mut planner = TreePlanner::new(tree, request, RootfsBuilder::continue_from(rootfs));
    for (map, why) in included.closures.iter().flat_map(Closure::elf_programs).flat_map(link_maps) {
        planner.add_missing_objects(map, why);
    }
    let mut needs = request.requirements.clone();
    needs.merge(included.needs);
    needs.check_unused_options()?;
    planner.add_data_files(&needs.data_files);
    let (rootfs, more) = planner.finish()?;
    notes.extend(needs.notes);
    notes.extend(more);
    let reached = verify::verify_and_complete(rootfs, request, &included.closures)?;
    notes.extend(replaced_files_warning(&reached.replaced));
    Ok(PlannedRootfs {
        rootfs: reached.rootfs,
        shared_files: reached.shared_files,
        notes,
        hints: needs.hints,
    })
}

/// Warns that programs of the base image may not work with the libraries that replace theirs.
fn replaced_files_warning(paths: &BTreeSet<ImagePath>) -> Option<Note> {
    let named: Vec<String> = paths.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    let more = match paths.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    (!paths.is_empty()).then(|| {
        Note::Warning(format!(
            "files of the base image are replaced: {}{more}; programs of the base may need the originals",
            named.join(", ")
        ))
    })
}

/// Adds accounts to the first layer, so that the image of a static program keeps a single layer.
fn add_accounts(builder: &mut RootfsBuilder, user: Owner) {
    let layer_kind = builder.rootfs.layer_kinds().first().copied().unwrap_or(LayerKind::Program);
    let etc = ImagePath::root().join(b"etc");
    for (name, text) in [(b"passwd".as_slice(), accounts::passwd(user)), (b"group", accounts::group(user))] {
        let path = etc.join(name);
        if !builder.rootfs.entries.contains_key(&path) {
            builder.add_generated_file(&path, text.into_bytes(), EntryReason::Accounts, layer_kind);
        }
    }
}
