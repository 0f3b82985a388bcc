//! Rule 9 of the determinism contract: the environment changes no byte of an image.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use proptest::prelude::*;

/// Properties that may differ between two machines, two users, two days.
#[derive(Debug, Clone)]
struct Surroundings {
    umask: &'static str,
    time_zone: &'static str,
    locale: &'static str,
    one_core: bool,
    reversed: bool,
    mtime: u64,
    mode: u32,
    attribute: bool,
    other_user: bool,
    home: &'static str,
    depth: usize,
}

fn surroundings() -> impl Strategy<Value = Surroundings> {
    let names = (
        prop::sample::select(vec!["000", "022", "077"]),
        prop::sample::select(vec!["UTC", "Asia/Kathmandu", "America/St_Johns"]),
        prop::sample::select(vec!["C", "C.UTF-8", "tr_TR.UTF-8"]),
        prop::sample::select(vec!["/", "/root", "/nonexistent"]),
    );
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let numbers = (0_u64..2_000_000_000, prop::sample::select(vec![0o644, 0o600, 0o666, 0o444]), 0_usize..4);
    (names, flags, numbers).prop_map(|(names, flags, numbers)| Surroundings {
        umask: names.0,
        time_zone: names.1,
        locale: names.2,
        home: names.3,
        one_core: flags.0,
        reversed: flags.1,
        attribute: flags.2,
        other_user: flags.3,
        mtime: numbers.0,
        mode: numbers.1,
        depth: numbers.2,
    })
}

/// A dynamic program with a library of its own, made once: what it is made of is not the point.
fn program() -> &'static (Vec<u8>, Vec<u8>) {
    static PROGRAM: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        fs::write(at.join("lib.c"), "int answer(void) { return 42; }\n").unwrap();
        fs::write(at.join("main.c"), "int answer(void);\nint main(void) { return answer() - 42; }\n")
            .unwrap();
        let cc = |arguments: &[&str]| {
            assert!(Command::new("cc").args(arguments).current_dir(at).status().unwrap().success());
        };
        cc(&["-shared", "-fPIC", "-Wl,-soname,libanswer.so", "-o", "libanswer.so", "lib.c"]);
        cc(&["-o", "main", "main.c", "libanswer.so", "-Wl,-rpath,$ORIGIN/../lib"]);
        (fs::read(at.join("main")).unwrap(), fs::read(at.join("libanswer.so")).unwrap())
    })
}

/// The same project, as these surroundings would have written it.
fn write_project(root: &Path, around: &Surroundings) {
    let assets: Vec<(String, Vec<u8>)> = (0..20_u8)
        .map(|i| {
            (
                format!("assets/{}/file-{i}{}", i % 3, "x".repeat(usize::from(i) * 7)),
                vec![i; usize::from(i) * 1000],
            )
        })
        .collect();
    let mut files = vec![
        ("bin/main".to_owned(), program().0.clone()),
        ("lib/libanswer.so".to_owned(), program().1.clone()),
    ];
    files.extend(assets);
    if around.reversed {
        files.reverse();
    }
    for (name, bytes) in files {
        let path = root.join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let executable = if name == "bin/main" { 0o111 } else { 0 };
        fs::set_permissions(&path, fs::Permissions::from_mode(around.mode | executable | 0o444)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(around.mtime);
        fs::File::open(&path).unwrap().set_modified(time).unwrap();
    }
    symlink("0", root.join("assets/link")).unwrap();
    if around.attribute {
        // Not every file system has them; where one has none, there is nothing to leave out.
        let _ =
            Command::new("setfattr").args(["-n", "user.note", "-v", "x"]).arg(root.join("bin/main")).output();
    }
}

/// Builds the project in these surroundings; every file of the layout with its bytes.
fn build(around: &Surroundings) -> BTreeMap<PathBuf, Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let root =
        (0..around.depth).fold(directory.path().join("p"), |path, level| path.join(format!("d{level}")));
    fs::create_dir_all(&root).unwrap();
    write_project(&root, around);
    let everyone = fs::Permissions::from_mode(0o777);
    for path in [directory.path(), root.as_path()] {
        fs::set_permissions(path, everyone.clone()).unwrap();
    }
    let line = format!(
        "umask {} && exec {}{}{} build --no-cache bin/main -t main --include assets:/srv/assets -o oci:out.oci --quiet",
        around.umask,
        if around.one_core { "taskset -c 0 " } else { "" },
        if around.other_user && is_root() {
            "setpriv --reuid=12345 --regid=12345 --clear-groups "
        } else {
            ""
        },
        reachable_coracle().display(),
    );
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(&root)
        .env_clear()
        .envs([
            ("PATH", "/usr/bin:/bin"),
            ("TZ", around.time_zone),
            ("LC_ALL", around.locale),
            ("HOME", around.home),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    files(&root.join("out.oci"))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// A copy of the binary where every user can reach it.
fn reachable_coracle() -> &'static Path {
    static COPY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let path = directory.path().join("coracle");
        coracle_testing::write_executable(&path, fs::read(env!("CARGO_BIN_EXE_coracle")).unwrap());
        (directory, path)
    });
    path
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            all.insert(path.strip_prefix(directory).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_environment_does_not_change_the_image(a in surroundings(), b in surroundings()) {
        prop_assert_eq!(build(&a), build(&b));
    }
}
