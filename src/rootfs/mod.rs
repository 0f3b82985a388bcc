//! Plans the file tree of an image: the entry at each path, its owner, and the reason for it.
//!
//! Does not depend on tar or the OCI format. ARCHITECTURE.md, "Rules of the image", has the rules
//! for owners, modes and paths.

mod copy_includes;
mod dropped_attributes;
mod error;
mod exclude_pattern;
mod file_tree;
mod generated_entries;
mod included_elf;
mod included_fs;
mod large_includes;
mod mapped_files;
mod passwd_and_group;
mod plan_request;
mod program_placement;
mod rootfs_builder;
mod script_library_path;
mod subtract_base;
#[cfg(test)]
mod tests;
mod tree_planner;
mod unloadable_files;
mod unmet_hints;
mod verify_in_image;
mod whiteout_names;

use std::collections::BTreeSet;

pub use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind, Owner};
pub use error::{Conflict, IncludeProblem, PrivatePath, RootfsError, WhiteoutName};
pub use exclude_pattern::{ExcludePattern, ParseExcludePatternError, excludes};
pub use file_tree::Rootfs;
pub(crate) use generated_entries::{NewFile, add_new_files};
pub use included_fs::IncludedFs;
pub use plan_request::{
    BaseFileSystem, BaseFiles, GeneratedFile, PlanRequest, PlannedProgram, PlannedRootfs, ResolvedInclude,
};

use coracle_core::file_system::{FileSystem, OverlayFs};
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_ld::closure::Closure;
use coracle_ld::implicit::{self, DataSources, ImplicitDependencies};
use mapped_files::link_maps;
use rootfs_builder::{EntryOrigin, RootfsBuilder};
use tree_planner::TreePlanner;
use unmet_hints::HintedImage;

/// The purpose of the libraries of modules that are incomplete.
const INCOMPLETE_MODULE: &str = "needed by an included module";

/// The maximum number of paths listed in one warning.
const MAX_LISTED: usize = 8;

/// Plans the file tree of an image, and verifies it by resolving all programs again inside it.
///
/// # Errors
/// Fails if different contents are planned for one path, a file cannot be included, or the loader
/// would map other files inside the image.
pub fn plan_rootfs(
    file_system: &dyn FileSystem,
    request: &PlanRequest<'_>,
) -> Result<PlannedRootfs, RootfsError> {
    let mut planner = TreePlanner::new(file_system, request, RootfsBuilder::default());
    for program in request.programs {
        planner.add_program(program)?;
    }
    let outside_links = copy_includes::add_includes(&mut planner.builder, request.host, request.includes)?;
    let working_dir = &request.resolve_options.working_dir;
    planner.builder.add_directory(working_dir, EntryOrigin::for_program(EntryReason::WorkingDirectory));
    for file in request.generated_files {
        let origin = EntryOrigin::for_data(file.reason.clone());
        planner.builder.add_generated_file(&file.path, file.bytes.clone(), origin);
    }
    for mount_point in request.mount_points {
        planner.builder.add_directory(mount_point, EntryOrigin::for_program(EntryReason::MountPoint));
    }
    for state_dir in request.state_dirs {
        planner.builder.add_state_directory(state_dir, request.user);
    }
    // A base image has accounts of its own.
    if let BaseFiles::NoBase = request.base {
        passwd_and_group::add_accounts(&mut planner.builder, request.user);
    }
    let (rootfs, mut notes) = planner.finish()?;

    let included = included_elf::resolve_included_elf(
        &OverlayFs { upper: &rootfs, lower: file_system },
        &rootfs,
        request,
    )?;
    let without_libraries = rootfs.clone();
    let mut planner = TreePlanner::new(file_system, request, RootfsBuilder::continue_from(rootfs));
    for (map, purpose) in included.closures.iter().flat_map(Closure::elf_programs).flat_map(link_maps) {
        planner.add_missing_files(map, purpose);
    }
    // What is found of a module comes along: the program may open the rest in another way.
    for map in &included.incomplete_modules {
        planner.add_missing_files(map, Some(INCOMPLETE_MODULE));
    }
    let mut requirements = request.requirements.clone();
    requirements.merge(included.requirements);
    requirements.merge(included_certificates(&without_libraries, request)?);
    let unused = requirements.unused_options();
    if request.is_complete {
        // A program that is added later may use them, so they are no error before the last plan.
        notes.extend(unused.into_iter().map(|unused| Note::Warning(unused.message)));
    } else if !unused.is_empty() {
        return Err(implicit::Error::Unmet(unused).into());
    }
    planner.add_data_files(&requirements.data_files);
    let (rootfs, more_notes) = planner.finish()?;
    notes.extend(requirements.notes);
    notes.extend(more_notes);
    notes.extend(large_includes::large_includes_hint(&rootfs, &without_libraries, request.includes));
    let own = verify_in_image::verify_and_complete(rootfs, request, &included.closures)?;
    notes.extend(replaced_files_warning(&own.replaced));
    let nothing = Rootfs::default();
    let base = request.base.read_base().map_or(&nothing as &dyn FileSystem, |base| base);
    let image = HintedImage {
        files: &OverlayFs { upper: &own.rootfs, lower: base },
        rootfs: &own.rootfs,
        programs: request.programs,
        mounts: &[request.mount_points, request.state_dirs],
        ignored: &request.policy.ignored,
    };
    notes.extend(copy_includes::check_outside_links(image.files, &outside_links)?);
    let hints = image.keep_unmet(requirements.hints)?;
    Ok(PlannedRootfs { rootfs: own.rootfs, shared_files: own.shared_files, notes, hints })
}

/// Returns notes about CA certificates that only this machine trusts in the included files of `rootfs`.
fn included_certificates(
    rootfs: &Rootfs,
    request: &PlanRequest<'_>,
) -> Result<ImplicitDependencies, implicit::Error> {
    let files: Vec<_> = rootfs
        .iter()
        .filter(|(_, entry)| matches!(entry.reason, EntryReason::Included(_)))
        .filter_map(|(path, entry)| match &entry.node {
            EntryNode::File(content) => Some((path, content)),
            _ => None,
        })
        .collect();
    if files.is_empty() {
        return Ok(ImplicitDependencies::default());
    }
    let host = DataSources { tree: request.host, fallback: None, ..request.data_sources };
    implicit::check_included_trust_stores(host, request.policy, &files)
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
