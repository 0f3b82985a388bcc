//! From closures and includes to the tree of an image.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::builder::Builder;
use super::mapped::maps;
use super::planner::Planner;
use super::{Below, Error, Owner, Reason, Rootfs, Stratum, accounts, fixed_point, include, included};
use crate::closure::{Closure, Surroundings};
use crate::note::Note;
use crate::path::{ImagePath, Spelled};
use crate::runtime::{Hint, Needs, Places, Policy};
use crate::tree::{Overlay, Tree};

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
    /// Directories that something is mounted on: empty ones, so that a runtime with a read-only root need not make them.
    pub mount_points: &'a [ImagePath],
    /// Directories that the program writes to.
    pub states: &'a [ImagePath],
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
    /// What the image stands on.
    pub below: Below<'a>,
}

/// An image as it was planned.
pub struct Planned {
    /// What it brings.
    pub rootfs: Rootfs,
    /// How many files it does not bring, because its base has them.
    pub shared: usize,
    /// What should be known about it.
    pub notes: Vec<Note>,
    /// What it may need besides.
    pub hints: Vec<Hint>,
}

/// Files that are named in one warning.
const NAMED: usize = 8;

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
pub fn plan(tree: &dyn Tree, request: &Request<'_>) -> Result<Planned, Error> {
    let mut planner = Planner::new(tree, request, Builder::default());
    for program in request.programs {
        planner.add_program(program)?;
    }
    include::add(&mut planner.builder, request.host, request.includes)?;
    planner.builder.directory(&request.around.working_dir, Reason::WorkingDirectory, Stratum::Program);
    for mount_point in request.mount_points {
        planner.builder.directory(mount_point, Reason::MountPoint, Stratum::Program);
    }
    for state in request.states {
        planner.builder.state(state, request.user);
    }
    // Accounts are the base's matter.
    if let Below::Nothing = request.below {
        add_accounts(&mut planner.builder, request.user);
    }
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
    let reached = fixed_point::reach(rootfs, request, &included.closures)?;
    notes.extend(replacing(&reached.replaced));
    Ok(Planned { rootfs: reached.rootfs, shared: reached.shared, notes, hints: needs.hints })
}

/// Programs of the base may not start with libraries of ours.
fn replacing(paths: &BTreeSet<ImagePath>) -> Option<Note> {
    let named: Vec<String> = paths.iter().take(NAMED).map(ToString::to_string).collect();
    let more = match paths.len().saturating_sub(NAMED) {
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
