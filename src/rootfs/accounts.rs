//! A tiny `/etc/passwd` and `/etc/group`.
//!
//! A kubelet passes the image's user but not its group on; runtimes then look the user's group up in `/etc/passwd`, and
//! without a line it is 0 (kubernetes#61967).

use super::Owner;

const ROOT: &str = "root:x:0:0:root:/root:/sbin/nologin\n";
const NOBODY: &str = "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n";

/// `/etc/passwd` with root, nobody and the image's user.
pub(super) fn passwd(user: Owner) -> String {
    match user.uid {
        0 | 65534 => format!("{ROOT}{NOBODY}"),
        uid => format!("{ROOT}{NOBODY}nonroot:x:{uid}:{}:nonroot:/:/sbin/nologin\n", user.gid),
    }
}

/// `/etc/group` with root, nogroup and the image's group.
pub(super) fn group(user: Owner) -> String {
    match user.gid {
        0 | 65534 => "root:x:0:\nnogroup:x:65534:\n".into(),
        gid => format!("root:x:0:\nnogroup:x:65534:\nnonroot:x:{gid}:\n"),
    }
}
