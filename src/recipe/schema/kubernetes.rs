//! The keys of `[kubernetes]`.

use std::collections::BTreeMap;

use super::{BoolOrString, NumberOrString, Spanned, StrictTable};

/// `[kubernetes]`
#[derive(Clone, serde::Deserialize, Default)]
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
    /// When the Jobs of the kinds Job and CronJob are repeated, ended and removed.
    pub(in crate::recipe) job: Option<Spanned<StrictTable<JobTable>>>,
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
    /// The image of the sidecar that sends the signal of `reload = "signal:NAME"`. Default: Coracle's own,
    /// next to the program's image.
    pub(in crate::recipe) reload_image: Option<Spanned<String>>,
    /// The sidecar's command. Default: the image's entrypoint.
    pub(in crate::recipe) reload_command: Vec<Spanned<String>>,
    /// The sidecar's arguments.
    pub(in crate::recipe) reload_args: Vec<Spanned<String>>,
    /// YAML files that are merged into the generated objects.
    pub(in crate::recipe) patches: Vec<Spanned<String>>,
}

impl KubernetesTable {
    /// Returns this table with the keys of `other` in place of its own. Labels, annotations and
    /// quantities are merged by name, and patches are appended.
    pub(in crate::recipe) fn overridden_by(&self, other: &Self) -> Self {
        fn either<T: Clone>(base: &Option<T>, other: &Option<T>) -> Option<T> {
            other.clone().or_else(|| base.clone())
        }
        fn any<T: Clone>(base: &[T], other: &[T]) -> Vec<T> {
            if other.is_empty() { base.to_vec() } else { other.to_vec() }
        }
        fn merged<T: Clone>(base: &BTreeMap<String, T>, other: &BTreeMap<String, T>) -> BTreeMap<String, T> {
            base.iter().chain(other).map(|(key, value)| (key.clone(), value.clone())).collect()
        }
        let (resources, more) = (&self.resources.0, &other.resources.0);
        Self {
            kind: either(&self.kind, &other.kind),
            name: either(&self.name, &other.name),
            namespace: either(&self.namespace, &other.namespace),
            replicas: either(&self.replicas, &other.replicas),
            schedule: either(&self.schedule, &other.schedule),
            job: either(&self.job, &other.job),
            probes: either(&self.probes, &other.probes),
            resources: StrictTable(ResourcesTable {
                requests: merged(&resources.requests, &more.requests),
                limits: merged(&resources.limits, &more.limits),
            }),
            labels: merged(&self.labels, &other.labels),
            annotations: merged(&self.annotations, &other.annotations),
            image_pull_secrets: any(&self.image_pull_secrets, &other.image_pull_secrets),
            service: either(&self.service, &other.service),
            storage_class: either(&self.storage_class, &other.storage_class),
            termination_grace: either(&self.termination_grace, &other.termination_grace),
            tmp: either(&self.tmp, &other.tmp),
            reload_image: either(&self.reload_image, &other.reload_image),
            reload_command: any(&self.reload_command, &other.reload_command),
            reload_args: any(&self.reload_args, &other.reload_args),
            patches: [self.patches.as_slice(), &other.patches].concat(),
        }
    }
}

/// `job = { backoff-limit = 3, ttl = 3600 }`
#[derive(Clone, serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct JobTable {
    /// The number of failed pods after which a Job has failed.
    pub(in crate::recipe) backoff_limit: Option<u32>,
    /// Seconds after which a Job is ended.
    pub(in crate::recipe) deadline: Option<u32>,
    /// Seconds after which a finished Job is removed.
    pub(in crate::recipe) ttl: Option<u32>,
    /// What a CronJob does while the previous Job runs: Allow, Forbid or Replace.
    pub(in crate::recipe) concurrency: Option<Spanned<String>>,
    /// The number of successful Jobs that a CronJob keeps.
    pub(in crate::recipe) history: Option<u32>,
    /// The number of failed Jobs that a CronJob keeps.
    pub(in crate::recipe) failed_history: Option<u32>,
    /// Seconds by which a Job of a CronJob may start late.
    pub(in crate::recipe) starting_deadline: Option<u32>,
    /// The time zone of a CronJob's schedule, such as `Europe/Berlin`.
    pub(in crate::recipe) time_zone: Option<Spanned<String>>,
}

/// `probes = { http = "/health" }` for readiness and liveness, or a table for each probe.
#[derive(Clone, serde::Deserialize, Default)]
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
#[derive(Clone, serde::Deserialize, Default)]
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
#[derive(Clone, serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct ResourcesTable {
    /// Requested quantities by resource, such as `cpu` and `memory`.
    pub(in crate::recipe) requests: BTreeMap<String, Spanned<NumberOrString>>,
    /// Maximum quantities by resource.
    pub(in crate::recipe) limits: BTreeMap<String, Spanned<NumberOrString>>,
}
