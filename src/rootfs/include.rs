//! Copies included files and directories into the tree.

use std::path::Path;

use super::builder::Builder;
use super::plan::Include;
use super::{Error, IncludeProblem, Reason, Stratum};
use coracle_core::fs;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Node, Step, Tree};

/// Adds all includes. Fails with all problems together.
pub(super) fn add(builder: &mut Builder, tree: &dyn Tree, includes: &[Include]) -> Result<(), Error> {
    let mut problems = Vec::new();
    for include in includes {
        add_one(builder, tree, include, &mut problems)?;
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Includes(problems)) }
}

fn add_one(
    builder: &mut Builder,
    tree: &dyn Tree,
    include: &Include,
    problems: &mut Vec<IncludeProblem>,
) -> Result<(), Error> {
    let reason = Reason::Included(include.from.display().to_string());
    match file_system::walk(tree, &ImagePath::root(), &fs::bytes_of(&include.from))?.end {
        End::File(_, file) => match target_of_file(include) {
            Some(to) => builder.file(&to, &file, reason, Stratum::Data),
            None => {
                problems.push(IncludeProblem::NoName { from: include.from.clone(), to: include.to.clone() });
            }
        },
        End::Directory(folder) => {
            let to = ImagePath::parse(include.to.as_bytes()).unwrap_or_else(|_| ImagePath::root());
            builder.directory(&to, reason.clone(), Stratum::Data);
            Folder { tree, folder: &folder, reason: &reason, problems }.copy(builder, &folder, &to)?;
        }
        End::Special(path, kind) => problems.push(IncludeProblem::Special { path, kind }),
        End::Missing(_) | End::NotDirectory(_) | End::Loop => {
            problems.push(IncludeProblem::Missing(include.from.clone()));
        }
    }
    Ok(())
}

/// Returns the path of an included file: `to`, with the source's file name appended if it ends with
/// a slash.
fn target_of_file(include: &Include) -> Option<ImagePath> {
    let to = ImagePath::parse(include.to.as_bytes()).ok()?;
    if !include.to.as_bytes().ends_with(b"/") {
        return Some(to);
    }
    let name = include.from.file_name()?;
    Some(to.join(&fs::bytes_of(Path::new(name))))
}

/// An included directory.
struct Folder<'a> {
    tree: &'a dyn Tree,
    folder: &'a ImagePath,
    reason: &'a Reason,
    problems: &'a mut Vec<IncludeProblem>,
}

impl Folder<'_> {
    fn copy(&mut self, builder: &mut Builder, from: &ImagePath, to: &ImagePath) -> Result<(), Error> {
        for name in self.tree.list(from)? {
            let (from, to) = (from.join(&name), to.join(&name));
            let reason = self.reason.clone();
            match self.tree.node(&from)? {
                // It was removed after the directory was listed.
                None => self.problems.push(IncludeProblem::Missing(fs::path_of(from.as_bytes()))),
                Some(Node::File(file)) => builder.file(&to, &file, reason, Stratum::Data),
                Some(Node::Special(kind)) => self.problems.push(IncludeProblem::Special { path: from, kind }),
                Some(Node::Link(target)) if self.stays_inside(&from, &target)? => {
                    builder.link(&to, target, reason, Stratum::Data);
                }
                Some(Node::Link(target)) => self.problems.push(IncludeProblem::Leaves { link: from, target }),
                Some(Node::Directory) => {
                    builder.directory(&to, reason, Stratum::Data);
                    self.copy(builder, &from, &to)?;
                }
            }
        }
        Ok(())
    }

    /// Whether every step of the link is inside the folder. Outside, the target is another path in
    /// the image.
    fn stays_inside(&self, link: &ImagePath, target: &Spelled) -> fs::Result<bool> {
        let parent = link.parent().unwrap_or_else(ImagePath::root);
        let walk = file_system::walk(self.tree, &parent, target.as_bytes())?;
        let is_absolute = |target: &Spelled| target.as_bytes().starts_with(b"/");
        let inside = |step: &Step| match step {
            Step::Directory(path) => path.is_within(self.folder),
            Step::Link { path, target } => path.is_within(self.folder) && !is_absolute(target),
        };
        let end_inside = match &walk.end {
            End::File(path, _)
            | End::Directory(path)
            | End::Special(path, _)
            | End::Missing(path)
            | End::NotDirectory(path) => path.is_within(self.folder),
            End::Loop => true,
        };
        Ok(!is_absolute(target) && end_inside && walk.steps.iter().all(inside))
    }
}
