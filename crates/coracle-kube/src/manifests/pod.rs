//! The pod: one container of the image with a read-only root, following the restricted Pod Security
//! Standard.

use serde_json::{Value, json};

use super::config_volumes::ConfigVolume;
use super::metadata::{self, with_member};
use super::settings::{Probe, ProbeAction, Probes};
use super::writable_volumes::WritableVolumes;
use super::{Application, ManifestProblem, container_env, reload_sidecar};
use coracle_core::port::{Port, Protocol};

/// The first port that does not require root or a sysctl.
const FIRST_UNPRIVILEGED_PORT: u16 = 1024;

/// Returns `metadata` and `spec` of a pod.
pub(super) fn pod_template(
    application: &Application<'_>,
    places: &[ConfigVolume<'_>],
    states: &WritableVolumes,
    problems: &mut Vec<ManifestProblem>,
) -> Value {
    let settings = application.settings;
    let metadata = with_member(
        json!({ "labels": metadata::object_labels(application) }),
        "annotations",
        json!(settings.annotations),
    );
    let sidecars = reload_sidecar::reload_sidecars(application, places, problems);
    let shares = if sidecars.is_empty() { Value::Null } else { json!(true) };
    let volumes: Vec<Value> =
        places.iter().map(ConfigVolume::to_volume).chain(states.volumes.iter().cloned()).collect();
    let secrets: Vec<Value> =
        settings.image_pull_secrets.iter().map(|name| json!({ "name": name })).collect();
    let mut spec = json!({
        "automountServiceAccountToken": false,
        // Variables for every Service of the namespace would be unwanted configuration.
        "enableServiceLinks": false,
        "securityContext": pod_security_context(application, places, states),
        "containers": [program_container(application, places, states, problems)],
    });
    for (key, value) in [
        ("initContainers", Value::Array(sidecars)),
        ("shareProcessNamespace", shares),
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
    places: &[ConfigVolume<'_>],
    states: &WritableVolumes,
    problems: &mut Vec<ManifestProblem>,
) -> Value {
    let settings = application.settings;
    let mounts: Vec<Value> =
        places.iter().map(ConfigVolume::volume_mount).chain(states.mounts.iter().cloned()).collect();
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
        ("env", Value::Array(container_env::container_env(application, places, problems))),
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
        let is_asked = key != "readinessProbe" || !settings.kind.runs_to_completion();
        if let Some(asked) = probe.as_ref().filter(|_| is_asked) {
            container = with_member(container, key, self::container_probe(application, asked, problems));
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
    problems: &mut Vec<ManifestProblem>,
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
fn default_probe_port(application: &Application<'_>, path: &str) -> Result<u16, ManifestProblem> {
    let ports = application.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    let ports: Vec<u16> = ports.map(|port| port.number).collect();
    match ports.as_slice() {
        [port] => Ok(*port),
        [] => Err(ManifestProblem::new(
            format!("the HTTP probe of `{path}` has no port: the image exposes none"),
            "write `expose = [\"8080\"]` in `[image]`, or add `port` to the probe",
        )),
        several => {
            let several: Vec<String> = several.iter().map(u16::to_string).collect();
            Err(ManifestProblem::new(
                format!(
                    "the HTTP probe of `{path}` has no port: the image exposes several, {}",
                    several.join(", ")
                ),
                format!("add one of them to the probe: `{{ http = \"{path}\", port = … }}`"),
            ))
        }
    }
}

/// Returns the security context of every container.
pub(super) fn container_security_context() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    })
}

fn pod_security_context(
    application: &Application<'_>,
    places: &[ConfigVolume<'_>],
    states: &WritableVolumes,
) -> Value {
    let Application { uid, gid, .. } = application;
    let is_root = *uid == 0;
    let has_claims = !states.claims.is_empty() || !states.claim_templates.is_empty();
    // Secret files are readable by root and the group; a new claim's owner is root.
    let needs_group = has_claims || !states.mounts.is_empty() || places.iter().any(ConfigVolume::has_secrets);
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
