//! The program's container: ports, environment variables, mounts, probes and security context.

use serde_json::{Value, json};

use super::application::Application;
use super::config_volumes::{ConfigVolume, ObjectFile};
use super::object_data::ConfigObjectKind;
use super::object_edits::with_member;
use super::workload_settings::{Probe, ProbeAction, Probes};
use super::writable_volumes::WritableVolumes;
use crate::config::FileVariable;
use crate::located_problem::LocatedProblem;
use crate::mounted_path::path_in_mount;
use coracle_core::port::{Port, Protocol};

/// Returns the container of the program.
pub(super) fn program_container(
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
    // A Service of the same name selects the pods of a Job too, but routes to named ports only.
    let ports = application.ports.iter().filter(|_| !settings.kind.runs_to_completion());
    for (key, value) in [
        ("ports", ports.map(container_port).collect()),
        ("env", Value::Array(container_env(application, config_volumes, problems))),
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

/// Returns the security context of every container.
pub(super) fn container_security_context() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    })
}

/// Returns `env` of the program's container.
fn container_env(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
    problems: &mut Vec<LocatedProblem>,
) -> Vec<Value> {
    let variables = application.configuration.variables.iter();
    variables
        .filter_map(|variable| match value_from(application, variable, config_volumes) {
            Ok(source) => Some(json!({ "name": variable.name, "valueFrom": source })),
            Err(problem) => {
                problems.push(problem.at_mount(&variable.file));
                None
            }
        })
        .collect()
}

/// Returns the `valueFrom` of a variable.
fn value_from(
    application: &Application<'_>,
    variable: &FileVariable,
    config_volumes: &[ConfigVolume<'_>],
) -> Result<Value, LocatedProblem> {
    let FileVariable { name, file, is_secret_allowed } = variable;
    let found = config_volumes.iter().find_map(|config_volume| {
        config_volume.objects.iter().find_map(|object| {
            let is_wanted = |found: &&ObjectFile| path_in_mount(config_volume.path, &found.path) == *file;
            let key = &object.files.iter().find(is_wanted)?.key;
            Some((config_volume, object, key))
        })
    });
    let Some((config_volume, object, key)) = found else {
        return Err(LocatedProblem::variable_without_file(name, file));
    };
    let reference = with_member(
        json!({ "name": object.name, "key": key }),
        "optional",
        if object.is_optional { json!(true) } else { Value::Null },
    );
    match object.kind {
        ConfigObjectKind::Secret if !is_secret_allowed => {
            Err(LocatedProblem::variable_with_secret(name, file))
        }
        ConfigObjectKind::Secret => Ok(json!({ "secretKeyRef": reference })),
        ConfigObjectKind::ConfigMap => {
            let mounts = application.rendered_mounts.iter().filter(|mount| mount.path == *config_volume.path);
            let mut files =
                mounts.flat_map(|mount| &mount.files).filter(|rendered| rendered.object_key() == *key);
            let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'));
            if files.any(|rendered| !is_text(&rendered.bytes)) {
                return Err(LocatedProblem::new(
                    format!(
                        "the variable `{name}` cannot contain `{file}`, which is not UTF-8 text without NUL bytes"
                    ),
                    "let the program read the file",
                ));
            }
            Ok(json!({ "configMapKeyRef": reference }))
        }
    }
}
