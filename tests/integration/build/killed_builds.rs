//! Builds that are killed, and builds that meet: whoever looks sees the old image or the new one.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use coracle_testing::listing;

use crate::build::layout::Layout;
use crate::build::project::Project;

/// A project with `hello`, a static program that is as small as can be.
fn tiny() -> Project {
    let project = Project::new();
    project.program("hello", "int main(void) { return 0; }", &["-static", "-nostdlib", "-Wl,-emain"]);
    project
}

/// A project whose image takes a while: `hello` with some megabytes that hardly shrink.
fn big() -> Project {
    let project = tiny();
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    project.file("noise", noise.take(2 << 20).collect::<Vec<u8>>());
    project
}

fn start(project: &Project, args: &[&str]) -> Child {
    let mut command = project.coracle(["build", "--quiet"]).command();
    command.args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

const NEW: [&str; 6] = ["hello", "--include", "noise:/noise", "-t=shop:1", "-o", "oci:shop"];

/// Kills a build at many moments, by what `kill` does.
fn kill_at_many_moments(kill: impl Fn(&mut Child)) {
    let project = big();
    let old = project.built(&["hello", "-t=shop:1", "-o=oci:shop"], "shop").digests();
    let clock = Instant::now();
    let new = project.built(&NEW, "shop").digests();
    let whole = clock.elapsed();
    let mut seen = std::collections::BTreeSet::new();
    for moment in 0..12_u32 {
        project.built(&["hello", "-t=shop:1", "-o=oci:shop"], "shop");
        let mut build = start(&project, &NEW);
        std::thread::sleep(whole * moment / 10);
        kill(&mut build);
        let findings = coracle_oci::layout::verify_layout(&project.path("shop")).unwrap();
        assert!(findings.is_empty(), "killed after {moment}/10: {findings:?}");
        let index = std::fs::read(project.path("shop/index.json")).unwrap();
        let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
        let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
        assert!(digest == old[0] || digest == new[0], "killed after {moment}/10: {digest}");
        seen.insert(digest);
    }
    assert!(seen.contains(&old[0]), "no build was killed in time");
    // The next build removes what the killed ones left: `Layout` sees every file.
    assert_eq!(project.built(&NEW, "shop").digests(), new);
}

#[test]
fn a_killed_build_leaves_the_old_image() {
    kill_at_many_moments(|build| {
        build.kill().unwrap();
        build.wait().unwrap();
    });
}

#[test]
fn a_killed_first_build_leaves_no_image() {
    let project = big();
    for moment in 0..6 {
        let mut build = start(&project, &NEW);
        std::thread::sleep(Duration::from_millis(5 + 15 * moment));
        build.kill().unwrap();
        build.wait().unwrap();
    }
    project.built(&NEW, "shop");
    let names = listing(project.folder()).into_keys().map(|path| path.display().to_string());
    let top: Vec<String> = names.filter(|path| !path.contains('/')).collect();
    assert_eq!(top, ["hello", "noise", "shop"]);
}

#[test]
fn concurrent_builds_replace_a_layout_atomically() {
    let project = big();
    project.program("other", "int main(void) { return 1; }", &["-static", "-nostdlib", "-Wl,-emain"]);
    let mut builds: Vec<Child> = (0..6)
        .map(|number| {
            let program = ["hello", "other"][number % 2];
            start(&project, &[program, "-t", &format!("shop:{number}"), "-o", "oci:shop"])
        })
        .collect();
    builds.push(start(&project, &NEW));
    for build in builds {
        let output = build.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let layout = Layout::open(project.path("shop"));
    let mut names = layout.names();
    names.sort();
    let expected: Vec<String> =
        (0..6).map(|number| format!("{number} docker.io/library/shop:{number}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn concurrent_builds_create_one_layout() {
    // Small enough that all of them want to make the layout at once.
    let project = tiny();
    for round in 0..8 {
        let (place, name) = (format!("oci:{round}"), round.to_string());
        let tags: Vec<String> = (0..6).map(|number| format!("shop:{number}")).collect();
        let builds: Vec<Child> =
            tags.iter().map(|tag| start(&project, &["hello", "-t", tag, "-o", &place])).collect();
        for build in builds {
            let output = build.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(project.layout(&name).names().len(), tags.len());
    }
}

#[test]
fn concurrent_builds_replace_an_archive_atomically() {
    let project = tiny();
    let run = ["hello", "-t=shop", "-o=oci-archive:shop.tar"];
    let builds: Vec<Child> = (0..6).map(|_| start(&project, &run)).collect();
    for build in builds {
        let output = build.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let names: Vec<_> = listing(project.folder()).into_keys().collect();
    assert_eq!(names, [std::path::Path::new("hello"), std::path::Path::new("shop.tar")]);
}
