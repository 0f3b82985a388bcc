//! Examples of the documentation are the programs' output: README's ConfigMap, and the Job of
//! docs/shared-cache.md. Commands are run by tests/documentation.

use std::fs;
use std::path::Path;

use coracle_testing::coracle_in;
use coracle_testing::kubernetes_tools;
use tempfile::TempDir;

/// The first block of this language.
fn block(text: &str, language: &str) -> String {
    let (_, rest) = text.split_once(&format!("\n```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn readme_shows_the_configmap_that_its_main_job_prints() {
    let readme = fs::read_to_string("README.md").unwrap();
    let jobs = block(&readme, "sh");
    let (_, job) = jobs.rsplit_once(" -- ").unwrap();
    // As it stands there, with an image that need not be built.
    let mut args: Vec<&str> = job.split_whitespace().collect();
    let image = format!("greeter@sha256:{}", "0".repeat(64));
    args.insert(1, &image);
    let output = coracle_in(Path::new("."), []).command().args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let first = printed.strip_prefix("---\n").unwrap().split_inclusive("---\n").next().unwrap();
    assert_eq!(block(&readme, "yaml") + "---\n", first);
}

/// The Job of docs/shared-cache.md is one, and `coracle` knows all that it is given there.
#[test]
fn the_documented_build_job_is_valid() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let page = fs::read_to_string("docs/shared-cache.md").unwrap();
    let (_, job) = page.split_once("## A Job in a cluster").unwrap();
    let (folder, job) = (TempDir::new().unwrap(), block(job, "yaml"));
    fs::write(folder.path().join("job.yaml"), &job).unwrap();
    kubernetes_tools::output(folder.path(), "kubernetes-validate", &["--strict", "job.yaml"]);
    let documents = kubernetes_tools::documents(folder.path(), &job);
    let args = documents[0].pointer("/spec/template/spec/containers/0/args").unwrap().as_array().unwrap();
    let args: Vec<&str> = args.iter().map(|arg| arg.as_str().unwrap()).collect();
    let output = coracle_in(folder.path(), []).command().args(args).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/programs/shop"), "only the program is not there: {said}");
}
