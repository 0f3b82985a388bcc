//! Target directories in uncommon places.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use coracle_testing::skipped;
use snapbox::str;

use crate::cargo::fake_cargo::{built, compiled, run};
use crate::cargo::project::Project;

#[test]
fn a_target_directory_on_another_file_system() {
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        return skipped("there is no /dev/shm");
    };
    let project = Project::app("");
    project.built(&["--debug", "--target-dir", elsewhere.path().to_str().unwrap()]);
    let layout = crate::build::layout::Layout::open(elsewhere.path().join("coracle/app.oci"));
    assert_eq!(layout.names(), ["latest docker.io/library/app:latest"]);
}

#[test]
fn supports_a_build_directory_next_to_the_target_directory() {
    let project = Project::app("");
    project
        .file("src/bin/tool.rs", crate::cargo::project::MAIN)
        .file("examples/tour.rs", crate::cargo::project::MAIN);
    let config = format!(
        "[build]\nbuild-dir = \"other\"\ntarget = \"{}-unknown-linux-gnu\"\n",
        std::env::consts::ARCH
    );
    project.file(".cargo/config.toml", config);
    project.built(&["--debug", "--bins", "--example", "tour"]);
    for name in ["app", "tool", "tour"] {
        project.layout(name);
    }
    // With nothing but cargo's mark.
    project.file(".cargo/config.toml", "[build]\nbuild-dir = \"other\"\n");
    std::fs::remove_dir_all(project.path("target")).unwrap();
    project.built(&["--debug", "--bin", "app"]);
    project.layout("app");
}

#[test]
fn supports_a_profile_named_examples() {
    let project = Project::app("[profile.examples]\ninherits = \"dev\"\n");
    project.file("examples/tour.rs", crate::cargo::project::MAIN);
    project.built(&["--profile", "examples", "--bin", "app", "--example", "tour"]);
    project.layout("app");
    project.layout("tour");
    assert!(!project.path("coracle").exists());
}

#[test]
fn reports_a_read_only_target_directory() {
    let unshare = Command::new("unshare").args(["-rm", "true"]).output();
    if !unshare.is_ok_and(|output| output.status.success()) {
        return skipped("nobody may mount here");
    }
    let project = Project::app("");
    compiled(&project, "cc", &["-static"], "target/release/app").unwrap();
    project.file("target/messages", built(&project, "app", "target/release/app"));
    project.file("target/cargo", "#!/bin/sh\ncat target/messages\n");
    let mounts = "mount --bind target target && mount -o remount,bind,ro target";
    let coracle = env!("CARGO_BIN_EXE_cargo-coracle");
    project.file(
        "target/mounted",
        format!("#!/bin/sh\nexec unshare -rm sh -c '{mounts} && cd . && exec {coracle} \"$@\"' sh \"$@\"\n"),
    );
    for script in ["target/cargo", "target/mounted"] {
        std::fs::set_permissions(project.path(script), PermissionsExt::from_mode(0o755)).unwrap();
    }
    run(&project, ["build", "-q"]).through(project.path("target/mounted"), |_| false).ends(
        1,
        str![],
        str![[r#"
error: cannot create `[FOLDER]/target/coracle`: Read-only file system (os error 30)

hint: choose a directory on a file system that can be written

"#]],
    );
}
