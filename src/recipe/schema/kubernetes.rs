//! The keys of `[kubernetes]`.

use std::collections::BTreeMap;

use super::{Choice, Scalar, Spanned, Table};

/// `[kubernetes]`
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct Kubernetes {
    /// Deployment (the default), StatefulSet, DaemonSet, Job, CronJob or Pod.
    pub(in crate::recipe) kind: Option<Spanned<String>>,
    /// The objects' name; the last part of the image's name when left out.
    pub(in crate::recipe) name: Option<Spanned<String>>,
    /// Where they are.
    pub(in crate::recipe) namespace: Option<Spanned<String>>,
    /// How many pods.
    pub(in crate::recipe) replicas: Option<Spanned<u32>>,
    /// When a CronJob runs.
    pub(in crate::recipe) schedule: Option<Spanned<String>>,
    /// How a kubelet knows that the program is up.
    pub(in crate::recipe) probes: Option<Spanned<Table<Probes>>>,
    /// What it needs at least, and gets at most.
    pub(in crate::recipe) resources: Table<Resources>,
    /// Labels of every object.
    pub(in crate::recipe) labels: BTreeMap<String, Spanned<String>>,
    /// Annotations of the workload.
    pub(in crate::recipe) annotations: BTreeMap<String, Spanned<String>>,
    /// Secrets of the registry.
    pub(in crate::recipe) image_pull_secrets: Vec<Spanned<String>>,
    /// Whether there is a Service: `true`, `false`, or its type.
    pub(in crate::recipe) service: Option<Spanned<Choice>>,
    /// Of claims.
    pub(in crate::recipe) storage_class: Option<Spanned<String>>,
    /// Seconds between being asked to end and being killed.
    pub(in crate::recipe) termination_grace: Option<u32>,
    /// Mount an empty directory on `/tmp`.
    pub(in crate::recipe) tmp: Option<bool>,
    /// The image that sends the signal of `reload = "signal:NAME"`.
    pub(in crate::recipe) reload_image: Option<Spanned<String>>,
    /// Its command, when not the image's.
    pub(in crate::recipe) reload_command: Vec<Spanned<String>>,
    /// Its arguments.
    pub(in crate::recipe) reload_args: Vec<Spanned<String>>,
    /// YAML files with whatever no key says.
    pub(in crate::recipe) patches: Vec<Spanned<String>>,
}

/// `probes = { http = "/health" }`, or one for each question.
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct Probes {
    /// Whether it has started.
    pub(in crate::recipe) startup: Option<Spanned<Table<Probe>>>,
    /// Whether it can be asked.
    pub(in crate::recipe) readiness: Option<Spanned<Table<Probe>>>,
    /// Whether it still runs.
    pub(in crate::recipe) liveness: Option<Spanned<Table<Probe>>>,
    // `flatten` would hide the keys from whoever asks for them.
    /// A path that answers.
    pub(in crate::recipe) http: Option<Spanned<String>>,
    /// A port that can be connected to.
    pub(in crate::recipe) tcp: Option<u16>,
    /// A command of the image that succeeds.
    pub(in crate::recipe) exec: Option<Vec<String>>,
    /// The port of `http`; the first of the image when left out.
    pub(in crate::recipe) port: Option<Spanned<u16>>,
    /// Seconds before the first.
    pub(in crate::recipe) initial_delay: Option<u32>,
    /// Seconds between two.
    pub(in crate::recipe) period: Option<u32>,
    /// Seconds for an answer.
    pub(in crate::recipe) timeout: Option<u32>,
    /// Failures in a row that count.
    pub(in crate::recipe) failure_threshold: Option<u32>,
}

/// One probe.
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct Probe {
    /// A path that answers.
    pub(in crate::recipe) http: Option<Spanned<String>>,
    /// A port that can be connected to.
    pub(in crate::recipe) tcp: Option<u16>,
    /// A command of the image that succeeds.
    pub(in crate::recipe) exec: Option<Vec<String>>,
    /// The port of `http`; the first of the image when left out.
    pub(in crate::recipe) port: Option<Spanned<u16>>,
    /// Seconds before the first.
    pub(in crate::recipe) initial_delay: Option<u32>,
    /// Seconds between two.
    pub(in crate::recipe) period: Option<u32>,
    /// Seconds for an answer.
    pub(in crate::recipe) timeout: Option<u32>,
    /// Failures in a row that count.
    pub(in crate::recipe) failure_threshold: Option<u32>,
}

/// `resources = { requests = { … }, limits = { … } }`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct Resources {
    /// At least.
    pub(in crate::recipe) requests: BTreeMap<String, Spanned<Scalar>>,
    /// At most.
    pub(in crate::recipe) limits: BTreeMap<String, Spanned<Scalar>>,
}
