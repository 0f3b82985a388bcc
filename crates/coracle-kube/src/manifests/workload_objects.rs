//! The workload that runs the pods, and its Service.

use serde_json::{Value, json};

use super::application::{self, Application, ObjectNaming};
use super::config_volumes::ConfigVolume;
use super::object_edits::with_member;
use super::workload_settings::{
    ConcurrencyPolicy, JobSettings, ServiceSetting, ServiceType, WorkloadKind, WorkloadSettings,
};
use super::writable_volumes::{self, WritableVolumes};
use super::{pod_template, program_container};
use crate::located_problem::LocatedProblem;

/// Returns claims, the Service, and last the workload.
pub(super) fn workload_objects(
    application: &Application<'_>,
    naming: &ObjectNaming,
    config_volumes: &[ConfigVolume<'_>],
    problems: &mut Vec<LocatedProblem>,
) -> Vec<Value> {
    problems.extend(settings_problems(application));
    let writable = writable_volumes::writable_volumes(application, naming, problems);
    let template = pod_template::pod_template(application, config_volumes, &writable, problems);
    let service = service_object(application, naming);
    let workload = workload_object(application, naming, &writable, template);
    writable.claims.into_iter().chain(service).chain([workload]).collect()
}

/// Returns problems with settings that do not fit the workload's kind.
fn settings_problems(application: &Application<'_>) -> Vec<LocatedProblem> {
    let settings = application.settings;
    let kind = settings.kind;
    let mut problems = Vec::new();
    if settings.replicas.is_some() && !kind.has_replicas() {
        problems.push(
            LocatedProblem::new(
                format!("a {kind} has no `replicas`"),
                "remove it, or write `kind = \"Deployment\"`",
            )
            .at_key("replicas"),
        );
    }
    problems.extend(job_problems(settings));
    match (&settings.schedule, kind) {
        (None, WorkloadKind::CronJob) => problems.push(
            LocatedProblem::new(
                "the CronJob has no `schedule`",
                "write `schedule = \"0 3 * * *\"` in `[kubernetes]`",
            )
            .at_key("kind"),
        ),
        (Some(_), kind) if kind != WorkloadKind::CronJob => problems.push(
            LocatedProblem::new(
                format!("a {kind} has no `schedule`"),
                "remove it, or write `kind = \"CronJob\"`",
            )
            .at_key("schedule"),
        ),
        _ => {}
    }
    match &settings.service {
        ServiceSetting::Always(_) if kind.runs_to_completion() => problems.push(
            LocatedProblem::new(
                format!("a {kind} cannot have a Service: its pods run to completion"),
                "remove `service`",
            )
            .at_key("service"),
        ),
        ServiceSetting::Always(Some(_)) if kind == WorkloadKind::StatefulSet => problems.push(
            LocatedProblem::new(
                "the Service of a StatefulSet is headless, so it cannot have a type",
                "remove `service`; write a manifest of your own for another Service",
            )
            .at_key("service"),
        ),
        ServiceSetting::Never if kind == WorkloadKind::StatefulSet => problems.push(
            LocatedProblem::new(
                "a StatefulSet needs a Service for the DNS names of its pods",
                "remove `service`",
            )
            .at_key("service"),
        ),
        ServiceSetting::Always(_) if application.ports.is_empty() && kind != WorkloadKind::StatefulSet => {
            problems.push(
                LocatedProblem::new(
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

fn workload_object(
    application: &Application<'_>,
    naming: &ObjectNaming,
    writable: &WritableVolumes,
    template: Value,
) -> Value {
    let settings = application.settings;
    let kind = settings.kind;
    let version = match kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => "apps/v1",
        WorkloadKind::Job | WorkloadKind::CronJob => "batch/v1",
        WorkloadKind::Pod => "v1",
    };
    let selector = || json!({ "matchLabels": application::selector_labels(application) });
    // Two pods cannot use one claim, so the old pod must end before a new one starts.
    let is_single = kind == WorkloadKind::Deployment && writable.is_exclusive;
    let replicas = if is_single { Some(settings.replicas.unwrap_or(1)) } else { settings.replicas };
    let strategy = match is_single {
        true => json!({ "type": "Recreate" }),
        // The defaults. Server-side apply removes `rollingUpdate` only if it was applied before.
        false => {
            json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } })
        }
    };
    let spec = match kind {
        WorkloadKind::Deployment => {
            let spec = json!({ "selector": selector(), "template": template });
            with_member(with_member(spec, "replicas", json!(replicas)), "strategy", strategy)
        }
        WorkloadKind::StatefulSet => {
            let spec =
                json!({ "serviceName": naming.name_prefix, "selector": selector(), "template": template });
            with_member(
                with_member(spec, "replicas", json!(replicas)),
                "volumeClaimTemplates",
                json!(writable.claim_templates),
            )
        }
        WorkloadKind::DaemonSet => json!({ "selector": selector(), "template": template }),
        WorkloadKind::Job => job_spec(settings, template),
        WorkloadKind::CronJob => cron_job_spec(settings, writable, template),
        WorkloadKind::Pod => template.get("spec").cloned().unwrap_or_default(),
    };
    let metadata = with_member(
        application::named_metadata(application, &naming.name_prefix),
        "annotations",
        json!(settings.annotations),
    );
    json!({ "apiVersion": version, "kind": kind.as_str(), "metadata": metadata, "spec": spec })
}

fn job_spec(settings: &WorkloadSettings, template: Value) -> Value {
    let JobSettings { backoff_limit, deadline, ttl, .. } = settings.job;
    let members = [
        ("backoffLimit", backoff_limit),
        ("activeDeadlineSeconds", deadline),
        ("ttlSecondsAfterFinished", ttl),
    ];
    let spec = json!({ "template": template });
    members.into_iter().fold(spec, |spec, (key, value)| with_member(spec, key, json!(value)))
}

fn cron_job_spec(settings: &WorkloadSettings, writable: &WritableVolumes, template: Value) -> Value {
    let job = &settings.job;
    // Two pods cannot use one claim.
    let default = writable.is_exclusive.then_some(ConcurrencyPolicy::Forbid);
    let concurrency = job.concurrency.or(default).map(ConcurrencyPolicy::as_str);
    let spec =
        json!({ "schedule": settings.schedule, "jobTemplate": { "spec": job_spec(settings, template) } });
    [
        ("concurrencyPolicy", json!(concurrency)),
        ("successfulJobsHistoryLimit", json!(job.history)),
        ("failedJobsHistoryLimit", json!(job.failed_history)),
        ("startingDeadlineSeconds", json!(job.starting_deadline)),
        ("timeZone", json!(job.time_zone)),
    ]
    .into_iter()
    .fold(spec, |spec, (key, value)| with_member(spec, key, value))
}

/// Returns problems with `job` for a workload that has no such settings.
fn job_problems(settings: &WorkloadSettings) -> Option<LocatedProblem> {
    let kind = settings.kind;
    if !kind.runs_to_completion() && settings.job != JobSettings::default() {
        let hint = "remove it, or write `kind = \"Job\"`";
        return Some(LocatedProblem::new(format!("a {kind} has no `job`"), hint).at_key("job"));
    }
    let key = *settings.job.cron_keys().first().filter(|_| kind == WorkloadKind::Job)?;
    let hint = "remove it, or write `kind = \"CronJob\"`";
    Some(LocatedProblem::new(format!("a Job has no `{key}`"), hint).at_key("job"))
}

/// Removes `strategy.rollingUpdate` if a patch changes the strategy to `Recreate` and does not name it.
pub(super) fn remove_unused_rolling_update(object: &mut Value, change: &Value) {
    let is_recreate = object.pointer("/spec/strategy/type").is_some_and(|kind| kind == "Recreate");
    if is_recreate && change.pointer("/spec/strategy/rollingUpdate").is_none() {
        let strategy = object.pointer_mut("/spec/strategy").and_then(Value::as_object_mut);
        strategy.into_iter().for_each(|strategy| drop(strategy.remove("rollingUpdate")));
    }
}

/// Returns the Service, if any; a headless one for a StatefulSet.
fn service_object(application: &Application<'_>, naming: &ObjectNaming) -> Option<Value> {
    let settings = application.settings;
    let is_headless = settings.kind == WorkloadKind::StatefulSet;
    let is_wanted = match settings.service {
        ServiceSetting::Auto => {
            is_headless || !settings.kind.runs_to_completion() && !application.ports.is_empty()
        }
        ServiceSetting::Always(_) => true,
        ServiceSetting::Never => false,
    };
    let ports: Vec<Value> = application
        .ports
        .iter()
        .map(|port| {
            let name = program_container::port_name(port);
            json!({ "name": name, "port": port.number, "targetPort": name, "protocol": program_container::protocol_name(port) })
        })
        .collect();
    let mut spec =
        with_member(json!({ "selector": application::selector_labels(application) }), "ports", json!(ports));
    if is_headless {
        spec = with_member(spec, "clusterIP", json!("None"));
    } else if let ServiceSetting::Always(Some(kind)) = settings.service {
        spec = with_member(spec, "type", json!(ServiceType::as_str(kind)));
    }
    is_wanted.then(|| {
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": application::named_metadata(application, &naming.name_prefix),
            "spec": spec,
        })
    })
}

/// Returns the JSON pointer to the pod template in a workload.
pub(super) fn pod_template_pointer(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::Job => "/spec/template",
        WorkloadKind::CronJob => "/spec/jobTemplate/spec/template",
        WorkloadKind::Pod => "",
    }
}

/// Returns whether `object` is the workload that runs the program.
pub(super) fn is_workload(object: &Value, application: &Application<'_>) -> bool {
    object.get("kind").is_some_and(|kind| kind == application.settings.kind.as_str())
}

/// Returns the program's container if `object` is the workload.
pub(super) fn find_program_container<'a>(
    object: &'a mut Value,
    application: &Application<'_>,
) -> Option<&'a mut Value> {
    if !is_workload(object, application) {
        return None;
    }
    let pointer = format!("{}/spec/containers", pod_template_pointer(application.settings.kind));
    let containers = object.pointer_mut(&pointer)?.as_array_mut()?;
    containers.iter_mut().find(|container| container.get("name").is_some_and(|name| name == application.name))
}

/// Returns the file name for an object: its kind, and for claims the volume. `prefix` is the prefix of
/// object names, see [`ObjectNaming`].
pub(super) fn object_file_name(object: &Value, prefix: &str) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = text("/kind").to_ascii_lowercase();
    let name = text("/metadata/name");
    match text("/kind") {
        "PersistentVolumeClaim" => format!("{kind}{}.yaml", name.strip_prefix(prefix).unwrap_or(name)),
        _ => format!("{kind}.yaml"),
    }
}
