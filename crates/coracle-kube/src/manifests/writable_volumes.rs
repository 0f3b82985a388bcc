//! Writable directories: a persistent volume claim if the content must outlive the pod, else an
//! `emptyDir`.

use serde_json::{Value, json};

use super::application::{self, Application, ObjectNaming};
use super::name_rules;
use super::object_edits::with_member;
use super::workload_settings::{ConcurrencyPolicy, WorkloadKind};
use crate::config::WritableDirectory;
use crate::located_problem::LocatedProblem;

/// The directory for temporary files.
const TMP_DIRECTORY: &str = "/tmp";

/// Volumes, mounts and claims of the writable directories.
#[derive(Default, Debug)]
pub(super) struct WritableVolumes {
    pub(super) volumes: Vec<Value>,
    pub(super) mounts: Vec<Value>,
    /// `volumeClaimTemplates` of a StatefulSet.
    pub(super) claim_templates: Vec<Value>,
    /// PersistentVolumeClaim objects.
    pub(super) claims: Vec<Value>,
    /// `true` if a claim can be used by one pod at a time only.
    pub(super) is_exclusive: bool,
}

/// Returns the volumes of all writable directories, and of `/tmp` if the settings ask for it.
pub(super) fn writable_volumes(
    application: &Application<'_>,
    naming: &ObjectNaming,
    problems: &mut Vec<LocatedProblem>,
) -> WritableVolumes {
    let settings = application.settings;
    let mut writable = WritableVolumes::default();
    for directory in &application.configuration.writable_directories {
        let volume = name_rules::path_label(&directory.path);
        let path = directory.path.to_string();
        writable.mounts.push(json!({ "name": volume, "mountPath": path }));
        let Some(size) = &directory.size else {
            writable.volumes.push(json!({ "name": volume, "emptyDir": {} }));
            continue;
        };
        problems.extend(shared_claim_problem(application, directory));
        let spec = claim_spec(application, directory, size);
        if settings.kind == WorkloadKind::StatefulSet {
            writable.claim_templates.push(json!({ "metadata": { "name": volume }, "spec": spec }));
            continue;
        }
        let name = format!("{}-{volume}", naming.name_prefix);
        writable.volumes.push(json!({ "name": volume, "persistentVolumeClaim": { "claimName": name } }));
        writable.claims.push(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": application::named_metadata(application, &name),
            "spec": spec,
        }));
        writable.is_exclusive |= !directory.is_shared;
    }
    let has_tmp = application
        .configuration
        .writable_directories
        .iter()
        .any(|directory| directory.path.to_string() == TMP_DIRECTORY);
    if settings.has_writable_tmp && !has_tmp {
        writable.volumes.push(json!({ "name": "tmp", "emptyDir": {} }));
        writable.mounts.push(json!({ "name": "tmp", "mountPath": TMP_DIRECTORY }));
    }
    writable
}

fn claim_spec(application: &Application<'_>, directory: &WritableDirectory, size: &str) -> Value {
    let mode = if directory.is_shared { "ReadWriteMany" } else { "ReadWriteOnce" };
    let spec = json!({ "accessModes": [mode], "resources": { "requests": { "storage": size } } });
    with_member(spec, "storageClassName", json!(application.settings.storage_class))
}

/// Returns a problem if several pods would need the same exclusive claim.
fn shared_claim_problem(
    application: &Application<'_>,
    directory: &WritableDirectory,
) -> Option<LocatedProblem> {
    if directory.is_shared {
        return None;
    }
    let path = &directory.path;
    let (message, hint) = match (application.settings.kind, application.settings.replicas) {
        (WorkloadKind::Deployment, Some(2..)) => (
            format!("the pods of the Deployment share the claim for `{path}`, but only one pod can use it"),
            "write `kind = \"StatefulSet\"` for one claim per pod, `shared = true` if the storage supports it, or \
             `replicas = 1`",
        ),
        (WorkloadKind::CronJob, _)
            if application.settings.job.concurrency == Some(ConcurrencyPolicy::Allow) =>
        {
            (
                format!("concurrent Jobs share the claim for `{path}`, but only one pod can use it"),
                "write `concurrency = \"Forbid\"`, or `shared = true` if the storage supports it",
            )
        }
        (WorkloadKind::DaemonSet, _) => (
            format!("the pods of the DaemonSet share the claim for `{path}`, but only one pod can use it"),
            "write `shared = true` if the storage supports it, or remove `size`",
        ),
        _ => return None,
    };
    Some(LocatedProblem::new(message, hint).at_mount(path))
}
