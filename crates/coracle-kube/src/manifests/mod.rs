//! An application on Kubernetes: its configuration as ConfigMaps and Secrets, what runs its image, and how it is reached.
//!
//! It takes the image as a name with a digest and knows no ELF, no layer and no recipe. docs/manifests.md says what is
//! made and why. Source: Kubernetes' API reference, Pod Security Standards ("restricted").

mod error;
mod hash;
pub mod helm;
mod image;
pub mod kustomize;
mod map;
mod merge;
pub mod name;
mod object;
mod patch;
mod place;
mod pod;
pub mod settings;
mod sidecar;
mod state;
mod variable;
mod workload;
pub mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use error::{About, Error, Problem};
pub use image::{Image, ParseImageError};
pub use map::{Map, MapKind};
pub use patch::Patch;
pub use settings::Settings;

use object::Names;

use crate::config::{Configuration, RenderedMount};
use coracle_core::note::Note;
use coracle_core::port::Port;

/// What is known of a program that is to run on Kubernetes.
#[derive(Clone, Copy, Debug)]
pub struct Application<'a> {
    /// What its objects are called.
    pub name: &'a str,
    /// Its image.
    pub image: &'a Image,
    /// The file name of its program, for whoever sends it signals.
    pub process: Option<&'a str>,
    /// The user that it runs as.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Ports that it listens on.
    pub ports: &'a BTreeSet<Port>,
    /// What it finds beside its image.
    pub configuration: &'a Configuration,
    /// The files of that.
    pub mounts: &'a [RenderedMount],
    /// How it runs.
    pub settings: &'a Settings,
    /// What goes on top.
    pub patches: &'a [Patch],
    /// Secrets that are rendered are among the objects; else they are only referred to, and may have no bytes.
    pub contains_secrets: bool,
}

/// Objects of Kubernetes.
#[derive(Clone, PartialEq, Debug)]
pub struct Manifests {
    /// ConfigMaps and Secrets.
    pub maps: Vec<Map>,
    /// Everything else; what runs the program is the last.
    pub objects: Vec<Value>,
    /// What should be known.
    pub notes: Vec<Note>,
}

impl Manifests {
    /// Every object, in the order in which a cluster can take them.
    pub fn all(&self) -> Vec<Value> {
        self.maps.iter().map(Map::object).chain(self.objects.iter().cloned()).collect()
    }
}

/// The objects of an application.
///
/// # Errors
/// Everything that Kubernetes would not take, or that contradicts itself.
pub fn manifests(application: &Application<'_>) -> Result<Manifests, Error> {
    manifests_named(application, &Names { app: application.name.to_owned(), are_hashed: true })
}

/// Files by their path below a directory.
pub type Files = BTreeMap<String, Vec<u8>>;

fn manifests_named(application: &Application<'_>, names: &Names) -> Result<Manifests, Error> {
    let mut problems = Vec::new();
    if let Err(why) = name::application(application.name) {
        problems.push(Problem::new(
            format!(
                "`{}` can't name an application: {why}",
                coracle_core::path::printable(application.name.as_bytes())
            ),
            "write another `name` below `[kubernetes]`: lower-case letters, digits and `-`, at most 52 bytes",
        ).at_key("name"));
    }
    let places = place::places(application, names, &mut problems);
    let mut made = Manifests {
        maps: place::maps(application, names),
        objects: workload::objects(application, names, &places, &mut problems),
        notes: notes(application, &places),
    };
    problems.extend(made.maps.iter().filter_map(Map::too_large));
    problems.extend(patch::apply(application, names, &mut made));
    made.notes.extend(made.maps.iter().filter_map(Map::not_for_apply));
    // Two probes may ask the same question.
    problems.dedup();
    if problems.is_empty() { Ok(made) } else { Err(Error(problems)) }
}

fn notes(application: &Application<'_>, places: &[place::Place<'_>]) -> Vec<Note> {
    let mut notes: Vec<Note> = place::missing(application, places).into_iter().map(Note::Hint).collect();
    if application.uid == 0 {
        notes.push(Note::Warning(
            "the program runs as root, which clusters with restricted pod security refuse: write `user` below `[image]`"
                .into(),
        ));
    }
    notes
}
