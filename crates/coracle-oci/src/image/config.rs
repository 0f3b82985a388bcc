//! The image config: how a runtime starts the program, and the diff IDs of the layers, with what it
//! inherits from a base image.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::descriptor::PlatformJson;
use super::descriptor::{Blob, Descriptor};
use super::error::ImageError;
use super::media_type;
use crate::layer::Layer;
use coracle_core::digest::DiffId;
use coracle_core::platform::Platform;

/// The execution parameters of an image. Empty fields are not written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImageConfig {
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

/// The inherited parts of a base image. The default is an image without a base.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InheritedBase {
    /// The layers and their diff IDs, the lowest first.
    pub layers: Vec<(Descriptor, DiffId)>,
    /// The `history` of its config.
    pub history: Vec<Value>,
    /// Members of `config` in its config that are kept unchanged, such as `Volumes`.
    pub config_members: BTreeMap<String, Value>,
}

/// The JSON document.
#[derive(Serialize)]
struct ConfigDocument<'a> {
    #[serde(flatten)]
    platform: PlatformJson<'a>,
    config: ExecutionParameters<'a>,
    created: &'a str,
    history: Vec<HistoryEntry<'a>>,
    rootfs: RootFsJson,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExecutionParameters<'a> {
    #[serde(flatten)]
    inherited_members: &'a BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    cmd: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    entrypoint: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    #[serde(serialize_with = "serialize_as_keys", skip_serializing_if = "BTreeSet::is_empty")]
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
enum HistoryEntry<'a> {
    /// An entry of the base image, kept unchanged.
    Inherited(&'a Value),
    Packed(PackedLayerHistory<'a>),
}

/// The history entry of a layer that Coracle packed.
#[derive(Serialize)]
struct PackedLayerHistory<'a> {
    comment: String,
    created: &'a str,
    created_by: &'static str,
}

#[derive(Serialize)]
struct RootFsJson {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: Vec<String>,
}

/// Serializes a set as the specification does: an object whose values are empty objects.
fn serialize_as_keys<S: Serializer>(set: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(set.iter().map(|key| (key, BTreeMap::<(), ()>::new())))
}

impl ImageConfig {
    /// Returns the config of an image with these layers; `created` is in seconds since 1970.
    pub(super) fn to_blob(
        &self,
        platform: &Platform,
        base: &InheritedBase,
        layers: &[Layer],
        created: u64,
    ) -> Result<Blob, ImageError> {
        let created = format_rfc3339(created)?;
        let own = layers.iter().map(|layer| PackedLayerHistory {
            comment: layer.kind.to_string(),
            created: &created,
            created_by: "coracle",
        });
        let below = base.layers.iter().map(|(_, diff_id)| diff_id);
        let diff_ids = below.chain(layers.iter().map(|layer| &layer.diff_id));
        let document = ConfigDocument {
            platform: platform.into(),
            config: self.execution_parameters(&base.config_members),
            created: &created,
            history: base
                .history
                .iter()
                .map(HistoryEntry::Inherited)
                .chain(own.map(HistoryEntry::Packed))
                .collect(),
            rootfs: RootFsJson { kind: "layers", diff_ids: diff_ids.map(DiffId::to_string).collect() },
        };
        Blob::from_serializable(media_type::CONFIG, "config", &document)
    }

    fn execution_parameters<'a>(&'a self, members: &'a BTreeMap<String, Value>) -> ExecutionParameters<'a> {
        ExecutionParameters {
            inherited_members: members,
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

/// 9999-12-31T23:59:59Z, in seconds since 1970.
const LAST_EPOCH: u64 = 253_402_300_799;

/// Formats `epoch`, in seconds since 1970, as `1970-01-01T00:00:00Z`. Source: RFC 3339.
fn format_rfc3339(epoch: u64) -> Result<String, ImageError> {
    if epoch > LAST_EPOCH {
        return Err(ImageError::EpochOutOfRange(epoch));
    }
    Ok(humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(epoch)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values are those of `date -u -d @SECONDS +%FT%TZ`.
    #[test]
    fn formats_known_times() {
        for (epoch, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (68_169_599, "1972-02-28T23:59:59Z"),
            (68_169_600, "1972-02-29T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST_EPOCH, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(format_rfc3339(epoch).unwrap(), text);
        }
        for epoch in [LAST_EPOCH + 1, u64::MAX] {
            assert!(matches!(format_rfc3339(epoch), Err(ImageError::EpochOutOfRange(_))));
        }
    }
}
