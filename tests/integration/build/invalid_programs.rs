//! Programs that are none.

use std::process::Command;

use coracle_testing::skipped;
use snapbox::str;

use crate::build::project::{HELLO, Project};

#[test]
fn reports_a_missing_program() {
    let project = Project::new();
    project.link("dangling", "gone").file("file", "");
    project.coracle(["build", "./no-such-program"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]/no-such-program` as a program: there is no such file

hint: check the path, and build the program first

"#]],
    );
    project.coracle(["build", "env"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]/env` as a program: there is no such file

hint: did you mean `/usr/bin/env`? `PATH` is not searched

"#]],
    );
    project.coracle(["build", "dangling"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]/dangling` as a program: it is a dangling link

hint: check the path, and build the program first

"#]],
    );
    project.coracle(["build", "file/x"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]/file/x` as a program: `[FOLDER]/file` is not a directory

hint: check the path, and build the program first

"#]],
    );
}

#[test]
fn rejects_an_invalid_image_path() {
    let project = Project::hello(&["-static"]);
    project.coracle(["build", "hello:usr/bin/hello"]).ends(
        2,
        str![],
        str![[r#"
error: `PROGRAM`: `hello:usr/bin/hello` is not a file, and its TO is not absolute

hint: write it with an absolute TO, as in `hello:/usr/bin/hello`

"#]],
    );
    project.coracle(["build", "hello:/usr/../hello"]).ends(
        2,
        str![],
        str![[r#"
error: `PROGRAM`: `/usr/../hello` is not a path inside an image: it contains `.` or `..`

"#]],
    );
}

#[test]
fn rejects_special_files() {
    let project = Project::new();
    project.link("ring", "ring");
    assert!(Command::new("mkfifo").arg(project.path("pipe")).status().unwrap().success());
    project.coracle(["build", "."]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]` as a program: it is a directory

hint: name the program in it; neither a Dockerfile nor sources are read

"#]],
    );
    project.coracle(["build", "pipe"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]/pipe` as a program: it is a named pipe

hint: check the path, and build the program first

"#]],
    );
    project.coracle(["build", "/dev/null"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `/dev/null` as a program: it is a character device

hint: check the path, and build the program first

"#]],
    );
    project.coracle(["build", "ring"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]/ring` as a program: its symbolic links form a loop

hint: check the path, and build the program first

"#]],
    );
}

#[test]
fn rejects_files_that_are_not_programs() {
    let project = Project::new();
    project.file("text", "echo hi\n").file("empty", "").compile("cc", "object.o", HELLO, &["-c"]);
    project.library("library.so", "answer", "1", &[]);
    project.coracle(["build", "text"]).ends(1, str![], str![[r#"
error: cannot use `[FOLDER]/text` as a program: it is not an ELF file

hint: a program is an ELF file or starts with `#!`; if this is a script, write `#!/bin/sh` or the like as its first line

"#]]);
    project.coracle(["build", "empty"]).ends(1, str![], str![[r#"
error: cannot use `[FOLDER]/empty` as a program: it is not an ELF file

hint: a program is an ELF file or starts with `#!`; if this is a script, write `#!/bin/sh` or the like as its first line

"#]]);
    project.coracle(["build", "object.o"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]/object.o` as a program: it is an object file or a core dump

hint: name the linked program, not one of its inputs

"#]],
    );
    project.coracle(["build", "library.so"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]/library.so` as a program: it is a shared library

hint: name the linked program, not one of its inputs

"#]],
    );
}

#[test]
fn rejects_a_truncated_program() {
    let project = Project::hello(&["-static"]);
    let whole = std::fs::read(project.path("hello")).unwrap();
    project.file("header", &whole[..40]).file("table", &whole[..100]).file("half", &whole[..whole.len() / 2]);
    project.coracle(["build", "header"]).ends(1, str![], str![[r#"
error: cannot use `[FOLDER]/header` as a program: it is truncated: its header would end after the end of the file

hint: build or copy the program again

"#]]);
    project.coracle(["build", "table"]).ends(1, str![], str![[r#"
error: cannot use `[FOLDER]/table` as a program: it is truncated: its program headers would end after the end of the file

hint: build or copy the program again

"#]]);
    project.coracle(["build", "half"]).ends(1, str![], str![[r#"
error: cannot use `[FOLDER]/half` as a program: it is truncated: its loaded segments would end after the end of the file

hint: build or copy the program again

"#]]);
}

#[test]
fn reports_a_missing_interpreter() {
    let project = Project::hello(&["-Wl,--dynamic-linker=/nowhere/ld.so"]);
    if !cfg!(target_arch = "x86_64") {
        return skipped("the messages are those of x86-64");
    }
    project.coracle(["build", "hello"]).ends(1, str![], str![[r#"
error: cannot find the interpreter `/nowhere/ld.so` of `[FOLDER]/hello`: there is no such file; the program is for linux/amd64

hint: install it, pass `--sysroot <DIR>` with the loader and libraries of its platform, or link the program statically

"#]]);
    project.program("hello", HELLO, &["-Wl,--dynamic-linker=/etc/passwd"]);
    project.coracle(["build", "hello"]).ends(
        1,
        str![],
        str![[r#"
error: cannot read the loader `/etc/passwd` of `[FOLDER]/hello`: it is not an ELF file

hint: reinstall the loader

"#]],
    );
}

#[test]
fn a_program_of_another_platform() {
    let project = Project::hello(&["-static"]);
    let cross = "aarch64-linux-gnu-gcc";
    if Command::new(cross).arg("--version").output().is_err() || !cfg!(target_arch = "x86_64") {
        return skipped("aarch64-linux-gnu-gcc is not installed, or this is no x86-64");
    }
    project.compile(cross, "arm", HELLO, &["-static", "-s"]).compile(cross, "dynamic", HELLO, &["-s"]);
    project.coracle(["build", "dynamic"]).ends(1, str![], str![[r#"
error: cannot find the interpreter `/lib/ld-linux-aarch64.so.1` of `[FOLDER]/dynamic`: there is no such file; the program is for linux/arm64

hint: install it, pass `--sysroot <DIR>` with the loader and libraries of its platform, or link the program statically

"#]]);
    project.coracle(["build", "arm", "--platform", "linux/amd64"]).ends(
        1,
        str![],
        str![[r#"
error: cannot use `[FOLDER]/arm`: it is for linux/arm64, not for linux/amd64

hint: the platform is read from the program: omit `--platform`, or name another program

"#]],
    );
}

#[test]
fn rejects_invalid_scripts() {
    let project = Project::new();
    project
        .script("missing", "#!/nowhere/perl\n")
        .script("relative", "#!perl\n")
        .script("env", "#!/usr/bin/env no-such-interpreter\n")
        .script("options", "#!/usr/bin/env -u HOME sh\n")
        .script("nothing", "#!\n")
        .script("windows", "#!/bin/sh\r\n")
        .script("windows-env", "#!/usr/bin/env sh\r\n")
        .script("ring", &format!("#!{}\n", project.path("ring").display()));
    project.coracle(["build", "missing"]).ends(
        1,
        str![],
        str![[r#"
error: cannot find the interpreter `/nowhere/perl` of the script `[FOLDER]/missing`: there is no such file

hint: install it where the image is built, or write its absolute path in the first line

"#]],
    );
    project.coracle(["build", "relative"]).ends(
        1,
        str![],
        str![[r#"
error: cannot find the interpreter `perl` of the script `[FOLDER]/relative`: there is no such file

hint: install it where the image is built, or write its absolute path in the first line

"#]],
    );
    project.coracle(["build", "env"]).ends(1, str![], str![[r#"
error: cannot find the interpreter `no-such-interpreter` of the script `[FOLDER]/env`: `env` would search for it in `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`

hint: install it where the image is built, or set its directory with `--env PATH=…`

"#]]);
    project.coracle(["build", "options"]).ends(1, str![], str![[r#"
error: cannot parse the first line of the script `[FOLDER]/options`: the program that `env` starts can't be determined; write `#!/usr/bin/env NAME` or `#!/usr/bin/env -S NAME ARGUMENTS`

hint: write `#!/path/to/interpreter [argument]`, and end the line with a line feed only

"#]]);
    project.coracle(["build", "nothing"]).ends(
        1,
        str![],
        str![[r#"
error: cannot parse the first line of the script `[FOLDER]/nothing`: it names no interpreter

hint: write `#!/path/to/interpreter [argument]`, and end the line with a line feed only

"#]],
    );
    project.coracle(["build", "windows"]).ends(1, str![], str![[r#"
error: cannot parse the first line of the script `[FOLDER]/windows`: it ends with a carriage return, which the kernel treats as part of the name

hint: write `#!/path/to/interpreter [argument]`, and end the line with a line feed only

"#]]);
    project.coracle(["build", "windows-env"]).ends(1, str![], str![[r#"
error: cannot parse the first line of the script `[FOLDER]/windows-env`: it ends with a carriage return, which the kernel treats as part of the name

hint: write `#!/path/to/interpreter [argument]`, and end the line with a line feed only

"#]]);
    project.coracle(["build", "ring"]).ends(
        1,
        str![],
        str![[r#"
error: cannot start `[FOLDER]/ring`: its script interpreters are nested deeper than the kernel allows

hint: name an ELF program as the interpreter

"#]],
    );
}

#[test]
fn reports_invalid_recipes() {
    let project = Project::hello(&["-static"]);
    let recipe = |text: &str| {
        project.file("coracle.toml", format!("[image]\nprograms = [\"hello\"]\n{text}")).coracle(["build"])
    };
    recipe("usr = 5\n").ends(
        2,
        str![],
        str![[r#"
error: unknown key `usr` in `[image]`; did you mean `user`?
   --> coracle.toml:3:1
  3 | usr = 5
    | ^^^

"#]],
    );
    recipe("user = \n").ends(
        2,
        str![],
        str![[r#"
error: `coracle.toml` is not TOML: string values must be quoted, expected literal string
   --> coracle.toml:3:8
  3 | user = 
    |        ^

"#]],
    );
    recipe("[[include]]\nfrom = \"assets\"\nto = \"/srv\"\n").ends(
        1,
        str![],
        str![[r#"
error: cannot include some files
  [FOLDER]/assets: there is no such file or directory

hint: check the path: flags are relative to the working directory, a recipe's keys to the recipe

"#]],
    );
}

#[test]
fn helps_in_an_empty_folder() {
    Project::new().coracle(["build"]).ends(
        2,
        str![],
        str![[r#"
error: nothing to build: no PROGRAM is given and `coracle.toml` does not exist in this directory

hint: name a program, as in `coracle build ./app`, or write a `coracle.toml`

"#]],
    );
}
