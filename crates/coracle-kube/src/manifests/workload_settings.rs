//! The `[kubernetes]` settings of a recipe.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// How the program runs; unset values use the defaults of Kubernetes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct WorkloadSettings {
    /// The kind of the workload.
    pub kind: WorkloadKind,
    /// The name of the application; `None` for the last part of the image's name.
    pub name: Option<String>,
    /// The namespace of the objects.
    pub namespace: Option<String>,
    /// The number of pods of a Deployment or StatefulSet.
    pub replicas: Option<u32>,
    /// The schedule of a CronJob, in cron syntax.
    pub schedule: Option<String>,
    /// The settings of a Job, or of the Jobs of a CronJob.
    pub job: JobSettings,
    /// The container's probes.
    pub probes: Probes,
    /// The container's resource requests and limits.
    pub resources: ResourceSettings,
    /// Labels of every object and of the pods.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the workload and of the pods.
    pub annotations: BTreeMap<String, String>,
    /// Names of the Secrets for pulling images.
    pub image_pull_secrets: Vec<String>,
    /// When a Service is generated.
    pub service: ServiceSetting,
    /// The storage class of claims; `None` for the cluster's default.
    pub storage_class: Option<String>,
    /// The termination grace period in seconds.
    pub termination_grace: Option<u32>,
    /// `true` if `/tmp` is a writable volume.
    pub has_writable_tmp: bool,
    /// The sidecar that sends a signal when the configuration changes.
    pub reload_sidecar: Option<ReloadSidecar>,
    /// Patch files, absolute or relative to the recipe's directory.
    pub patches: Vec<PathBuf>,
}

/// When Jobs are repeated, ended and removed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct JobSettings {
    /// The number of failed pods after which a Job has failed.
    pub backoff_limit: Option<u32>,
    /// Seconds after which a Job is ended.
    pub deadline: Option<u32>,
    /// Seconds after which a finished Job is removed.
    pub ttl: Option<u32>,
    /// What a CronJob does while the previous Job runs.
    pub concurrency: Option<ConcurrencyPolicy>,
    /// The number of successful Jobs that a CronJob keeps.
    pub history: Option<u32>,
    /// The number of failed Jobs that a CronJob keeps.
    pub failed_history: Option<u32>,
    /// Seconds by which a Job of a CronJob may start late.
    pub starting_deadline: Option<u32>,
    /// The time zone of a CronJob's schedule, such as `Europe/Berlin`.
    pub time_zone: Option<String>,
}

impl JobSettings {
    /// Returns the keys that are set and that only a CronJob has.
    pub(super) fn cron_keys(&self) -> Vec<&'static str> {
        let keys = [
            ("concurrency", self.concurrency.is_some()),
            ("history", self.history.is_some()),
            ("failed-history", self.failed_history.is_some()),
            ("starting-deadline", self.starting_deadline.is_some()),
            ("time-zone", self.time_zone.is_some()),
        ];
        keys.into_iter().filter(|(_, is_set)| *is_set).map(|(key, _)| key).collect()
    }
}

/// What a CronJob does while the previous Job runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConcurrencyPolicy {
    /// Starts another Job.
    Allow,
    /// Skips the new Job.
    Forbid,
    /// Ends the previous Job.
    Replace,
}

/// Every [`ConcurrencyPolicy`].
pub const CONCURRENCY_POLICIES: [ConcurrencyPolicy; 3] =
    [ConcurrencyPolicy::Allow, ConcurrencyPolicy::Forbid, ConcurrencyPolicy::Replace];

impl ConcurrencyPolicy {
    /// Returns the value of `concurrencyPolicy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Forbid => "Forbid",
            Self::Replace => "Replace",
        }
    }
}

/// The kind of a workload.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum WorkloadKind {
    /// Interchangeable pods.
    #[default]
    Deployment,
    /// Pods with stable names and separate claims.
    StatefulSet,
    /// One pod on every node.
    DaemonSet,
    /// Runs to completion.
    Job,
    /// A Job on a schedule.
    CronJob,
    /// One pod without a controller.
    Pod,
}

/// Every workload kind.
pub const WORKLOAD_KINDS: [WorkloadKind; 6] = [
    WorkloadKind::Deployment,
    WorkloadKind::StatefulSet,
    WorkloadKind::DaemonSet,
    WorkloadKind::Job,
    WorkloadKind::CronJob,
    WorkloadKind::Pod,
];

impl WorkloadKind {
    /// Returns the value of the object's `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::Pod => "Pod",
        }
    }

    /// Returns whether the pods run to completion.
    pub fn runs_to_completion(self) -> bool {
        matches!(self, Self::Job | Self::CronJob)
    }

    /// Returns whether the kind has `replicas`.
    pub fn has_replicas(self) -> bool {
        matches!(self, Self::Deployment | Self::StatefulSet)
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The probes of a container.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Probes {
    /// The other probes start after it succeeds.
    pub startup: Option<Probe>,
    /// While it fails, Services do not route to the pod.
    pub readiness: Option<Probe>,
    /// If it fails, the container is restarted.
    pub liveness: Option<Probe>,
}

/// A probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// The request or command of the probe.
    pub action: ProbeAction,
    /// Seconds before the first probe.
    pub initial_delay: Option<u32>,
    /// Seconds between probes.
    pub period: Option<u32>,
    /// Seconds after which a probe fails.
    pub timeout: Option<u32>,
    /// The number of consecutive failed attempts after which the probe has failed.
    pub failure_threshold: Option<u32>,
}

/// The action of a probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProbeAction {
    /// An HTTP request. The default port is the only TCP port that the image exposes.
    Http {
        /// The path.
        path: String,
        /// The port.
        port: Option<u16>,
    },
    /// A TCP connection to the port.
    Tcp(u16),
    /// A command in the container, run without a shell.
    Exec(Vec<String>),
}

/// Resource quantities by resource name.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ResourceSettings {
    /// Reserved resources.
    pub requests: BTreeMap<String, String>,
    /// Upper limits.
    pub limits: BTreeMap<String, String>,
}

/// When a Service is generated.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum ServiceSetting {
    /// If the image exposes ports and the pods do not run to completion.
    #[default]
    Auto,
    /// No Service.
    Never,
    /// A Service of this type; `None` for the default type.
    Always(Option<ServiceType>),
}

/// The type of a Service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServiceType {
    /// Reachable inside the cluster.
    ClusterIp,
    /// Reachable at a port of every node.
    NodePort,
    /// Reachable through a load balancer.
    LoadBalancer,
}

/// Every [`ServiceType`].
pub const SERVICE_TYPES: [ServiceType; 3] =
    [ServiceType::ClusterIp, ServiceType::NodePort, ServiceType::LoadBalancer];

impl ServiceType {
    /// Returns the value of the Service's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// A sidecar that watches mounted directories and sends signals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReloadSidecar {
    /// The sidecar's image.
    pub image: String,
    /// The entrypoint; empty for the image's own.
    pub command: Vec<String>,
    /// The arguments.
    pub args: Vec<String>,
}
