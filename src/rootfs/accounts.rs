//! A minimal `/etc/passwd` and `/etc/group`.
//!
//! A kubelet passes only the image's user to the runtime, not its group. The runtime then reads the
//! group from `/etc/passwd`, and uses 0 without an entry (kubernetes#61967).

use super::Owner;

const ROOT: &str = "root:x:0:0:root:/root:/sbin/nologin\n";
const NOBODY: &str = "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n";

/// Returns `/etc/passwd` with root, nobody and the image's user.
pub(super) fn passwd(user: Owner) -> String {
    match user.uid {
        0 | 65534 => format!("{ROOT}{NOBODY}"),
        uid => format!("{ROOT}{NOBODY}nonroot:x:{uid}:{}:nonroot:/:/sbin/nologin\n", user.gid),
    }
}

/// Returns `/etc/group` with root, nogroup and the image's group.
pub(super) fn group(user: Owner) -> String {
    match user.gid {
        0 | 65534 => "root:x:0:\nnogroup:x:65534:\n".into(),
        gid => format!("root:x:0:\nnogroup:x:65534:\nnonroot:x:{gid}:\n"),
    }
}
