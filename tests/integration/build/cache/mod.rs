//! The build cache: nothing is done twice, and nothing wrong is ever taken from it.

mod cache_directory;
mod cached_layers;
mod unchanged_builds;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use coracle_testing::listing;

use crate::build::project::Project;

/// Longer than what may have changed unseen; then stat data are trusted.
pub(crate) const SETTLED: Duration = Duration::from_millis(40);

/// `hello`, which needs `lib/liba.so`, found through its `RUNPATH` behind a directory without it.
fn project() -> Project {
    let project = Project::new();
    project.library("lib/liba.so", "answer", "42", &["-Wl,-soname,liba.so"]);
    project.program(
        "hello",
        "int answer(void); int main(void) { return answer() != 42; }",
        &["lib/liba.so", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/first:$ORIGIN/lib"],
    );
    fs::create_dir(project.path("first")).unwrap();
    project.file("assets/one", "1");
    project.file("config/app.toml", "port = 8080\n");
    std::thread::sleep(SETTLED);
    project
}

const ARGS: [&str; 6] = [
    "hello",
    "--include=assets:/srv",
    "--config=config:/etc/hello",
    "-o=oci:hello.oci",
    "-t=hello:1",
    "--quiet",
];

#[track_caller]
fn run(project: &Project, args: &[&str]) -> Output {
    let mut command = project.coracle(["build", "--format=json", "--cache-dir=cache"]).command();
    let output = command.args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Digest, and whether it was there already.
#[track_caller]
fn build(project: &Project, args: &[&str]) -> (String, bool) {
    let images: serde_json::Value = serde_json::from_slice(&run(project, args).stdout).unwrap();
    let image = &images["images"][0];
    (image["digest"].as_str().unwrap().to_owned(), image["unchanged"].as_bool().unwrap())
}

/// Returns the digest of the same build without a cache.
#[track_caller]
fn fresh(project: &Project) -> String {
    let mut args = ARGS.to_vec();
    args[3] = "-o=oci:fresh.oci";
    let output = project.coracle(["build", "--no-cache"]).command().args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::remove_dir_all(project.path("fresh.oci")).unwrap();
    let reference = String::from_utf8(output.stdout).unwrap();
    reference.trim().split_once('@').unwrap().1.to_owned()
}

/// The layers in the cache, by what they are names of.
fn layers(project: &Project) -> BTreeMap<PathBuf, String> {
    let all = listing(&project.path("cache/v1/layers"));
    all.into_iter().filter(|(path, _)| path.to_string_lossy().contains('-')).collect()
}
