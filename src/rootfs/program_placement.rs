//! The path of a program in the image, and of the files that move with it.
//!
//! A program in a system directory keeps its path. Any other program is moved. Libraries that it
//! finds through `$ORIGIN` keep their path relative to it: each directory above the program has a
//! counterpart in the image.

use super::error::RootfsError;
use super::included_fs::DEFAULT_PROGRAM_DIR;
use coracle_core::distribution_directories::is_system_path;
use coracle_core::file_system::{self, FileSystem, PathResolution, ResolutionStep};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{ElfProgram, ExecutedFile, ExecutedKind, MapReason};

/// Maps host paths of one program and its libraries to paths in the image.
#[derive(Debug)]
pub(super) struct ProgramPlacement {
    /// Directories of the tree with their counterparts in the image, deepest first. Empty if
    /// nothing moves.
    moved: Vec<(ImagePath, ImagePath)>,
    /// The program's path in the tree and in the image.
    program: (ImagePath, ImagePath),
    /// The values of `$ORIGIN` of objects that move.
    origins: Vec<RawPath>,
}

impl ProgramPlacement {
    /// Determines the placement of `program`, at `to` if given.
    ///
    /// # Errors
    /// Fails if `to` has too few directories for the libraries that move with the program.
    pub(super) fn new(
        file_system: &dyn FileSystem,
        program: &ExecutedFile,
        to: Option<&ImagePath>,
    ) -> Result<Self, RootfsError> {
        let named = unresolved_path(program);
        if to.is_none() && is_system_path(&program.path) {
            let kept = if is_system_path(&named) { named } else { program.path.clone() };
            return Ok(Self {
                moved: Vec::new(),
                program: (program.path.clone(), kept),
                origins: Vec::new(),
            });
        }
        let home = program.path.parent().unwrap_or_else(ImagePath::root);
        let (origins, region) = match &program.kind {
            ExecutedKind::Elf(elf) => origins_and_region(file_system, elf, &home)?,
            ExecutedKind::Script => (Vec::new(), home.clone()),
        };
        let below: Vec<&[u8]> = home.strip_prefix(&region).into_iter().flatten().collect();
        let target = match to {
            Some(to) => to.clone(),
            None => {
                let name = named.file_name().ok_or(RootfsError::Internal("a program has no file name"))?;
                default_program_dir().join_components(below.iter().copied()).join(name)
            }
        };
        let moved = counterpart_directories(&home, &target, below.len()).ok_or_else(|| {
            RootfsError::TargetTooShallow {
                program: program.raw_path.clone(),
                to: target.clone(),
                levels_up: below.len(),
            }
        })?;
        Ok(Self { moved, program: (program.path.clone(), target), origins })
    }

    /// Returns the program's path in the image.
    pub(super) fn target(&self) -> &ImagePath {
        &self.program.1
    }

    /// Returns the topmost directory that moves with the program. `None` if the program keeps its
    /// path.
    pub(super) fn moved_region(&self) -> Option<&ImagePath> {
        self.moved.last().map(|(from, _)| from)
    }

    /// Returns whether the program's path changes.
    pub(super) fn is_moved(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Returns whether an object that was found this way moves with the program.
    pub(super) fn moves_with_program(&self, found: &MapReason) -> bool {
        matches!(found, MapReason::Needed { origin: Some(origin), .. } if self.origins.contains(origin))
    }

    /// Returns the path of `path` in the image.
    pub(super) fn image_path(&self, path: &ImagePath) -> ImagePath {
        if *path == self.program.0 {
            return self.program.1.clone();
        }
        let pair =
            self.moved.iter().find_map(|(from, to)| Some(to.join_components(path.strip_prefix(from)?)));
        pair.filter(|_| !is_system_path(path)).unwrap_or_else(|| path.clone())
    }

    /// Returns the target of the link at `path` in the image. Relative targets that move too stay
    /// unchanged; targets outside the moved directories become absolute.
    pub(super) fn link_target(&self, path: &ImagePath, target: &RawPath) -> RawPath {
        let parent = path.parent().unwrap_or_else(ImagePath::root);
        let meant = join_lexically(&parent, target.as_bytes());
        let placed = self.image_path(&meant);
        let is_absolute = target.as_bytes().starts_with(b"/");
        let stays =
            if is_absolute { placed == meant } else { placed != meant || self.image_path(path) == *path };
        if stays { target.clone() } else { RawPath::from(&placed) }
    }
}

fn default_program_dir() -> ImagePath {
    ImagePath::root().join(DEFAULT_PROGRAM_DIR.as_bytes())
}

/// Returns the program's path without links resolved.
fn unresolved_path(program: &ExecutedFile) -> ImagePath {
    ImagePath::parse(program.raw_path.as_bytes()).unwrap_or_else(|_| program.path.clone())
}

/// Returns the values of `$ORIGIN` of objects that move, and the deepest common directory of all
/// their steps.
fn origins_and_region(
    file_system: &dyn FileSystem,
    elf: &ElfProgram,
    home: &ImagePath,
) -> fs::Result<(Vec<RawPath>, ImagePath)> {
    let mut origins = vec![RawPath::from(home)];
    let mut region = home.clone();
    let aliases =
        elf.all_link_maps().flat_map(|map| &map.aliases).map(|alias| (None, &alias.reason, &alias.walk));
    let mapped = elf
        .all_link_maps()
        .flat_map(|map| &map.objects)
        .map(|object| (Some(&object.raw_path), &object.reason, &object.walk));
    for (raw_path, found, walk) in mapped.chain(aliases) {
        let MapReason::Needed { origin: Some(origin), .. } = found else { continue };
        if !origins.contains(origin) {
            continue;
        }
        origins.extend(raw_path.map(RawPath::dirname));
        for step in relative_steps(file_system, found, walk)? {
            let directory = match step {
                ResolutionStep::Directory(path) => Some(path.clone()),
                ResolutionStep::Link { path, .. } => path.parent(),
            };
            if let Some(directory) = directory.filter(|directory| !is_system_path(directory)) {
                region = common_directory(&region, &directory);
            }
        }
    }
    Ok((origins, region))
}

/// Returns the steps of `walk` after `$ORIGIN`, or all if the object was not found through it.
pub(super) fn relative_steps<'a>(
    file_system: &dyn FileSystem,
    found: &MapReason,
    walk: &'a PathResolution,
) -> fs::Result<Vec<&'a ResolutionStep>> {
    let MapReason::Needed { origin: Some(origin), .. } = found else {
        return Ok(walk.steps.iter().collect());
    };
    let before = file_system::resolve_path(file_system, &ImagePath::root(), origin.as_bytes())?.steps.len();
    let mut steps = walk.steps.iter().skip(before).peekable();
    let (mut kept, mut from_root) = (Vec::new(), false);
    while let Some(step) = steps.next() {
        from_root |=
            matches!(step, ResolutionStep::Link { target, .. } if target.as_bytes().starts_with(b"/"));
        // An absolute link is rewritten, so directories between the root and its target are not
        // needed.
        let passed = match (step, steps.peek()) {
            (ResolutionStep::Directory(path), Some(ResolutionStep::Directory(next))) => {
                next.parent().as_ref() == Some(path)
            }
            _ => false,
        };
        if !(from_root && passed) {
            kept.push(step);
        }
    }
    Ok(kept)
}

/// Returns the deepest common directory.
fn common_directory(a: &ImagePath, b: &ImagePath) -> ImagePath {
    let shared = a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(name, _)| name);
    ImagePath::root().join_components(shared)
}

/// Returns the program's directory and the `up` directories above it, each with its counterpart
/// above `target`. `None` if `target` has too few directories.
fn counterpart_directories(
    home: &ImagePath,
    target: &ImagePath,
    up: usize,
) -> Option<Vec<(ImagePath, ImagePath)>> {
    let (mut from, mut to) = (home.clone(), target.parent()?);
    let mut pairs = vec![(from.clone(), to.clone())];
    for _ in 0..up {
        (from, to) = (from.parent()?, to.parent()?);
        pairs.push((from.clone(), to.clone()));
    }
    Some(pairs)
}

/// Joins `path` to the directory `at` lexically, without following links.
fn join_lexically(at: &ImagePath, path: &[u8]) -> ImagePath {
    let start = if path.starts_with(b"/") { ImagePath::root() } else { at.clone() };
    let names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.fold(start, |at, name| if name == b".." { at.parent().unwrap_or(at) } else { at.join(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ImagePath {
        text.parse().unwrap()
    }

    #[test]
    fn relative_paths_are_kept() {
        let moved = counterpart_directories(&path("/home/u/p/bin"), &path("/app/tools/x"), 1).unwrap();
        let program = (path("/home/u/p/bin/x"), path("/app/tools/x"));
        let placement = ProgramPlacement { moved, program, origins: Vec::new() };
        for (from, to) in [
            ("/home/u/p/bin/x", "/app/tools/x"),
            ("/home/u/p/bin/liba.so", "/app/tools/liba.so"),
            ("/home/u/p/lib/libb.so", "/app/lib/libb.so"),
            ("/usr/lib/libc.so.6", "/usr/lib/libc.so.6"),
        ] {
            assert_eq!(placement.image_path(&path(from)), path(to));
        }
        for (link, target, expected) in [
            ("/home/u/p/lib/libb.so", "libb.so.1", "libb.so.1"),
            ("/home/u/p/lib/libb.so", "../bin/libb.so.1", "../bin/libb.so.1"),
            ("/home/u/p/lib/libb.so", "/home/u/p/bin/libb.so.1", "/app/tools/libb.so.1"),
            ("/home/u/p/lib/libb.so", "/usr/lib/libb.so.1", "/usr/lib/libb.so.1"),
            ("/home/u/p/lib/libb.so", "../../../../usr/lib/libb.so.1", "/usr/lib/libb.so.1"),
        ] {
            assert_eq!(
                placement.link_target(&path(link), &RawPath::new(target)),
                RawPath::new(expected),
                "{target}"
            );
        }
        assert!(counterpart_directories(&path("/home/u/p/bin"), &path("/x"), 1).is_none());
    }
}
