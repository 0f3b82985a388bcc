//! Plans of small in-memory roots, and of a real program.

use coracle_testing::SyntheticElf;

use super::*;
use coracle_core::file_system::MemoryFs;
use coracle_core::file_system::{FileSystem, HostFs};
use coracle_core::path::RawPath;
use coracle_ld::closure::{Closure, ResolveOptions};
use coracle_ld::elf;
use coracle_ld::implicit::{DataSources, ImplicitPolicy, Requirements};
use coracle_ld::ldso::{CacheEntry, LdCache};

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

fn lines(rootfs: &Rootfs) -> Vec<String> {
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
        mount_points: &[],
        state_dirs: &[],
        user: Owner { uid: 1, gid: 1 },
        resolve_options: &around,
        private_dirs: &private,
        allowed_private_dirs: &[],
        strip: false,
        requirements: Requirements::default(),
        policy: &ImplicitPolicy::default(),
        places: DataSources { tree, fallback: None, options: &around },
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
        lines(&rootfs),
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
    let moved = |to| lines(&plan_of(&tree, &[("/home/u/p/bin/hello", to)], &["/home/u"]).unwrap());
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
    tree.add_file("/etc/ld.so.cache", &LdCache::serialize(vec![entry], machine));
    let rootfs = plan_of(&tree, &[("/usr/bin/hello", None)], &[]).unwrap();
    let cache = rootfs.iter().find(|(path, _)| path.to_string() == "/etc/ld.so.cache").unwrap();
    assert_eq!(cache.1.reason, EntryReason::LdSoCache);
    assert!(lines(&rootfs).contains(&"/opt/x/libx.so".to_owned()));
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
    let lines = lines(&rootfs);
    assert!(lines.contains(&"/usr/bin/bash".to_owned()), "{lines:#?}");
    assert_eq!(rootfs.programs()[0].to_string(), "/bin/bash");
}
