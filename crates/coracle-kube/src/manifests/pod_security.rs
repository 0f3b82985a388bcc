//! Security contexts of pods and containers, following the restricted Pod Security Standard.

use serde_json::{Value, json};

use super::application::Application;
use super::config_volumes::ConfigVolume;
use super::object_members::with_member;
use super::writable_volumes::WritableVolumes;

/// The first port that does not require root or a sysctl.
const FIRST_UNPRIVILEGED_PORT: u16 = 1024;

/// Returns the security context of every container.
pub(super) fn container_security_context() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    })
}

/// Returns the security context of the pod.
pub(super) fn pod_security_context(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
    writable: &WritableVolumes,
) -> Value {
    let Application { uid, gid, .. } = application;
    let is_root = *uid == 0;
    let has_claims = !writable.claims.is_empty() || !writable.claim_templates.is_empty();
    // Secret files are readable by root and the group; a new claim's owner is root.
    let needs_group =
        has_claims || !writable.mounts.is_empty() || config_volumes.iter().any(ConfigVolume::has_secrets);
    let low =
        application.ports.iter().map(|port| port.number).filter(|port| *port < FIRST_UNPRIVILEGED_PORT).min();
    let sysctl = low
        .filter(|_| !is_root)
        .map(|port| json!([{ "name": "net.ipv4.ip_unprivileged_port_start", "value": port.to_string() }]));
    let mut security = json!({
        "runAsUser": uid,
        // Kubernetes ignores the group of the image's `User`.
        "runAsGroup": gid,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    for (key, value) in [
        ("runAsNonRoot", if is_root { Value::Null } else { json!(true) }),
        ("fsGroup", if needs_group { json!(gid) } else { Value::Null }),
        ("fsGroupChangePolicy", if has_claims { json!("OnRootMismatch") } else { Value::Null }),
        ("sysctls", json!(sysctl)),
    ] {
        security = with_member(security, key, value);
    }
    security
}
