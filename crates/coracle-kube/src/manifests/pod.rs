//! The pod: one container of the image, held to the restricted Pod Security Standard, on a root that can't be written to.

use serde_json::{Value, json};

use super::object::{self, with};
use super::place::Place;
use super::settings::{Action, Probe, Probes};
use super::state::States;
use super::{Application, Problem, sidecar, variable};
use coracle_core::port::{Port, Protocol};

/// Ports below are root's, unless the pod says otherwise.
const UNPRIVILEGED: u16 = 1024;

/// `metadata` and `spec` of a pod.
pub(super) fn template(
    application: &Application<'_>,
    places: &[Place<'_>],
    states: &States,
    problems: &mut Vec<Problem>,
) -> Value {
    let settings = application.settings;
    let metadata =
        with(json!({ "labels": object::labels(application) }), "annotations", json!(settings.annotations));
    let sidecars = sidecar::sidecars(application, places, problems);
    let shares = if sidecars.is_empty() { Value::Null } else { json!(true) };
    let volumes: Vec<Value> =
        places.iter().map(Place::volume).chain(states.volumes.iter().cloned()).collect();
    let secrets: Vec<Value> =
        settings.image_pull_secrets.iter().map(|name| json!({ "name": name })).collect();
    let mut spec = json!({
        "automountServiceAccountToken": false,
        // Variables for each Service around would be configuration that nobody wrote.
        "enableServiceLinks": false,
        "securityContext": pod_security(application, places, states),
        "containers": [container(application, places, states, problems)],
    });
    for (key, value) in [
        ("initContainers", Value::Array(sidecars)),
        ("shareProcessNamespace", shares),
        ("volumes", Value::Array(volumes)),
        ("imagePullSecrets", Value::Array(secrets)),
        ("terminationGracePeriodSeconds", json!(settings.termination_grace)),
        ("restartPolicy", if settings.kind.ends() { json!("Never") } else { Value::Null }),
    ] {
        spec = with(spec, key, value);
    }
    json!({ "metadata": metadata, "spec": spec })
}

fn container(
    application: &Application<'_>,
    places: &[Place<'_>],
    states: &States,
    problems: &mut Vec<Problem>,
) -> Value {
    let settings = application.settings;
    let mounts: Vec<Value> = places.iter().map(Place::mount).chain(states.mounts.iter().cloned()).collect();
    let resources = with(json!({}), "requests", json!(settings.resources.requests));
    let resources = with(resources, "limits", json!(settings.resources.limits));
    let mut container = json!({
        "name": application.name,
        "image": application.image.to_string(),
        // The digest says which image it is; `latest` alone would be pulled each time.
        "imagePullPolicy": "IfNotPresent",
        "securityContext": container_security(),
    });
    for (key, value) in [
        ("ports", application.ports.iter().map(port).collect()),
        ("env", Value::Array(variable::env(application, places, problems))),
        ("resources", resources),
        ("volumeMounts", Value::Array(mounts)),
    ] {
        container = with(container, key, value);
    }
    let Probes { startup, readiness, liveness } = &settings.probes;
    for (key, probe) in
        [("startupProbe", startup), ("readinessProbe", readiness), ("livenessProbe", liveness)]
    {
        // Nobody waits for a pod that ends.
        let is_asked = key != "readinessProbe" || !settings.kind.ends();
        if let Some(asked) = probe.as_ref().filter(|_| is_asked) {
            container = with(container, key, self::probe(application, asked, problems));
        }
    }
    container
}

/// The name of a port, the same in pod and Service: `tcp-8080`.
pub(super) fn port_name(port: &Port) -> String {
    format!("{}-{}", protocol(port).to_ascii_lowercase(), port.number)
}

pub(super) fn protocol(port: &Port) -> &'static str {
    match port.protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
        Protocol::Sctp => "SCTP",
    }
}

fn port(port: &Port) -> Value {
    json!({ "name": port_name(port), "containerPort": port.number, "protocol": protocol(port) })
}

fn probe(application: &Application<'_>, probe: &Probe, problems: &mut Vec<Problem>) -> Value {
    let action = match &probe.action {
        Action::Http { path, port } => match port.map_or_else(|| only_port(application, path), Ok) {
            Ok(port) => json!({ "httpGet": { "path": path, "port": port } }),
            Err(problem) => {
                problems.push(problem.at_key("probes"));
                return Value::Null;
            }
        },
        Action::Tcp(port) => json!({ "tcpSocket": { "port": port } }),
        Action::Exec(command) => json!({ "exec": { "command": command } }),
    };
    [
        ("initialDelaySeconds", probe.initial_delay),
        ("periodSeconds", probe.period),
        ("timeoutSeconds", probe.timeout),
        ("failureThreshold", probe.failure_threshold),
    ]
    .into_iter()
    .fold(action, |action, (key, value)| with(action, key, json!(value)))
}

/// The port that `path` is asked for at when nobody names one. Exposed ports have no order, so none is the first.
fn only_port(application: &Application<'_>, path: &str) -> Result<u16, Problem> {
    let ports = application.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    let ports: Vec<u16> = ports.map(|port| port.number).collect();
    match ports.as_slice() {
        [port] => Ok(*port),
        [] => Err(Problem::new(
            format!("nothing says at which port `{path}` is asked for: the image exposes none"),
            "write `expose = [\"8080\"]` below `[image]`, or `port` beside `http`",
        )),
        several => {
            let several: Vec<String> = several.iter().map(u16::to_string).collect();
            Err(Problem::new(
                format!(
                    "nothing says at which port `{path}` is asked for: the image exposes {}",
                    several.join(", ")
                ),
                format!("write one of them beside `http`: `{{ http = \"{path}\", port = … }}`"),
            ))
        }
    }
}

/// What every container has.
pub(super) fn container_security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    })
}

fn pod_security(application: &Application<'_>, places: &[Place<'_>], states: &States) -> Value {
    let Application { uid, gid, .. } = application;
    let is_root = *uid == 0;
    let has_claims = !states.claims.is_empty() || !states.templates.is_empty();
    // Files of secrets are root's and the group's; a claim belongs to whoever made it.
    let needs_group = has_claims || !states.mounts.is_empty() || places.iter().any(Place::has_secrets);
    let low = application.ports.iter().map(|port| port.number).filter(|port| *port < UNPRIVILEGED).min();
    let sysctl = low
        .filter(|_| !is_root)
        .map(|port| json!([{ "name": "net.ipv4.ip_unprivileged_port_start", "value": port.to_string() }]));
    let mut security = json!({
        "runAsUser": uid,
        // An image's group does not reach the pod.
        "runAsGroup": gid,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    for (key, value) in [
        ("runAsNonRoot", if is_root { Value::Null } else { json!(true) }),
        ("fsGroup", if needs_group { json!(gid) } else { Value::Null }),
        ("fsGroupChangePolicy", if has_claims { json!("OnRootMismatch") } else { Value::Null }),
        ("sysctls", json!(sysctl)),
    ] {
        security = with(security, key, value);
    }
    security
}
