//! Adds programs, mapped objects and data files to the tree, with all links and directories on
//! their paths, and collects paths in private directories.

use super::builder::Builder;
use super::mapped::{maps, objects};
use super::placement::{self, Placement};
use super::plan::{Program, Request};
use super::{Error, PrivatePath, Reason, Rootfs, Stratum};
use coracle_ld::closure::{Absence, Elf, Executed, Found, Kind, LinkMap};
use coracle_core::content::Content;
use coracle_ld::elf;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, Spelled};
use coracle_ld::implicit::{Extra, ExtraNode};
use coracle_core::file_system::{End, Step, Tree, TreeFile, Walk};

/// Adds entries to a tree, and collects private paths and notes.
pub(super) struct Planner<'a> {
    tree: &'a dyn Tree,
    request: &'a Request<'a>,
    pub(super) builder: Builder,
    private: Vec<PrivatePath>,
    notes: Vec<Note>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(tree: &'a dyn Tree, request: &'a Request<'a>, builder: Builder) -> Self {
        Self { tree, request, builder, private: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn finish(mut self) -> Result<(Rootfs, Vec<Note>), Error> {
        if !self.private.is_empty() {
            self.private.dedup();
            return Err(Error::Private(self.private));
        }
        let (rootfs, dropped) = self.builder.finish()?;
        self.notes.extend(dropped);
        Ok((rootfs, self.notes))
    }

    /// Adds the objects of `map` that the image does not have yet.
    pub(super) fn add_missing_objects(&mut self, map: &LinkMap, why: Option<&str>) {
        for (reason, object, walk) in objects(map, why) {
            if let End::File(path, file) = &walk.end
                && !self.builder.rootfs.has(path)
            {
                self.add_kept(walk, path, file, &reason, *object.found == Found::Interpreter);
            }
        }
    }

    /// Adds data files, except where a file exists already: included files take precedence.
    pub(super) fn add_extras(&mut self, extras: &[Extra]) {
        for extra in extras {
            if self.builder.leads_to_file(&extra.spelled) {
                continue;
            }
            self.add_steps(&extra.steps, &Reason::OnTheWay, Stratum::Libraries);
            let (path, reason) = (&extra.path, Reason::Need(extra.why.clone()));
            match &extra.node {
                ExtraNode::File(file) => self.builder.file(path, file, reason, Stratum::Libraries),
                ExtraNode::Bytes(bytes) => {
                    self.builder.bytes(path, bytes.clone(), reason, Stratum::Libraries);
                }
                ExtraNode::Link(target) => {
                    self.builder.link(path, target.clone(), reason, Stratum::Libraries);
                }
            }
        }
    }

    pub(super) fn add_program(&mut self, program: &Program) -> Result<(), Error> {
        let Some((first, rest)) = program.closure.executed.split_first() else { return Ok(()) };
        let placement = Placement::of(self.tree, first, program.to.as_ref())?;
        self.check_region(first, &placement);
        self.add_first(first, &placement)?;
        self.builder.rootfs.programs.push(placement.target().clone());
        if let Kind::Elf(elf) = &first.kind {
            self.note_lesser(elf);
            for (map, why) in maps(elf) {
                self.add_objects(map, why, &placement)?;
            }
        }
        for executed in rest {
            self.add_interpreter(executed, &first.spelled);
            if let Kind::Elf(elf) = &executed.kind {
                let kept = Placement::of(self.tree, executed, Some(&executed.path))?;
                for (map, why) in maps(elf) {
                    self.add_objects(map, why, &kept)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the private directories, without system directories and the root, which a recipe may
    /// be in.
    fn private_dirs(&self) -> impl Iterator<Item = &ImagePath> {
        let directories = self.request.private.iter();
        directories.filter(|directory| directory.name().is_some() && !super::is_system(directory))
    }

    /// Warns about libraries that exist only as a variant for newer CPUs.
    fn note_lesser(&mut self, elf: &Elf) {
        let missing = elf.lesser.iter().flat_map(|map| map.missing.iter().map(move |missing| (map, missing)));
        for (map, missing) in missing.filter(|(_, missing)| missing.absence == Absence::Fatal) {
            let (name, by) = (Spelled::new(missing.name.as_slice()), map.chain(missing.by).next());
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
    fn check_region(&mut self, program: &Executed, placement: &Placement) {
        let Some(region) = placement.region() else { return };
        let below = |directory: &&ImagePath| directory.is_within(region) && *directory != region;
        if self.private_dirs().filter(below).any(|directory| program.path.is_within(directory)) {
            let reason = format!("because it finds libraries as far up as {region} through `$ORIGIN`");
            self.private.push(PrivatePath { path: program.path.clone(), reason });
        }
    }

    /// Adds the program itself, and the links on its path if it keeps its path.
    fn add_first(&mut self, program: &Executed, placement: &Placement) -> Result<(), Error> {
        let target = if placement.moves() { placement.target() } else { &program.path };
        if !placement.moves() && placement.target() != &program.path {
            self.add_steps(&program.walk.steps, &Reason::OnTheWay, Stratum::Program);
        }
        let content = match program.kind {
            Kind::Elf(_) => self.maybe_stripped(program, target)?,
            Kind::Script => program.file.content.clone(),
        };
        self.builder.program(target, &program.file, content, Reason::Program, Stratum::Program);
        Ok(())
    }

    /// Returns the program's content, stripped if requested. Otherwise hints at what stripping
    /// would save.
    fn maybe_stripped(&mut self, program: &Executed, target: &ImagePath) -> Result<Content, Error> {
        let content = program.file.content.clone();
        let stripped = match elf::stripped(&content) {
            Ok(stripped) => stripped,
            Err(elf::Error::Io(error)) => return Err(error.into()),
            Err(source) if self.request.strip => {
                return Err(Error::Strip { program: target.clone(), source });
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
    fn add_interpreter(&mut self, executed: &Executed, script: &Spelled) {
        let reason = Reason::Interpreter(script.clone());
        self.add_kept(&executed.walk, &executed.path, &executed.file, &reason, true);
    }

    /// Adds every object of `map` but the program, and the aliases of objects.
    fn add_objects(&mut self, map: &LinkMap, why: Option<&str>, placement: &Placement) -> Result<(), Error> {
        for (reason, object, walk) in objects(map, why) {
            // An alias may lead to a hard link of the same file.
            let (path, file) = match &walk.end {
                End::File(path, file) => (path, file),
                _ => (object.path, object.file),
            };
            if placement.takes_along(object.found) {
                let steps = placement.relative_steps(self.tree, object.found, walk)?;
                self.add_moved(placement, steps, path, file, &reason);
            } else {
                self.add_kept(walk, path, file, &reason, *object.found == Found::Interpreter);
            }
        }
        Ok(())
    }

    /// Adds a file at its own path, with every link and directory on that path.
    fn add_kept(&mut self, walk: &Walk, path: &ImagePath, file: &TreeFile, reason: &Reason, executed: bool) {
        let allowed = self.request.allowed.iter().any(|directory| path.is_within(directory));
        if !allowed && self.private_dirs().any(|directory| path.is_within(directory)) {
            self.private.push(PrivatePath { path: path.clone(), reason: reason.to_string() });
        }
        self.add_steps(&walk.steps, &Reason::OnTheWay, Stratum::Libraries);
        if executed {
            self.builder.program(path, file, file.content.clone(), reason.clone(), Stratum::Libraries);
        } else {
            self.builder.file(path, file, reason.clone(), Stratum::Libraries);
        }
    }

    /// Adds a file that moves with the program; its links and directories in system directories do
    /// not move.
    fn add_moved(
        &mut self,
        placement: &Placement,
        steps: Vec<&Step>,
        path: &ImagePath,
        file: &TreeFile,
        reason: &Reason,
    ) {
        for step in steps {
            match step {
                Step::Directory(path) => {
                    self.builder.directory(&placement.place(path), Reason::OnTheWay, Stratum::Program);
                }
                Step::Link { path, target } => {
                    let target = placement.link_target(path, target);
                    self.builder.link(&placement.place(path), target, Reason::OnTheWay, Stratum::Program);
                }
            }
        }
        self.builder.file(&placement.place(path), file, reason.clone(), Stratum::Program);
    }

    fn add_steps(&mut self, steps: &[Step], reason: &Reason, stratum: Stratum) {
        for step in steps {
            match step {
                Step::Directory(path) => self.builder.directory(path, reason.clone(), stratum),
                Step::Link { path, target } => {
                    self.builder.link(path, target.clone(), reason.clone(), stratum);
                }
            }
        }
    }
}
