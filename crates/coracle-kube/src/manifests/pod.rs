//! The pod: one container of the image with a read-only root, and sidecars that send signals.

use serde_json::{Value, json};

use super::application::Application;
use super::config_volumes::ConfigVolume;
use super::object_members::with_member;
use super::pod_security::{container_security_context, pod_security_context};
use super::settings::{Probe, ProbeAction, Probes};
use super::writable_volumes::WritableVolumes;
use super::{container_env, metadata};
use crate::problem::LocatedProblem;
use coracle_core::port::{Port, Protocol};
use coracle_core::signal::Signal;

/// Returns `metadata` and `spec` of a pod.
pub(super) fn pod_template(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
    writable: &WritableVolumes,
    problems: &mut Vec<LocatedProblem>,
) -> Value {
    let settings = application.settings;
    let metadata = with_member(
        json!({ "labels": metadata::object_labels(application) }),
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

fn program_container(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
    writable: &WritableVolumes,
    problems: &mut Vec<LocatedProblem>,
) -> Value {
    let settings = application.settings;
    let mounts: Vec<Value> = config_volumes
        .iter()
        .map(ConfigVolume::volume_mount)
        .chain(writable.mounts.iter().cloned())
        .collect();
    let resources = with_member(json!({}), "requests", json!(settings.resources.requests));
    let resources = with_member(resources, "limits", json!(settings.resources.limits));
    let mut container = json!({
        "name": application.name,
        "image": application.image.to_string(),
        // The digest identifies the image; the default for the tag `latest` would be `Always`.
        "imagePullPolicy": "IfNotPresent",
        "securityContext": container_security_context(),
    });
    for (key, value) in [
        ("ports", application.ports.iter().map(container_port).collect()),
        ("env", Value::Array(container_env::container_env(application, config_volumes, problems))),
        ("resources", resources),
        ("volumeMounts", Value::Array(mounts)),
    ] {
        container = with_member(container, key, value);
    }
    let Probes { startup, readiness, liveness } = &settings.probes;
    for (key, probe) in
        [("startupProbe", startup), ("readinessProbe", readiness), ("livenessProbe", liveness)]
    {
        // Readiness has no meaning for a pod that runs to completion.
        let is_used = key != "readinessProbe" || !settings.kind.runs_to_completion();
        if let Some(probe) = probe.as_ref().filter(|_| is_used) {
            container = with_member(container, key, container_probe(application, probe, problems));
        }
    }
    container
}

/// Returns the name of a port in pod and Service: `tcp-8080`.
pub(super) fn port_name(port: &Port) -> String {
    format!("{}-{}", protocol_name(port).to_ascii_lowercase(), port.number)
}

pub(super) fn protocol_name(port: &Port) -> &'static str {
    match port.protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
        Protocol::Sctp => "SCTP",
    }
}

fn container_port(port: &Port) -> Value {
    json!({ "name": port_name(port), "containerPort": port.number, "protocol": protocol_name(port) })
}

fn container_probe(
    application: &Application<'_>,
    probe: &Probe,
    problems: &mut Vec<LocatedProblem>,
) -> Value {
    let action = match &probe.action {
        ProbeAction::Http { path, port } => {
            match port.map_or_else(|| default_probe_port(application, path), Ok) {
                Ok(port) => json!({ "httpGet": { "path": path, "port": port } }),
                Err(problem) => {
                    problems.push(problem.at_key("probes"));
                    return Value::Null;
                }
            }
        }
        ProbeAction::Tcp(port) => json!({ "tcpSocket": { "port": port } }),
        ProbeAction::Exec(command) => json!({ "exec": { "command": command } }),
    };
    [
        ("initialDelaySeconds", probe.initial_delay),
        ("periodSeconds", probe.period),
        ("timeoutSeconds", probe.timeout),
        ("failureThreshold", probe.failure_threshold),
    ]
    .into_iter()
    .fold(action, |action, (key, value)| with_member(action, key, json!(value)))
}

/// Returns the default port of an HTTP probe: the only exposed TCP port. Exposed ports have no
/// order, so there is no default among several.
fn default_probe_port(application: &Application<'_>, path: &str) -> Result<u16, LocatedProblem> {
    let ports = application.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    let ports: Vec<u16> = ports.map(|port| port.number).collect();
    match ports.as_slice() {
        [port] => Ok(*port),
        [] => Err(LocatedProblem::new(
            format!("the HTTP probe of `{path}` has no port: the image exposes none"),
            "write `expose = [\"8080\"]` in `[image]`, or add `port` to the probe",
        )),
        several => {
            let several: Vec<String> = several.iter().map(u16::to_string).collect();
            Err(LocatedProblem::new(
                format!(
                    "the HTTP probe of `{path}` has no port: the image exposes several, {}",
                    several.join(", ")
                ),
                format!("add one of them to the probe: `{{ http = \"{path}\", port = … }}`"),
            ))
        }
    }
}

/// Returns native sidecars that watch a mounted directory and send a signal on changes, which the
/// kubelet does not do. The recipe names the image; docs/manifests.md documents its environment.
fn reload_sidecars(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
    problems: &mut Vec<LocatedProblem>,
) -> Vec<Value> {
    let signalled: Vec<_> =
        config_volumes.iter().filter_map(|volume| Some((volume, volume.signal?))).collect();
    let Some((first, signal)) = signalled.first() else { return Vec::new() };
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
            .at_key("reload-image"),
        );
        return Vec::new();
    };
    let sidecar = |(index, (volume, signal)): (usize, &(&ConfigVolume<'_>, &Signal))| {
        let container = json!({
            "name": if index == 0 { "reload".to_owned() } else { format!("reload-{}", index + 1) },
            "image": reloader.image,
            // Makes an init container a native sidecar.
            "restartPolicy": "Always",
            "env": [
                { "name": "WATCH_DIR", "value": volume.path.to_string() },
                { "name": "SIGNAL", "value": signal.to_string() },
                { "name": "PROCESS", "value": process },
            ],
            "securityContext": container_security_context(),
            "volumeMounts": [volume.volume_mount()],
        });
        with_member(with_member(container, "command", json!(reloader.command)), "args", json!(reloader.args))
    };
    signalled.iter().enumerate().map(sidecar).collect()
}
