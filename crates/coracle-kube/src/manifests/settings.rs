//! What a recipe says about running the program on Kubernetes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// How the program runs; what nobody says is left to Kubernetes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Settings {
    /// What runs it.
    pub kind: Kind,
    /// What its objects are called; the last part of the image's name when nothing is said.
    pub name: Option<String>,
    /// Where its objects are.
    pub namespace: Option<String>,
    /// How many pods of a Deployment or StatefulSet there are.
    pub replicas: Option<u32>,
    /// When a CronJob runs.
    pub schedule: Option<String>,
    /// How a kubelet sees whether it is well.
    pub probes: Probes,
    /// What it needs, and what it may use at most.
    pub resources: Resources,
    /// Labels of every object and of the pods.
    pub labels: BTreeMap<String, String>,
    /// Annotations of what runs it, and of the pods.
    pub annotations: BTreeMap<String, String>,
    /// Secrets that a kubelet pulls images with.
    pub image_pull_secrets: Vec<String>,
    /// How it is reached.
    pub service: Service,
    /// The class of its claims; the cluster's choice when nothing is said.
    pub storage_class: Option<String>,
    /// Seconds that it has to end.
    pub termination_grace: Option<u32>,
    /// `/tmp` is a directory that it can write to.
    pub tmp: bool,
    /// What sends it a signal when its configuration changes.
    pub reload: Option<Reloader>,
    /// Files of patches, absolute or from the recipe's folder on.
    pub patches: Vec<PathBuf>,
}

/// What runs the program.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Kind {
    /// Any number of pods, all alike.
    #[default]
    Deployment,
    /// Pods with names and claims of their own.
    StatefulSet,
    /// One pod on every node.
    DaemonSet,
    /// A program that ends.
    Job,
    /// A Job again and again.
    CronJob,
    /// One pod that nothing replaces.
    Pod,
}

/// Every [`Kind`].
pub const KINDS: [Kind; 6] =
    [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job, Kind::CronJob, Kind::Pod];

impl Kind {
    /// As `kind` has it.
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

    /// Whether its pods end by themselves.
    pub fn ends(self) -> bool {
        matches!(self, Self::Job | Self::CronJob)
    }

    /// Whether somebody says how many pods there are.
    pub fn is_counted(self) -> bool {
        matches!(self, Self::Deployment | Self::StatefulSet)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a kubelet sees whether the program is well.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Probes {
    /// Until it succeeds, the others wait.
    pub startup: Option<Probe>,
    /// While it fails, no Service leads to the pod.
    pub readiness: Option<Probe>,
    /// When it fails, the container is started again.
    pub liveness: Option<Probe>,
}

/// One question to the program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// What is asked.
    pub action: Action,
    /// Seconds before the first.
    pub initial_delay: Option<u32>,
    /// Seconds from one to the next.
    pub period: Option<u32>,
    /// Seconds that it may take.
    pub timeout: Option<u32>,
    /// So many failures in a row are one.
    pub failure_threshold: Option<u32>,
}

/// What a probe asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// A path by HTTP; the port is the first that the image exposes when nothing is said.
    Http {
        /// The path.
        path: String,
        /// The port.
        port: Option<u16>,
    },
    /// Whether the port takes connections.
    Tcp(u16),
    /// A program in the container; there is no shell.
    Exec(Vec<String>),
}

/// Quantities by the name of the resource.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Resources {
    /// What a node has to have for it.
    pub requests: BTreeMap<String, String>,
    /// What it may use at most.
    pub limits: BTreeMap<String, String>,
}

/// Whether there is a Service.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Service {
    /// When the image exposes ports and its pods stay.
    #[default]
    Auto,
    /// None.
    Never,
    /// One of this type; the usual one when nothing is said.
    Always(Option<ServiceType>),
}

/// The types of a Service that reach pods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServiceType {
    /// Inside the cluster.
    ClusterIp,
    /// At a port of every node.
    NodePort,
    /// Through a load balancer.
    LoadBalancer,
}

/// Every [`ServiceType`].
pub const SERVICE_TYPES: [ServiceType; 3] =
    [ServiceType::ClusterIp, ServiceType::NodePort, ServiceType::LoadBalancer];

impl ServiceType {
    /// As `type` has it.
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
pub struct Reloader {
    /// Its image.
    pub image: String,
    /// Its entrypoint, when it is another than the image's.
    pub command: Vec<String>,
    /// Its arguments.
    pub args: Vec<String>,
}
