//! Small plans and small bases, both written as text.

use super::*;
use crate::rootfs::LayerKind;
use coracle_core::content::Content;
use coracle_core::file_system::MemoryFs;

impl BaseFileSystem for MemoryFs {
    fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)> {
        matches!(self.node(path), Ok(Some(coracle_core::file_system::FsNode::Directory)))
            .then_some((0o700, Owner { uid: 1, gid: 2 }))
    }
}

/// Parses lines `/dir/`, `/link -> target` and `/file = content` to a plan of libraries.
fn planned(text: &str) -> Rootfs {
    let mut rootfs = Rootfs::default();
    let mut add = |path: &str, node: EntryNode| {
        let path: ImagePath = path.trim_end_matches('/').parse().unwrap();
        let entry = |node| Entry {
            node,
            owner: Owner::ROOT,
            mode: 0o755,
            reason: EntryReason::Interpreter(RawPath::new("app")),
            layer_kind: LayerKind::Libraries,
        };
        for above in path.ancestors().into_iter().filter(|above| above.file_name().is_some()) {
            rootfs.entries.entry(above).or_insert(entry(EntryNode::Directory));
        }
        rootfs.entries.insert(path, entry(node));
    };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((path, target)) = line.split_once(" -> ") {
            add(path, EntryNode::Symlink(RawPath::new(target)));
        } else if let Some((path, content)) = line.split_once(" = ") {
            add(path, EntryNode::File(Content::from_bytes(content)));
        } else {
            add(line, EntryNode::Directory);
        }
    }
    rootfs
}

fn shown(ours: &str, base: &str) -> Result<String, String> {
    let above =
        subtract_base(&planned(ours), &MemoryFs::from_text(base)).map_err(|error| error.to_string())?;
    let entries = above.rootfs.iter().map(|(path, entry)| match &entry.node {
        EntryNode::Directory => format!("{path}/ {:o} {}", entry.mode, entry.owner),
        EntryNode::Symlink(target) => format!("{path} -> {target}"),
        EntryNode::HardLink(target) => format!("{path} == {target}"),
        EntryNode::File(_) => format!("{path}"),
    });
    let replaced = above.replaced.iter().map(|path| format!("replaced {path}"));
    let shared = (above.shared_files > 0).then(|| format!("{} shared", above.shared_files));
    Ok(entries.chain(replaced).chain(shared).collect::<Vec<_>>().join("\n"))
}

#[test]
fn omits_files_of_the_base() {
    let ours = "
        /lib -> usr/lib
        /usr/lib/libc.so.6 = c
        /usr/lib/libz.so.1 -> libz.so.1.3
        /usr/lib/libz.so.1.3 = z
        /app/app = a";
    for (base, expected) in [
        (
            "/lib -> usr/lib\n/usr/lib/libc.so.6 = c",
            "/app/ 755 0:0\n/app/app\n/usr/ 700 1:2\n/usr/lib/ 700 1:2\n/usr/lib/libz.so.1 -> libz.so.1.3\n\
             /usr/lib/libz.so.1.3\n1 shared",
        ),
        (
            "/lib -> /usr/lib\n/usr/lib/libc.so.6 = other\n/usr/lib/libz.so.1 = z\n/usr/lib/libz.so.1.3 = z\n/app/app = a",
            "/usr/ 700 1:2\n/usr/lib/ 700 1:2\n/usr/lib/libc.so.6\nreplaced /usr/lib/libc.so.6\n3 shared",
        ),
        (ours, "3 shared"),
    ] {
        assert_eq!(shown(ours, base).unwrap(), expected, "{base}");
    }
}

#[test]
fn follows_links_and_keeps_directories_of_the_base() {
    // A host without merged directories, a base with them.
    let split = "/lib/x86/libc.so.6 = c\n/usr/lib/x86/libz.so.1 = z\n/lib64/ld.so -> ../lib/x86/libc.so.6";
    let merged = "/lib -> usr/lib\n/lib64 -> usr/lib64\n/usr/lib/x86/\n/usr/lib64/\n/usr/bin/";
    assert_eq!(
        shown(split, merged).unwrap(),
        "/usr/ 700 1:2\n/usr/lib/ 700 1:2\n/usr/lib/x86/ 700 1:2\n/usr/lib/x86/libc.so.6\n/usr/lib/x86/libz.so.1\n\
         /usr/lib64/ 700 1:2\n/usr/lib64/ld.so -> /lib/x86/libc.so.6"
    );
    let split = "/lib/x86/libz.so.1 -> ../../usr/lib/x86/libz.so.1.2\n/usr/lib/x86/libz.so.1.2 = z";
    assert!(shown(split, merged).unwrap().contains("/usr/lib/x86/libz.so.1 -> /usr/lib/x86/libz.so.1.2\n"));
    // The reverse: a link is unfolded.
    let usr = "/lib -> usr/lib\n/usr/lib/x86/libc.so.6 = c\n/usr/lib/y/libz.so.1 = z";
    let old = "/lib/y/liba.so = a\n/usr/lib/";
    assert_eq!(
        shown(usr, old).unwrap(),
        "/lib/ 700 1:2\n/lib/x86 -> ../usr/lib/x86\n/lib/y/ 700 1:2\n/lib/y/libz.so.1 -> ../../usr/lib/y/libz.so.1\n\
         /usr/ 700 1:2\n/usr/lib/ 700 1:2\n/usr/lib/x86/ 755 0:0\n/usr/lib/x86/libc.so.6\n/usr/lib/y/ 755 0:0\n\
         /usr/lib/y/libz.so.1"
    );
}

#[test]
fn rejects_conflicts_with_the_base() {
    for (ours, base, expected) in [
        ("/srv/app = a", "/srv/app/x = b", "/srv/app: a directory of the base image, and "),
        ("/srv/app/x = a", "/srv/app = b", "/srv/app: a file of the base image, and a directory"),
        ("/srv/x -> a\n/srv/a = 1", "/srv/x/", "/srv/x: a directory of the base image, and a link to a"),
        ("/lib/x = a\n/usr/lib/x = b", "/lib -> usr/lib\n/usr/lib/", "/usr/lib/x: something else"),
    ] {
        let error = shown(ours, base).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
