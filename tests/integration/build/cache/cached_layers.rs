//! Layers in the cache: they are scanned, reused, shared by the images of one run, and valid after a killed build.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use coracle_testing::listing;

use super::{ARGS, SETTLED, build, fresh, layers, project};

/// A leak is found in a layer that is in the cache already.
#[test]
fn scans_layers_from_the_cache() {
    let project = project();
    build(&project, &ARGS);
    fs::remove_dir_all(project.path("hello.oci")).unwrap();
    project.file("assets/one", "port = 8080\n");
    let mut command = project.coracle(["build", "--cache-dir=cache"]).command();
    let output = command.args(ARGS).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("/srv/one"), "{said}");
    assert!(!project.path("hello.oci").exists());
}

#[test]
fn does_not_repack_unchanged_layers() {
    let project = project();
    build(&project, &ARGS);
    let before = layers(&project);
    project.file("assets/one", "another");
    build(&project, &ARGS);
    let after = layers(&project);
    assert_eq!(after.len(), before.len() + 1, "{after:?}");
}

#[test]
fn images_of_one_run_share_layers() {
    let project = project();
    for name in ["a", "b", "c", "d", "e"] {
        project.program(&format!("bin/{name}"), &format!("int main(void) {{ return '{name}'; }}"), &[]);
        let recipe = format!(
            "[image]\nname = \"{name}\"\nprograms = [\"bin/{name}\"]\n\
             [[include]]\nfrom = \"lib\"\nto = \"/srv/lib\"\n"
        );
        project.file(&format!("{name}.toml"), recipe);
    }
    project.file("broken.toml", "[image]\nprograms = [\"bin/nothing\"]\n");
    let mut args = vec!["-o=oci:all.oci".to_owned()];
    args.extend(["a", "b", "broken", "c", "d", "e"].map(|name| format!("-f={name}.toml")));
    let runs = [(); 3].map(|()| {
        fs::remove_dir_all(project.path("cache")).ok();
        fs::remove_dir_all(project.path("all.oci")).ok();
        let mut command = project.coracle(["build", "--cache-dir=cache", "--quiet"]).command();
        let output = command.args(&args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("bin/nothing"), "{said}");
        (output.stdout, fs::read(project.path("all.oci/index.json")).unwrap())
    });
    assert!(runs[0] == runs[1] && runs[1] == runs[2], "order shows");
    let names: Vec<String> =
        String::from_utf8(runs[0].0.clone()).unwrap().lines().map(|line| line[..1].into()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    // Five programs, one layer of libraries, one of data.
    assert_eq!(layers(&project).len(), 7);
}

#[test]
fn concurrent_and_killed_builds_leave_a_valid_cache() {
    let project = project();
    project.file(
        "assets/noise",
        (0..3_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<u8>>(),
    );
    std::thread::sleep(SETTLED);
    let start = |name: &str| {
        let mut args = ARGS.to_vec();
        let place = format!("-o=oci:{name}.oci");
        args[3] = &place;
        let mut command = project.coracle(["build", "--cache-dir=cache"]).command();
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for moment in 0..10 {
        let mut build = start("killed");
        std::thread::sleep(Duration::from_millis(25 * moment));
        build.kill().unwrap();
        build.wait().unwrap();
    }
    let builds: Vec<_> = (0..4).map(|number| start(&number.to_string())).collect();
    let digest = fresh(&project);
    for build in builds {
        let output = build.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8(output.stdout).unwrap().contains(&digest));
    }
    (0..4).for_each(|number| drop(project.layout(&format!("{number}.oci"))));
    // One of each layer, however many wanted it; nothing is left of those that were killed once all is pruned.
    assert_eq!(layers(&project).len(), 3);
    let prune = project.coracle(["cache", "prune", "--all", "--cache-dir=cache"]).command().output().unwrap();
    assert!(prune.status.success(), "{}", String::from_utf8_lossy(&prune.stderr));
    assert!(listing(&project.path("cache/v1/layers")).is_empty());
    assert!(listing(&project.path("cache/v1/builds")).is_empty());
}
