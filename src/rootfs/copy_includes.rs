//! Copies included files and directories into the tree.

use std::collections::BTreeSet;
use std::path::Path;

use super::MAX_LISTED;
use super::error::{IncludeProblem, RootfsError};
use super::exclude_pattern::{ExcludePattern, is_excluded};
use super::plan_request::ResolvedInclude;
use super::rootfs_builder::{EntryOrigin, RootfsBuilder};
use coracle_core::entry::EntryReason;
use coracle_core::file_system::{self, FileSystem, FsNode, ResolutionEnd, ResolutionStep};
use coracle_core::fs;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};

/// A link of an included directory whose target is outside of it, or left out.
pub(super) struct OutsideLink {
    /// The link's path in the image.
    path: ImagePath,
    /// Its path on the host.
    from: ImagePath,
    target: RawPath,
    /// `true` if the target exists on the host and is not left out on purpose.
    has_target: bool,
}

/// Adds all includes, and returns the links whose targets must be in the image for other reasons. Fails with
/// all problems together.
pub(super) fn add_includes(
    builder: &mut RootfsBuilder,
    file_system: &dyn FileSystem,
    includes: &[ResolvedInclude],
) -> Result<Vec<OutsideLink>, RootfsError> {
    let (mut problems, mut outside_links) = (Vec::new(), Vec::new());
    for include in includes {
        add_include(builder, file_system, include, &mut problems, &mut outside_links)?;
    }
    if problems.is_empty() { Ok(outside_links) } else { Err(RootfsError::InvalidIncludes(problems)) }
}

/// Checks that the targets of `links` are in `image`, the files of the image. Returns warnings about links
/// whose targets do not exist on the host either.
pub(super) fn check_outside_links(
    image: &dyn FileSystem,
    links: &[OutsideLink],
) -> Result<Vec<Note>, RootfsError> {
    let (mut problems, mut dangling) = (Vec::new(), Vec::new());
    for link in links {
        let parent = link.path.parent().unwrap_or_else(ImagePath::root);
        let end = file_system::resolve_path(image, &parent, link.target.as_bytes())?.end;
        match end {
            ResolutionEnd::File(..) | ResolutionEnd::Directory(_) | ResolutionEnd::Special(..) => {}
            _ if link.has_target => problems
                .push(IncludeProblem::LinkOutside { link: link.from.clone(), target: link.target.clone() }),
            _ => dangling.push(format!("{} -> {}", link.from, link.target)),
        }
    }
    if !problems.is_empty() {
        return Err(RootfsError::InvalidIncludes(problems));
    }
    let shown = dangling.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join("\n");
    let more = dangling.len().saturating_sub(MAX_LISTED);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    let note = (!dangling.is_empty())
        .then(|| Note::Warning(format!("included links have no target in the image:\n{shown}{more}")));
    Ok(note.into_iter().collect())
}

fn add_include(
    builder: &mut RootfsBuilder,
    file_system: &dyn FileSystem,
    include: &ResolvedInclude,
    problems: &mut Vec<IncludeProblem>,
    outside_links: &mut Vec<OutsideLink>,
) -> Result<(), RootfsError> {
    let reason = EntryReason::Included(include.from.display().to_string());
    let origin = EntryOrigin { modified: include.modified, ..EntryOrigin::for_data(reason) };
    let walk = file_system::resolve_path(file_system, &ImagePath::root(), &fs::path_to_bytes(&include.from))?;
    let keeps_path = fs::path_to_bytes(&include.from) == include.to.as_bytes();
    match walk.end {
        ResolutionEnd::File(path, file) => match image_path_of_file(include) {
            // A link at the same path is kept: other files may be found through it.
            Some(to) if keeps_path && path != to => {
                add_steps(builder, &walk.steps, &origin);
                builder.add_file(&path, &file, origin);
            }
            Some(to) => builder.add_file(&to, &file, origin),
            None => {
                problems
                    .push(IncludeProblem::NoFileName { from: include.from.clone(), to: include.to.clone() });
            }
        },
        ResolutionEnd::Directory(folder) => {
            let to = ImagePath::parse(include.to.as_bytes())
                .map_err(|_| RootfsError::Internal("the target of an include is not a valid path"))?;
            let directory = IncludedDirectory {
                file_system,
                root: &folder,
                exclude: &include.exclude,
                origin: &origin,
                keeps_path,
                problems,
                outside_links,
                copied: BTreeSet::new(),
            };
            directory.add_with_contents(builder, &walk.steps, &to)?;
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

/// Adds the directories and links on a path.
fn add_steps(builder: &mut RootfsBuilder, steps: &[ResolutionStep], origin: &EntryOrigin) {
    for step in steps {
        match step {
            ResolutionStep::Directory(path) => builder.add_directory(path, origin.clone()),
            ResolutionStep::Link { path, target } => {
                builder.add_symlink(path, target.clone(), origin.clone());
            }
        }
    }
}

/// An included directory.
struct IncludedDirectory<'a> {
    file_system: &'a dyn FileSystem,
    root: &'a ImagePath,
    exclude: &'a [ExcludePattern],
    origin: &'a EntryOrigin,
    /// `true` if it has the same path in the image, so that links lead to the same files as on the host.
    keeps_path: bool,
    problems: &'a mut Vec<IncludeProblem>,
    outside_links: &'a mut Vec<OutsideLink>,
    /// The directories that were copied because links lead to them.
    copied: BTreeSet<ImagePath>,
}

impl IncludedDirectory<'_> {
    /// Adds the directory at `to`. If it keeps its path, the links on that path come along.
    fn add_with_contents(
        mut self,
        builder: &mut RootfsBuilder,
        steps: &[ResolutionStep],
        to: &ImagePath,
    ) -> Result<(), RootfsError> {
        let root = self.root;
        let to = if self.keeps_path {
            add_steps(builder, steps, self.origin);
            root
        } else {
            to
        };
        self.add_directory(builder, root, to);
        self.copy_contents(builder, root, to)
    }

    /// Adds one directory, without its contents.
    fn add_directory(&self, builder: &mut RootfsBuilder, from: &ImagePath, to: &ImagePath) {
        builder.add_directory(to, self.origin.clone());
        builder.record_attributes(to, &fs::path_from_bytes(from.as_bytes()));
    }

    fn copy_contents(
        &mut self,
        builder: &mut RootfsBuilder,
        from: &ImagePath,
        to: &ImagePath,
    ) -> Result<(), RootfsError> {
        let names = self.file_system.list(from)?;
        builder.record_directory_mode(to, self.file_system.directory_mode(from)?);
        for name in names {
            let (from, to) = (from.join(&name), to.join(&name));
            let origin = self.origin.clone();
            let node = self.file_system.node(&from)?;
            if self.is_excluded(&from, matches!(node, Some(FsNode::Directory))) {
                continue;
            }
            match node {
                // It was removed after the directory was listed.
                None => self.problems.push(IncludeProblem::Missing(fs::path_from_bytes(from.as_bytes()))),
                Some(FsNode::File(file)) => builder.add_file(&to, &file, origin),
                Some(FsNode::Special(kind)) => {
                    self.problems.push(IncludeProblem::SpecialFile { path: from, kind });
                }
                Some(FsNode::Link(target)) => {
                    builder.add_symlink(&to, target.clone(), origin);
                    if !self.target_stays_inside(&from, &target)? {
                        self.add_link_target(builder, from, to, target)?;
                    } else if self.has_excluded_target(&from, &target)? {
                        let link = OutsideLink { path: to, from, target, has_target: false };
                        self.outside_links.push(link);
                    }
                }
                Some(FsNode::Directory) => {
                    self.add_directory(builder, &from, &to);
                    self.copy_contents(builder, &from, &to)?;
                }
            }
        }
        Ok(())
    }

    /// Returns whether a pattern leaves `path` out. Patterns are relative to the included directory, and files outside of it are
    /// targets of links.
    fn is_excluded(&self, path: &ImagePath, is_directory: bool) -> bool {
        let Some(names) = path.strip_prefix(self.root) else { return false };
        let names: Vec<&[u8]> = names.collect();
        is_excluded(self.exclude, &fs::path_from_bytes(&names.join(&b'/')), is_directory)
    }

    /// Returns whether a pattern leaves the target of a link out, or a directory above it.
    fn has_excluded_target(&self, link: &ImagePath, target: &RawPath) -> fs::Result<bool> {
        let parent = link.parent().unwrap_or_else(ImagePath::root);
        let (path, is_directory) =
            match file_system::resolve_path(self.file_system, &parent, target.as_bytes())?.end {
                ResolutionEnd::Directory(path) => (path, true),
                ResolutionEnd::File(path, _) => (path, false),
                _ => return Ok(false),
            };
        let is_above_excluded = path.ancestors().iter().any(|above| self.is_excluded(above, true));
        Ok(is_above_excluded || self.is_excluded(&path, is_directory))
    }

    /// Adds the target of a link that leads outside, if the directory keeps its path. Otherwise the target
    /// is another path in the image, which must be there for other reasons.
    fn add_link_target(
        &mut self,
        builder: &mut RootfsBuilder,
        from: ImagePath,
        path: ImagePath,
        target: RawPath,
    ) -> Result<(), RootfsError> {
        let parent = from.parent().unwrap_or_else(ImagePath::root);
        let walk = file_system::resolve_path(self.file_system, &parent, target.as_bytes())?;
        let has_target = matches!(
            walk.end,
            ResolutionEnd::File(..) | ResolutionEnd::Directory(_) | ResolutionEnd::Special(..)
        );
        if !self.keeps_path || !has_target {
            self.outside_links.push(OutsideLink { path, from, target, has_target });
            return Ok(());
        }
        add_steps(builder, &walk.steps, self.origin);
        match walk.end {
            ResolutionEnd::File(path, file) => builder.add_file(&path, &file, self.origin.clone()),
            ResolutionEnd::Directory(path) if self.copied.insert(path.clone()) => {
                self.copy_contents(builder, &path, &path)?;
            }
            ResolutionEnd::Special(path, kind) => {
                self.problems.push(IncludeProblem::SpecialFile { path, kind });
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns whether `target` and every step to it are inside the included directory. Outside of it, a
    /// target is another path in the image.
    fn target_stays_inside(&self, link: &ImagePath, target: &RawPath) -> fs::Result<bool> {
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
