//! Writable directories: a persistent volume claim if the content must outlive the pod, else an
//! `emptyDir`.

use serde_json::{Value, json};

use super::object::{self, Names, with};
use super::settings::Kind;
use super::{Application, Problem, name};
use crate::config::State;

/// The directory for temporary files.
const TMP: &str = "/tmp";

/// Volumes, mounts and claims of the writable directories.
#[derive(Default, Debug)]
pub(super) struct States {
    pub(super) volumes: Vec<Value>,
    pub(super) mounts: Vec<Value>,
    /// `volumeClaimTemplates` of a StatefulSet.
    pub(super) templates: Vec<Value>,
    /// PersistentVolumeClaim objects.
    pub(super) claims: Vec<Value>,
    /// Whether a claim can be used by one pod at a time only.
    pub(super) is_exclusive: bool,
}

pub(super) fn states(application: &Application<'_>, names: &Names, problems: &mut Vec<Problem>) -> States {
    let settings = application.settings;
    let mut states = States::default();
    for state in &application.configuration.states {
        let volume = name::label(&state.path);
        let path = state.path.to_string();
        states.mounts.push(json!({ "name": volume, "mountPath": path }));
        let Some(size) = &state.size else {
            states.volumes.push(json!({ "name": volume, "emptyDir": {} }));
            continue;
        };
        problems.extend(unfit(application, state));
        let spec = claim(application, state, size);
        if settings.kind == Kind::StatefulSet {
            states.templates.push(json!({ "metadata": { "name": volume }, "spec": spec }));
            continue;
        }
        let name = format!("{}-{volume}", names.app);
        states.volumes.push(json!({ "name": volume, "persistentVolumeClaim": { "claimName": name } }));
        states.claims.push(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": object::named(application, &name),
            "spec": spec,
        }));
        states.is_exclusive |= !state.is_shared;
    }
    let has_tmp = application.configuration.states.iter().any(|state| state.path.to_string() == TMP);
    if settings.tmp && !has_tmp {
        states.volumes.push(json!({ "name": "tmp", "emptyDir": {} }));
        states.mounts.push(json!({ "name": "tmp", "mountPath": TMP }));
    }
    states
}

fn claim(application: &Application<'_>, state: &State, size: &str) -> Value {
    let mode = if state.is_shared { "ReadWriteMany" } else { "ReadWriteOnce" };
    let spec = json!({ "accessModes": [mode], "resources": { "requests": { "storage": size } } });
    with(spec, "storageClassName", json!(application.settings.storage_class))
}

/// Returns a problem if several pods would need the same exclusive claim.
fn unfit(application: &Application<'_>, state: &State) -> Option<Problem> {
    if state.is_shared {
        return None;
    }
    let path = &state.path;
    let (message, hint) = match (application.settings.kind, application.settings.replicas) {
        (Kind::Deployment, Some(2..)) => (
            format!("the pods of the Deployment share the claim for `{path}`, but only one pod can use it"),
            "write `kind = \"StatefulSet\"` for one claim per pod, `shared = true` if the storage supports it, or \
             `replicas = 1`",
        ),
        (Kind::DaemonSet, _) => (
            format!("the pods of the DaemonSet share the claim for `{path}`, but only one pod can use it"),
            "write `shared = true` if the storage supports it, or remove `size`",
        ),
        _ => return None,
    };
    Some(Problem::new(message, hint).at_mount(path))
}
