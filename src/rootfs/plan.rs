//! Plans the file tree of an image from closures and includes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::builder::Builder;
use super::mapped::maps;
use super::planner::Planner;
use super::{Below, Error, Owner, Reason, Rootfs, Stratum, accounts, fixed_point, include, included};
use coracle_ld::closure::{Closure, Surroundings};
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, Spelled};
use coracle_ld::implicit::{Hint, Needs, Places, Policy};
use coracle_core::file_system::{Overlay, Tree};

/// The input of [`plan`].
pub struct Request<'a> {
    /// The programs with their dependencies; the entrypoint is first.
    pub programs: &'a [Program],
    /// The host's file system, which includes are read from.
    pub host: &'a dyn Tree,
    /// The files and directories to include.
    pub includes: &'a [Include],
    /// The user and group that the program runs as.
    pub user: Owner,
    /// The mount points. Empty directories are planned for them, since a container with a read-only
    /// root cannot create them.
    pub mount_points: &'a [ImagePath],
    /// The directories that the program writes to.
    pub states: &'a [ImagePath],
    /// The options of resolution: working directory, `PATH` and loader environment.
    pub around: &'a Surroundings,
    /// Directories that exist only on this machine. No file of the image may be at a path in them.
    pub private: &'a [ImagePath],
    /// Exceptions from `private`.
    pub allowed: &'a [ImagePath],
    /// Whether to strip symbols and debugging sections from programs.
    pub strip: bool,
    /// The implicit dependencies of the programs.
    pub needs: Needs,
    /// Which implicit dependencies to add for included programs.
    pub policy: &'a Policy,
    /// The file systems that implicit dependencies are read from.
    pub places: Places<'a>,
    /// The base image.
    pub below: Below<'a>,
}

/// A planned image.
pub struct Planned {
    /// The entries that the image adds to its base image.
    pub rootfs: Rootfs,
    /// The number of files that are omitted because the base image has them.
    pub shared: usize,
    /// Warnings and hints.
    pub notes: Vec<Note>,
    /// Optional dependencies that were not added.
    pub hints: Vec<Hint>,
}

/// The maximum number of files listed in one warning.
const NAMED: usize = 8;

/// A program with its closure and its path in the image.
#[derive(Debug)]
pub struct Program {
    /// The files that starting it needs.
    pub closure: Closure,
    /// Its path in the image. `None` for the default path.
    pub to: Option<ImagePath>,
}

/// A file or directory of the host and its path in the image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Include {
    /// The absolute path on the host.
    pub from: PathBuf,
    /// The absolute path in the image. With a trailing slash, the directory that a file is copied
    /// into.
    pub to: Spelled,
}

/// Plans the file tree of an image, and verifies it by resolving all programs again inside it.
///
/// # Errors
/// Fails if different contents are planned for one path, a file cannot be included, or the loader
/// would map other files inside the image.
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
    // A base image has accounts of its own.
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

/// Warns that programs of the base image may not work with the libraries that replace theirs.
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

/// Adds accounts to the first layer, so that the image of a static program keeps a single layer.
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
