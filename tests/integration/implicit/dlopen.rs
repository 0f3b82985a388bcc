//! `.note.dlopen`, and what is opened by name.

use crate::build::project::Project;
use crate::implicit::built_image::{Image, args_for, hints, planned, refused};

/// The note in C.
fn note(entries: &str) -> String {
    // In a string of the assembler, in a string of C.
    let json = entries.replace('\\', r"\\\\").replace('"', r#"\\\""#);
    format!(
        r#"__asm__(".pushsection .note.dlopen,\"a\",%note\n.balign 4\n.long 4\n.long 1f-0f\n.long 0x407c0c0a\n.asciz \"FDO\"\n"
        "0: .asciz \"{json}\"\n1: .balign 4\n.popsection\n");"#
    )
}

/// A program that opens what its arguments name, with a note for each of `entries`.
fn opener(project: &Project, entries: &str) {
    let note = note(entries);
    let source = format!(
        r#"
#include <dlfcn.h>
#include <stdio.h>
{note}
int main(int count, char **names) {{
    for (int i = 1; i < count; i++) {{
        void *opened = dlopen(names[i], RTLD_NOW);
        int (*answer)(void) = opened ? dlsym(opened, "answer") : 0;
        printf("%s: %d\n", names[i], answer ? answer() : -1);
    }}
}}
"#
    );
    project.program("app", &source, &["-Wl,-rpath,$ORIGIN/lib"]);
    for (name, value) in [("a", "1"), ("b", "2 + deep()"), ("c", "3")] {
        let path = format!("lib/lib{name}.so.1");
        project.library("lib/libdeep.so", "deep", "40", &["-Wl,-soname,libdeep.so"]);
        let soname = format!("-Wl,-soname,lib{name}.so.1");
        let flags = if name == "b" {
            vec![soname.as_str(), "lib/libdeep.so", "-Wl,-rpath,$ORIGIN"]
        } else {
            vec![soname.as_str()]
        };
        project.library(&path, "answer", value, &flags);
    }
}

const THREE: &str = r#"[{"soname":["libz9.so","libb.so.1"],"feature":"b","description":"Does b","priority":"required"},{"soname":["liba.so.1"]},{"soname":"libc.so.1","priority":"suggested"}]"#;

#[test]
fn adds_libraries_of_dlopen_notes_with_their_dependencies() {
    let project = Project::new();
    opener(&project, THREE);
    let run = ["--", "liba.so.1", "libb.so.1", "libc.so.1"];
    let image = Image::of(&project, &[&["app"], &run[..]].concat());
    assert_eq!(
        image.layout.below(&["/app/lib/"]),
        ["/app/lib/", "/app/lib/liba.so.1", "/app/lib/libb.so.1", "/app/lib/libdeep.so"]
    );
    assert_eq!(args_for(&hints(&project, &["app"]), "libc.so.1"), ["--dlopen", "libc.so.1"]);
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "liba.so.1: 1\nlibb.so.1: 42\nlibc.so.1: -1\n");
    }
    let reason = planned(&project, &["app"], "/app/lib/libb.so.1").unwrap()["reason"].clone();
    assert!(reason.as_str().unwrap().ends_with("/app, its dlopen note says: Does b"), "{reason}");
}

#[test]
fn the_priority_of_notes_can_be_chosen() {
    let project = Project::new();
    opener(&project, THREE);
    for (level, libraries) in [("false", 0), ("required", 2), ("recommended", 3), ("suggested", 4)] {
        let image = Image::of(&project, &["app", "--dlopen-notes", level]);
        let found = image.layout.below(&["/app/lib/lib"]);
        assert_eq!(found.len(), libraries, "{level}: {found:?}");
    }
}

#[test]
fn reads_notes_of_an_older_draft() {
    let project = Project::new();
    opener(&project, r#"{"soname":["liba.so.1"],"priority":"required"}"#);
    assert!(Image::of(&project, &["app"]).has("/app/lib/liba.so.1"));
}

#[test]
fn a_missing_required_library_is_an_error() {
    let project = Project::new();
    opener(
        &project,
        r#"[{"soname":["libgone.so","libgone.so.1"],"priority":"required"},{"soname":["libgone.so.2"]}]"#,
    );
    let said = refused(&project, &["app"]);
    assert!(
        said.contains(
            "cannot open `libgone.so` or `libgone.so.1` (listed in its dlopen note): it was not found"
        ),
        "{said}"
    );
    opener(&project, r#"[{"soname":["libgone.so.2"]}]"#);
    let image = Image::of(&project, &["app"]);
    assert!(image.said.contains("warning: cannot open `libgone.so.2`"), "{}", image.said);
}

#[test]
fn an_invalid_note_is_a_warning() {
    let project = Project::new();
    opener(&project, "[{");
    let image = Image::of(&project, &["app"]);
    assert!(image.said.contains("its `.note.dlopen` is not valid JSON"), "{}", image.said);
}

#[test]
fn adds_libraries_by_name() {
    let project = Project::new();
    opener(&project, "[]");
    let image = Image::of(&project, &["app", "--dlopen", "libb.so.1", "--", "libb.so.1"]);
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "libb.so.1: 42\n");
    }
    std::fs::remove_file(project.path("lib/libdeep.so")).unwrap();
    let said = refused(&project, &["app", "--dlopen", "libb.so.1", "--dlopen", "libgone.so"]);
    assert!(said.contains("cannot open `libb.so.1` (requested): `libdeep.so`, needed by `"), "{said}");
    assert!(said.contains("cannot open `libgone.so` (requested): it was not found"), "{said}");
    let hello = Project::hello(&["-static"]);
    let said = refused(&hello, &["hello", "--dlopen", "libc.so.6"]);
    assert!(said.contains("the program is static"), "{said}");
}

#[test]
fn library_names_in_a_program_are_hints() {
    let project = Project::new();
    project
        .library("lib/libnamed.so.3", "answer", "1", &["-Wl,-soname,libnamed.so.3"])
        .program(
            "app",
            "#include <dlfcn.h>\nint main(void) { return !dlopen(\"libnamed.so.3\", 1) || !dlopen(\"libgone.so.3\", 1); }",
            &["-Wl,-rpath,$ORIGIN/lib"],
        );
    let image = Image::of(&project, &["app"]);
    assert_eq!(args_for(&hints(&project, &["app"]), "libnamed.so.3"), ["--dlopen", "libnamed.so.3"]);
    assert!(!image.said.contains("libgone"), "{}", image.said);
    let image = Image::of(&project, &["app", "--dlopen", "libnamed.so.3"]);
    assert!(!image.said.contains("hint"), "{}", image.said);
}

#[test]
fn opened_libraries_search_their_own_paths() {
    let project = Project::new();
    opener(&project, "[]");
    let source = format!(
        "{}\n#include <dlfcn.h>\nint answer(void) {{ void *b = dlopen(\"libinner.so\", 2); return b ? ((int (*)(void))dlsym(b, \"inner\"))() : -1; }}",
        note(r#"[{"soname":["libinner.so"]}]"#)
    );
    project.library("lib/deep/libinner.so", "inner", "7", &["-Wl,-soname,libinner.so"]);
    let flags = ["-shared", "-fPIC", "-Wl,-soname,libouter.so", "-Wl,-rpath,$ORIGIN/deep"];
    project.compile("cc", "lib/libouter.so", &source, &flags);
    let image = Image::of(&project, &["app", "--dlopen", "libouter.so", "--", "libouter.so"]);
    assert!(image.has("/app/lib/deep/libinner.so") && !image.said.contains("warning"), "{}", image.said);
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "libouter.so: 7\n");
    }
}

#[test]
fn control_characters_of_notes_are_escaped() {
    let project = Project::new();
    let long = "x".repeat(1000);
    opener(
        &project,
        &format!(
            r#"[{{"soname":"libgone.so.2","description":"a\n  b\u001b[31m"}},{{"soname":"liba.so.1","priority":"suggested","description":"{long}"}},{{"soname":"libgone\n.so","priority":"suggested"}}]"#
        ),
    );
    let said = Image::of(&project, &["app"]).said;
    assert!(
        said.contains(
            r"cannot open `libgone.so.2` (its dlopen note says: a\n  b\u{1b}[31m): it was not found"
        ),
        "{said}"
    );
    let longest = said.lines().map(str::len).max();
    assert!(said.contains("  liba.so.1 (") && longest < Some(400), "{said}");
    // No flag adds a missing file.
    assert!(!said.contains("libgone\\n"), "{said}");
}

/// Qt joins the name from `ssl` and a version, so that it is in no string.
#[test]
fn libraries_with_computed_names_have_hints() {
    for library in ["libQt5Network.so.5", "libqopensslbackend.so"] {
        let project = Project::new();
        project.library("lib/libssl.so.3", "ssl", "1", &["-Wl,-soname,libssl.so.3"]);
        let flags = [&*format!("-Wl,-soname,{library}"), "-Wl,-rpath,$ORIGIN"];
        project.library(&format!("lib/{library}"), "network", "1", &flags);
        let linked = format!("lib/{library}");
        let source = "int network(void);\nint main(void) { return network(); }";
        project.program("app", source, &[&linked, "-Wl,-rpath,$ORIGIN/lib"]);
        let args = args_for(&hints(&project, &["app"]), "libssl.so.3");
        assert_eq!(args, ["--dlopen", "libssl.so.3"], "{library}");
        assert!(Image::of(&project, &["app", "--complete"]).has("/app/lib/libssl.so.3"), "{library}");
    }
}
