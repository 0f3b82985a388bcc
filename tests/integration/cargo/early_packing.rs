//! Images are packed while cargo still compiles, and stand nowhere before it has ended well.

use snapbox::str;

use crate::cargo::fake_cargo::{self, built, compiled, run};
use crate::cargo::project::Project;

/// More than any machine builds at once.
const NAMES: [&str; 8] = ["zeta", "eta", "theta", "iota", "kappa", "lambda", "my", "alpha"];

/// Waits until the images of `$1` programs are packed, and notes what can be seen in `target/coracle` then.
const PACKED: &str = r#"
packed() {
    for second in $(seq 600); do
        if [ "$(ls -d target/coracle/.coracle-*/????????????????????????????????????????????????????????????????)" ] &&
           [ "$(ls -d target/coracle/.coracle-*/????????????????????????????????????????????????????????????????* | wc -l)" -ge "$1" ]
        then ls target/coracle >target/seen; return; fi
        sleep 0.1
    done 2>/dev/null
    echo 'fake cargo: no image was packed' >&2
    exit 1
}
"#;

/// A crate with these programs, and a cargo that builds all but the last, waits until their images are packed, and then
/// does something else.
fn crate_that_then(names: &[&str], then: &str) -> Project {
    let project = Project::app("");
    for name in names {
        compiled(&project, "cc", &["-static"], &format!("target/release/{name}")).unwrap();
    }
    let message = |name: &&str| built(&project, name, &format!("target/release/{name}"));
    let (last, first) = names.split_last().unwrap();
    project.file("target/first", first.iter().map(message).collect::<String>());
    project.file("target/last", message(last));
    fake_cargo::cargo(&project, &format!("{PACKED}\ncat target/first\npacked {}\n{then}", first.len()));
    project
}

/// The directory of images while cargo compiles the last program.
#[track_caller]
fn nothing_was_seen(project: &Project) {
    assert_eq!(std::fs::read_to_string(project.path("target/seen")).unwrap(), "");
}

/// Nor is there anything in the end, and nothing was left behind.
#[track_caller]
fn nothing_is_there(project: &Project) {
    nothing_was_seen(project);
    assert!(!project.path("target/coracle").exists());
}

#[test]
fn images_are_packed_while_cargo_compiles_others() {
    let project = crate_that_then(&NAMES, "cat target/last");
    run(&project, ["build", "-q"]).ends(
        0,
        str![[r#"
alpha:latest@sha256:[..]
eta:latest@sha256:[..]
iota:latest@sha256:[..]
kappa:latest@sha256:[..]
lambda:latest@sha256:[..]
my:latest@sha256:[..]
theta:latest@sha256:[..]
zeta:latest@sha256:[..]

"#]],
        str![],
    );
    nothing_was_seen(&project);
    for name in NAMES {
        assert_eq!(project.layout(name).names(), [format!("latest docker.io/library/{name}:latest")]);
    }
}

#[test]
fn leaves_no_image_if_cargo_fails_late() {
    let project = crate_that_then(&["one", "two"], "exit 101");
    run(&project, ["build"]).ends(
        1,
        str![],
        str![[r#"
error: cargo could not build the programs; no image was built

"#]],
    );
    nothing_is_there(&project);
}

#[test]
fn writes_no_image_if_image_names_conflict() {
    let project = crate_that_then(&["one", "two", "One"], "cat target/last");
    run(&project, ["build"]).ends(2, str![], str![[r#"
error: two images have the name `one:latest`
  --> `One` of Cargo.toml
  --> `one` of Cargo.toml

hint: build them one at a time with `-p PACKAGE` or `--bin NAME`, name each package or program differently, or put them into one image: `programs` in `[package.metadata.coracle.image]`

"#]]);
    nothing_is_there(&project);
    run(&project, ["build", "-t", "one"]).ends(2, str![], str![[r#"
error: `--tag`, an archive and a name in a registry can't be used with several images: `One`, `one`, `two` are one image each

hint: select one with `--bin NAME` or `-p PACKAGE`, or set each image's name in Cargo.toml: `name` in `[package.metadata.coracle.image]`

"#]]);
}

#[test]
fn an_interrupt_leaves_no_waiting_image() {
    let project = crate_that_then(&["one", "two"], "kill -INT $PPID\nsleep 0.2\ncat target/last");
    run(&project, ["build"]).ends(
        130,
        str![],
        str![[r#"
error: interrupted; no image was written

"#]],
    );
    nothing_is_there(&project);
    // Before there is anything to wait for; cargo is told by the terminal, too, and fails.
    fake_cargo::cargo(&project, "kill -INT $PPID\nsleep 0.2\nexit 101");
    run(&project, ["build"]).ends(
        130,
        str![],
        str![[r#"
error: interrupted; no image was written

"#]],
    );
}

/// As CI ends a job: cargo is told, and does not go on alone.
#[test]
fn ending_coracle_ends_cargo() {
    let project = crate_that_then(&["one", "two"], "kill -TERM $PPID\nexec sleep 30");
    let clock = std::time::Instant::now();
    run(&project, ["build"]).ends(
        130,
        str![],
        str![[r#"
error: interrupted; no image was written

"#]],
    );
    assert!(clock.elapsed() < std::time::Duration::from_secs(25), "cargo slept to its end");
    nothing_is_there(&project);
}

/// Something that cargo has started may hold its output for longer than it lives itself.
#[test]
fn does_not_wait_for_children_of_cargo() {
    let finished = r#"echo '{"reason":"build-finished","success":true}'"#;
    let project =
        crate_that_then(&["one", "two"], &format!("cat target/last\nsleep 30 2>/dev/null &\n{finished}"));
    let clock = std::time::Instant::now();
    let output = run(&project, ["build", "-q"]).command().output().unwrap();
    assert!(output.status.success());
    assert!(clock.elapsed() < std::time::Duration::from_secs(25), "what cargo has started slept to its end");
}

#[test]
fn a_program_that_is_built_for_one_more_target_is_one_image() {
    let targets = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];
    let files = targets.map(|target| format!("target/{target}/release/app"));
    let project = Project::app("");
    compiled(&project, "cc", &["-static"], &files[0]).unwrap();
    let Some(()) = compiled(&project, "aarch64-linux-gnu-gcc", &["-static"], &files[1]) else { return };
    // As when cargo's configuration names the targets, and where that shows only in the end.
    let messages = files.each_ref().map(|file| built(&project, "app", file));
    project.file("target/one", &messages[0]).file("target/two", &messages[1]);
    fake_cargo::cargo(&project, &format!("{PACKED}\ncat target/one\npacked 1\ncat target/two"));
    run(&project, ["build", "-o", "oci:target/coracle/app.oci", "-q"]).ends(
        0,
        str![[r#"
app:latest@sha256:[..]

"#]],
        str![],
    );
    nothing_was_seen(&project);
    let layout = project.path("target/coracle/app.oci");
    assert!(coracle_oci::layout::verify_layout(&layout).unwrap().is_empty());
    let index = std::fs::read_to_string(layout.join("index.json")).unwrap();
    assert!(index.contains("application/vnd.oci.image.index.v1+json"), "{index}");
}

#[test]
fn packs_files_that_cargo_makes_last() {
    let project = Project::app(
        "[[package.metadata.coracle.include]]\nfrom = \"target/release/plugin\"\nto = \"/app/plugin\"\n",
    );
    compiled(&project, "cc", &["-static"], "target/release/app").unwrap();
    project.file("target/release/plugin", "old\n");
    project.file("target/app", built(&project, "app", "target/release/app"));
    fake_cargo::cargo(
        &project,
        "cat target/app\nsleep 0.5\nls -A target/coracle 2>/dev/null >target/seen\necho new >target/release/plugin",
    );
    run(&project, ["build", "-q"]).ends(
        0,
        str![[r#"
app:latest@sha256:[..]

"#]],
        str![],
    );
    nothing_was_seen(&project);
    let unpacked = project.layout("app").unpack();
    assert_eq!(std::fs::read_to_string(unpacked.path().join("app/plugin")).unwrap(), "new\n");
}
