//! `ci/install.sh`: what is put in front of PATH is what the release's checksum says.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use coracle_testing::skipped;

use crate::ci::release_server::{Releases, VERSION, archive};

/// Runs the script in `folder` with this shell and this PATH.
fn install(folder: &Path, shell: &[&str], path: &str, version: &str, releases: &str) -> Output {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/install.sh"));
    command.current_dir(folder).env_clear().env("PATH", path).env("TMPDIR", folder);
    command.env("CORACLE_VERSION", version).env("CORACLE_RELEASES", releases);
    command.env("CORACLE_BIN", folder.join("bin")).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

#[test]
fn installs_the_release_with_any_shell() {
    let releases = Releases::start();
    for (shell, version, url) in [
        (&["sh"][..], VERSION.to_owned(), releases.url.clone()),
        (&["bash", "-eo", "pipefail"], format!("v{VERSION}"), releases.url.clone() + "/"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = install(folder.path(), shell, "/usr/bin:/bin", &version, &url);
        assert_eq!(said(&output), format!("coracle {VERSION}\n"), "{shell:?}");
        assert!(output.status.success());
        for program in ["coracle", "cargo-coracle"] {
            assert!(folder.path().join("bin").join(program).is_file(), "{program}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "what was fetched is gone");
    }
}

/// As in Alpine: a shell, wget, xargs and tar of busybox, and nothing of GNU's.
#[test]
fn installs_the_release_with_busybox() {
    let (releases, folder) = (Releases::start(), tempfile::tempdir().unwrap());
    let Some(path) = busybox(folder.path()) else { return };
    let output = install(folder.path(), &[BUSYBOX, "sh"], &path, VERSION, &releases.url);
    assert_eq!(said(&output), format!("coracle {VERSION}\n"));
    // The second time it is there.
    fs::remove_file(releases.file("SHA256SUMS")).unwrap();
    let path = format!("{}:{path}", folder.path().join("bin").display());
    let again = install(folder.path(), &[BUSYBOX, "sh"], &path, VERSION, &releases.url);
    assert_eq!(said(&again), format!("coracle {VERSION}\n"));
}

/// Where Debian has it.
pub(crate) const BUSYBOX: &str = "/usr/bin/busybox";

/// A PATH with busybox alone in it, where that is installed.
pub(crate) fn busybox(folder: &Path) -> Option<String> {
    if !Path::new(BUSYBOX).is_file() {
        skipped("there is no busybox (on Debian: busybox)");
        return None;
    }
    let programs = folder.join("busybox");
    fs::create_dir(&programs).unwrap();
    let output = Command::new(BUSYBOX).args(["--install", "-s"]).arg(&programs).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(programs.display().to_string())
}

#[test]
fn rejects_archives_with_another_checksum() {
    let releases = Releases::start();
    let sums = fs::read_to_string(releases.file("SHA256SUMS")).unwrap();
    let good = fs::read(releases.file(&archive())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let refused = |expected: &str| {
        let output = install(folder.path(), &["sh"], "/usr/bin:/bin", VERSION, &releases.url);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(expected), "{}", said(&output));
        assert!(!folder.path().join("bin/coracle").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "what was fetched is gone");
    };
    let name = archive();
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 1;
    fs::write(releases.file(&name), damaged).unwrap();
    refused(&format!("error: {}/v{VERSION}/{name} is not what SHA256SUMS beside it says", releases.url));
    fs::write(releases.file(&name), &good).unwrap();
    fs::write(releases.file("SHA256SUMS"), sums.replace(&name, "another.tar.gz")).unwrap();
    refused(&format!("SHA256SUMS does not name {name}"));
    fs::remove_file(releases.file("SHA256SUMS")).unwrap();
    refused(&format!("error: cannot get {}/v{VERSION}/SHA256SUMS", releases.url));
    fs::remove_file(releases.file(&name)).unwrap();
    refused(&format!("error: cannot get {}/v{VERSION}/{name}", releases.url));
}

/// A version that the archive's name has and its program has not, and a directory that nobody can write to.
#[test]
fn fails_if_the_installed_version_is_another() {
    let releases = Releases::start();
    let other = "9.9.9";
    let at = releases.file("..").join(format!("v{other}"));
    fs::create_dir(&at).unwrap();
    let (inside, wanted) = (archive(), archive().replace(VERSION, other));
    let renamed = format!("--transform=s/^coracle-v{VERSION}/coracle-v{other}/");
    for (program, args) in [
        ("tar", vec!["-xzf".to_owned(), releases.file(&inside).display().to_string()]),
        ("tar", vec!["-czf".to_owned(), wanted.clone(), renamed, inside.replace(".tar.gz", "")]),
        ("sh", vec!["-c".to_owned(), format!("sha256sum {wanted} >SHA256SUMS")]),
    ] {
        assert!(Command::new(program).args(args).current_dir(&at).status().unwrap().success());
    }
    let folder = tempfile::tempdir().unwrap();
    let output = install(folder.path(), &["sh"], "/usr/bin:/bin", other, &releases.url);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let expected = format!("{wanted} has coracle {VERSION}, not coracle {other}\n");
    assert!(said(&output).ends_with(&expected), "{}", said(&output));
    assert_eq!(fs::read_dir(folder.path().join("bin")).unwrap().count(), 0);

    // Where the program should stand is a directory with something in it.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("bin/cargo-coracle/cargo-coracle/x")).unwrap();
    let output = install(folder.path(), &["sh"], "/usr/bin:/bin", VERSION, &releases.url);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("error: cannot put cargo-coracle into "), "{}", said(&output));
}

#[test]
fn replaces_a_running_program() {
    let (releases, folder) = (Releases::start(), tempfile::tempdir().unwrap());
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    coracle_testing::write_executable(&bin.join("coracle"), fs::read("/bin/sleep").unwrap());
    let mut running = Command::new(bin.join("coracle")).arg("60").spawn().unwrap();
    let output = install(folder.path(), &["sh"], "/usr/bin:/bin", VERSION, &releases.url);
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(said(&output), format!("coracle {VERSION}\n"));
    assert!(output.status.success());
    assert_eq!(fs::read_dir(&bin).unwrap().count(), 2, "nothing beside them is left");
}
