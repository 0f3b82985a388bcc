//! A minimal `/etc/passwd` and `/etc/group`.
//!
//! A kubelet passes only the image's user to the runtime, not its group. The runtime then reads the
//! group from `/etc/passwd`, and uses 0 without an entry (kubernetes#61967).

use super::rootfs_builder::{EntryOrigin, RootfsBuilder};
use coracle_core::entry::{EntryReason, LayerKind, Owner};
use coracle_core::path::ImagePath;

/// The user ID and the group ID of `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

/// Adds `/etc/passwd` and `/etc/group`, unless they exist. They are in the first layer, so that the
/// image of a static program keeps a single layer.
pub(super) fn add_accounts(builder: &mut RootfsBuilder, user: Owner) {
    let layer_kind = builder.rootfs.layer_kinds().first().copied().unwrap_or(LayerKind::Program);
    let etc = ImagePath::root().join(b"etc");
    for (name, text) in [(b"passwd".as_slice(), passwd_text(user)), (b"group", group_text(user))] {
        let path = etc.join(name);
        if !builder.rootfs.contains(&path) {
            let origin = EntryOrigin::new(EntryReason::Accounts, layer_kind);
            builder.add_generated_file(&path, text.into_bytes(), origin);
        }
    }
}

/// Returns `/etc/passwd` with root, nobody and the image's user, whose group is the image's.
fn passwd_text(user: Owner) -> String {
    let gid = |uid: u32| if uid == user.uid { user.gid } else { uid };
    let (root, nobody) = (gid(0), gid(NOBODY));
    let mut text = format!(
        "root:x:0:{root}:root:/root:/sbin/nologin\nnobody:x:{NOBODY}:{nobody}:nobody:/nonexistent:/sbin/nologin\n"
    );
    if ![0, NOBODY].contains(&user.uid) {
        text += &format!("nonroot:x:{}:{}:nonroot:/:/sbin/nologin\n", user.uid, user.gid);
    }
    text
}

/// Returns `/etc/group` with root, nogroup and the image's group.
fn group_text(user: Owner) -> String {
    let mut text = format!("root:x:0:\nnogroup:x:{NOBODY}:\n");
    if ![0, NOBODY].contains(&user.gid) {
        text += &format!("nonroot:x:{}:\n", user.gid);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_has_the_group_of_the_image() {
        for (uid, gid) in [(0, 0), (0, 5), (NOBODY, NOBODY), (NOBODY, 5), (65532, 65532), (1000, 0)] {
            let (passwd, group) = (passwd_text(Owner { uid, gid }), group_text(Owner { uid, gid }));
            let users: Vec<Vec<&str>> = passwd.lines().map(|line| line.split(':').collect()).collect();
            let found: Vec<&str> =
                users.iter().filter(|user| user[2] == uid.to_string()).map(|user| user[3]).collect();
            assert_eq!(found, [gid.to_string()], "{passwd}");
            assert_eq!(group.lines().filter(|line| line.contains(&format!(":{gid}:"))).count(), 1, "{group}");
        }
    }
}
