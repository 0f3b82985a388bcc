//! Images at a registry: their layers are sent while cargo compiles, and their names come when it
//! has ended well.

use std::thread;
use std::time::Duration;

use coracle_testing::registry::FakeRegistry;
use snapbox::str;

use crate::cargo::fake_cargo::{self, built, compiled, run};
use crate::cargo::project::Project;

/// A run whose cargo builds `one`, waits until its layer is at the registry, and ends as `then` says; the tags that the
/// registry has in the end.
#[track_caller]
fn tags_after(then: &str, check: impl FnOnce(&Project, &FakeRegistry)) -> Vec<(String, String)> {
    let (registry, project) = (FakeRegistry::start(), Project::app(""));
    compiled(&project, "cc", &["-static"], "target/release/one").unwrap();
    project.file("target/one", built(&project, "one", "target/release/one"));
    let wait = "for second in $(seq 600); do test -e target/sent && break; sleep 0.1; done; test -e target/sent || exit 1";
    fake_cargo::cargo(&project, &format!("cat target/one\n{wait}\n{then}"));
    thread::scope(|scope| {
        scope.spawn(|| {
            // A layer and a config; whoever waits longer than cargo sees the test fail.
            for _ in 0..600 {
                if registry.state().blobs.len() >= 2 {
                    assert!(registry.state().tags.is_empty() && registry.state().manifests.is_empty());
                    project.file("target/sent", "");
                    return;
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        check(&project, &registry);
    });
    registry.state().tags.keys().cloned().collect()
}

#[test]
fn uploads_layers_while_cargo_compiles_and_tags_last() {
    let tags = tags_after("exit 0", |project, registry| {
        let name = format!("{}/one:1", registry.address);
        run(project, ["build", "-q", "--push", "-t", &name]).ends(
            0,
            str![[r#"
127.0.0.1:[..]/one:1@sha256:[..]

"#]],
            str![],
        );
    });
    assert_eq!(tags, [("one".to_owned(), "1".to_owned())]);
}

#[test]
fn pushes_no_tag_if_cargo_fails() {
    let tags = tags_after("exit 101", |project, registry| {
        let name = format!("{}/one:1", registry.address);
        run(project, ["build", "-q", "--push", "-t", &name]).ends(
            1,
            str![],
            str![[r#"
error: cargo could not build the programs; no image was built

"#]],
        );
    });
    assert!(tags.is_empty(), "{tags:?}");
}

/// A registry that takes connections and never answers.
#[test]
fn a_failure_does_not_wait_for_a_hanging_registry() {
    let (registry, project) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), Project::app(""));
    let name = format!("localhost:{}/one", registry.local_addr().unwrap().port());
    compiled(&project, "cc", &["-static"], "target/release/one").unwrap();
    project.file("target/one", built(&project, "one", "target/release/one"));
    fake_cargo::cargo(&project, "cat target/one\nsleep 1\nexit 101");
    let clock = std::time::Instant::now();
    let run = run(&project, ["build", "-q", "--push", "-t", &name, "--summary", "s.md"]);
    let output = run.command().output().unwrap();
    assert!(clock.elapsed() < Duration::from_secs(30), "{:?}", clock.elapsed());
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "error: cargo could not build the programs; no image was built\n";
    assert_eq!((output.status.code(), said.as_str()), (Some(1), expected));
    assert!(std::fs::read_to_string(project.path("s.md")).unwrap().starts_with("### No image\n"));
    // It waited for the registry, or there would have been nothing to leave.
    assert!(clock.elapsed() > Duration::from_secs(3), "{:?}", clock.elapsed());
    drop(registry);
}
