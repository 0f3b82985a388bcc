//! Extended attributes are not part of an image, and are never dropped in silence.

use std::process::Command;

use coracle_testing::requirement::is_available;

use crate::build::project::{HELLO, Project};

/// The messages of a build with `arguments`.
#[track_caller]
fn said(project: &Project, arguments: &[&str]) -> String {
    let output = project.coracle(["build", "-o", "oci:out"]).command().args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

/// Whether `program` can set the attribute on the file at `path`.
fn is_set(project: &Project, program: &str, arguments: &[&str], path: &str, package: &str) -> bool {
    let status = Command::new(program).args(arguments).arg(project.path(path)).status();
    let is_set = status.is_ok_and(|status| status.success());
    is_available(&format!("{program} {arguments:?}"), is_set, package)
}

fn set_user_attribute(project: &Project, path: &str) -> bool {
    is_set(project, "setfattr", &["-n", "user.coracle", "-v", "test"], path, "attr")
}

#[test]
fn warns_of_file_capabilities() {
    let project = Project::new();
    project.compile("cc", "hello", HELLO, &["-g"]);
    assert!(!said(&project, &["hello"]).contains("attributes"));
    if !is_set(&project, "/usr/sbin/setcap", &["cap_net_bind_service+ep"], "hello", "libcap2-bin") {
        return;
    }
    for arguments in [&["hello"][..], &["hello", "--strip"]] {
        let said = said(&project, arguments);
        let warning =
            "warning: /app/hello: extended attributes are dropped: security.capability\n  a container gets";
        assert!(said.contains(warning), "{arguments:?}: {said}");
    }
}

#[test]
fn warns_of_attributes_of_everything_that_is_copied() {
    let project = Project::hello(&[]);
    project.file("data/inner/one", "1").file("data/two", "2").file("data/plain", "");
    for path in ["hello", "data/inner", "data/inner/one", "data/two"] {
        if !set_user_attribute(&project, path) {
            return;
        }
    }
    let said = said(&project, &["hello", "--include", "data:/srv"]);
    let expected = "warning: /app/hello, /srv/inner, /srv/inner/one, /srv/two: extended attributes are dropped: user.coracle\n";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn one_warning_lists_a_few_of_many_files_with_the_same_attributes() {
    let project = Project::hello(&[]);
    for number in 0..20 {
        let path = format!("data/{number:02}");
        project.file(&path, "");
        if !set_user_attribute(&project, &path) {
            return;
        }
    }
    let said = said(&project, &["hello", "--include", "data:/srv"]);
    assert!(said.contains("/srv/07 and 12 more: extended attributes are dropped: user.coracle\n"), "{said}");
    assert_eq!(said.matches("extended attributes").count(), 1, "{said}");
}
