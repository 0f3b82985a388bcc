//! The configuration of the registry client: plain values, set by the caller.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::{Credential, Secret};

/// The configuration of a [`RegistryClient`](super::RegistryClient). The default has no credentials
/// and trusts the system's root certificates.
#[derive(Clone, Debug)]
pub struct RegistrySettings {
    /// Credentials by registry, such as `ghcr.io` or `localhost:5000`. They take precedence over
    /// credential files.
    pub credentials: BTreeMap<String, Credential>,
    /// Files such as Docker's `config.json` and Podman's `auth.json`. The first with credentials
    /// for a registry is used. Missing files are skipped.
    pub credential_files: Vec<PathBuf>,
    /// The directories to search for credential helpers. `None` searches `PATH`.
    pub helper_directories: Option<Vec<PathBuf>>,
    /// PEM files with CA certificates, trusted in addition to the system's.
    pub certificate_files: Vec<PathBuf>,
    /// Registries (`HOST` or `HOST:PORT`) that may be used without TLS. Registries on the loopback
    /// interface always may.
    pub insecure_registries: Vec<String>,
    /// Hosts (`HOST` or `HOST:PORT`) that a registry may have its uploads sent to. Without them,
    /// content is sent to the registry itself only.
    pub upload_hosts: Vec<String>,
    /// The proxy URL, which may hold a password. Loopback hosts bypass the proxy.
    pub proxy: Option<Secret>,
    /// Hosts that bypass the proxy: `HOST` (including subdomains), `.DOMAIN`, `HOST:PORT`, or `*`.
    pub no_proxy: Vec<String>,
    /// Timeouts of connections and responses.
    pub timeouts: Timeouts,
    /// The retry policy.
    pub retry_policy: RetryPolicy,
    /// The number of blobs to upload in parallel.
    pub parallel_uploads: usize,
}

/// Timeouts of connections and responses.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the connection, including TLS.
    pub connect: Duration,
    /// For the start of a response, and for each read and write. In each such period, a blob must
    /// arrive with at least 1 KiB per second.
    pub response: Duration,
}

/// Exponential backoff without jitter: the delay starts at `initial_delay` and doubles with each
/// attempt.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// The maximum number of attempts, including the first.
    pub attempts: u32,
    /// The first delay.
    pub initial_delay: Duration,
    /// The maximum delay. The request fails at once if a registry asks for a longer one.
    pub max_delay: Duration,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self {
            credentials: BTreeMap::new(),
            credential_files: Vec::new(),
            helper_directories: None,
            certificate_files: Vec::new(),
            insecure_registries: Vec::new(),
            upload_hosts: Vec::new(),
            proxy: None,
            no_proxy: Vec::new(),
            timeouts: Timeouts::default(),
            retry_policy: RetryPolicy::default(),
            parallel_uploads: 4,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), response: Duration::from_secs(120) }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 5, initial_delay: Duration::from_millis(500), max_delay: Duration::from_secs(60) }
    }
}
