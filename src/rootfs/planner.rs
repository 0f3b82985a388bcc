//! Adds programs, mapped objects and data files to the tree, with all links and directories on
//! their paths, and collects paths in private directories.

use super::builder::RootfsBuilder;
use super::mapped_objects::{link_maps, mapped_objects};
use super::placement::Placement;
use super::plan::{PlanRequest, PlannedProgram};
use super::{EntryReason, LayerKind, PrivatePath, Rootfs, RootfsError};
use coracle_core::content::Content;
use coracle_core::distribution_directories::is_system_path;
use coracle_core::file_system::{FileSystem, FsFile, PathResolution, ResolutionEnd, ResolutionStep};
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{DependencyKind, ElfProgram, ExecutedFile, ExecutedKind, LinkMap, MapReason};
use coracle_ld::elf;
use coracle_ld::implicit::{DataContent, DataFile};

/// Adds entries to a tree, and collects private paths and notes.
pub(super) struct TreePlanner<'a> {
    tree: &'a dyn FileSystem,
    request: &'a PlanRequest<'a>,
    pub(super) builder: RootfsBuilder,
    private: Vec<PrivatePath>,
    notes: Vec<Note>,
}

impl<'a> TreePlanner<'a> {
    pub(super) fn new(
        tree: &'a dyn FileSystem,
        request: &'a PlanRequest<'a>,
        builder: RootfsBuilder,
    ) -> Self {
        Self { tree, request, builder, private: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn finish(mut self) -> Result<(Rootfs, Vec<Note>), RootfsError> {
        if !self.private.is_empty() {
            self.private.dedup();
            return Err(RootfsError::PrivatePaths(self.private));
        }
        let (rootfs, dropped) = self.builder.finish()?;
        self.notes.extend(dropped);
        Ok((rootfs, self.notes))
    }

    /// Adds the objects of `map` that the image does not have yet.
    pub(super) fn add_missing_objects(&mut self, map: &LinkMap, why: Option<&str>) {
        for (reason, object, walk) in mapped_objects(map, why) {
            if let ResolutionEnd::File(path, file) = &walk.end
                && !self.builder.rootfs.contains(path)
            {
                self.add_at_own_path(walk, path, file, &reason, *object.found == MapReason::Interpreter);
            }
        }
    }

    /// Adds data files, except where a file exists already: included files take precedence.
    pub(super) fn add_data_files(&mut self, extras: &[DataFile]) {
        for extra in extras {
            if self.builder.leads_to_file(&extra.raw_path) {
                continue;
            }
            self.add_steps(&extra.steps, &EntryReason::ParentOrLink, LayerKind::Libraries);
            let (path, reason) = (&extra.path, EntryReason::DataFile(extra.purpose.clone()));
            match &extra.content {
                DataContent::File(file) => self.builder.add_file(path, file, reason, LayerKind::Libraries),
                DataContent::Bytes(bytes) => {
                    self.builder.add_generated_file(path, bytes.clone(), reason, LayerKind::Libraries);
                }
                DataContent::Link(target) => {
                    self.builder.add_symlink(path, target.clone(), reason, LayerKind::Libraries);
                }
            }
        }
    }

    pub(super) fn add_program(&mut self, program: &PlannedProgram) -> Result<(), RootfsError> {
        let Some((first, rest)) = program.closure.executed.split_first() else { return Ok(()) };
        let placement = Placement::new(self.tree, first, program.to.as_ref())?;
        self.check_private_region(first, &placement);
        self.add_program_file(first, &placement)?;
        self.builder.rootfs.programs.push(placement.target().clone());
        if let ExecutedKind::Elf(elf) = &first.kind {
            self.warn_variant_only_libraries(elf);
            for (map, why) in link_maps(elf) {
                self.add_objects(map, why, &placement)?;
            }
        }
        for executed in rest {
            self.add_interpreter(executed, &first.raw_path);
            if let ExecutedKind::Elf(elf) = &executed.kind {
                let kept = Placement::new(self.tree, executed, Some(&executed.path))?;
                for (map, why) in link_maps(elf) {
                    self.add_objects(map, why, &kept)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the private directories, without system directories and the root, which a recipe may
    /// be in.
    fn private_dirs(&self) -> impl Iterator<Item = &ImagePath> {
        let directories = self.request.private_dirs.iter();
        directories.filter(|directory| directory.file_name().is_some() && !is_system_path(directory))
    }

    /// Warns about libraries that exist only as a variant for newer CPUs.
    fn warn_variant_only_libraries(&mut self, elf: &ElfProgram) {
        let missing =
            elf.older_cpu_maps.iter().flat_map(|map| map.missing.iter().map(move |missing| (map, missing)));
        for (map, missing) in missing.filter(|(_, missing)| missing.kind == DependencyKind::Required) {
            let (name, by) =
                (RawPath::new(missing.name.as_slice()), map.dependency_chain(missing.needed_by).next());
            let by = by.map(ToString::to_string).unwrap_or_default();
            let note = Note::Warning(format!(
                "`{name}`, needed by `{by}`, exists only as a variant for newer CPUs; on older ones the program does not \
                 start"
            ));
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Records a private path if the region that moves with `program` reaches above a private
    /// directory.
    fn check_private_region(&mut self, program: &ExecutedFile, placement: &Placement) {
        let Some(region) = placement.moved_region() else { return };
        let below = |directory: &&ImagePath| directory.is_within(region) && *directory != region;
        if self.private_dirs().filter(below).any(|directory| program.path.is_within(directory)) {
            let reason = format!("because it finds libraries as far up as {region} through `$ORIGIN`");
            self.private.push(PrivatePath { path: program.path.clone(), reason });
        }
    }

    /// Adds the program itself, and the links on its path if it keeps its path.
    fn add_program_file(&mut self, program: &ExecutedFile, placement: &Placement) -> Result<(), RootfsError> {
        let target = if placement.is_moved() { placement.target() } else { &program.path };
        if !placement.is_moved() && placement.target() != &program.path {
            self.add_steps(&program.walk.steps, &EntryReason::ParentOrLink, LayerKind::Program);
        }
        let content = match program.kind {
            ExecutedKind::Elf(_) => self.stripped_if_requested(program, target)?,
            ExecutedKind::Script => program.file.content.clone(),
        };
        self.builder.add_executable(target, &program.file, content, EntryReason::Program, LayerKind::Program);
        Ok(())
    }

    /// Returns the program's content, stripped if requested. Otherwise hints at what stripping
    /// would save.
    fn stripped_if_requested(
        &mut self,
        program: &ExecutedFile,
        target: &ImagePath,
    ) -> Result<Content, RootfsError> {
        let content = program.file.content.clone();
        let stripped = match elf::strip(&content) {
            Ok(stripped) => stripped,
            Err(elf::Error::Io(error)) => return Err(error.into()),
            Err(source) if self.request.strip => {
                return Err(RootfsError::Strip { program: target.clone(), source });
            }
            // Damaged section headers do not keep a program from running.
            Err(_) => None,
        };
        match stripped {
            Some(stripped) if self.request.strip => Ok(stripped),
            Some(stripped) => {
                let (size, saved) = (content.size(), content.size().saturating_sub(stripped.size()));
                // Savings below 1 % get no hint.
                if saved > size / 100 {
                    self.notes.push(Note::Hint(format!(
                        "`--strip` would make `{target}` {saved} of {size} bytes smaller: it has symbols or debugging sections"
                    )));
                }
                Ok(content)
            }
            None => Ok(content),
        }
    }

    /// Adds an interpreter at the path that the script names.
    fn add_interpreter(&mut self, executed: &ExecutedFile, script: &RawPath) {
        let reason = EntryReason::Interpreter(script.clone());
        self.add_at_own_path(&executed.walk, &executed.path, &executed.file, &reason, true);
    }

    /// Adds every object of `map` but the program, and the aliases of objects.
    fn add_objects(
        &mut self,
        map: &LinkMap,
        why: Option<&str>,
        placement: &Placement,
    ) -> Result<(), RootfsError> {
        for (reason, object, walk) in mapped_objects(map, why) {
            // An alias may lead to a hard link of the same file.
            let (path, file) = match &walk.end {
                ResolutionEnd::File(path, file) => (path, file),
                _ => (object.path, object.file),
            };
            if placement.moves_with_program(object.found) {
                let steps = placement.relative_steps(self.tree, object.found, walk)?;
                self.add_moved_file(placement, steps, path, file, &reason);
            } else {
                self.add_at_own_path(walk, path, file, &reason, *object.found == MapReason::Interpreter);
            }
        }
        Ok(())
    }

    /// Adds a file at its own path, with every link and directory on that path.
    fn add_at_own_path(
        &mut self,
        walk: &PathResolution,
        path: &ImagePath,
        file: &FsFile,
        reason: &EntryReason,
        executed: bool,
    ) {
        let allowed = self.request.allowed_private_dirs.iter().any(|directory| path.is_within(directory));
        if !allowed && self.private_dirs().any(|directory| path.is_within(directory)) {
            self.private.push(PrivatePath { path: path.clone(), reason: reason.to_string() });
        }
        self.add_steps(&walk.steps, &EntryReason::ParentOrLink, LayerKind::Libraries);
        if executed {
            self.builder.add_executable(
                path,
                file,
                file.content.clone(),
                reason.clone(),
                LayerKind::Libraries,
            );
        } else {
            self.builder.add_file(path, file, reason.clone(), LayerKind::Libraries);
        }
    }

    /// Adds a file that moves with the program; its links and directories in system directories do
    /// not move.
    fn add_moved_file(
        &mut self,
        placement: &Placement,
        steps: Vec<&ResolutionStep>,
        path: &ImagePath,
        file: &FsFile,
        reason: &EntryReason,
    ) {
        for step in steps {
            match step {
                ResolutionStep::Directory(path) => {
                    self.builder.add_directory(
                        &placement.image_path(path),
                        EntryReason::ParentOrLink,
                        LayerKind::Program,
                    );
                }
                ResolutionStep::Link { path, target } => {
                    let target = placement.link_target(path, target);
                    self.builder.add_symlink(
                        &placement.image_path(path),
                        target,
                        EntryReason::ParentOrLink,
                        LayerKind::Program,
                    );
                }
            }
        }
        self.builder.add_file(&placement.image_path(path), file, reason.clone(), LayerKind::Program);
    }

    fn add_steps(&mut self, steps: &[ResolutionStep], reason: &EntryReason, layer_kind: LayerKind) {
        for step in steps {
            match step {
                ResolutionStep::Directory(path) => {
                    self.builder.add_directory(path, reason.clone(), layer_kind);
                }
                ResolutionStep::Link { path, target } => {
                    self.builder.add_symlink(path, target.clone(), reason.clone(), layer_kind);
                }
            }
        }
    }
}
