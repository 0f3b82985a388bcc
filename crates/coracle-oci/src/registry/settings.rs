//! The configuration of the registry client: plain values, set by the caller.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Credential, Secret};

/// The configuration of a [`Client`](super::Client). The default has no credentials and trusts the
/// system's root certificates.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Credentials by registry, such as `ghcr.io` or `localhost:5000`. They take precedence over
    /// credential files.
    pub credentials: BTreeMap<String, Credential>,
    /// Files such as Docker's `config.json` and Podman's `auth.json`. The first with credentials
    /// for a registry is used. Missing files are skipped.
    pub credential_files: Vec<PathBuf>,
    /// The directories to search for credential helpers. `None` searches `PATH`.
    pub helper_directories: Option<Vec<PathBuf>>,
    /// PEM files with CA certificates, trusted in addition to the system's.
    pub certificates: Vec<PathBuf>,
    /// Registries (`HOST` or `HOST:PORT`) that may be used without TLS. Registries on the loopback
    /// interface always may.
    pub insecure: Vec<String>,
    /// The proxy URL, which may hold a password. Loopback hosts bypass the proxy.
    pub proxy: Option<Secret>,
    /// Hosts that bypass the proxy: `HOST` (including subdomains), `.DOMAIN`, `HOST:PORT`, or `*`.
    pub no_proxy: Vec<String>,
    /// Timeouts of connections and responses.
    pub timeouts: Timeouts,
    /// The retry policy.
    pub retries: Retries,
    /// The number of blobs to upload in parallel.
    pub jobs: usize,
}

/// Timeouts of connections and responses.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the connection, including TLS.
    pub connect: Duration,
    /// For the start of a response, and for each read and write.
    pub answer: Duration,
}

/// Exponential backoff without jitter: the delay starts at `first` and doubles with each attempt.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// The maximum number of attempts, including the first.
    pub attempts: u32,
    /// The first delay.
    pub first: Duration,
    /// The maximum delay. The request fails at once if a registry asks for a longer one.
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
