//! Disks that are full or can't be written.

use std::fs;
use std::process::{Command, Output};

use coracle_testing::{listing, skipped};

use crate::build::project::Project;

/// Runs `coracle` with these arguments where the directory `at` of the project is a file system of its own, with these
/// options of `mount`. What the run leaves there is listed on stdout behind an empty line. Nothing where nobody may mount.
pub(crate) fn small_disk(project: &Project, at: &str, options: &str, args: &[&str]) -> Option<Output> {
    fs::create_dir_all(project.path(at)).unwrap();
    let script = format!(
        "mount -t tmpfs -o mode=700,{options} none {at} && \"$@\"; ended=$?; echo; find {at} -mindepth 1; exit $ended"
    );
    let coracle = project.coracle(["--color=never"]).command();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script, "sh"]).current_dir(project.folder());
    command.arg(coracle.get_program()).args(args);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare: ") || said.contains("mount: ") {
        skipped(&format!("nothing can be mounted here: {said}"));
        return None;
    }
    Some(output)
}

/// Whatever does not fit any more, the layer, a document or the index: a clear error, and nothing is left.
#[test]
fn reports_a_full_disk() {
    let project = Project::new();
    project.program("hello", "int main(void) { return 0; }", &["-static", "-nostdlib", "-Wl,-emain"]);
    let noise = (0..15_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes());
    project.file("noise", noise.collect::<Vec<u8>>());
    let before = listing(project.folder());
    let (mut failed, mut built) = (0, 0);
    for (place, again) in [("oci:disk/out", "disk/out"), ("oci-archive:disk/out.tar", "disk/out.tar")] {
        for pages in 1..48 {
            let args = ["build", "hello", "--include=noise:/noise", "--no-cache", "-q", "-o", place];
            let size = format!("size={}k,nr_inodes=100", 4 * pages);
            let Some(output) = small_disk(&project, "disk", &size, &args) else { return };
            let said = String::from_utf8(output.stderr).unwrap();
            let (_, left) = std::str::from_utf8(&output.stdout).unwrap().split_once("\n").unwrap();
            if output.status.success() {
                assert!(left.contains(again), "{left}");
                built += 1;
            } else {
                assert_eq!(output.status.code(), Some(1), "{said}");
                assert!(said.contains("No space left on device"), "{size}: {said}");
                assert!(said.contains("hint: free some space"), "{size}: {said}");
                assert_eq!(left.trim(), "", "{size}: something is left");
                failed += 1;
            }
        }
    }
    assert!(failed > 20 && built > 2, "{failed} failed, {built} were built");
    fs::remove_dir(project.path("disk")).unwrap();
    assert_eq!(listing(project.folder()), before);
}
