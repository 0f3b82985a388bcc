//! Adds programs, mapped objects and data files to the tree, with all links and directories on
//! their paths, and collects paths in private directories.

use super::error::{PrivatePath, RootfsError};
use super::file_tree::Rootfs;
use super::mapped_files::{LoadedFile, link_maps, mapped_files};
use super::plan_request::{PlanRequest, PlannedProgram};
use super::program_placement::{ProgramPlacement, relative_steps};
use super::rootfs_builder::{EntryOrigin, RootfsBuilder};
use coracle_core::content::Content;
use coracle_core::distribution_directories::is_system_path;
use coracle_core::entry::{EntryReason, LayerKind};
use coracle_core::file_system::{FileSystem, PathResolution, ResolutionStep};
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{DependencyKind, ElfProgram, ExecutedFile, ExecutedKind, LinkMap, MapReason};
use coracle_ld::elf::{self, StripResult};
use coracle_ld::implicit::{DataContent, DataFile};

/// Adds entries to a tree, and collects private paths and notes.
pub(super) struct TreePlanner<'a> {
    file_system: &'a dyn FileSystem,
    request: &'a PlanRequest<'a>,
    pub(super) builder: RootfsBuilder,
    private: Vec<PrivatePath>,
    notes: Vec<Note>,
}

impl<'a> TreePlanner<'a> {
    pub(super) fn new(
        file_system: &'a dyn FileSystem,
        request: &'a PlanRequest<'a>,
        builder: RootfsBuilder,
    ) -> Self {
        Self { file_system, request, builder, private: Vec::new(), notes: Vec::new() }
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

    /// Adds the files that `map` maps and the image does not have yet.
    pub(super) fn add_missing_files(&mut self, map: &LinkMap, purpose: Option<&str>) {
        for mapped in mapped_files(map, purpose) {
            if !self.builder.rootfs.contains(mapped.path) {
                self.add_at_own_path(&mapped);
            } else if let Some(missing) = self.missing_links(mapped.walk) {
                self.add_steps(missing, LayerKind::Libraries);
            }
        }
    }

    /// Returns the steps of a path if the image lacks one of its links.
    fn missing_links<'s>(&self, walk: &'s PathResolution) -> Option<&'s [ResolutionStep]> {
        let is_missing = |step: &ResolutionStep| match step {
            ResolutionStep::Link { path, .. } => !self.builder.rootfs.contains(path),
            ResolutionStep::Directory(_) => false,
        };
        walk.steps.iter().any(is_missing).then_some(&walk.steps)
    }

    /// Adds data files, except where a file exists already: included files take precedence.
    pub(super) fn add_data_files(&mut self, data_files: &[DataFile]) {
        for data_file in data_files {
            if self.builder.leads_to_file(&data_file.raw_path) {
                continue;
            }
            self.add_steps(&data_file.steps, LayerKind::Libraries);
            let path = &data_file.path;
            let origin = EntryOrigin::for_libraries(EntryReason::DataFile(data_file.purpose.clone()));
            match &data_file.content {
                DataContent::File(file) => self.builder.add_file(path, file, origin),
                DataContent::Bytes(bytes) => self.builder.add_generated_file(path, bytes.clone(), origin),
                DataContent::Link(target) => self.builder.add_symlink(path, target.clone(), origin),
            }
        }
    }

    /// Adds a program of the recipe, its interpreters, and the files that both map.
    pub(super) fn add_program(&mut self, program: &PlannedProgram) -> Result<(), RootfsError> {
        let Some((first, rest)) = program.closure.executed.split_first() else { return Ok(()) };
        let placement = ProgramPlacement::new(self.file_system, first, program.to.as_ref())?;
        self.check_private_region(first, &placement);
        self.add_program_file(first, &placement)?;
        self.builder.rootfs.programs.push(placement.target().clone());
        if let ExecutedKind::Elf(elf) = &first.kind {
            self.warn_variant_only_libraries(elf);
            for (map, purpose) in link_maps(elf) {
                self.add_mapped_files(map, purpose, &placement)?;
            }
        }
        for executed in rest {
            self.add_interpreter(executed, &first.raw_path);
            if let ExecutedKind::Elf(elf) = &executed.kind {
                let kept = ProgramPlacement::new(self.file_system, executed, Some(&executed.path))?;
                for (map, purpose) in link_maps(elf) {
                    self.add_mapped_files(map, purpose, &kept)?;
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
    fn check_private_region(&mut self, program: &ExecutedFile, placement: &ProgramPlacement) {
        let Some(region) = placement.moved_region() else { return };
        let below = |directory: &&ImagePath| directory.is_within(region) && *directory != region;
        if self.private_dirs().filter(below).any(|directory| program.path.is_within(directory)) {
            let reason = format!("because it finds libraries as far up as {region} through `$ORIGIN`");
            self.private.push(PrivatePath { path: program.path.clone(), reason });
        }
    }

    /// Adds the program itself, and the links on its path if it keeps its path.
    fn add_program_file(
        &mut self,
        program: &ExecutedFile,
        placement: &ProgramPlacement,
    ) -> Result<(), RootfsError> {
        let target = if placement.is_moved() { placement.target() } else { &program.path };
        if !placement.is_moved() && placement.target() != &program.path {
            self.add_steps(&program.walk.steps, LayerKind::Program);
        }
        let stripped = match program.kind {
            ExecutedKind::Elf(_) => self.stripped_if_requested(program, target)?,
            ExecutedKind::Script => None,
        };
        let origin = EntryOrigin::for_program(EntryReason::Program);
        match stripped {
            Some(stripped) => self.builder.add_stripped(target, &program.file, stripped, origin),
            None => self.builder.add_executable(target, &program.file, origin),
        }
        Ok(())
    }

    /// Returns the stripped content of the program, if that is requested and makes a difference.
    /// Otherwise hints at what stripping would save.
    fn stripped_if_requested(
        &mut self,
        program: &ExecutedFile,
        target: &ImagePath,
    ) -> Result<Option<Content>, RootfsError> {
        let content = &program.file.content;
        let stripped = match elf::strip(content) {
            Ok(StripResult::Smaller(stripped)) => stripped,
            Ok(StripResult::HasPayload(size)) if self.request.strip => {
                self.notes.push(Note::Warning(format!(
                    "`{target}` is not stripped: {size} of its bytes are in no section, as in self-extracting programs, \
                     which find them by their position in the file"
                )));
                return Ok(None);
            }
            Err(elf::Error::Io(error)) => return Err(error.into()),
            Err(source) if self.request.strip => {
                return Err(RootfsError::Strip { program: target.clone(), source });
            }
            // Damaged section headers do not keep a program from running.
            Ok(StripResult::HasPayload(_) | StripResult::Unchanged) | Err(_) => return Ok(None),
        };
        if self.request.strip {
            return Ok(Some(stripped));
        }
        let (size, saved) = (content.size(), content.size().saturating_sub(stripped.size()));
        // Savings below 1 % get no hint.
        if saved > size / 100 {
            self.notes.push(Note::Hint(format!(
                "`--strip` would make `{target}` {saved} of {size} bytes smaller: it has symbols or debugging sections"
            )));
        }
        Ok(None)
    }

    /// Adds an interpreter at the path that the script names.
    fn add_interpreter(&mut self, executed: &ExecutedFile, script: &RawPath) {
        self.add_at_own_path(&LoadedFile {
            path: &executed.path,
            file: &executed.file,
            walk: &executed.walk,
            map_reason: &MapReason::Interpreter,
            reason: EntryReason::Interpreter(script.clone()),
        });
    }

    /// Adds every file that `map` maps except the program.
    fn add_mapped_files(
        &mut self,
        map: &LinkMap,
        purpose: Option<&str>,
        placement: &ProgramPlacement,
    ) -> Result<(), RootfsError> {
        for mapped in mapped_files(map, purpose) {
            if placement.moves_with_program(mapped.map_reason) {
                self.add_moved_file(&mapped, placement)?;
            } else {
                self.add_at_own_path(&mapped);
            }
        }
        Ok(())
    }

    /// Adds a file at its own path, with every link and directory on that path.
    fn add_at_own_path(&mut self, mapped: &LoadedFile<'_>) {
        let LoadedFile { path, file, walk, reason, .. } = mapped;
        let steps = walk.steps.iter().map(|step| match step {
            ResolutionStep::Directory(path) | ResolutionStep::Link { path, .. } => path,
        });
        // Of a link and the directories on its path, the link says more.
        let private = std::iter::once(ImagePath::clone(path))
            .chain(steps.rev().cloned())
            .find(|path| self.is_private(path));
        self.private.extend(private.map(|path| PrivatePath { path, reason: reason.to_string() }));
        self.add_steps(&walk.steps, LayerKind::Libraries);
        let origin = EntryOrigin::for_libraries(reason.clone());
        if mapped.is_interpreter() {
            self.builder.add_executable(path, file, origin);
        } else {
            self.builder.add_file(path, file, origin);
        }
    }

    /// Returns whether `path` is in a private directory, and neither in one that is allowed nor above it.
    fn is_private(&self, path: &ImagePath) -> bool {
        let is_allowed = |allowed: &ImagePath| path.is_within(allowed) || allowed.is_within(path);
        self.private_dirs().any(|directory| path.is_within(directory))
            && !self.request.allowed_private_dirs.iter().any(is_allowed)
    }

    /// Adds a file that moves with the program. Links and directories on its path move, too, unless
    /// they are in system directories.
    fn add_moved_file(
        &mut self,
        mapped: &LoadedFile<'_>,
        placement: &ProgramPlacement,
    ) -> Result<(), RootfsError> {
        for step in relative_steps(self.file_system, mapped.map_reason, mapped.walk)? {
            let origin = EntryOrigin::for_program(EntryReason::ParentOrLink);
            match step {
                ResolutionStep::Directory(path) => {
                    self.builder.add_directory(&placement.image_path(path), origin);
                }
                ResolutionStep::Link { path, target } => {
                    let target = placement.link_target(path, target);
                    self.builder.add_symlink(&placement.image_path(path), target, origin);
                }
            }
        }
        let origin = EntryOrigin::for_program(mapped.reason.clone());
        self.builder.add_file(&placement.image_path(mapped.path), mapped.file, origin);
        Ok(())
    }

    /// Adds the links and directories on the path to an entry.
    fn add_steps(&mut self, steps: &[ResolutionStep], layer_kind: LayerKind) {
        for step in steps {
            let origin = EntryOrigin::new(EntryReason::ParentOrLink, layer_kind);
            match step {
                ResolutionStep::Directory(path) => self.builder.add_directory(path, origin),
                ResolutionStep::Link { path, target } => {
                    self.builder.add_symlink(path, target.clone(), origin);
                }
            }
        }
    }
}
