//! Plans of small in-memory roots and of a real program, and small plans on small bases.

use super::subtract_base::subtract_base;
use super::*;
use coracle_core::content::Content;
use coracle_core::file_system::{FileSystem, FsNode, HostFs, MemoryFs};
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{Closure, ResolveOptions};
use coracle_ld::elf;
use coracle_ld::implicit::{DataSources, ImplicitDependencies, ImplicitPolicy};
use coracle_ld::ldso::{CacheEntry, LdCache};
use coracle_testing::SyntheticElf;

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A root with a loader and a C library.
fn root() -> MemoryFs {
    let mut tree = MemoryFs::from_text("/lib -> usr/lib\n/lib64 -> usr/lib64\n/usr/lib64/");
    let mut loader = SyntheticElf { soname: Some("ld-linux-x86-64.so.2"), ..SyntheticElf::default() }.bytes();
    loader.extend(b"\0/lib/\0/usr/lib/\0lib\0");
    tree.add_file("/usr/lib64/ld-linux-x86-64.so.2", &loader);
    tree.add_file("/usr/lib/libc.so.6", &library("libc.so.6", &["ld-linux-x86-64.so.2"], None));
    tree
}

fn library(soname: &'static str, needed: &[&'static str], runpath: Option<&'static str>) -> Vec<u8> {
    SyntheticElf { soname: Some(soname), needed: needed.to_vec(), runpath, ..SyntheticElf::default() }.bytes()
}

fn program(needed: &[&'static str], runpath: Option<&'static str>) -> Vec<u8> {
    SyntheticElf { interpreter: Some(LOADER), needed: needed.to_vec(), runpath, ..SyntheticElf::default() }
        .bytes()
}

fn path_lines(rootfs: &Rootfs) -> Vec<String> {
    let line = |(path, entry): (&ImagePath, &Entry)| match &entry.node {
        EntryNode::Directory => format!("{path}/"),
        EntryNode::Symlink(target) => format!("{path} -> {target}"),
        EntryNode::HardLink(target) => format!("{path} = {target}"),
        EntryNode::File(_) => path.to_string(),
    };
    rootfs.iter().map(line).filter(|line| !line.starts_with("/etc")).collect()
}

fn plan_of(
    tree: &dyn FileSystem,
    programs: &[(&str, Option<&str>)],
    private: &[&str],
) -> Result<Rootfs, RootfsError> {
    let around = ResolveOptions::default();
    let programs: Vec<PlannedProgram> = programs
        .iter()
        .map(|(from, to)| PlannedProgram {
            closure: Closure::resolve(tree, &RawPath::new(*from), &around).unwrap(),
            to: to.map(|to| to.parse().unwrap()),
        })
        .collect();
    let private: Vec<ImagePath> = private.iter().map(|path| path.parse().unwrap()).collect();
    let request = PlanRequest {
        programs: &programs,
        host: tree,
        includes: &[],
        generated_files: &[],
        mount_points: &[],
        state_dirs: &[],
        user: Owner { uid: 1, gid: 1 },
        resolve_options: &around,
        private_dirs: &private,
        allowed_private_dirs: &[],
        strip: false,
        requirements: ImplicitDependencies::default(),
        is_complete: false,
        policy: &ImplicitPolicy::default(),
        data_sources: DataSources { tree, fallback: None, untracked: tree, options: &around },
        base: BaseFiles::NoBase,
    };
    plan_rootfs(tree, &request).map(|planned| planned.rootfs)
}

#[test]
fn places_program_below_app() {
    let mut tree = root();
    tree.add_file("/home/u/p/hello", &program(&["libc.so.6"], None));
    let rootfs = plan_of(&tree, &[("/home/u/p/hello", None)], &["/home/u"]).unwrap();
    assert_eq!(
        path_lines(&rootfs),
        [
            "/app/",
            "/app/hello",
            "/lib -> usr/lib",
            "/lib64 -> usr/lib64",
            "/usr/",
            "/usr/lib/",
            "/usr/lib/libc.so.6",
            "/usr/lib64/",
            "/usr/lib64/ld-linux-x86-64.so.2"
        ]
    );
    assert_eq!(
        rootfs.layer_kinds().into_iter().collect::<Vec<_>>(),
        [LayerKind::Libraries, LayerKind::Program]
    );
}

#[test]
fn moves_libraries_relative_to_the_program() {
    let mut tree = root();
    tree.add_file("/home/u/p/bin/hello", &program(&["libx.so"], Some("$ORIGIN/../plugins/../lib")));
    tree.add_file("/home/u/p/lib/libx.so.1", &library("libx.so", &["libc.so.6"], None));
    tree.add_node(
        "/home/u/p/lib/libx.so",
        coracle_core::file_system::FsNode::Link(RawPath::new("libx.so.1")),
    );
    tree.add_node("/home/u/p/plugins", coracle_core::file_system::FsNode::Directory);
    let moved = |to| path_lines(&plan_of(&tree, &[("/home/u/p/bin/hello", to)], &["/home/u"]).unwrap());
    let app = ["/app/", "/app/bin/", "/app/bin/hello", "/app/lib/", "/app/lib/libx.so -> libx.so.1"];
    assert_eq!(moved(None)[..5], app);
    assert!(moved(None).contains(&"/app/plugins/".to_owned()));
    assert!(moved(Some("/opt/t/hello")).contains(&"/opt/lib/libx.so.1".to_owned()));
    let error = plan_of(&tree, &[("/home/u/p/bin/hello", Some("/hello"))], &[]).unwrap_err();
    assert!(error.to_string().contains("1 directory above its own"), "{error}");
}

#[test]
fn rejects_private_paths() {
    let mut tree = root();
    tree.add_file("/home/u/p/hello", &program(&["libx.so"], Some("/home/u/lib")));
    tree.add_file("/home/u/lib/libx.so", &library("libx.so", &[], None));
    let error = plan_of(&tree, &[("/home/u/p/hello", None)], &["/home/u"]).unwrap_err();
    assert!(matches!(&error, RootfsError::PrivatePaths(paths) if paths.len() == 1), "{error}");
    assert!(plan_of(&tree, &[("/home/u/p/hello", None)], &[]).is_ok());
}

#[test]
fn adds_cache_if_a_library_needs_it() {
    let mut tree = root();
    tree.add_file("/usr/bin/hello", &program(&["libx.so", "libc.so.6"], None));
    tree.add_file("/opt/x/libx.so", &library("libx.so", &[], None));
    let machine = elf::Machine { is_64: true, is_little_endian: true, e_machine: 62, e_flags: 0 };
    let entry = CacheEntry { name: b"libx.so".to_vec(), path: RawPath::new("/opt/x/libx.so") };
    tree.add_file("/etc/ld.so.cache", &LdCache::serialize(vec![entry], machine).unwrap());
    let rootfs = plan_of(&tree, &[("/usr/bin/hello", None)], &[]).unwrap();
    let cache = rootfs.iter().find(|(path, _)| path.to_string() == "/etc/ld.so.cache").unwrap();
    assert_eq!(cache.1.reason, EntryReason::LdSoCache);
    assert!(path_lines(&rootfs).contains(&"/opt/x/libx.so".to_owned()));
}

#[test]
fn conflict_names_both_sources() {
    let mut tree = root();
    tree.add_file("/home/a/x", &program(&["libc.so.6"], None));
    tree.add_file("/home/b/x", &program(&["libc.so.6"], Some("/b")));
    let error = plan_of(&tree, &[("/home/a/x", None), ("/home/b/x", None)], &[]).unwrap_err();
    assert!(matches!(&error, RootfsError::Conflicts(conflicts) if conflicts.len() == 1), "{error}");
}

#[test]
fn real_programs_keep_their_links() {
    let rootfs = plan_of(&HostFs::new("/"), &[("/bin/bash", None)], &[]).unwrap();
    let lines = path_lines(&rootfs);
    assert!(lines.contains(&"/usr/bin/bash".to_owned()), "{lines:#?}");
    assert_eq!(rootfs.programs()[0].to_string(), "/bin/bash");
}

impl BaseFileSystem for MemoryFs {
    fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)> {
        matches!(self.node(path), Ok(Some(FsNode::Directory))).then_some((0o700, Owner { uid: 1, gid: 2 }))
    }
}

/// Parses lines `/dir/`, `/link -> target` and `/file = content` to a plan of libraries.
fn libraries_from_text(text: &str) -> Rootfs {
    let mut rootfs = Rootfs::default();
    let mut add = |path: &str, node: EntryNode| {
        let path: ImagePath = path.trim_end_matches('/').parse().unwrap();
        let entry = |node| Entry {
            node,
            owner: Owner::ROOT,
            mode: 0o755,
            modified: 0,
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

fn subtracted(ours: &str, base: &str) -> Result<String, String> {
    let own = subtract_base(&libraries_from_text(ours), &MemoryFs::from_text(base))
        .map_err(|error| error.to_string())?;
    let entries = own.rootfs.iter().map(|(path, entry)| match &entry.node {
        EntryNode::Directory => format!("{path}/ {:o} {}", entry.mode, entry.owner),
        EntryNode::Symlink(target) => format!("{path} -> {target}"),
        EntryNode::HardLink(target) => format!("{path} == {target}"),
        EntryNode::File(_) => format!("{path}"),
    });
    let replaced = own.replaced.iter().map(|path| format!("replaced {path}"));
    let shared = (own.shared_files > 0).then(|| format!("{} shared", own.shared_files));
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
        assert_eq!(subtracted(ours, base).unwrap(), expected, "{base}");
    }
}

#[test]
fn follows_links_and_keeps_directories_of_the_base() {
    // A host without merged directories, a base with them.
    let split = "/lib/x86/libc.so.6 = c\n/usr/lib/x86/libz.so.1 = z\n/lib64/ld.so -> ../lib/x86/libc.so.6";
    let merged = "/lib -> usr/lib\n/lib64 -> usr/lib64\n/usr/lib/x86/\n/usr/lib64/\n/usr/bin/";
    assert_eq!(
        subtracted(split, merged).unwrap(),
        "/usr/ 700 1:2\n/usr/lib/ 700 1:2\n/usr/lib/x86/ 700 1:2\n/usr/lib/x86/libc.so.6\n/usr/lib/x86/libz.so.1\n\
         /usr/lib64/ 700 1:2\n/usr/lib64/ld.so -> /lib/x86/libc.so.6"
    );
    let split = "/lib/x86/libz.so.1 -> ../../usr/lib/x86/libz.so.1.2\n/usr/lib/x86/libz.so.1.2 = z";
    assert!(
        subtracted(split, merged).unwrap().contains("/usr/lib/x86/libz.so.1 -> /usr/lib/x86/libz.so.1.2\n")
    );
    // The reverse: a link is unfolded.
    let usr = "/lib -> usr/lib\n/usr/lib/x86/libc.so.6 = c\n/usr/lib/y/libz.so.1 = z";
    let old = "/lib/y/liba.so = a\n/usr/lib/";
    assert_eq!(
        subtracted(usr, old).unwrap(),
        "/lib/ 700 1:2\n/lib/x86 -> ../usr/lib/x86\n/lib/y/ 700 1:2\n/lib/y/libz.so.1 -> ../../usr/lib/y/libz.so.1\n\
         /usr/ 700 1:2\n/usr/lib/ 700 1:2\n/usr/lib/x86/ 755 0:0\n/usr/lib/x86/libc.so.6\n/usr/lib/y/ 755 0:0\n\
         /usr/lib/y/libz.so.1"
    );
}

#[test]
fn rejects_conflicts_with_the_base() {
    for (ours, base, expected) in [
        ("/srv/app = a", "/srv/app/x = b", "/srv/app would be a directory of the base image, and also "),
        (
            "/srv/app/x = a",
            "/srv/app = b",
            "/srv/app would be a file of the base image, and also a directory",
        ),
        (
            "/srv/x -> a\n/srv/a = 1",
            "/srv/x/",
            "/srv/x would be a directory of the base image, and also a link to a",
        ),
        ("/lib/x = a\n/usr/lib/x = b", "/lib -> usr/lib\n/usr/lib/", "/usr/lib/x would be something else"),
    ] {
        let error = subtracted(ours, base).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
