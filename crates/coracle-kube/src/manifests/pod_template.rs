//! The pod: the program's container with a read-only root, and sidecars that send signals. Follows
//! the restricted Pod Security Standard.

use serde_json::{Value, json};

use super::application::{Application, object_labels};
use super::config_volumes::ConfigVolume;
use super::object_edits::with_member;
use super::program_container::{container_security_context, program_container};
use super::writable_volumes::WritableVolumes;
use crate::located_problem::LocatedProblem;
use coracle_core::signal_name::SignalName;

/// The first port that does not require root or a sysctl.
const FIRST_UNPRIVILEGED_PORT: u16 = 1024;

/// Returns the security context of the pod.
pub(super) fn pod_security_context(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
    writable: &WritableVolumes,
) -> Value {
    let Application { uid, gid, .. } = application;
    let is_root = *uid == 0;
    let has_claims = !writable.claims.is_empty() || !writable.claim_templates.is_empty();
    // Secret files are readable by root and the group; a new claim's owner is root.
    let needs_group =
        has_claims || !writable.mounts.is_empty() || config_volumes.iter().any(ConfigVolume::has_secrets);
    let low =
        application.ports.iter().map(|port| port.number).filter(|port| *port < FIRST_UNPRIVILEGED_PORT).min();
    let sysctl = low
        .filter(|_| !is_root)
        .map(|port| json!([{ "name": "net.ipv4.ip_unprivileged_port_start", "value": port.to_string() }]));
    let mut security = json!({
        "runAsUser": uid,
        // Kubernetes ignores the group of the image's `User`.
        "runAsGroup": gid,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    for (key, value) in [
        ("runAsNonRoot", if is_root { Value::Null } else { json!(true) }),
        ("fsGroup", if needs_group { json!(gid) } else { Value::Null }),
        ("fsGroupChangePolicy", if has_claims { json!("OnRootMismatch") } else { Value::Null }),
        ("sysctls", json!(sysctl)),
    ] {
        security = with_member(security, key, value);
    }
    security
}

/// Returns `metadata` and `spec` of a pod.
pub(super) fn pod_template(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
    writable: &WritableVolumes,
    problems: &mut Vec<LocatedProblem>,
) -> Value {
    let settings = application.settings;
    let metadata = with_member(
        json!({ "labels": object_labels(application) }),
        "annotations",
        json!(settings.annotations),
    );
    let sidecars = reload_sidecars(application, config_volumes, problems);
    let shares_processes = if sidecars.is_empty() { Value::Null } else { json!(true) };
    let volumes: Vec<Value> =
        config_volumes.iter().map(ConfigVolume::to_volume).chain(writable.volumes.iter().cloned()).collect();
    let secrets: Vec<Value> =
        settings.image_pull_secrets.iter().map(|name| json!({ "name": name })).collect();
    let mut spec = json!({
        "automountServiceAccountToken": false,
        // Variables for every Service of the namespace would be unwanted configuration.
        "enableServiceLinks": false,
        "securityContext": pod_security_context(application, config_volumes, writable),
        "containers": [program_container(application, config_volumes, writable, problems)],
    });
    for (key, value) in [
        ("initContainers", Value::Array(sidecars)),
        ("shareProcessNamespace", shares_processes),
        ("volumes", Value::Array(volumes)),
        ("imagePullSecrets", Value::Array(secrets)),
        ("terminationGracePeriodSeconds", json!(settings.termination_grace)),
        ("restartPolicy", if settings.kind.runs_to_completion() { json!("Never") } else { Value::Null }),
    ] {
        spec = with_member(spec, key, value);
    }
    json!({ "metadata": metadata, "spec": spec })
}

/// Returns native sidecars that watch mounted directories and send a signal on changes, which the
/// kubelet does not do: one for each signal. docs/manifests.md documents their environment.
fn reload_sidecars(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
    problems: &mut Vec<LocatedProblem>,
) -> Vec<Value> {
    let mut signals: Vec<(&SignalName, Vec<&ConfigVolume<'_>>)> = Vec::new();
    for volume in config_volumes {
        let Some(signal) = volume.signal else { continue };
        match signals.iter_mut().find(|(known, _)| *known == signal) {
            Some((_, volumes)) => volumes.push(volume),
            None => signals.push((signal, vec![volume])),
        }
    }
    let Some((signal, [first, ..])) = signals.first().map(|(signal, volumes)| (signal, volumes.as_slice()))
    else {
        return Vec::new();
    };
    let Some(reloader) = &application.settings.reload_sidecar else {
        problems.push(LocatedProblem::new(
            format!("nothing sends `{signal}` when `{}` changes: the kubelet does not send signals", first.path),
            "set `reload-image` in `[kubernetes]` to an image that sends it, or let the program watch the directory with \
             `reload = \"watch\"`",
        ).at_mount(first.path));
        return Vec::new();
    };
    let Some(process) = application.process_name else {
        problems.push(
            LocatedProblem::new(
                format!("cannot tell which process to send `{signal}` to"),
                "set `programs` in `[image]`",
            )
            .at_mount(first.path),
        );
        return Vec::new();
    };
    let sidecar = |(index, (signal, volumes)): (usize, &(&SignalName, Vec<&ConfigVolume<'_>>))| {
        let directories: Vec<String> = volumes.iter().map(|volume| volume.path.to_string()).collect();
        let mounts: Vec<Value> = volumes.iter().map(|volume| volume.volume_mount()).collect();
        let container = json!({
            "name": if index == 0 { "reload".to_owned() } else { format!("reload-{}", index + 1) },
            "image": reloader.image,
            // Makes an init container a native sidecar.
            "restartPolicy": "Always",
            "env": [
                // Kubernetes does not allow a colon in a mount path.
                { "name": "WATCH_DIRS", "value": directories.join(":") },
                { "name": "SIGNAL", "value": signal.to_string() },
                { "name": "PROCESS", "value": process },
            ],
            "securityContext": container_security_context(),
            "volumeMounts": mounts,
        });
        with_member(with_member(container, "command", json!(reloader.command)), "args", json!(reloader.args))
    };
    signals.iter().enumerate().map(sidecar).collect()
}
