//! What a runtime needs to know: how the program is started, and the layers below it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::descriptor::PlatformJson;
use super::time::rfc3339;
use super::{Base, Blob, Error, media_type};
use coracle_core::digest::DiffId;
use crate::layer::Layer;
use coracle_core::platform::Platform;

/// What an image says about its program. What is empty is not written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// The program, by its path in the image.
    pub entrypoint: Vec<String>,
    /// Its arguments, which whoever runs it may replace.
    pub cmd: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Numeric, `UID:GID`.
    pub user: Option<String>,
    /// Ports it listens on, such as `8080/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// The directory it starts in.
    pub working_dir: Option<String>,
    /// The signal that stops it, such as `SIGTERM`.
    pub stop_signal: Option<String>,
    /// Labels of the config, which containers inherit.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// The document.
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

/// How a layer came to be.
#[derive(Serialize)]
#[serde(untagged)]
enum Step<'a> {
    /// One of a base, or something that made none.
    Base(&'a Value),
    Own(History<'a>),
}

/// One for each layer of ours, in their order.
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

/// A set, as the specification writes it: an object of empty objects.
fn as_keys<S: Serializer>(set: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(set.iter().map(|key| (key, BTreeMap::<(), ()>::new())))
}

impl Config {
    /// The config of an image of these layers, `created` so many seconds after 1970.
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
