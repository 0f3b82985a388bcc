//! What manifests are generated from, and the generated manifests.

use std::collections::{BTreeMap, BTreeSet};

use coracle_core::note::Note;
use coracle_core::port::Port;
use serde_json::Value;

use super::config_object::ConfigObject;
use super::manifest_patch::ManifestPatch;
use super::pinned_image::PinnedImage;
use super::settings::WorkloadSettings;
use crate::config::{Configuration, RenderedMount};

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

/// The content of files, by path relative to the output directory.
pub type OutputFiles = BTreeMap<String, Vec<u8>>;
