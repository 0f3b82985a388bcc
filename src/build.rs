//! STUB: the shape of the straight line over all floors, so that the command line compiles and can be tried.
//! It packs nothing. Replaced by the real line when the floors are merged.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::content::Content;
use crate::digest::{DiffId, Digest};
use crate::fs::{self, Found};
use crate::path::ImagePath;
use crate::platform::Platform;
use crate::recipe::{self, Recipe};
use crate::reference::Reference;
use crate::rootfs::{Entry, Node, Owner, Reason, Stratum};

/// What the environment decides.
pub struct Settings {
    /// Seconds since 1970 for `created` and history.
    pub epoch: u64,
    /// Directories whose paths must not get into an image: home, the temporary directory.
    pub private_dirs: Vec<PathBuf>,
}

/// A line for people.
#[derive(Clone, Debug)]
pub struct Note(pub String);

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The tree of an image.
pub struct Rootfs(BTreeMap<ImagePath, Entry>);

impl Rootfs {
    /// Its entries, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &Entry)> {
        self.0.iter()
    }
}

/// What will be packed.
pub struct Plan {
    /// The programs' platform.
    pub platform: Platform,
    /// The image's tree.
    pub rootfs: Rootfs,
    /// What somebody should know.
    pub warnings: Vec<Note>,
    /// What could be better.
    pub hints: Vec<Note>,
}

/// Sees how a build goes.
pub trait Observer: Sync {
    /// The plan, before anything is packed.
    fn planned(&self, plan: &Plan);
    /// So many more bytes of it were packed.
    fn packed(&self, bytes: u64);
}

/// An image that was written.
pub struct Built {
    /// Its names.
    pub references: Vec<Reference>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its platforms.
    pub platforms: Vec<Platform>,
    /// Its layers, bottom first.
    pub layers: Vec<Layer>,
    /// Where it was written.
    pub destinations: Vec<String>,
    /// Bytes of all its blobs.
    pub size: u64,
    /// What was done besides.
    pub notes: Vec<Note>,
}

/// A layer of an image that was written.
pub struct Layer {
    /// Its media type.
    pub media_type: &'static str,
    /// The digest of the compressed blob.
    pub digest: Digest,
    /// The digest of the tar.
    pub diff_id: DiffId,
    /// Compressed bytes.
    pub size: u64,
    /// Bytes of the tar.
    pub unpacked: u64,
    /// What it holds.
    pub stratum: Stratum,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recipe is not legal.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// A file can't be read.
    #[error(transparent)]
    Read(#[from] fs::Error),
    /// A program is no file.
    #[error("no program at `{}`", .0.display())]
    NoFile(PathBuf),
}

impl Error {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Recipe(error) => error.hint(),
            Self::Read(error) => error.hint(),
            Self::NoFile(_) => {
                Some("check the spelling; relative paths start at the working directory".into())
            }
        }
    }
}

/// What `recipe` would pack.
///
/// # Errors
/// When a program is no file.
pub fn plan(recipe: &Recipe, _settings: &Settings) -> Result<Plan, Error> {
    let mut entries = BTreeMap::new();
    let entry = |node| Entry {
        node,
        owner: Owner::ROOT,
        mode: 0o755,
        reason: Reason::OnTheWay,
        stratum: Stratum::Program,
    };
    for program in &recipe.programs {
        let from = recipe.locate(&program.from);
        let Some(Found::File(stat)) = fs::look(&from)? else { return Err(Error::NoFile(from)) };
        let name = from.file_name().map(|name| fs::bytes_of(std::path::Path::new(name))).unwrap_or_default();
        let path = program.to.clone().unwrap_or_else(|| ImagePath::root().join(b"app").join(&name));
        for above in path.ancestors() {
            entries.insert(above, entry(Node::Directory));
        }
        let node = Node::File(Content::host_file(from, stat));
        entries.insert(path, Entry { reason: Reason::Program, ..entry(node) });
    }
    let platform = recipe.platform.clone().unwrap_or_else(|| Platform::linux("amd64", None));
    Ok(Plan { platform, rootfs: Rootfs(entries), warnings: vec![], hints: vec![] })
}

/// Pretends to build the image of `recipe`.
///
/// # Errors
/// When a program is no file.
pub fn build(recipe: &Recipe, settings: &Settings, observer: &dyn Observer) -> Result<Built, Error> {
    let plan = plan(recipe, settings)?;
    observer.planned(&plan);
    let size = plan
        .rootfs
        .iter()
        .map(|(_, entry)| if let Node::File(content) = &entry.node { content.size() } else { 0 })
        .sum();
    observer.packed(size);
    let layer = Layer {
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: Digest::of(b"stub"),
        diff_id: DiffId::new(Digest::of(b"stub")),
        size: size / 2,
        unpacked: size,
        stratum: Stratum::Program,
    };
    Ok(Built {
        references: recipe.names.clone(),
        digest: Digest::of(b"stub"),
        platforms: vec![plan.platform],
        layers: vec![layer],
        destinations: recipe.destinations.clone(),
        size: size / 2,
        notes: vec![],
    })
}
