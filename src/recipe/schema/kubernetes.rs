//! The keys of `[kubernetes]`.

use std::collections::BTreeMap;

use super::{BoolOrString, NumberOrString, Spanned, StrictTable};

/// `[kubernetes]`
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct KubernetesTable {
    /// The workload: Deployment (the default), StatefulSet, DaemonSet, Job, CronJob or Pod.
    pub(in crate::recipe) kind: Option<Spanned<String>>,
    /// The name of the objects. Default: the last part of the image's name.
    pub(in crate::recipe) name: Option<Spanned<String>>,
    /// The namespace of the objects.
    pub(in crate::recipe) namespace: Option<Spanned<String>>,
    /// The number of pods.
    pub(in crate::recipe) replicas: Option<Spanned<u32>>,
    /// The schedule of a CronJob: five fields, or a macro such as `@daily`.
    pub(in crate::recipe) schedule: Option<Spanned<String>>,
    /// The container's probes. A probe without its own table is used for readiness and liveness.
    pub(in crate::recipe) probes: Option<Spanned<StrictTable<ProbesTable>>>,
    /// The resources of the container.
    pub(in crate::recipe) resources: StrictTable<ResourcesTable>,
    /// Labels of every object.
    pub(in crate::recipe) labels: BTreeMap<String, Spanned<String>>,
    /// Annotations of the workload.
    pub(in crate::recipe) annotations: BTreeMap<String, Spanned<String>>,
    /// Names of the Secrets with the registry's credentials.
    pub(in crate::recipe) image_pull_secrets: Vec<Spanned<String>>,
    /// Whether to generate a Service: `true`, `false`, or its type. Default: if ports are exposed.
    pub(in crate::recipe) service: Option<Spanned<BoolOrString>>,
    /// The storage class of claims.
    pub(in crate::recipe) storage_class: Option<Spanned<String>>,
    /// Seconds between the stop signal and SIGKILL.
    pub(in crate::recipe) termination_grace: Option<Spanned<u32>>,
    /// Whether to mount an empty directory at `/tmp`.
    pub(in crate::recipe) tmp: Option<bool>,
    /// The image of the sidecar that sends the signal of `reload = "signal:NAME"`.
    pub(in crate::recipe) reload_image: Option<Spanned<String>>,
    /// The sidecar's command. Default: the image's entrypoint.
    pub(in crate::recipe) reload_command: Vec<Spanned<String>>,
    /// The sidecar's arguments.
    pub(in crate::recipe) reload_args: Vec<Spanned<String>>,
    /// YAML files that are merged into the generated objects.
    pub(in crate::recipe) patches: Vec<Spanned<String>>,
}

/// `probes = { http = "/health" }` for readiness and liveness, or a table for each probe.
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct ProbesTable {
    /// The startup probe.
    pub(in crate::recipe) startup: Option<Spanned<StrictTable<ProbeTable>>>,
    /// The readiness probe.
    pub(in crate::recipe) readiness: Option<Spanned<StrictTable<ProbeTable>>>,
    /// The liveness probe.
    pub(in crate::recipe) liveness: Option<Spanned<StrictTable<ProbeTable>>>,
    // The fields of `Probe` are repeated, because `keys_of` cannot see flattened fields.
    /// An HTTP path to request with GET.
    pub(in crate::recipe) http: Option<Spanned<String>>,
    /// A TCP port to connect to.
    pub(in crate::recipe) tcp: Option<u16>,
    /// A command to run in the container; it must exit with 0.
    pub(in crate::recipe) exec: Option<Vec<String>>,
    /// The port of `http`. Default: the only TCP port that the image exposes.
    pub(in crate::recipe) port: Option<Spanned<u16>>,
    /// Seconds before the first probe.
    pub(in crate::recipe) initial_delay: Option<u32>,
    /// Seconds between two probes.
    pub(in crate::recipe) period: Option<u32>,
    /// Seconds until a probe times out.
    pub(in crate::recipe) timeout: Option<u32>,
    /// Consecutive failures until the probe has failed.
    pub(in crate::recipe) failure_threshold: Option<u32>,
}

/// One probe.
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct ProbeTable {
    /// An HTTP path to request with GET.
    pub(in crate::recipe) http: Option<Spanned<String>>,
    /// A TCP port to connect to.
    pub(in crate::recipe) tcp: Option<u16>,
    /// A command to run in the container; it must exit with 0.
    pub(in crate::recipe) exec: Option<Vec<String>>,
    /// The port of `http`. Default: the only TCP port that the image exposes.
    pub(in crate::recipe) port: Option<Spanned<u16>>,
    /// Seconds before the first probe.
    pub(in crate::recipe) initial_delay: Option<u32>,
    /// Seconds between two probes.
    pub(in crate::recipe) period: Option<u32>,
    /// Seconds until a probe times out.
    pub(in crate::recipe) timeout: Option<u32>,
    /// Consecutive failures until the probe has failed.
    pub(in crate::recipe) failure_threshold: Option<u32>,
}

/// `resources = { requests = { … }, limits = { … } }`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct ResourcesTable {
    /// Requested quantities by resource, such as `cpu` and `memory`.
    pub(in crate::recipe) requests: BTreeMap<String, Spanned<NumberOrString>>,
    /// Maximum quantities by resource.
    pub(in crate::recipe) limits: BTreeMap<String, Spanned<NumberOrString>>,
}
