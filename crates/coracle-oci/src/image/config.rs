//! The image config: how a runtime starts the program, and the diff IDs of the layers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::descriptor::PlatformJson;
use super::time::rfc3339;
use super::{Base, Blob, Error, media_type};
use coracle_core::digest::DiffId;
use crate::layer::Layer;
use coracle_core::platform::Platform;

/// The execution parameters of an image. Empty fields are not written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// The command that always runs: the program's path in the image, and fixed arguments.
    pub entrypoint: Vec<String>,
    /// Default arguments, which can be replaced when a container is started.
    pub cmd: Vec<String>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// The user to run as: numeric, `UID:GID`.
    pub user: Option<String>,
    /// Ports that the program listens on, such as `8080/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// The working directory.
    pub working_dir: Option<String>,
    /// The signal that stops the program, such as `SIGTERM`.
    pub stop_signal: Option<String>,
    /// Labels, which containers inherit.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// The JSON document.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    platform: PlatformJson<'a>,
    config: Execution<'a>,
    created: &'a str,
    history: Vec<Step<'a>>,
    rootfs: RootFs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Execution<'a> {
    #[serde(flatten)]
    members: &'a BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    cmd: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    entrypoint: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    #[serde(serialize_with = "as_keys", skip_serializing_if = "BTreeSet::is_empty")]
    exposed_ports: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'a str>,
}

/// An entry of `history`.
#[derive(Serialize)]
#[serde(untagged)]
enum Step<'a> {
    /// An entry of the base image, kept unchanged.
    Base(&'a Value),
    Own(History<'a>),
}

/// The history entry of a layer that Coracle packed.
#[derive(Serialize)]
struct History<'a> {
    comment: String,
    created: &'a str,
    created_by: &'static str,
}

#[derive(Serialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: Vec<String>,
}

/// Serializes a set as the specification does: an object whose values are empty objects.
fn as_keys<S: Serializer>(set: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(set.iter().map(|key| (key, BTreeMap::<(), ()>::new())))
}

impl Config {
    /// Returns the config of an image with these layers; `created` is in seconds since 1970.
    pub(super) fn blob(
        &self,
        platform: &Platform,
        base: &Base,
        layers: &[Layer],
        created: u64,
    ) -> Result<Blob, Error> {
        let created = rfc3339(created)?;
        let own = layers.iter().map(|layer| History {
            comment: layer.stratum.to_string(),
            created: &created,
            created_by: "coracle",
        });
        let below = base.layers.iter().map(|(_, diff_id)| diff_id);
        let diff_ids = below.chain(layers.iter().map(|layer| &layer.diff_id));
        let document = Document {
            platform: platform.into(),
            config: self.execution(&base.members),
            created: &created,
            history: base.history.iter().map(Step::Base).chain(own.map(Step::Own)).collect(),
            rootfs: RootFs { kind: "layers", diff_ids: diff_ids.map(DiffId::to_string).collect() },
        };
        Blob::json(media_type::CONFIG, "config", &document)
    }

    fn execution<'a>(&'a self, members: &'a BTreeMap<String, Value>) -> Execution<'a> {
        Execution {
            members,
            cmd: &self.cmd,
            entrypoint: &self.entrypoint,
            env: self.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            exposed_ports: &self.exposed_ports,
            labels: &self.labels,
            stop_signal: self.stop_signal.as_deref(),
            user: self.user.as_deref(),
            working_dir: self.working_dir.as_deref(),
        }
    }
}
