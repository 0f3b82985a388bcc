//! Errors of `init`: the complete output, and no file is written.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use coracle_testing::{coracle, listing, skipped};
use snapbox::str;

use crate::build::project::{HELLO, Project};

#[test]
fn fails_without_a_program() {
    coracle(["init"]).ends(
        2,
        str![],
        str![[r#"
error: no program is given, and this directory contains none

hint: build one first, and name it, as in `coracle init ./app`

"#]],
    );
    coracle(["init", "app"]).ends(
        2,
        str![],
        str![[r#"
error: `app` does not exist

hint: build the program first, or name its directory

"#]],
    );
    coracle(["init", "app"]).file("app", "text\n").ends(
        2,
        str![],
        str![[r#"
error: cannot use `app` as a program: it is not an ELF file

hint: a program is an ELF file or starts with `#!`; build it first, and name the compiler's output

"#]],
    );
    coracle(["init", "app"]).file("app", b"\x7fELF").ends(
        2,
        str![],
        str![[r#"
error: cannot use `app` as a program: it is not an ELF file

hint: a program is an ELF file or starts with `#!`; build it first, and name the compiler's output

"#]],
    );
    coracle(["init", "/dev/null"]).ends(
        2,
        str![],
        str![[r#"
error: cannot use `/dev/null` as a program: it is not a file

hint: a program is an ELF file or starts with `#!`; build it first, and name the compiler's output

"#]],
    );
}

#[test]
fn rejects_an_object_file() {
    let project = Project::new();
    project.compile("cc", "app.o", HELLO, &["-c"]);
    project.coracle(["init", "app.o"]).ends(
        2,
        str![],
        str![[r#"
error: cannot use `app.o` as a program: it is an ELF file, but not an executable

hint: a program is an ELF file or starts with `#!`; build it first, and name the compiler's output

"#]],
    );
    project.coracle(["init"]).ends(
        2,
        str![],
        str![[r#"
error: no program is given, and this directory contains none

hint: build one first, and name it, as in `coracle init ./app`

"#]],
    );
}

#[test]
fn requires_a_name_if_there_are_several_programs() {
    let project = Project::new();
    project.program("shop", HELLO, &[]).program("bin/admin", HELLO, &[]);
    project.coracle(["init"]).ends(
        2,
        str![],
        str![[r#"
error: no program is given, and this directory contains several
  shop
  bin/admin

hint: name one, as in `coracle init ./app`

"#]],
    );
    fs::create_dir(project.path("services")).unwrap();
    project.coracle(["init", "services"]).ends(
        2,
        str![],
        str![[r#"
error: no program is given, and `services` contains none

hint: build one first, and name it, as in `coracle init ./app`

"#]],
    );
}

#[test]
fn rejects_a_second_run() {
    let project = Project::hello(&[]);
    for said in [
        project.coracle(["init", "hello"]).command().output().unwrap(),
        project.coracle(["build"]).command().output().unwrap(),
    ] {
        assert!(said.status.success());
    }
    project.coracle(["init", "hello"]).ends(
        2,
        str![],
        str![[r#"
error: `coracle.toml` exists already

hint: build its image with `coracle build`; to start over, move it away

"#]],
    );
    project.coracle(["init", "hello", "--dry-run"]).ends(
        2,
        str![],
        str![[r#"
error: `coracle.toml` exists already

hint: build its image with `coracle build`; to start over, move it away

"#]],
    );
    project.link("other/coracle.toml", "nowhere");
    project.coracle(["init", "other"]).ends(
        2,
        str![],
        str![[r#"
error: `other/coracle.toml` exists already

hint: build its image with `coracle build --file other/coracle.toml`; to start over, move it away

"#]],
    );
}

#[test]
fn rejects_program_names_that_a_recipe_can_not_contain() {
    let project = Project::hello(&[]);
    fs::rename(project.path("hello"), project.folder().join(OsStr::from_bytes(b"hell\xff"))).unwrap();
    project.coracle(["init"]).ends(
        2,
        str![],
        str![[r#"
error: `hell�` is not UTF-8, which a recipe requires

hint: rename it, or build without a recipe: `coracle build PROGRAM` accepts any name

"#]],
    );
}

#[test]
fn does_not_write_through_links() {
    let project = Project::hello(&[]);
    project.file("elsewhere/x", "").link("config", "elsewhere");
    project.coracle(["init", "hello"]).ends(
        2,
        str![],
        str![[r#"
error: cannot write `config/hello.toml.j2`: `config` is not a directory

hint: move it away, or pass `--no-config` to write no configuration

"#]],
    );
    fs::remove_file(project.path("config")).unwrap();
    project.file("config", "a file");
    project.coracle(["init", "hello"]).ends(
        2,
        str![],
        str![[r#"
error: cannot write `config/hello.toml.j2`: `config` is not a directory

hint: move it away, or pass `--no-config` to write no configuration

"#]],
    );
}

#[test]
fn reports_directories_at_paths_of_files() {
    let project = Project::hello(&[]);
    project.file("elsewhere/x", "").link(".github", "elsewhere");
    let expected = str![[r#"
error: cannot write `.github/workflows/image.yml`: `.github` is not a directory

hint: move it away, or pass `--ci none` to write no file for CI

"#]];
    project.coracle(["init", "hello"]).ends(2, str![], expected.clone());
    fs::remove_file(project.path(".github")).unwrap();
    project.file(".github", "");
    project.coracle(["init", "hello", "--ci", "github"]).ends(2, str![], expected);
    let project = Project::hello(&[]);
    project.file("config/hello.toml.j2/x", "");
    project.coracle(["init", "hello"]).ends(
        2,
        str![],
        str![[r#"
error: cannot write `config/hello.toml.j2`: it is a directory

hint: move it away, or pass `--no-config` to write no configuration

"#]],
    );
}

/// When nobody can be told what was written, nothing is.
#[test]
fn a_full_stdout_is_an_error() {
    let project = Project::hello(&[]);
    let before = listing(project.folder());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = project.coracle(["init", "hello"]).command().stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: cannot write to stdout: "), "{said}");
    assert_eq!(listing(project.folder()), before);
    crate::init::recipes::done(project.folder(), ["init", "hello"]);
}

/// While it waits for whoever reads its stdout, everything is written beside and has no name.
#[test]
fn an_interrupt_leaves_no_file() {
    let project = Project::hello(&[]);
    let before = listing(project.folder());
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    // As many bytes as a pipe holds.
    filler.write_all(&vec![b' '; 65536]).unwrap();
    drop(filler);
    let mut command = project.coracle(["init", "hello"]).command();
    command.stdout(writer.try_clone().unwrap()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    writer.flush().unwrap();
    drop(writer);
    let is_beside = || {
        let names = fs::read_dir(project.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        names.into_iter().any(|name| name.to_string_lossy().starts_with(".coracle-"))
    };
    while !is_beside() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupt = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(50));
    let mut printed = Vec::new();
    reader.read_to_end(&mut printed).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said.as_str()),
        (Some(130), "error: interrupted; nothing was written\n")
    );
    assert_eq!(listing(project.folder()), before);
}

#[test]
fn rejects_invalid_arguments() {
    coracle(["init", "--ci", "jenkins"]).ends(
        2,
        str![],
        str![[r#"
error: invalid value `jenkins` for `--ci <CI>`
  [possible values: github, gitlab, none]

hint: `coracle init --help` lists all flags, with examples

"#]],
    );
    coracle(["init", "a", "b"]).ends(
        2,
        str![],
        str![[r#"
error: `coracle init` does not take the argument `b`

hint: `coracle init --help` lists all arguments, with examples

"#]],
    );
}

/// Runs `coracle init` on a file system with these options of `mount`; what it says, and what is left there. Nothing where
/// nobody may mount.
fn on_disk(project: &Project, options: &str) -> Option<(Option<i32>, String, String)> {
    fs::create_dir_all(project.path("disk")).unwrap();
    let script = format!(
        "mount -t tmpfs -o mode=700,size=64k,{options} none disk && cd disk && \"$@\"; ended=$?; find . -mindepth 1; exit $ended"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_coracle")]);
    let output =
        command.args(["init", "../hello"]).current_dir(project.folder()).env_clear().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    if said.contains("unshare: ") || said.contains("mount: ") {
        skipped(&format!("nothing can be mounted here: {said}"));
        return None;
    }
    Some((output.status.code(), said, String::from_utf8(output.stdout).unwrap()))
}

#[test]
fn reports_a_read_only_folder() {
    let project = Project::hello(&[]);
    let Some((status, said, left)) = on_disk(&project, "ro") else { return };
    assert_eq!((status, left.as_str()), (Some(1), ""), "{said}");
    snapbox::assert_data_eq!(
        said,
        str![[r#"
error: cannot create `config`: Read-only file system (os error 30)

hint: run it in another directory, or pass `--dry-run` to print the files

"#]]
    );
}

/// However many files there is room for: all of them, or none.
#[test]
fn a_full_disk_leaves_no_file() {
    let project = Project::hello(&[]);
    let before = listing(project.folder());
    let mut complete = 0;
    for nodes in 2..16 {
        let Some((status, said, left)) = on_disk(&project, &format!("nr_inodes={nodes}")) else { return };
        if status == Some(0) {
            // Its own list, and what `find` has found.
            assert_eq!(left.lines().count(), 4 + 5, "{left}");
            complete += 1;
        } else {
            assert_eq!((status, left.as_str()), (Some(1), ""), "{nodes}: {said}");
            assert!(said.contains("No space left on device"), "{said}");
        }
    }
    assert!((1..14).contains(&complete), "{complete} were written");
    fs::remove_dir(project.path("disk")).unwrap();
    assert_eq!(listing(project.folder()), before);
}
