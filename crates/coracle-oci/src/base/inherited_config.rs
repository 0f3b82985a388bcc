//! Reads the config of a base image and selects the parts that new images inherit.
//!
//! Source: image-spec, `config.md`. For the inherited parts, Moby's `builder/dockerfile` and
//! go-containerregistry's `mutate`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use coracle_core::digest::DiffId;

/// Members of `config` that are copied unchanged. Entrypoint and arguments are replaced by the
/// program's, and `OnBuild` triggers do not apply.
const INHERITED_MEMBERS: [&str; 3] = ["Healthcheck", "Shell", "Volumes"];

/// The run settings that an image inherits from its base image.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InheritedConfig {
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// `UID[:GID]`, or names defined in the base image's `/etc/passwd`.
    pub user: Option<String>,
    /// The working directory.
    pub working_dir: Option<String>,
    /// Ports, such as `8080/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// The signal that stops the container.
    pub stop_signal: Option<String>,
    /// Labels, without the contract label, which describes the base image's own program.
    pub labels: BTreeMap<String, String>,
}

impl InheritedConfig {
    /// Reads the settings from the config document.
    pub(super) fn from_config(config: &Value) -> Result<Self, String> {
        let Some(config) = config.get("config").filter(|config| !config.is_null()) else {
            return Ok(Self::default());
        };
        let text = |key: &str| {
            config.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let mut env = BTreeMap::new();
        for variable in config.get("Env").and_then(Value::as_array).into_iter().flatten() {
            let text = variable.as_str().ok_or("an environment variable in its config is not a string")?;
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            env.insert(name.to_owned(), value.to_owned());
        }
        let labels = config.get("Labels").and_then(Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let ports = config.get("ExposedPorts").and_then(Value::as_object);
        Ok(Self {
            env,
            user: text("User"),
            working_dir: text("WorkingDir"),
            exposed_ports: ports.into_iter().flat_map(|ports| ports.keys().cloned()).collect(),
            stop_signal: text("StopSignal"),
            labels: labels.collect(),
        })
    }
}

/// Returns the members of `config` that are copied unchanged.
pub(super) fn inherited_members(config: &Value) -> BTreeMap<String, Value> {
    let config = config.get("config").and_then(Value::as_object).into_iter().flatten();
    let kept = config.filter(|(key, value)| INHERITED_MEMBERS.contains(&key.as_str()) && !value.is_null());
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Returns the history of `layers` layers. If the config's history has another number of layers, it
/// is replaced by placeholders.
pub(super) fn inherited_history(config: &Value, layers: usize) -> Vec<Value> {
    let history = config.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_layer = |step: &&Value| step.get("empty_layer") != Some(&Value::Bool(true));
    if history.iter().filter(is_layer).count() == layers { history } else { placeholder_history(layers) }
}

/// Returns one placeholder per layer, because engines require an entry for each.
fn placeholder_history(layers: usize) -> Vec<Value> {
    vec![serde_json::json!({"comment": "base"}); layers]
}

/// Reads the diff IDs of the layers.
pub(super) fn diff_ids(config: &Value) -> Result<Vec<DiffId>, String> {
    let list = config.get("rootfs").and_then(|rootfs| rootfs.get("diff_ids")).and_then(Value::as_array);
    let diff_id = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.parse().map(DiffId::new).map_err(|_| "a diff ID in its config is not a digest".to_owned())
    };
    list.map_or(&[][..], Vec::as_slice).iter().map(diff_id).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_inherited_settings() {
        let config = json!({
            "config": {
                "Env": ["PATH=/usr/bin", "A=b=c", "EMPTY="],
                "User": "", "WorkingDir": "/srv", "Entrypoint": ["/bin/sh"], "Cmd": ["x"], "OnBuild": ["RUN x"],
                "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}}, "Healthcheck": null,
                "Labels": {"a": "b"}, "StopSignal": "SIGQUIT",
            },
            "history": [{"created_by": "a"}, {"created_by": "b", "empty_layer": true}],
        });
        let inherited = InheritedConfig::from_config(&config).unwrap();
        let env: Vec<String> = inherited.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(env, ["A=b=c", "EMPTY=", "PATH=/usr/bin"]);
        assert_eq!((inherited.user, inherited.working_dir.as_deref()), (None, Some("/srv")));
        assert_eq!(inherited.labels, BTreeMap::from([("a".into(), "b".into())]));
        assert_eq!(inherited.stop_signal.as_deref(), Some("SIGQUIT"));
        assert_eq!(inherited_members(&config), BTreeMap::from([("Volumes".into(), json!({"/data": {}}))]));
        assert_eq!(inherited_history(&config, 1).len(), 2);
        assert_eq!(inherited_history(&config, 2), [json!({"comment": "base"}), json!({"comment": "base"})]);
        assert!(InheritedConfig::from_config(&json!({"config": {"Env": [1]}})).is_err());
        assert_eq!(InheritedConfig::from_config(&json!({"config": null})), Ok(InheritedConfig::default()));
        assert!(diff_ids(&json!({"rootfs": {"diff_ids": ["sha256:../x"]}})).is_err());
    }
}
