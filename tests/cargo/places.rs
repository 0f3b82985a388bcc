//! Target directories in uncommon places.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use snapbox::str;

use crate::fake::{built, compiled, run};
use crate::project::Project;
use crate::support::skipped;

#[test]
fn a_target_directory_on_another_file_system() {
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        return skipped("there is no /dev/shm");
    };
    let project = Project::app("");
    project.built(&["--debug", "--target-dir", elsewhere.path().to_str().unwrap()]);
    let layout = crate::layout::Layout::open(elsewhere.path().join("coracle/app.oci"));
    assert_eq!(layout.names(), ["latest docker.io/library/app:latest"]);
}

#[test]
fn a_target_directory_that_can_only_be_read() {
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

hint: choose another place with `--output`

"#]],
    );
}
