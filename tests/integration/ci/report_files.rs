//! Where reports go: files, what is none, and places that can't be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use coracle_testing::coracle_in;
use serde_json::Value;
use snapbox::str;
use tempfile::TempDir;

use crate::ci::test_programs::{data, program};

const BUILD: [&str; 7] = ["build", "./shop", "--no-cache", "--quiet", "-t", "shop:1", "-ooci:out/shop"];

fn shop() -> TempDir {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "shop");
    folder
}

/// Whether it is what `--format json` prints.
fn is_metadata(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).unwrap();
    value["images"][0]["references"][0] == "shop:1"
}

#[test]
fn rejects_reports_inside_included_directories() {
    let folder = shop();
    data(folder.path(), "data/noise", 100);
    let included = ["--include", "data:/srv"];
    let build = || coracle_in(folder.path(), BUILD).more_args(included);
    build().more_args(["--metadata-file", "data/m.json"]).ends(
        1,
        str![],
        str![[r#"
error: `data/m.json` is in `[FOLDER]/data`, which the image includes: the image would contain its own report

hint: name another file with `--metadata-file`, or include less than that directory

"#]],
    );
    build().more_args(["--dotenv", "./data/../data/d.env"]).ends(1, str![], str![[r#"
error: `./data/../data/d.env` is in `[FOLDER]/data`, which the image includes: the image would contain its own report

hint: name another file with `--dotenv`, or include less than that directory

"#]]);
    build().more_args(["--summary", "data/s.md"]).ends(
        1,
        str![],
        str![[r#"
error: `data/s.md` is in `[FOLDER]/data`, which the image includes: the image would contain its own report

hint: name another file with `--summary`, or include less than that directory

"#]],
    );
    build().more_args(["--metadata-file", "m.json"]).ends(0, str!["shop:1@sha256:[..]\n"], str![]);
}

#[test]
fn rejects_reports_included_by_a_recipe() {
    let folder = shop();
    data(folder.path(), "data/noise", 100);
    for (name, more) in [("a", ""), ("b", "[[include]]\nfrom = \"data\"\nto = \"/srv\"\n")] {
        let recipe = format!("[image]\nname = \"{name}:1\"\nprograms = [\"shop\"]\n{more}");
        fs::write(folder.path().join(format!("{name}.toml")), recipe).unwrap();
    }
    let args = ["build", "--no-cache", "-f", "a.toml", "-f", "b.toml", "--dotenv", "data/d.env"];
    coracle_in(folder.path(), args).ends(
        1,
        str![],
        str![[r#"
error: `data/d.env` is in `[FOLDER]/data`, which the image includes: the image would contain its own report

hint: name another file with `--dotenv`, or include less than that directory

"#]],
    );
}

#[test]
fn writes_to_special_files_without_replacing_them() {
    let folder = shop();
    let pipe = folder.path().join("pipe");
    for flag in ["--metadata-file", "--dotenv", "--summary"] {
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let read = {
            let pipe = pipe.clone();
            thread::spawn(move || fs::read_to_string(pipe).unwrap())
        };
        coracle_in(folder.path(), BUILD).more_args([flag, "pipe"]).ends(
            0,
            str!["shop:1@sha256:[..]\n"],
            str![],
        );
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo(), "{flag}");
        let text = read.join().unwrap();
        assert!(text.contains("shop:1@sha256:"), "{flag}: {text}");
        assert!(flag != "--metadata-file" || is_metadata(&text), "{text}");
        fs::remove_file(&pipe).unwrap();
    }
    let mut command = coracle_in(folder.path(), BUILD).more_args(["--metadata-file", "/dev/full"]).command();
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: cannot write `/dev/full`: No space left on device"), "{said}");
    assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
}

/// A checkout can contain links to any file of the user.
#[test]
fn refuses_links_at_the_report() {
    let folder = shop();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("precious"), "mine").unwrap();
    symlink("precious", at("there")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    for (flag, name, target) in [
        ("--metadata-file", "there", "precious"),
        ("--dotenv", "there", "precious"),
        ("--summary", "there", "precious"),
        ("--metadata-file", "dangling", "nowhere"),
        ("--dotenv", "dangling", "nowhere"),
    ] {
        let output = coracle_in(folder.path(), BUILD).more_args([flag, name]).command().output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag} {name}");
        let said = String::from_utf8(output.stderr).unwrap();
        let message =
            format!("error: `{flag}` does not follow links, but `{name}` is a symbolic link to `{target}`\n");
        assert!(said.starts_with(&message), "{said}");
    }
    assert_eq!(fs::read_to_string(at("precious")).unwrap(), "mine");
    assert!(!at("nowhere").exists());
}

#[test]
fn replacing_a_report_keeps_its_permissions() {
    let folder = shop();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("real")).unwrap();
    fs::write(at("real/there.json"), "{}").unwrap();
    fs::set_permissions(at("real/there.json"), Permissions::from_mode(0o640)).unwrap();
    coracle_in(folder.path(), BUILD).more_args(["--metadata-file", "real/there.json"]).ends(
        0,
        str!["shop:1@sha256:[..]\n"],
        str![],
    );
    assert!(is_metadata(&fs::read_to_string(at("real/there.json")).unwrap()));
    assert_eq!(fs::metadata(at("real/there.json")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(at("real")).unwrap().count(), 1, "nothing is left beside it");
}

/// A mount of a single file, and a folder of somebody else's, let nothing be renamed into them.
#[test]
fn writes_in_place_if_the_folder_is_read_only() {
    let folder = shop();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("locked")).unwrap();
    fs::create_dir(at("out")).unwrap();
    fs::write(at("locked/m.json"), "x".repeat(100_000)).unwrap();
    // Who may write everywhere runs it as somebody who may not.
    let program = at("coracle");
    coracle_testing::write_executable(&program, fs::read(env!("CARGO_BIN_EXE_coracle")).unwrap());
    let is_root = chown(at("out"), Some(65534), Some(65534)).is_ok();
    if is_root {
        chown(at("locked/m.json"), Some(65534), Some(65534)).unwrap();
    }
    fs::set_permissions(at("locked"), Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let build = |name: &str| {
        let mut command = Command::new(&program);
        command.args(BUILD).args(["--metadata-file", name]).current_dir(folder.path()).env_clear();
        if is_root {
            command.uid(65534).gid(65534);
        }
        command.stdin(Stdio::null()).output().unwrap()
    };
    let output = build("locked/m.json");
    assert!(output.status.success(), "{output:?}");
    assert!(is_metadata(&fs::read_to_string(at("locked/m.json")).unwrap()));
    fs::remove_dir_all(at("out/shop")).unwrap();
    let output = build("locked/new.json");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("error: cannot write `locked/new.json`: Permission denied"), "{said}");
    assert!(!said.contains("/."), "no name that nobody knows: {said}");
    assert!(!Path::new(&at("out/shop")).exists(), "it is told before anything is built");
    fs::set_permissions(at("locked"), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn adds_a_missing_line_end_before_appending() {
    let folder = shop();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("d.env"), "FOO=bar").unwrap();
    fs::write(at("s.md"), "Before.").unwrap();
    let reports = ["--dotenv", "d.env", "--summary", "s.md"];
    for images in [1, 2] {
        coracle_in(folder.path(), BUILD).more_args(reports).ends(0, str!["shop:1@sha256:[..]\n"], str![]);
        let dotenv = fs::read_to_string(at("d.env")).unwrap();
        assert!(dotenv.starts_with("FOO=bar\nCORACLE_REFERENCE=shop:1@"), "{dotenv}");
        assert_eq!(dotenv.lines().count(), 1 + 4 * images, "{dotenv}");
        assert!(fs::read_to_string(at("s.md")).unwrap().starts_with("Before.\n### shop:1\n"));
    }
}
