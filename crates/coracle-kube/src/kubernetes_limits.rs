//! The limits of Kubernetes and the container runtime, for generated objects and for checked ones:
//! keys, sizes and mount paths.
//!
//! Source: `IsConfigMapKey`, `ValidateConfigMap`, `ValidateSecret`, `ValidateAnnotationsSize`, the
//! kubelet's AtomicWriter.

use coracle_core::entry::is_whiteout_name;
use coracle_core::path::ImagePath;

/// The largest ConfigMap or Secret, in bytes (`core.MaxSecretSize`, `ValidateConfigMap`).
pub const MAX_OBJECT_BYTES: usize = 1 << 20;
/// The largest object that etcd stores (`--max-request-bytes`), in bytes.
pub(crate) const MAX_STORED_BYTES: usize = 3 << 19;
/// The largest request to the API server (`MaxRequestBodyBytes`), in bytes.
pub(crate) const MAX_REQUEST_BYTES: usize = 3 << 20;
/// The largest total size of an object's annotations, in bytes (`TotalAnnotationSizeLimitB`).
pub(crate) const MAX_ANNOTATION_BYTES: usize = 262_144;
/// The annotation in which client-side `kubectl apply` stores the object.
pub(crate) const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The longest key of a ConfigMap or Secret, in bytes.
const MAX_KEY_BYTES: usize = 253;

/// Returns why `key` is not a valid key of a ConfigMap or Secret; `None` if it is valid.
pub(crate) fn invalid_key_reason(key: &str) -> Option<&'static str> {
    let is_key_character = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    if key.is_empty() {
        Some("it is empty")
    } else if key.len() > MAX_KEY_BYTES {
        Some("it is longer than 253 bytes")
    } else if key == "." || key.starts_with("..") {
        Some("the kubelet reserves such names")
    } else if !key.chars().all(is_key_character) {
        Some("it has characters other than letters, digits, `-`, `_` and `.`")
    } else {
        None
    }
}

/// The kind of a mount: each has paths of its own that it cannot be at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MountedContent {
    /// Files of ConfigMaps and Secrets, read-only: `[[config]]` and `[[secret]]`.
    Files,
    /// An empty directory that the program writes to: `[[state]]`.
    Writable,
    /// A directory that exists outside the pod, such as one of the node (`hostPath`).
    External,
}

/// Which mount paths a reserved directory rules out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReservedPaths {
    Nothing,
    Itself,
    ItselfAndBelow,
}

/// A directory at which a mount keeps the container from starting, or from working.
struct ReservedDirectory {
    path: &'static str,
    /// The reserved paths for a volume that is created with the pod: files or an empty directory.
    own: ReservedPaths,
    /// The reserved paths for [`MountedContent::External`].
    external: ReservedPaths,
    /// Why nothing can be mounted there.
    reason: &'static str,
}

/// Source: runc's `checkProcMount`, `needsSetupDev` and `mountToRootfs`; the kubelet's `makeMounts`. Everything else can
/// be mounted on: `/run`, `/tmp`, `/dev/shm`.
const RESERVED_DIRECTORIES: [ReservedDirectory; 5] = {
    use ReservedPaths::{Itself, ItselfAndBelow, Nothing};
    [
        ReservedDirectory {
            path: "/",
            own: Itself,
            external: Itself,
            reason: "it is the root directory of the image",
        },
        ReservedDirectory {
            path: "/proc",
            own: ItselfAndBelow,
            external: ItselfAndBelow,
            reason: "the container runtime mounts the kernel's processes there and refuses other mounts",
        },
        ReservedDirectory {
            path: "/sys",
            own: ItselfAndBelow,
            external: Nothing,
            reason: "it is a file system of the kernel, in which nothing can be created",
        },
        ReservedDirectory {
            path: "/dev",
            own: Itself,
            external: Nothing,
            reason: "the mount would hide the devices, such as `/dev/null`",
        },
        ReservedDirectory {
            path: "/etc",
            own: Itself,
            external: Nothing,
            reason: "Kubernetes mounts `/etc/hosts` and `/etc/resolv.conf` there, and the mount would hide the image's files",
        },
    ]
};

/// Returns why `content` cannot be mounted at `path`; `None` if it can.
pub(crate) fn reserved_reason(path: &ImagePath, content: MountedContent) -> Option<&'static str> {
    if path.components().any(is_whiteout_name) {
        return Some("a layer cannot contain directories whose names start with `.wh.`");
    }
    let path = path.to_string();
    let is_reserved = |reserved: &&ReservedDirectory| match content {
        MountedContent::Files | MountedContent::Writable => reserved.includes(&path, reserved.own),
        MountedContent::External => reserved.includes(&path, reserved.external),
    };
    RESERVED_DIRECTORIES.iter().find(is_reserved).map(|reserved| reserved.reason)
}

impl ReservedDirectory {
    fn includes(&self, path: &str, reserved: ReservedPaths) -> bool {
        let is_below = || path.strip_prefix(self.path).is_some_and(|rest| rest.starts_with('/'));
        match reserved {
            ReservedPaths::Nothing => false,
            ReservedPaths::Itself => path == self.path,
            ReservedPaths::ItselfAndBelow => path == self.path || is_below(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_where_a_mount_breaks_the_container_are_reserved() {
        for (path, own, external) in [
            ("/", true, true),
            ("/etc", true, false),
            ("/etc/shop", false, false),
            ("/dev", true, false),
            ("/dev/shm", false, false),
            ("/devices", false, false),
            ("/proc/sys", true, true),
            ("/process", false, false),
            ("/sys", true, false),
            ("/sys/fs", true, false),
            ("/run", false, false),
            ("/run/shop", false, false),
            ("/var/run", false, false),
            ("/tmp", false, false),
            ("/etc/.wh.shop", true, true),
        ] {
            let path: ImagePath = path.parse().unwrap();
            for (content, expected) in [
                (MountedContent::Files, own),
                (MountedContent::Writable, own),
                (MountedContent::External, external),
            ] {
                assert_eq!(reserved_reason(&path, content).is_some(), expected, "{path} {content:?}");
            }
        }
    }
}
