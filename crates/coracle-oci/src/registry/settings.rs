//! What decides how registries are talked to: plain values, read by whoever calls.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Credential, Secret};

/// What a [`Client`](super::Client) needs to know. The default has no credentials and trusts the system's roots.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Credentials by registry (`ghcr.io`, `docker.io`, `localhost:5000`); they count before those of any file.
    pub credentials: BTreeMap<String, Credential>,
    /// Docker's `config.json`, Podman's `auth.json`: the first that knows a registry counts. A file that is not there
    /// is passed over.
    pub credential_files: Vec<PathBuf>,
    /// Where credential helpers are looked for; without it, where the host looks for programs.
    pub helper_directories: Option<Vec<PathBuf>>,
    /// PEM files with certificates that are trusted besides the system's roots.
    pub certificates: Vec<PathBuf>,
    /// Registries (`HOST` or `HOST:PORT`) that may be talked to without TLS. Those on the loopback always may.
    pub insecure: Vec<String>,
    /// The proxy's URL, which may hold a password. It is never used for the loopback.
    pub proxy: Option<Secret>,
    /// Hosts that are reached without the proxy: `HOST` (with everything below it), `.DOMAIN`, `HOST:PORT`, or `*`.
    pub no_proxy: Vec<String>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// What is tried again.
    pub retries: Retries,
    /// How many blobs are sent at once.
    pub jobs: usize,
}

/// How long to wait for the other side.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until there is a connection, TLS included.
    pub connect: Duration,
    /// Until an answer begins, and until the next bytes come or go.
    pub answer: Duration,
}

/// A schedule without chance: the second try after `first`, each further one after twice the time.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// How often a request is sent, all told.
    pub attempts: u32,
    /// The first pause.
    pub first: Duration,
    /// No pause is longer, also none that a registry asks for: then the request fails at once.
    pub longest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            credentials: BTreeMap::new(),
            credential_files: Vec::new(),
            helper_directories: None,
            certificates: Vec::new(),
            insecure: Vec::new(),
            proxy: None,
            no_proxy: Vec::new(),
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            jobs: 4,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), answer: Duration::from_secs(120) }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 5, first: Duration::from_millis(500), longest: Duration::from_secs(60) }
    }
}
