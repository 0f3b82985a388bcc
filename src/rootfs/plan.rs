//! From closures and includes to the tree of an image.

use std::path::PathBuf;

use super::builder::Builder;
use super::overlay::Overlay;
use super::placement::{self, Placement};
use super::{Error, Owner, PrivatePath, Reason, Rootfs, Stratum, accounts, fixed_point, include, included};
use crate::closure::{Absence, Closure, Elf, Executed, Found, Kind, LinkMap, Surroundings};
use crate::elf;
use crate::note::Note;
use crate::path::{ImagePath, Spelled};
use crate::runtime::{Extra, ExtraNode, Hint, Needs, Places, Policy};
use crate::tree::{End, Step, Tree, TreeFile, Walk};

/// What an image is to hold.
pub struct Request<'a> {
    /// The programs with all that they need, the entrypoint first.
    pub programs: &'a [Program],
    /// The host, where includes are.
    pub host: &'a dyn Tree,
    /// Files and directories that were asked for.
    pub includes: &'a [Include],
    /// Who runs the program.
    pub user: Owner,
    /// Where relative paths start, in the tree and in the image, and where `env` looks.
    pub around: &'a Surroundings,
    /// Directories that exist on this machine alone: nothing in the image may depend on a path in them.
    pub private: &'a [ImagePath],
    /// Directories for which that is accepted on purpose.
    pub allowed: &'a [ImagePath],
    /// Leave symbols and debugging sections out of the programs.
    pub strip: bool,
    /// What programs need besides libraries.
    pub needs: Needs,
    /// What somebody wants of that, for programs that are included.
    pub policy: &'a Policy,
    /// Where their data is.
    pub places: Places<'a>,
}

/// A program and where it goes.
#[derive(Debug)]
pub struct Program {
    /// What starting it takes.
    pub closure: Closure,
    /// Its path in the image, when it was given one.
    pub to: Option<ImagePath>,
}

/// A file or directory of the host and its path in the image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Include {
    /// Absolute path on the host.
    pub from: PathBuf,
    /// Absolute path in the image; a slash at its end makes it the directory for a file.
    pub to: Spelled,
}

/// Plans an image: everything at its place, checked by resolving it all again inside the plan.
///
/// # Errors
/// When two things claim one path, something can't be included, or the loader would not find the same inside the image.
pub fn plan(tree: &dyn Tree, request: &Request<'_>) -> Result<(Rootfs, Vec<Note>, Vec<Hint>), Error> {
    let mut planner = Planner::new(tree, request, Builder::default());
    for program in request.programs {
        planner.add_program(program)?;
    }
    include::add(&mut planner.builder, request.host, request.includes)?;
    planner.builder.directory(&request.around.working_dir, Reason::WorkingDirectory, Stratum::Program);
    add_accounts(&mut planner.builder, request.user);
    let (rootfs, mut notes) = planner.finish()?;

    let included = included::follow(&Overlay { front: &rootfs, behind: tree }, &rootfs, request)?;
    let mut planner = Planner::new(tree, request, Builder::resume(rootfs));
    for (map, why) in included.closures.iter().flat_map(Closure::elves).flat_map(maps) {
        planner.add_missing_objects(map, why);
    }
    let mut needs = request.needs.clone();
    needs.add(included.needs);
    needs.check()?;
    planner.add_extras(&needs.extras);
    let (rootfs, more) = planner.finish()?;
    notes.extend(needs.notes);
    notes.extend(more);
    Ok((fixed_point::reach(rootfs, request, &included.closures)?, notes, needs.hints))
}

/// The accounts go into the first layer that there is anyway, so that a static program has one.
fn add_accounts(builder: &mut Builder, user: Owner) {
    let stratum = builder.rootfs.strata().first().copied().unwrap_or(Stratum::Program);
    let etc = ImagePath::root().join(b"etc");
    for (name, text) in [(b"passwd".as_slice(), accounts::passwd(user)), (b"group", accounts::group(user))] {
        let path = etc.join(name);
        if !builder.rootfs.entries.contains_key(&path) {
            builder.bytes(&path, text.into_bytes(), Reason::Accounts, stratum);
        }
    }
}

struct Planner<'a> {
    tree: &'a dyn Tree,
    request: &'a Request<'a>,
    builder: Builder,
    private: Vec<PrivatePath>,
    notes: Vec<Note>,
}

impl<'a> Planner<'a> {
    fn new(tree: &'a dyn Tree, request: &'a Request<'a>, builder: Builder) -> Self {
        Self { tree, request, builder, private: Vec::new(), notes: Vec::new() }
    }

    fn finish(mut self) -> Result<(Rootfs, Vec<Note>), Error> {
        if !self.private.is_empty() {
            self.private.dedup();
            return Err(Error::Private(self.private));
        }
        let (rootfs, dropped) = self.builder.finish()?;
        self.notes.extend(dropped);
        Ok((rootfs, self.notes))
    }

    /// What an included file needs and the image does not have.
    fn add_missing_objects(&mut self, map: &LinkMap, why: Option<&str>) {
        for (reason, object, walk) in objects(map, why) {
            if let End::File(path, file) = &walk.end
                && !self.builder.rootfs.has(path)
            {
                self.add_kept(walk, path, file, &reason, *object.found == Found::Interpreter);
            }
        }
    }

    /// Data, unless something stands at its path already: what somebody includes goes first.
    fn add_extras(&mut self, extras: &[Extra]) {
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

    fn add_program(&mut self, program: &Program) -> Result<(), Error> {
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

    /// The private directories; a recipe may well stand in a system directory, or in the root.
    fn private_dirs(&self) -> impl Iterator<Item = &ImagePath> {
        let directories = self.request.private.iter();
        directories.filter(|directory| directory.name().is_some() && !placement::is_system(directory))
    }

    /// A library that is there for some CPUs alone.
    fn note_lesser(&mut self, elf: &Elf) {
        let missing = elf.lesser.iter().flat_map(|map| map.missing.iter().map(move |missing| (map, missing)));
        for (map, missing) in missing.filter(|(_, missing)| missing.absence == Absence::Fatal) {
            let (name, by) = (Spelled::new(missing.name.as_slice()), map.chain(missing.by).next());
            let by = by.map(ToString::to_string).unwrap_or_default();
            let note = Note::Warning(format!(
                "`{name}`, needed by `{by}`, is there only as a variant for newer CPUs; on older ones the program does \
                 not start"
            ));
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Libraries so far up that their path back down names a directory of this machine.
    fn check_region(&mut self, program: &Executed, placement: &Placement) {
        let Some(region) = placement.region() else { return };
        let below = |directory: &&ImagePath| directory.is_within(region) && *directory != region;
        if self.private_dirs().filter(below).any(|directory| program.path.is_within(directory)) {
            let reason = format!("because it finds libraries as far up as {region} through `$ORIGIN`");
            self.private.push(PrivatePath { path: program.path.clone(), reason });
        }
    }

    /// The program itself, and the links by which it was named when it keeps its path.
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

    /// The program's content as it was asked for; what stripping would save is told when it was not.
    fn maybe_stripped(
        &mut self,
        program: &Executed,
        target: &ImagePath,
    ) -> Result<crate::content::Content, Error> {
        let content = program.file.content.clone();
        let stripped = match elf::stripped(&content) {
            Ok(stripped) => stripped,
            Err(elf::Error::Io(error)) => return Err(error.into()),
            Err(source) if self.request.strip => {
                return Err(Error::Strip { program: target.clone(), source });
            }
            // Section headers may be damaged in a program that runs well.
            Err(_) => None,
        };
        match stripped {
            Some(stripped) if self.request.strip => Ok(stripped),
            Some(stripped) => {
                let (size, saved) = (content.size(), content.size() - stripped.size());
                self.notes.push(Note::Hint(format!(
                    "`--strip` would make `{target}` {saved} of {size} bytes smaller: it has symbols or debugging sections"
                )));
                Ok(content)
            }
            None => Ok(content),
        }
    }

    /// What a script names, by the path that the script names.
    fn add_interpreter(&mut self, executed: &Executed, script: &Spelled) {
        let reason = Reason::Interpreter(script.clone());
        self.add_kept(&executed.walk, &executed.path, &executed.file, &reason, true);
    }

    /// Every object but the program, and every second path to one.
    fn add_objects(&mut self, map: &LinkMap, why: Option<&str>, placement: &Placement) -> Result<(), Error> {
        for (reason, object, walk) in objects(map, why) {
            // A second path may lead to a second name of the same file.
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

    /// A file that keeps its path, with every link and directory on the way.
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

    /// A file that moves along with the program; what it meets in system directories stays there.
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

/// Every map of a program, and what a library was opened for.
fn maps(elf: &Elf) -> impl Iterator<Item = (&LinkMap, Option<&str>)> {
    let start = std::iter::once(&elf.objects).chain(&elf.lesser).map(|map| (map.as_ref(), None));
    let opened = elf
        .opened
        .iter()
        .flat_map(|opened| opened.maps.iter().map(|map| (map.as_ref(), Some(opened.why.as_str()))));
    start.chain(opened)
}

/// Something that a map opens: an object, or a second path to one.
struct Object<'a> {
    path: &'a ImagePath,
    file: &'a TreeFile,
    found: &'a Found,
}

/// Every object of `map` but the program, and every second path to one, each with the reason and the way to it.
fn objects<'a>(
    map: &'a LinkMap,
    why: Option<&'a str>,
) -> impl Iterator<Item = (Reason, Object<'a>, &'a Walk)> {
    let opened = map.added.as_ref().and_then(|added| added.first().copied());
    let objects = map.objects.iter().enumerate().skip(1).map(move |(index, object)| {
        let why = why.filter(|_| opened == Some(index));
        (reason(map, &object.found, why), object, &object.found, &object.walk)
    });
    let aliases = map.aliases.iter().filter_map(|alias| {
        let object = map.objects.get(alias.of)?;
        Some((reason(map, &alias.found, None), object, &alias.found, &alias.walk))
    });
    objects.chain(aliases).map(|(reason, object, found, walk)| {
        (reason, Object { path: &object.path, file: &object.file, found }, walk)
    })
}

fn reason(map: &LinkMap, found: &Found, why: Option<&str>) -> Reason {
    let spelled =
        |index: usize| map.objects.get(index).map(|object| object.spelled.clone()).unwrap_or_default();
    match (found, why) {
        (Found::Needed { by, .. }, Some(why)) => Reason::Opened { by: spelled(*by), why: why.to_owned() },
        (Found::Needed { by, rule, .. }, None) => Reason::Needed { by: spelled(*by), rule: rule.to_string() },
        (Found::Interpreter | Found::Program, _) => Reason::Interpreter(spelled(0)),
    }
}
