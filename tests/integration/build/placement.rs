//! Where programs go, and what moves along with them.

use crate::build::project::Project;

/// Prints what `answer` says, which may ask `more`.
const ASKS: &str = r#"
#include <stdio.h>
int answer(void);
int main(void) { printf("%d\n", answer()); return 0; }
"#;

/// `bin/asks`, which finds `lib/libanswer.so.1`, a link to a link to the file, which finds `lib/deep/libmore.so`.
fn asks(runpath: &str) -> Project {
    let project = Project::new();
    project
        .library("lib/deep/libmore.so", "more", "7", &["-Wl,-soname,libmore.so"])
        .library(
            "lib/libanswer.so.1.2.3",
            "answer",
            "6 * more()",
            &["-Wl,-soname,libanswer.so.1", "lib/deep/libmore.so", "-Wl,-rpath,$ORIGIN/deep"],
        )
        .link("lib/libanswer.so.1.2", "libanswer.so.1.2.3")
        .link("lib/libanswer.so.1", "libanswer.so.1.2")
        .program(
            "bin/asks",
            ASKS,
            &["lib/libanswer.so.1", &format!("-Wl,-rpath,{runpath}"), "-Wl,-rpath-link,lib/deep"],
        );
    project
}

#[track_caller]
fn moves_to(project: &Project, program: &str, layout: &str, expected: &[&str]) {
    let layout = project.built(&[program], layout);
    assert_eq!(layout.below(&["/app", "/opt"]), expected);
    assert_eq!(layout.run().as_deref().unwrap_or("42\n"), "42\n");
}

#[test]
fn libraries_of_the_project_move_with_their_links() {
    moves_to(
        &asks("$ORIGIN/../lib"),
        "bin/asks",
        "asks.oci",
        &[
            "/app/",
            "/app/bin/",
            "/app/bin/asks",
            "/app/lib/",
            "/app/lib/deep/",
            "/app/lib/deep/libmore.so",
            "/app/lib/libanswer.so.1 -> libanswer.so.1.2",
            "/app/lib/libanswer.so.1.2 -> libanswer.so.1.2.3",
            "/app/lib/libanswer.so.1.2.3",
        ],
    );
}

#[test]
fn creates_directories_of_paths_with_dot_dot() {
    let project = asks("$ORIGIN/../share/plugins/../../lib");
    project.file("share/plugins/unused", "");
    let layout = project.built(&["bin/asks"], "asks.oci");
    assert_eq!(layout.below(&["/app/share"]), ["/app/share/", "/app/share/plugins/"]);
    assert_eq!(layout.run().as_deref().unwrap_or("42\n"), "42\n");
}

#[test]
fn a_program_with_another_path_keeps_its_libraries() {
    moves_to(
        &asks("$ORIGIN/../lib"),
        "bin/asks:/opt/tools/asks",
        "asks.oci",
        &[
            "/opt/",
            "/opt/lib/",
            "/opt/lib/deep/",
            "/opt/lib/deep/libmore.so",
            "/opt/lib/libanswer.so.1 -> libanswer.so.1.2",
            "/opt/lib/libanswer.so.1.2 -> libanswer.so.1.2.3",
            "/opt/lib/libanswer.so.1.2.3",
            "/opt/tools/",
            "/opt/tools/asks",
        ],
    );
}

#[test]
fn a_trailing_slash_means_a_directory() {
    let project = Project::hello(&["-static"]);
    let layout = project.built(&["hello:/opt/tools/"], "hello.oci");
    assert_eq!(layout.config()["config"]["Entrypoint"][0], "/opt/tools/hello");
}

#[test]
fn keeps_relative_links_of_the_project() {
    let project = asks("$ORIGIN/../lib");
    std::fs::create_dir(project.path("store")).unwrap();
    std::fs::rename(project.path("lib/libanswer.so.1.2.3"), project.path("store/answer")).unwrap();
    project.link("lib/libanswer.so.1.2.3", "../store/answer");
    // `$ORIGIN` of the library is where the link stands.
    let layout = project.built(&["bin/asks"], "asks.oci");
    assert_eq!(
        layout.below(&["/app/lib/libanswer.so.1.2.3", "/app/store/answer"]),
        ["/app/lib/libanswer.so.1.2.3 -> ../store/answer", "/app/store/answer"]
    );
    assert_eq!(layout.run().as_deref().unwrap_or("42\n"), "42\n");
}

#[test]
fn rewrites_absolute_links_into_the_project() {
    let project = asks("$ORIGIN/../lib");
    std::fs::create_dir_all(project.path("store/deep")).unwrap();
    std::fs::rename(project.path("lib/libanswer.so.1.2.3"), project.path("store/deep/answer")).unwrap();
    project.link("lib/libanswer.so.1.2.3", project.path("store/deep/answer"));
    let layout = project.built(&["bin/asks"], "asks.oci");
    assert_eq!(
        layout.below(&["/app/lib/libanswer.so.1.2.3", "/app/store", "/tmp"]),
        [
            "/app/lib/libanswer.so.1.2.3 -> /app/store/deep/answer",
            "/app/store/",
            "/app/store/deep/",
            "/app/store/deep/answer"
        ]
    );
    assert_eq!(layout.run().as_deref().unwrap_or("42\n"), "42\n");
}

#[test]
fn a_program_behind_links_is_packed_once() {
    let project = Project::hello(&["-static"]);
    project.link("latest", "hello").link("current", "latest");
    let layout = project.built(&["current"], "current.oci");
    assert_eq!(layout.below(&["/app"]), ["/app/", "/app/current"]);
}

#[test]
fn a_program_of_the_system_keeps_every_link_on_the_way() {
    let project = Project::new();
    // cc is the one program that is there for sure, and on most systems it is a link.
    let layout = project.built(&["/usr/bin/cc"], "cc.oci");
    let mut path = std::path::PathBuf::from("/usr/bin/cc");
    assert_eq!(layout.config()["config"]["Entrypoint"][0], "/usr/bin/cc");
    while let Ok(target) = std::fs::read_link(&path) {
        let line = format!("{} -> {}", path.display(), target.display());
        assert_eq!(layout.below(&[&line]), std::slice::from_ref(&line));
        path = path.parent().unwrap().join(target);
    }
    assert_eq!(layout.below(&[path.to_str().unwrap()])[0], path.to_str().unwrap());
}

#[test]
fn adds_a_loader_cache_if_a_library_needs_it() {
    let project = Project::hello(&["-pie"]);
    // Whatever this system has in its cache, a program that needs none of it gets no cache.
    let layout = project.built(&["hello", "--no-inventory"], "hello.oci");
    assert_eq!(layout.below(&["/etc/"]), ["/etc/", "/etc/group", "/etc/passwd"]);
}
