//! What the config of a base hands on. Source: image-spec, `config.md`; for what builders take over, Moby's
//! `builder/dockerfile` and go-containerregistry's `mutate`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use coracle_core::digest::DiffId;

/// Members of `config` that are kept as they are. Entrypoint and arguments are those of the program, and what builds on
/// the base has no use for triggers.
const KEPT: [&str; 3] = ["Healthcheck", "Shell", "Volumes"];

/// What the program of a base would be run with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inherited {
    /// Its variables.
    pub env: BTreeMap<String, String>,
    /// `UID[:GID]`, or names that its own `/etc/passwd` knows.
    pub user: Option<String>,
    /// Where it starts.
    pub working_dir: Option<String>,
    /// `8080/tcp`
    pub exposed_ports: BTreeSet<String>,
    /// What asks it to end.
    pub stop_signal: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Inherited {
    /// What `config`, a whole document, says.
    pub(super) fn of(config: &Value) -> Result<Self, String> {
        let Some(config) = config.get("config").filter(|config| !config.is_null()) else {
            return Ok(Self::default());
        };
        let word = |key: &str| {
            config.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let mut env = BTreeMap::new();
        for variable in config.get("Env").and_then(Value::as_array).into_iter().flatten() {
            let text = variable.as_str().ok_or("a variable in its config is no text")?;
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            env.insert(name.to_owned(), value.to_owned());
        }
        let labels = config.get("Labels").and_then(Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let ports = config.get("ExposedPorts").and_then(Value::as_object);
        Ok(Self {
            env,
            user: word("User"),
            working_dir: word("WorkingDir"),
            exposed_ports: ports.into_iter().flat_map(|ports| ports.keys().cloned()).collect(),
            stop_signal: word("StopSignal"),
            labels: labels.collect(),
        })
    }
}

/// Members of `config` that are no business of ours.
pub(super) fn members(config: &Value) -> BTreeMap<String, Value> {
    let config = config.get("config").and_then(Value::as_object).into_iter().flatten();
    let kept = config.filter(|(key, value)| KEPT.contains(&key.as_str()) && !value.is_null());
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// How `layers` layers came to be; nothing where the config does not say it of each.
pub(super) fn history(config: &Value, layers: usize) -> Vec<Value> {
    let history = config.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_layer = |step: &&Value| step.get("empty_layer") != Some(&Value::Bool(true));
    if history.iter().filter(is_layer).count() == layers { history } else { unknown(layers) }
}

/// One step for each layer, which engines count.
fn unknown(layers: usize) -> Vec<Value> {
    vec![serde_json::json!({"comment": "base"}); layers]
}

/// The digests of the layers' tars.
pub(super) fn diff_ids(config: &Value) -> Result<Vec<DiffId>, String> {
    let list = config.get("rootfs").and_then(|rootfs| rootfs.get("diff_ids")).and_then(Value::as_array);
    let diff_id = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.parse().map(DiffId::new).map_err(|_| "its config has a diff ID that is no digest".to_owned())
    };
    list.map_or(&[][..], Vec::as_slice).iter().map(diff_id).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_handed_on() {
        let config = json!({
            "config": {
                "Env": ["PATH=/usr/bin", "A=b=c", "EMPTY="],
                "User": "", "WorkingDir": "/srv", "Entrypoint": ["/bin/sh"], "Cmd": ["x"], "OnBuild": ["RUN x"],
                "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}}, "Healthcheck": null,
                "Labels": {"a": "b"}, "StopSignal": "SIGQUIT",
            },
            "history": [{"created_by": "a"}, {"created_by": "b", "empty_layer": true}],
        });
        let inherited = Inherited::of(&config).unwrap();
        let env: Vec<String> = inherited.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(env, ["A=b=c", "EMPTY=", "PATH=/usr/bin"]);
        assert_eq!((inherited.user, inherited.working_dir.as_deref()), (None, Some("/srv")));
        assert_eq!(inherited.labels, BTreeMap::from([("a".into(), "b".into())]));
        assert_eq!(inherited.stop_signal.as_deref(), Some("SIGQUIT"));
        assert_eq!(members(&config), BTreeMap::from([("Volumes".into(), json!({"/data": {}}))]));
        assert_eq!(history(&config, 1).len(), 2);
        assert_eq!(history(&config, 2), [json!({"comment": "base"}), json!({"comment": "base"})]);
        assert!(Inherited::of(&json!({"config": {"Env": [1]}})).is_err());
        assert_eq!(Inherited::of(&json!({"config": null})), Ok(Inherited::default()));
        assert!(diff_ids(&json!({"rootfs": {"diff_ids": ["sha256:../x"]}})).is_err());
    }
}
