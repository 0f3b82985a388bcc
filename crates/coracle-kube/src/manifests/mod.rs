//! Generates Kubernetes manifests: ConfigMaps and Secrets, the workload that runs the image, and
//! its Service.
//!
//! Uses the image only by name and digest. docs/manifests.md explains what is generated and why.
//! Source: Kubernetes API reference, Pod Security Standards ("restricted").

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

/// The application to generate manifests for.
#[derive(Clone, Copy, Debug)]
pub struct Application<'a> {
    /// The name of the application and its objects.
    pub name: &'a str,
    /// The image.
    pub image: &'a Image,
    /// The file name of the program, for the sidecar that sends it signals.
    pub process: Option<&'a str>,
    /// The user ID that it runs as.
    pub uid: u32,
    /// The group ID that it runs as.
    pub gid: u32,
    /// Ports that it listens on.
    pub ports: &'a BTreeSet<Port>,
    /// The configuration.
    pub configuration: &'a Configuration,
    /// The rendered files of the configuration.
    pub mounts: &'a [RenderedMount],
    /// The `[kubernetes]` settings.
    pub settings: &'a Settings,
    /// Patches, applied to the generated objects.
    pub patches: &'a [Patch],
    /// Whether rendered Secrets are generated; otherwise they are only referenced, and may have no
    /// content.
    pub contains_secrets: bool,
}

/// Generated Kubernetes objects.
#[derive(Clone, PartialEq, Debug)]
pub struct Manifests {
    /// ConfigMaps and Secrets.
    pub maps: Vec<Map>,
    /// All other objects; the workload is the last.
    pub objects: Vec<Value>,
    /// Hints and warnings for the user.
    pub notes: Vec<Note>,
}

impl Manifests {
    /// Returns every object, in an order in which they can be applied.
    pub fn all(&self) -> Vec<Value> {
        self.maps.iter().map(Map::object).chain(self.objects.iter().cloned()).collect()
    }
}

/// Generates the objects of an application.
///
/// # Errors
/// Fails with every problem: settings that Kubernetes rejects, or that contradict each other.
pub fn manifests(application: &Application<'_>) -> Result<Manifests, Error> {
    manifests_named(application, &Names { app: application.name.to_owned(), are_hashed: true })
}

/// The content of files, by path relative to the output directory.
pub type Files = BTreeMap<String, Vec<u8>>;

fn manifests_named(application: &Application<'_>, names: &Names) -> Result<Manifests, Error> {
    let mut problems = Vec::new();
    if let Err(why) = name::application(application.name) {
        problems.push(
            Problem::new(
                format!(
                    "`{}` is not a valid application name: {why}",
                    coracle_core::path::printable(application.name.as_bytes())
                ),
                "set `name` in `[kubernetes]`: lower-case letters, digits and `-`, at most 52 bytes",
            )
            .at_key("name"),
        );
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
    // Two probes may have the same problem.
    problems.dedup();
    if problems.is_empty() { Ok(made) } else { Err(Error(problems)) }
}

fn notes(application: &Application<'_>, places: &[place::Place<'_>]) -> Vec<Note> {
    let mut notes: Vec<Note> = place::missing(application, places).into_iter().map(Note::Hint).collect();
    if application.uid == 0 {
        notes.push(Note::Warning(
            "the program runs as root, which restricted pod security forbids: set `user` in `[image]`".into(),
        ));
    }
    notes
}
