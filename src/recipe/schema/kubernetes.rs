//! The keys of `[kubernetes]`.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{Choice, Scalar, Table};

/// `[kubernetes]`
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
pub(in crate::recipe) struct Kubernetes {
    pub(in crate::recipe) kind: Option<Spanned<String>>,
    pub(in crate::recipe) name: Option<Spanned<String>>,
    pub(in crate::recipe) namespace: Option<Spanned<String>>,
    pub(in crate::recipe) replicas: Option<Spanned<u32>>,
    pub(in crate::recipe) schedule: Option<Spanned<String>>,
    pub(in crate::recipe) probes: Option<Spanned<Table<Probes>>>,
    pub(in crate::recipe) resources: Table<Resources>,
    pub(in crate::recipe) labels: BTreeMap<String, Spanned<String>>,
    pub(in crate::recipe) annotations: BTreeMap<String, Spanned<String>>,
    pub(in crate::recipe) image_pull_secrets: Vec<Spanned<String>>,
    pub(in crate::recipe) service: Option<Spanned<Choice>>,
    pub(in crate::recipe) storage_class: Option<Spanned<String>>,
    pub(in crate::recipe) termination_grace: Option<u32>,
    pub(in crate::recipe) tmp: Option<bool>,
    pub(in crate::recipe) reload_image: Option<Spanned<String>>,
    pub(in crate::recipe) reload_command: Vec<Spanned<String>>,
    pub(in crate::recipe) reload_args: Vec<Spanned<String>>,
    pub(in crate::recipe) patches: Vec<Spanned<String>>,
}

/// `probes = { http = "/health" }`, or one for each question.
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
pub(in crate::recipe) struct Probes {
    pub(in crate::recipe) startup: Option<Spanned<Table<Probe>>>,
    pub(in crate::recipe) readiness: Option<Spanned<Table<Probe>>>,
    pub(in crate::recipe) liveness: Option<Spanned<Table<Probe>>>,
    // `flatten` would hide the keys from whoever asks for them.
    pub(in crate::recipe) http: Option<Spanned<String>>,
    pub(in crate::recipe) tcp: Option<u16>,
    pub(in crate::recipe) exec: Option<Vec<String>>,
    pub(in crate::recipe) port: Option<Spanned<u16>>,
    pub(in crate::recipe) initial_delay: Option<u32>,
    pub(in crate::recipe) period: Option<u32>,
    pub(in crate::recipe) timeout: Option<u32>,
    pub(in crate::recipe) failure_threshold: Option<u32>,
}

/// One probe.
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
pub(in crate::recipe) struct Probe {
    pub(in crate::recipe) http: Option<Spanned<String>>,
    pub(in crate::recipe) tcp: Option<u16>,
    pub(in crate::recipe) exec: Option<Vec<String>>,
    pub(in crate::recipe) port: Option<Spanned<u16>>,
    pub(in crate::recipe) initial_delay: Option<u32>,
    pub(in crate::recipe) period: Option<u32>,
    pub(in crate::recipe) timeout: Option<u32>,
    pub(in crate::recipe) failure_threshold: Option<u32>,
}

/// `resources = { requests = { … }, limits = { … } }`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(in crate::recipe) struct Resources {
    pub(in crate::recipe) requests: BTreeMap<String, Spanned<Scalar>>,
    pub(in crate::recipe) limits: BTreeMap<String, Spanned<Scalar>>,
}
