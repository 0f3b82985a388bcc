//! The `config.json` of an OCI runtime. Source: runtime-spec 1.0, `config.md`, `config-linux.md`.
//!
//! The container has the host's network, so that its ports are this machine's; everything else is
//! its own. No resource limit is set.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::container::{BindMount, Container};

/// Settings that depend on the machine.
#[derive(Clone, Default, Debug)]
pub struct BundleSettings {
    /// The seccomp filter, as in `linux.seccomp`; `None` for no filter.
    pub seccomp: Option<Value>,
    /// `true` if the runtime is in a user namespace, where `/sys` cannot be mounted again.
    pub is_in_user_namespace: bool,
    /// The path of the container's cgroup; `None` for the runtime's choice.
    pub cgroup: Option<String>,
}

/// Paths of `/proc` and `/sys` that containers do not see. Source: containerd, `oci.defaultMaskedPaths`.
const MASKED_PATHS: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
const READ_ONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Files of this machine that a container on its network uses.
const NETWORK_FILES: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];

/// Returns the `config.json` of a container whose root is `rootfs`.
pub fn bundle_config(container: &Container, rootfs: &Path, settings: &BundleSettings) -> Value {
    let env: Vec<String> = container.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut linux = json!({
        "namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" }],
        "maskedPaths": MASKED_PATHS,
        "readonlyPaths": READ_ONLY_PATHS,
    });
    if let Some(members) = linux.as_object_mut() {
        members.extend(settings.seccomp.clone().map(|filter| ("seccomp".to_owned(), filter)));
        members.extend(settings.cgroup.clone().map(|path| ("cgroupsPath".to_owned(), json!(path))));
    }
    json!({
        "ociVersion": "1.0.2",
        "hostname": host_name(&container.name),
        "root": { "path": rootfs, "readonly": true },
        "process": {
            "terminal": container.has_terminal,
            "user": {
                "uid": container.uid,
                "gid": container.gid,
                // containerd adds the user's own group, too.
                "additionalGids": BTreeSet::from_iter(container.volume_group.into_iter().chain([container.gid])),
            },
            "args": container.args,
            "env": env,
            "cwd": container.working_dir,
            "capabilities": { "bounding": [], "effective": [], "inheritable": [], "permitted": [], "ambient": [] },
            "noNewPrivileges": true,
        },
        "mounts": mounts(container, settings),
        "linux": linux,
    })
}

fn mounts(container: &Container, settings: &BundleSettings) -> Vec<Value> {
    let mount = |to: &str, kind: &str, source: &str, options: &[&str]| json!({ "destination": to, "type": kind, "source": source, "options": options });
    let sys = match settings.is_in_user_namespace {
        true => mount("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]),
        false => mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    };
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
        ),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        sys,
    ];
    mounts.extend(
        NETWORK_FILES.iter().map(|file| mount(file, "bind", file, &["bind", "ro", "nosuid", "nodev"])),
    );
    mounts.extend(container.mounts.iter().map(bind_mount));
    mounts
}

fn bind_mount(mount: &BindMount) -> Value {
    let access = if mount.is_writable { "rw" } else { "ro" };
    json!({
        "destination": mount.destination,
        "type": "bind",
        "source": mount.source,
        "options": ["rbind", "rprivate", "nosuid", "nodev", access],
    })
}

/// Returns the name as a host name: at most 63 letters, digits and hyphens.
fn host_name(name: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    name.chars().map(|c| if is_allowed(c) { c } else { '-' }).take(63).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Container {
        Container {
            args: vec!["/app/shop".into(), "--port".into(), "80".into()],
            env: vec![("LANG".into(), "C.UTF-8".into()), ("EMPTY".into(), String::new())],
            volume_group: Some(65532),
            mounts: vec![
                BindMount { source: "/run/v0".into(), destination: "/etc/shop".into(), is_writable: false },
                BindMount {
                    source: "/run/s0".into(),
                    destination: "/var/lib/shop".into(),
                    is_writable: true,
                },
            ],
            ..Container::new("shop:1.2")
        }
    }

    fn config(settings: &BundleSettings) -> Value {
        bundle_config(&shop(), "/store/rootfs".as_ref(), settings)
    }

    #[test]
    fn the_program_has_no_rights() {
        let config = config(&BundleSettings::default());
        let process = &config["process"];
        assert_eq!(process["user"], json!({ "uid": 65532, "gid": 65532, "additionalGids": [65532] }));
        assert_eq!(process["noNewPrivileges"], true);
        for set in ["bounding", "effective", "inheritable", "permitted", "ambient"] {
            assert_eq!(process["capabilities"][set], json!([]), "{set}");
        }
        assert_eq!(process["args"], json!(["/app/shop", "--port", "80"]));
        assert_eq!(process["env"], json!(["LANG=C.UTF-8", "EMPTY="]));
        assert_eq!(config["root"], json!({ "path": "/store/rootfs", "readonly": true }));
        assert_eq!(config["hostname"], "shop-1-2");
        assert!(config["linux"].get("resources").is_none() && process.get("rlimits").is_none());
    }

    #[test]
    fn volumes_are_read_only_and_state_is_writable() {
        let config = config(&BundleSettings::default());
        let options = |destination: &str| {
            let mounts = config["mounts"].as_array().unwrap();
            let found = mounts.iter().find(|mount| mount["destination"] == destination).unwrap();
            found["options"].as_array().unwrap().last().unwrap().clone()
        };
        assert_eq!((options("/etc/shop"), options("/var/lib/shop")), (json!("ro"), json!("rw")));
    }

    #[test]
    fn the_network_is_that_of_the_host_and_other_namespaces_are_new() {
        let config = config(&BundleSettings::default());
        let namespaces = config["linux"]["namespaces"].as_array().unwrap();
        let kinds: Vec<&str> = namespaces.iter().map(|one| one["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["pid", "mount", "ipc", "uts"]);
    }

    #[test]
    fn settings_of_the_machine_are_used() {
        let settings = BundleSettings {
            seccomp: Some(json!({ "defaultAction": "SCMP_ACT_ERRNO" })),
            is_in_user_namespace: true,
            cgroup: Some("/coracle/shop".into()),
        };
        let config = config(&settings);
        assert_eq!(config["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
        assert_eq!(config["linux"]["cgroupsPath"], "/coracle/shop");
        let sys =
            config["mounts"].as_array().unwrap().iter().find(|mount| mount["destination"] == "/sys").unwrap();
        assert_eq!(sys["type"], "none");
    }
}
