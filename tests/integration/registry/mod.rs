//! The registry client: against a strict fake registry with faults, and against Debian's
//! docker-registry, with and without TLS and a password.

mod attached_artifacts;
mod base_images;
mod build_to_registry;
mod client;
mod cut_connections;
mod docker_errors;
pub(crate) mod docker_registry;
mod early_upload;
mod environment_login;
pub(crate) mod fake;
mod hidden_content;
mod index_command;
mod login;
#[cfg(target_os = "linux")]
mod memory;
mod push_and_copy;
mod read_images;
mod redaction;
mod redirects;
mod referrers;
mod remote_cache;
mod retries_and_errors;
mod stream_copies;
mod test_image;
mod tls;
