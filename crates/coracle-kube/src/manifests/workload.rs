//! The workload that runs the pods, and its Service.

use serde_json::{Value, json};

use super::object::{self, Names, with};
use super::place::Place;
use super::settings::{Kind, Service, ServiceType};
use super::state::{self, States};
use super::{Application, Problem, pod};

/// Returns claims, the Service, and last the workload.
pub(super) fn objects(
    application: &Application<'_>,
    names: &Names,
    places: &[Place<'_>],
    problems: &mut Vec<Problem>,
) -> Vec<Value> {
    problems.extend(unfit(application));
    let states = state::states(application, names, problems);
    let template = pod::template(application, places, &states, problems);
    let service = service(application, names);
    let workload = workload(application, names, &states, template);
    states.claims.into_iter().chain(service).chain([workload]).collect()
}

/// Returns problems with settings that do not fit the workload's kind.
fn unfit(application: &Application<'_>) -> Vec<Problem> {
    let settings = application.settings;
    let kind = settings.kind;
    let mut problems = Vec::new();
    if settings.replicas.is_some() && !kind.is_counted() {
        problems.push(
            Problem::new(
                format!("a {kind} has no `replicas`"),
                "remove it, or write `kind = \"Deployment\"`",
            )
            .at_key("replicas"),
        );
    }
    match (&settings.schedule, kind) {
        (None, Kind::CronJob) => problems.push(
            Problem::new(
                "the CronJob has no `schedule`",
                "write `schedule = \"0 3 * * *\"` in `[kubernetes]`",
            )
            .at_key("kind"),
        ),
        (Some(_), kind) if kind != Kind::CronJob => problems.push(
            Problem::new(format!("a {kind} has no `schedule`"), "remove it, or write `kind = \"CronJob\"`")
                .at_key("schedule"),
        ),
        _ => {}
    }
    match &settings.service {
        Service::Always(_) if kind.ends() => problems.push(
            Problem::new(
                format!("a {kind} cannot have a Service: its pods run to completion"),
                "remove `service`",
            )
            .at_key("service"),
        ),
        Service::Always(Some(_)) if kind == Kind::StatefulSet => problems.push(
            Problem::new(
                "the Service of a StatefulSet is headless, so it cannot have a type",
                "remove `service`; write a manifest of your own for another Service",
            )
            .at_key("service"),
        ),
        Service::Never if kind == Kind::StatefulSet => problems.push(
            Problem::new("a StatefulSet needs a Service for the DNS names of its pods", "remove `service`")
                .at_key("service"),
        ),
        Service::Always(_) if application.ports.is_empty() && kind != Kind::StatefulSet => {
            problems.push(
                Problem::new(
                    "the Service has no port: the image exposes none",
                    "write `expose = [\"8080\"]` in `[image]`",
                )
                .at_key("service"),
            );
        }
        _ => {}
    }
    problems
}

fn workload(application: &Application<'_>, names: &Names, states: &States, template: Value) -> Value {
    let settings = application.settings;
    let kind = settings.kind;
    let version = match kind {
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => "apps/v1",
        Kind::Job | Kind::CronJob => "batch/v1",
        Kind::Pod => "v1",
    };
    let selector = || json!({ "matchLabels": object::selector(application) });
    // Two pods cannot use one claim, so the old pod must end before a new one starts.
    let is_single = kind == Kind::Deployment && states.is_exclusive;
    let replicas = if is_single { Some(settings.replicas.unwrap_or(1)) } else { settings.replicas };
    let strategy = if is_single { json!({ "type": "Recreate" }) } else { Value::Null };
    let spec = match kind {
        Kind::Deployment => {
            let spec = json!({ "selector": selector(), "template": template });
            with(with(spec, "replicas", json!(replicas)), "strategy", strategy)
        }
        Kind::StatefulSet => {
            let spec = json!({ "serviceName": names.app, "selector": selector(), "template": template });
            with(with(spec, "replicas", json!(replicas)), "volumeClaimTemplates", json!(states.templates))
        }
        Kind::DaemonSet => json!({ "selector": selector(), "template": template }),
        Kind::Job => json!({ "template": template }),
        Kind::CronJob => {
            let job = json!({ "spec": { "template": template } });
            let forbid = if states.is_exclusive { json!("Forbid") } else { Value::Null };
            with(json!({ "schedule": settings.schedule, "jobTemplate": job }), "concurrencyPolicy", forbid)
        }
        Kind::Pod => template.get("spec").cloned().unwrap_or_default(),
    };
    let metadata = with(object::named(application, &names.app), "annotations", json!(settings.annotations));
    json!({ "apiVersion": version, "kind": kind.as_str(), "metadata": metadata, "spec": spec })
}

/// Returns the Service, if any; a headless one for a StatefulSet.
fn service(application: &Application<'_>, names: &Names) -> Option<Value> {
    let settings = application.settings;
    let is_headless = settings.kind == Kind::StatefulSet;
    let is_wanted = match settings.service {
        Service::Auto => is_headless || !settings.kind.ends() && !application.ports.is_empty(),
        Service::Always(_) => true,
        Service::Never => false,
    };
    let ports: Vec<Value> = application
        .ports
        .iter()
        .map(|port| {
            let name = pod::port_name(port);
            json!({ "name": name, "port": port.number, "targetPort": name, "protocol": pod::protocol(port) })
        })
        .collect();
    let mut spec = with(json!({ "selector": object::selector(application) }), "ports", json!(ports));
    if is_headless {
        spec = with(spec, "clusterIP", json!("None"));
    } else if let Service::Always(Some(kind)) = settings.service {
        spec = with(spec, "type", json!(ServiceType::as_str(kind)));
    }
    is_wanted.then(|| {
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": object::named(application, &names.app),
            "spec": spec,
        })
    })
}

/// Returns the JSON pointer to the pod template in a workload.
pub(super) fn template_pointer(kind: Kind) -> &'static str {
    match kind {
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::Job => "/spec/template",
        Kind::CronJob => "/spec/jobTemplate/spec/template",
        Kind::Pod => "",
    }
}

/// Returns whether `object` is the workload that runs the program.
pub(super) fn is_workload(object: &Value, application: &Application<'_>) -> bool {
    object.get("kind").is_some_and(|kind| kind == application.settings.kind.as_str())
}

/// Returns the program's container if `object` is the workload.
pub(super) fn container<'a>(object: &'a mut Value, application: &Application<'_>) -> Option<&'a mut Value> {
    if !is_workload(object, application) {
        return None;
    }
    let pointer = format!("{}/spec/containers", template_pointer(application.settings.kind));
    let containers = object.pointer_mut(&pointer)?.as_array_mut()?;
    containers.iter_mut().find(|container| container.get("name").is_some_and(|name| name == application.name))
}

/// Returns the file name for an object: its kind, and for claims the volume.
pub(super) fn file_name(object: &Value, application: &Application<'_>) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = text("/kind").to_ascii_lowercase();
    let volume =
        text("/metadata/name").rsplit_once(['\u{1}']).map_or(text("/metadata/name"), |(_, rest)| rest);
    let volume = volume.strip_prefix(application.name).unwrap_or(volume);
    match text("/kind") {
        "PersistentVolumeClaim" => format!("{kind}{volume}.yaml"),
        _ => format!("{kind}.yaml"),
    }
}
