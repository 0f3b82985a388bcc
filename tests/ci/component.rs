//! `templates/build/template.yml`, the component for GitLab: inputs and variables as GitLab fills them in, and the script as
//! its runner runs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use coracle::store::{self, Destination};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::install::{BUSYBOX, busybox};
use crate::project::{data, program};
use crate::registry::{PASSWORD, Registry, USER};
use crate::releases::{Releases, VERSION};

const PATH: &str = "templates/build/template.yml";

/// The header, with the keys that ours has and no others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    inputs: BTreeMap<String, Input>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what is there for people")]
struct Input {
    description: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    default: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    stage: String,
    image: String,
    variables: BTreeMap<String, String>,
    script: Vec<String>,
    artifacts: Artifacts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Artifacts {
    when: String,
    paths: Vec<String>,
    reports: BTreeMap<String, String>,
}

/// The texts of header and job.
pub(crate) fn documents() -> (String, String) {
    let text = fs::read_to_string(PATH).unwrap();
    let (header, job) = text.split_once("\n---\n").unwrap();
    (header.to_owned(), job.to_owned())
}

/// The names of its inputs.
pub(crate) fn inputs() -> Vec<String> {
    header().spec.inputs.into_keys().collect()
}

fn document<T: for<'de> Deserialize<'de>>(text: &str) -> T {
    let [document]: [Value; 1] = coracle::yaml::documents(text).unwrap().try_into().unwrap();
    serde_json::from_value(document).unwrap()
}

fn header() -> Header {
    document(&documents().0)
}

/// The job with these inputs, and its name.
fn job(with: &[(&str, &str)]) -> (String, Job) {
    let inputs = header().spec.inputs;
    let unknown = with.iter().find(|(given, _)| !inputs.contains_key(*given));
    assert!(unknown.is_none(), "no such input: {unknown:?}");
    let fill = |text: &str| {
        let mut text = text.to_owned();
        for (name, input) in &inputs {
            let given = with.iter().find(|(given, _)| given == name).map(|(_, value)| (*value).to_owned());
            let default = || match input.default.as_ref().unwrap_or_else(|| panic!("`{name}` is needed")) {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            text = text.replace(&format!("$[[ inputs.{name} ]]"), &given.unwrap_or_else(default));
        }
        text
    };
    let jobs: BTreeMap<String, Job> = document(&documents().1);
    let (name, mut job) = jobs.into_iter().next().unwrap();
    job.stage = fill(&job.stage);
    job.image = fill(&job.image);
    job.variables.values_mut().for_each(|value| *value = fill(value));
    (fill(&name), job)
}

/// `$NAME` and `${NAME}` as GitLab replaces them in variables: what has no value is empty.
fn expanded(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut parts = text.split('$');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = match part.strip_prefix('{') {
            Some(part) => part.split_once('}').unwrap(),
            None => part
                .split_at(part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len())),
        };
        out += known.get(name).map(String::as_str).unwrap_or_default();
        out += rest;
    }
    out
}

/// Runs the job in `folder` with this shell: its commands are one script.
fn run(folder: &Path, shell: &[&str], path: &str, registry: Option<&str>, with: &[(&str, &str)]) -> Output {
    let (_, job) = job(with);
    let mut known =
        BTreeMap::from([("CI_BUILDS_DIR".to_owned(), folder.join("builds").display().to_string())]);
    if let Some(host) = registry {
        for (name, value) in [
            ("CI_REGISTRY", host),
            ("CI_REGISTRY_USER", USER),
            ("CI_REGISTRY_PASSWORD", PASSWORD),
            ("CI_REGISTRY_IMAGE", &format!("{host}/group/shop")),
            ("CI_COMMIT_SHORT_SHA", "abc"),
        ] {
            known.insert(name.into(), value.into());
        }
    }
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg("-c").arg(job.script.join("\n"));
    command.current_dir(folder).env_clear().env("PATH", path).env("HOME", folder).envs(&known);
    command.envs(job.variables.iter().map(|(name, value)| (name, expanded(value, &known))));
    command.stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

#[test]
fn the_job_has_the_inputs_of_the_component_and_the_scripts_of_this_repository() {
    let (_, text) = documents();
    for name in inputs() {
        assert!(text.contains(&format!("$[[ inputs.{name} ]]")), "`{name}` is not used");
    }
    assert_eq!(header().spec.inputs["version"].default, Some(VERSION.into()));
    let (name, job) = job(&[("releases", "https://example.org"), ("job", "image"), ("stage", "test")]);
    assert_eq!((name.as_str(), job.stage.as_str(), job.image.as_str()), ("image", "test", "alpine:3"));
    let scripts = ["ci/install.sh", "ci/build.sh"].map(|path| fs::read_to_string(path).unwrap());
    assert_eq!(job.script, scripts);
    assert!(!job.script.concat().contains("$[["), "a value in a script would be run");
    assert!(job.variables.values().all(|value| !value.contains("$[[")), "{:?}", job.variables);
    // What the scripts write is what GitLab keeps.
    assert_eq!(job.artifacts.when, "always");
    assert_eq!(job.artifacts.reports["dotenv"], job.variables["CORACLE_DOTENV"]);
    let kept = ["CORACLE_METADATA_FILE", "CORACLE_SUMMARY"].map(|name| job.variables[name].clone());
    assert_eq!(job.artifacts.paths, kept);
}

#[test]
fn an_image_is_pushed_to_the_projects_registry() {
    let Some(registry) = Registry::start() else { return };
    let releases = Releases::start();
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    program(at, "shop");
    data(at, "assets/pages", 20_000);
    let with = |args| {
        [
            ("args", args),
            ("tags", "$CI_REGISTRY_IMAGE:$CI_COMMIT_SHORT_SHA ${CI_REGISTRY_IMAGE}:latest"),
            ("push", "true"),
            ("budget-image", "30kB"),
            ("releases", releases.url.as_str()),
        ]
    };
    let shells: [&[&str]; 2] = [&["bash", "-eo", "pipefail"], &["sh", "-e"]];
    for shell in shells {
        let output =
            run(at, shell, "/usr/bin:/bin", Some(&registry.host), &with("./shop --include assets/:/srv/"));
        assert!(output.status.success(), "{}", said(&output));
    }
    let digest = registry.digest("group/shop:abc").unwrap();
    assert_eq!(registry.digest("group/shop:latest"), Some(digest));
    let size = registry.image("group/shop:abc").images[0].size();
    let reference = format!("{}/group/shop:abc@{digest}", registry.host);
    let variables = fs::read_to_string(at.join("coracle.env")).unwrap();
    let expected = format!(
        "CORACLE_REFERENCE={reference}\nCORACLE_DIGEST={digest}\nCORACLE_SIZE={size}\n\
         CORACLE_IMAGES=[{{\"digest\":\"{digest}\",\"reference\":\"{reference}\",\"size\":{size}}}]\n"
    );
    assert_eq!(variables, expected.repeat(2), "a line for each, each time");
    let metadata: Value = serde_json::from_slice(&fs::read(at.join("coracle.json")).unwrap()).unwrap();
    assert_eq!(metadata["images"][0]["unchanged"], true);

    data(at, "assets/pages", 40_000);
    let output = run(
        at,
        &["sh", "-e"],
        "/usr/bin:/bin",
        Some(&registry.host),
        &with("./shop --include assets/:/srv/"),
    );
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("over the budget of 30.00 kB"), "{}", said(&output));
    assert_eq!(registry.digest("group/shop:latest"), Some(digest), "the tag stays");
    assert_eq!(fs::read_to_string(at.join("coracle.env")).unwrap(), variables);
    assert!(fs::read_to_string(at.join("coracle.md")).unwrap().contains("### No image"));
}

/// In Alpine, where a project has no registry.
#[test]
fn busybox_is_enough() {
    let (releases, folder) = (Releases::start(), TempDir::new().unwrap());
    let Some(path) = busybox(folder.path()) else { return };
    program(folder.path(), "shop");
    let with = [("args", "./shop --label 'a=b  c' -o oci:out"), ("releases", releases.url.as_str())];
    let output = run(folder.path(), &[BUSYBOX, "sh", "-e"], &path, None, &with);
    assert!(output.status.success(), "{}", said(&output));
    let stored = store::open(&Destination::layout(folder.path().join("out"))).unwrap();
    assert_eq!(stored.images[0].label("a"), Some("b  c"));
}
