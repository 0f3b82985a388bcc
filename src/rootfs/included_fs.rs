//! A file system with the included files at their paths in the image, as loaders will see it.

use std::collections::{BTreeMap, BTreeSet};

use super::copy_includes;
use super::error::RootfsError;
use super::plan_request::ResolvedInclude;
use super::rootfs_builder::RootfsBuilder;
use coracle_core::digest::Digest;
use coracle_core::distribution_directories::is_system_path;
use coracle_core::entry::EntryNode;
use coracle_core::file_system::{self, FileSystem, FsFile, FsNode, ResolutionEnd};
use coracle_core::fs::{self, FileId, Stat};
use coracle_core::path::{ImagePath, RawPath};

/// The directory of programs that are moved and have no path in the recipe.
pub(super) const DEFAULT_PROGRAM_DIR: &str = "app";

/// Included files, which hide those of the file system that programs are resolved in.
pub struct IncludedFs<'a> {
    lower: &'a dyn FileSystem,
    nodes: BTreeMap<ImagePath, FsNode>,
    names: BTreeMap<ImagePath, BTreeSet<Vec<u8>>>,
    /// Directories above programs that are moved, with their counterparts in the image.
    counterparts: Vec<(ImagePath, ImagePath)>,
}

impl<'a> IncludedFs<'a> {
    /// Reads what is included from `host`. `programs` are those of the recipe by their paths in
    /// `lower`, with their paths in the image if the recipe has them: a path that a program looks
    /// up relative to itself is looked up relative to the program's path in the image.
    ///
    /// # Errors
    /// Fails if a file can't be included, or a directory can't be read.
    pub fn new(
        lower: &'a dyn FileSystem,
        host: &dyn FileSystem,
        includes: &[ResolvedInclude],
        programs: &[(&RawPath, Option<&ImagePath>)],
    ) -> Result<Self, RootfsError> {
        let mut builder = RootfsBuilder::for_lookups();
        copy_includes::add_includes(&mut builder, host, includes)?;
        let mut included =
            Self { lower, nodes: BTreeMap::new(), names: BTreeMap::new(), counterparts: Vec::new() };
        let mut directories = BTreeMap::new();
        for (path, entry) in builder.rootfs.iter() {
            let Some(place) = real_path(lower, path, &mut directories)? else { continue };
            let node = match &entry.node {
                // A link to a directory stays.
                EntryNode::Directory if real_directory(lower, path, &mut directories)? != place => continue,
                EntryNode::Directory => FsNode::Directory,
                EntryNode::Symlink(target) => FsNode::Link(target.clone()),
                EntryNode::File(content) => {
                    let stat = Stat::synthetic(synthetic_id(&place), content.size(), entry.mode);
                    FsNode::File(FsFile { stat, content: content.clone() })
                }
                EntryNode::HardLink(_) => continue,
            };
            included.add_node(place, node);
        }
        for (program, to) in programs {
            included.add_counterparts(program, *to)?;
        }
        Ok(included)
    }

    /// Returns the paths of all included files.
    pub fn files(&self) -> BTreeSet<ImagePath> {
        let is_file = |(path, node): (&ImagePath, &FsNode)| match node {
            FsNode::File(_) => Some(path.clone()),
            _ => None,
        };
        self.nodes.iter().filter_map(is_file).collect()
    }

    fn add_node(&mut self, path: ImagePath, node: FsNode) {
        if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
            self.names.entry(parent).or_default().insert(name.to_vec());
        }
        self.nodes.insert(path, node);
    }

    /// Adds the counterpart of a program's directory and, if the program's path in the image is
    /// known, of the directories above it.
    fn add_counterparts(&mut self, program: &RawPath, to: Option<&ImagePath>) -> fs::Result<()> {
        let end = file_system::resolve_path(self.lower, &ImagePath::root(), program.as_bytes())?.end;
        let ResolutionEnd::File(path, _) = end else { return Ok(()) };
        let Some(mut from) = path.parent() else { return Ok(()) };
        let Some(to) = to else {
            if !is_system_path(&path) {
                let default = ImagePath::root().join(DEFAULT_PROGRAM_DIR.as_bytes());
                self.counterparts.push((from, default));
            }
            return Ok(());
        };
        let mut above = to.parent();
        while let Some(to) = above {
            self.counterparts.push((from.clone(), to.clone()));
            let (Some(next), above_to) = (from.parent(), to.parent()) else { break };
            (from, above) = (next, above_to);
        }
        Ok(())
    }

    /// Returns the included node at the counterpart of a path that does not exist.
    fn counterpart(&self, path: &ImagePath) -> Option<&FsNode> {
        self.counterparts.iter().find_map(|(from, to)| {
            let below = path.strip_prefix(from)?;
            self.nodes.get(&to.join_components(below))
        })
    }

    fn included_or_lower_node(
        &self,
        path: &ImagePath,
        in_lower: impl FnOnce() -> fs::Result<Option<FsNode>>,
    ) -> fs::Result<Option<FsNode>> {
        if let Some(node) = self.nodes.get(path) {
            return Ok(Some(node.clone()));
        }
        Ok(in_lower()?.or_else(|| self.counterpart(path).cloned()))
    }

    /// Adds the names of included files to those of the lower directory.
    fn with_included_names(&self, path: &ImagePath, mut names: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        names.extend(self.names.get(path).into_iter().flatten().cloned());
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl FileSystem for IncludedFs<'_> {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        self.included_or_lower_node(path, || self.lower.node(path))
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let is_directory = is_root(path) || matches!(self.lower.node(path)?, Some(FsNode::Directory));
        let names = if is_directory { self.lower.list(path)? } else { Vec::new() };
        Ok(self.with_included_names(path, names))
    }

    fn node_untracked(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        self.included_or_lower_node(path, || self.lower.node_untracked(path))
    }

    fn list_untracked(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let node = self.lower.node_untracked(path)?;
        let is_directory = is_root(path) || matches!(node, Some(FsNode::Directory));
        let names = if is_directory { self.lower.list_untracked(path)? } else { Vec::new() };
        Ok(self.with_included_names(path, names))
    }
}

fn is_root(path: &ImagePath) -> bool {
    path.file_name().is_none()
}

/// Returns the path of an included file, with the links of `file_system` on it followed: they are in the
/// image, too, if something is found through them. `None` for the root.
fn real_path(
    file_system: &dyn FileSystem,
    path: &ImagePath,
    directories: &mut BTreeMap<ImagePath, ImagePath>,
) -> fs::Result<Option<ImagePath>> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    Ok(Some(real_directory(file_system, &parent, directories)?.join(name)))
}

fn real_directory(
    file_system: &dyn FileSystem,
    path: &ImagePath,
    known: &mut BTreeMap<ImagePath, ImagePath>,
) -> fs::Result<ImagePath> {
    if let Some(real) = known.get(path) {
        return Ok(real.clone());
    }
    let Some(place) = real_path(file_system, path, known)? else { return Ok(path.clone()) };
    let real = match file_system.node(&place)? {
        Some(FsNode::Link(_)) => {
            match file_system::resolve_path(file_system, &ImagePath::root(), place.as_bytes())?.end {
                ResolutionEnd::Directory(real) => real,
                _ => place,
            }
        }
        _ => place,
    };
    known.insert(path.clone(), real.clone());
    Ok(real)
}

/// Returns an identity that is the same for the same path only.
fn synthetic_id(path: &ImagePath) -> FileId {
    FileId { device: 0, inode: Digest::compute(path.as_bytes()).leading_u64() }
}
