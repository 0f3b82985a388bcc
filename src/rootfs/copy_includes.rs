//! Copies included files and directories into the tree.

use std::path::Path;

use super::builder::{EntryOrigin, RootfsBuilder};
use super::error::{IncludeProblem, RootfsError};
use super::plan_request::ResolvedInclude;
use coracle_core::entry::EntryReason;
use coracle_core::file_system::{self, FileSystem, FsNode, ResolutionEnd, ResolutionStep};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// Adds all includes. Fails with all problems together.
pub(super) fn add_includes(
    builder: &mut RootfsBuilder,
    file_system: &dyn FileSystem,
    includes: &[ResolvedInclude],
) -> Result<(), RootfsError> {
    let mut problems = Vec::new();
    for include in includes {
        add_include(builder, file_system, include, &mut problems)?;
    }
    if problems.is_empty() { Ok(()) } else { Err(RootfsError::InvalidIncludes(problems)) }
}

fn add_include(
    builder: &mut RootfsBuilder,
    file_system: &dyn FileSystem,
    include: &ResolvedInclude,
    problems: &mut Vec<IncludeProblem>,
) -> Result<(), RootfsError> {
    let origin = EntryOrigin::data(EntryReason::Included(include.from.display().to_string()));
    match file_system::resolve_path(file_system, &ImagePath::root(), &fs::path_to_bytes(&include.from))?.end {
        ResolutionEnd::File(_, file) => match image_path_of_file(include) {
            Some(to) => builder.add_file(&to, &file, origin),
            None => {
                problems
                    .push(IncludeProblem::NoFileName { from: include.from.clone(), to: include.to.clone() });
            }
        },
        ResolutionEnd::Directory(folder) => {
            let to = ImagePath::parse(include.to.as_bytes())
                .map_err(|_| RootfsError::Internal("the target of an include is not a valid path"))?;
            builder.add_directory(&to, origin.clone());
            IncludedDirectory { file_system, root: &folder, origin: &origin, problems }
                .copy(builder, &folder, &to)?;
        }
        ResolutionEnd::Special(path, kind) => problems.push(IncludeProblem::SpecialFile { path, kind }),
        ResolutionEnd::Missing(_) | ResolutionEnd::NotDirectory(_) | ResolutionEnd::TooManyLinks => {
            problems.push(IncludeProblem::Missing(include.from.clone()));
        }
    }
    Ok(())
}

/// Returns the path of an included file: `to`, with the source's file name appended if it ends with
/// a slash.
fn image_path_of_file(include: &ResolvedInclude) -> Option<ImagePath> {
    let to = ImagePath::parse(include.to.as_bytes()).ok()?;
    if !include.to.as_bytes().ends_with(b"/") {
        return Some(to);
    }
    let name = include.from.file_name()?;
    Some(to.join(&fs::path_to_bytes(Path::new(name))))
}

/// An included directory.
struct IncludedDirectory<'a> {
    file_system: &'a dyn FileSystem,
    root: &'a ImagePath,
    origin: &'a EntryOrigin,
    problems: &'a mut Vec<IncludeProblem>,
}

impl IncludedDirectory<'_> {
    fn copy(
        &mut self,
        builder: &mut RootfsBuilder,
        from: &ImagePath,
        to: &ImagePath,
    ) -> Result<(), RootfsError> {
        for name in self.file_system.list(from)? {
            let (from, to) = (from.join(&name), to.join(&name));
            let origin = self.origin.clone();
            match self.file_system.node(&from)? {
                // It was removed after the directory was listed.
                None => self.problems.push(IncludeProblem::Missing(fs::path_from_bytes(from.as_bytes()))),
                Some(FsNode::File(file)) => builder.add_file(&to, &file, origin),
                Some(FsNode::Special(kind)) => {
                    self.problems.push(IncludeProblem::SpecialFile { path: from, kind });
                }
                Some(FsNode::Link(target)) if self.stays_inside(&from, &target)? => {
                    builder.add_symlink(&to, target, origin);
                }
                Some(FsNode::Link(target)) => {
                    self.problems.push(IncludeProblem::LinkOutside { link: from, target });
                }
                Some(FsNode::Directory) => {
                    builder.add_directory(&to, origin);
                    self.copy(builder, &from, &to)?;
                }
            }
        }
        Ok(())
    }

    /// Whether `target` and every step to it are inside the included directory. Outside of it, a
    /// target is another path in the image.
    fn stays_inside(&self, link: &ImagePath, target: &RawPath) -> fs::Result<bool> {
        let parent = link.parent().unwrap_or_else(ImagePath::root);
        let walk = file_system::resolve_path(self.file_system, &parent, target.as_bytes())?;
        let is_absolute = |target: &RawPath| target.as_bytes().starts_with(b"/");
        let inside = |step: &ResolutionStep| match step {
            ResolutionStep::Directory(path) => path.is_within(self.root),
            ResolutionStep::Link { path, target } => path.is_within(self.root) && !is_absolute(target),
        };
        let end_inside = match &walk.end {
            ResolutionEnd::File(path, _)
            | ResolutionEnd::Directory(path)
            | ResolutionEnd::Special(path, _)
            | ResolutionEnd::Missing(path)
            | ResolutionEnd::NotDirectory(path) => path.is_within(self.root),
            ResolutionEnd::TooManyLinks => true,
        };
        Ok(!is_absolute(target) && end_inside && walk.steps.iter().all(inside))
    }
}
