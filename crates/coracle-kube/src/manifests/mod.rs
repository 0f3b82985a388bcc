//! Generates Kubernetes manifests: ConfigMaps and Secrets, the workload that runs the image, and
//! its Service.
//!
//! Uses the image only by name and digest. docs/manifests.md explains what is generated and why.
//! Source: Kubernetes API reference, Pod Security Standards ("restricted").

mod config_object;
mod config_volumes;
mod container_env;
mod error;
pub mod helm;
pub mod kustomize;
mod kustomize_hash;
mod merge_patch;
mod metadata;
pub mod names;
mod patch;
mod pinned_image;
mod pod;
mod reload_sidecar;
pub mod settings;
mod workload;
mod writable_volumes;
pub mod yaml_writer;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use config_object::{ConfigObject, ConfigObjectKind};
pub use error::{ManifestProblem, ManifestsError, RecipeLocation};
pub use patch::ManifestPatch;
pub use pinned_image::{ParsePinnedImageError, PinnedImage};
pub use settings::WorkloadSettings;

use metadata::ObjectNames;

use crate::config::{Configuration, RenderedMount};
use coracle_core::note::Note;
use coracle_core::port::Port;

/// The application to generate manifests for.
#[derive(Clone, Copy, Debug)]
pub struct Application<'a> {
    /// The name of the application and its objects.
    pub name: &'a str,
    /// The image.
    pub image: &'a PinnedImage,
    /// The file name of the program, for the sidecar that sends it signals.
    pub process_name: Option<&'a str>,
    /// The user ID that it runs as.
    pub uid: u32,
    /// The group ID that it runs as.
    pub gid: u32,
    /// Ports that it listens on.
    pub ports: &'a BTreeSet<Port>,
    /// The configuration.
    pub configuration: &'a Configuration,
    /// The rendered files of the configuration.
    pub rendered_mounts: &'a [RenderedMount],
    /// The `[kubernetes]` settings.
    pub settings: &'a WorkloadSettings,
    /// Patches, applied to the generated objects.
    pub patches: &'a [ManifestPatch],
    /// Whether rendered Secrets are generated; otherwise they are only referenced, and may have no
    /// content.
    pub has_secrets: bool,
}

/// Generated Kubernetes objects.
#[derive(Clone, PartialEq, Debug)]
pub struct Manifests {
    /// ConfigMaps and Secrets.
    pub config_objects: Vec<ConfigObject>,
    /// All other objects; the workload is the last.
    pub objects: Vec<Value>,
    /// Hints and warnings for the user.
    pub notes: Vec<Note>,
}

impl Manifests {
    /// Returns every object, in an order in which they can be applied.
    pub fn all_objects(&self) -> Vec<Value> {
        self.config_objects.iter().map(ConfigObject::to_object).chain(self.objects.iter().cloned()).collect()
    }
}

/// Generates the objects of an application.
///
/// # Errors
/// Fails with every problem: settings that Kubernetes rejects, or that contradict each other.
pub fn generate_manifests(application: &Application<'_>) -> Result<Manifests, ManifestsError> {
    generate_with_names(application, &ObjectNames { prefix: application.name.to_owned(), has_hashes: true })
}

/// The content of files, by path relative to the output directory.
pub type OutputFiles = BTreeMap<String, Vec<u8>>;

fn generate_with_names(
    application: &Application<'_>,
    names: &ObjectNames,
) -> Result<Manifests, ManifestsError> {
    let mut problems = Vec::new();
    if let Err(why) = names::check_application_name(application.name) {
        problems.push(
            ManifestProblem::new(
                format!(
                    "`{}` is not a valid application name: {why}",
                    coracle_core::path::escape_bytes(application.name.as_bytes())
                ),
                "set `name` in `[kubernetes]`: lower-case letters, digits and `-`, at most 52 bytes",
            )
            .at_key("name"),
        );
    }
    let places = config_volumes::config_volumes(application, names, &mut problems);
    let mut made = Manifests {
        config_objects: config_volumes::generated_config_objects(application, names),
        objects: workload::workload_objects(application, names, &places, &mut problems),
        notes: security_and_secret_notes(application, &places),
    };
    problems.extend(made.config_objects.iter().filter_map(ConfigObject::size_problem));
    problems.extend(patch::apply_patches(application, names, &mut made));
    made.notes.extend(made.config_objects.iter().filter_map(ConfigObject::apply_size_warning));
    // Two probes may have the same problem.
    problems.dedup();
    if problems.is_empty() { Ok(made) } else { Err(ManifestsError(problems)) }
}

fn security_and_secret_notes(
    application: &Application<'_>,
    places: &[config_volumes::ConfigVolume<'_>],
) -> Vec<Note> {
    let mut notes: Vec<Note> =
        config_volumes::missing_secret_notes(application, places).into_iter().map(Note::Hint).collect();
    if application.uid == 0 {
        notes.push(Note::Warning(
            "the program runs as root, which restricted pod security forbids: set `user` in `[image]`".into(),
        ));
    }
    notes
}
