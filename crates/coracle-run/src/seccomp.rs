//! The default seccomp filter of container engines, for a container without capabilities.
//!
//! OCI runtimes have no filter of their own; engines read theirs from a file with rules that depend
//! on architecture and capabilities. Source: containers/common, `pkg/seccomp/types.go`.

use std::path::Path;

use coracle_core::fs::{self, FinalLink};
use coracle_core::json;
use serde_json::{Value, json as object};

/// Where distributions install the filter. Source: containers.conf(5), `seccomp_profile`.
const PROFILES: [&str; 2] = ["/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json"];
/// The maximum size of the file, in bytes.
const MAX_SIZE: u64 = 4 << 20;

/// Returns the filter that is installed on this machine, for an OCI runtime; `None` if there is none.
pub fn installed_filter(architecture: &str) -> Option<Value> {
    let read = |path: &&str| fs::read_regular_file(Path::new(path), FinalLink::Follow, MAX_SIZE).ok();
    let profile = PROFILES.iter().find_map(read)?;
    Some(oci_filter(&json::parse(&profile).ok()?, architecture))
}

/// Converts an engine's profile to `linux.seccomp` for a container without capabilities, on a machine
/// with this architecture, as in image configs.
pub fn oci_filter(profile: &Value, architecture: &str) -> Value {
    let native = match architecture {
        "amd64" => "SCMP_ARCH_X86_64",
        "arm64" => "SCMP_ARCH_AARCH64",
        "riscv64" => "SCMP_ARCH_RISCV64",
        "ppc64le" => "SCMP_ARCH_PPC64LE",
        "s390x" => "SCMP_ARCH_S390X",
        "386" => "SCMP_ARCH_X86",
        _ => "SCMP_ARCH_ARM",
    };
    let mapped =
        values(profile, "archMap").find(|entry| entry.get("architecture").is_some_and(|name| name == native));
    let mut architectures = vec![object!(native)];
    architectures.extend(mapped.into_iter().flat_map(|entry| values(entry, "subArchitectures")).cloned());
    let rules = values(profile, "syscalls").filter(|rule| applies(rule, architecture));
    let mut filter = object!({
        "defaultAction": profile.get("defaultAction"),
        "architectures": architectures,
        "syscalls": rules.map(oci_rule).collect::<Vec<Value>>(),
    });
    if let (Some(filter), Some(errno)) = (filter.as_object_mut(), profile.get("defaultErrnoRet")) {
        filter.insert("defaultErrnoRet".into(), errno.clone());
    }
    filter
}

fn values<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Returns whether a rule is for a container without capabilities on this architecture.
fn applies(rule: &Value, architecture: &str) -> bool {
    let lists = |condition: &str, key: &str| -> Vec<&Value> {
        rule.get(condition).map(|condition| values(condition, key).collect()).unwrap_or_default()
    };
    let (required, excluded) = (lists("includes", "arches"), lists("excludes", "arches"));
    let is_here = |names: &[&Value]| names.iter().any(|name| **name == architecture);
    lists("includes", "caps").is_empty() && (required.is_empty() || is_here(&required)) && !is_here(&excluded)
}

fn oci_rule(rule: &Value) -> Value {
    let kept = ["names", "action", "args", "errnoRet"].into_iter();
    let members = kept
        .filter_map(|key| Some((key.to_owned(), rule.get(key).filter(|value| !value.is_null())?.clone())));
    Value::Object(members.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_for_capabilities_and_other_machines_are_left_out() {
        let profile = object!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 38,
            "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"] }],
            "syscalls": [
                { "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "", "includes": {}, "excludes": {} },
                { "names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_ADMIN"] } },
                { "names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "excludes": { "caps": ["CAP_SYS_ADMIN"] } },
                { "names": ["arm_fadvise64_64"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["arm", "arm64"] } },
                { "names": ["x"], "action": "SCMP_ACT_ALLOW", "excludes": { "arches": ["amd64"] } },
            ],
        });
        assert_eq!(
            oci_filter(&profile, "amd64"),
            object!({
                "defaultAction": "SCMP_ACT_ERRNO",
                "defaultErrnoRet": 38,
                "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
                "syscalls": [
                    { "names": ["read"], "action": "SCMP_ACT_ALLOW" },
                    { "names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 },
                ],
            })
        );
        let names: Vec<Value> =
            values(&oci_filter(&profile, "arm64"), "syscalls").map(|rule| rule["names"][0].clone()).collect();
        assert_eq!(names, ["read", "mount", "arm_fadvise64_64", "x"]);
    }
}
