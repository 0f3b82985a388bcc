//! `templates/build/template.yml`, the component for GitLab: inputs and variables as GitLab fills
//! them in, and the script as its runner runs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use coracle_oci::layout::{self, DiskLocation};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::ci::docker_registry::{PASSWORD, Registry, USER};
use crate::ci::install_script::{BUSYBOX, busybox};
use crate::ci::release_server::{Releases, VERSION};
use crate::ci::test_programs::{data, program};

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
    regex: Option<String>,
}

#[derive(Deserialize, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
struct Job {
    stage: String,
    image: String,
    #[serde(deserialize_with = "texts")]
    variables: BTreeMap<String, String>,
    script: Vec<String>,
    artifacts: Artifacts,
}

#[derive(Deserialize, PartialEq, Eq, Debug)]
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
    let [document]: [Value; 1] = coracle_kube::yaml::parse_documents(text).unwrap().try_into().unwrap();
    serde_json::from_value(document).unwrap()
}

fn header() -> Header {
    document(&documents().0)
}

/// Variables, of which GitLab makes text: no value of another kind, and none that is missing.
fn texts<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let values: BTreeMap<String, Value> = BTreeMap::deserialize(from)?;
    let text = |(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Bool(yes) => Ok((name, yes.to_string())),
        other => Err(serde::de::Error::custom(format!("`{name}` is {other}"))),
    };
    values.into_iter().map(text).collect()
}

/// Every input's value, its default where `with` says none.
fn values(with: &[(&str, &str)]) -> BTreeMap<String, Value> {
    let inputs = header().spec.inputs;
    let unknown = with.iter().find(|(given, _)| !inputs.contains_key(*given));
    assert!(unknown.is_none(), "no such input: {unknown:?}");
    let value = |(name, input): (String, Input)| {
        let given = with.iter().find(|(given, _)| *given == name).map(|(_, value)| *value);
        let value = match (given, input.kind.as_deref()) {
            (Some(given), Some("boolean")) => Value::Bool(given.parse().unwrap()),
            (Some(given), _) => Value::String(given.into()),
            (None, _) => input.default.unwrap_or_else(|| panic!("`{name}` is needed")),
        };
        (name, value)
    };
    inputs.into_iter().map(value).collect()
}

/// Puts values into a text: strings as they are, anything else as JSON.
fn filled(text: &str, values: &BTreeMap<String, Value>) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.replace(&format!("$[[ inputs.{name} ]]"), &value)
    })
}

/// Puts values into what is read already: a text that is nothing but an input takes the input's type.
fn filled_in(node: Value, values: &BTreeMap<String, Value>) -> Value {
    match node {
        Value::String(text) => {
            let whole = values.iter().find(|(name, _)| text == format!("$[[ inputs.{name} ]]"));
            whole.map_or_else(|| filled(&text, values).into(), |(_, value)| value.clone())
        }
        Value::Array(nodes) => nodes.into_iter().map(|node| filled_in(node, values)).collect(),
        Value::Object(nodes) => nodes
            .into_iter()
            .map(|(name, node)| (filled(&name, values), filled_in(node, values)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}

/// The job with these inputs, and its name: both as GitLab makes it today, which fills in the text, and as earlier ones did,
/// which read it first.
fn jobs(with: &[(&str, &str)]) -> Result<[(String, Job); 2], String> {
    let (values, (_, text)) = (values(with), documents());
    let in_text =
        coracle_kube::yaml::parse_documents(&filled(&text, &values)).map_err(|error| error.to_string())?;
    let read =
        coracle_kube::yaml::parse_documents(&text).unwrap().into_iter().map(|node| filled_in(node, &values));
    let job = |documents: Vec<Value>| {
        let [document]: [Value; 1] = documents.try_into().map_err(|_| "several documents")?;
        let jobs: BTreeMap<String, Job> =
            serde_json::from_value(document).map_err(|error| error.to_string())?;
        let [job] = jobs.into_iter().collect::<Vec<_>>().try_into().map_err(|_| "several jobs")?;
        Ok::<_, String>(job)
    };
    Ok([job(in_text)?, job(read.collect())?])
}

/// The one that both ways make of it.
fn job(with: &[(&str, &str)]) -> (String, Job) {
    let [job, other] = jobs(with).unwrap();
    assert_eq!(job, other, "{with:?}");
    job
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
    let (name, job) = job(&[("releases", "https://example.org"), ("job", "ship"), ("stage", "test")]);
    assert_eq!((name.as_str(), job.stage.as_str(), job.image.as_str()), ("ship", "test", "alpine:3"));
    let scripts = ["ci/install.sh", "ci/build.sh"].map(|path| fs::read_to_string(path).unwrap());
    assert_eq!(job.script, scripts);
    assert!(!job.script.concat().contains("$[["), "a value in a script would be run");
    assert!(job.variables.values().all(|value| !value.contains("$[[")), "{:?}", job.variables);
    // GitLab keeps the files that the scripts write.
    assert_eq!(job.artifacts.when, "always");
    assert_eq!(job.artifacts.reports["dotenv"], job.variables["CORACLE_DOTENV"]);
    let kept = ["CORACLE_METADATA_FILE", "CORACLE_SUMMARY"].map(|name| job.variables[name].clone());
    assert_eq!(job.artifacts.paths, kept);
}

#[test]
fn every_input_reaches_coracle_unchanged() {
    for value in [
        "\"./my shop\" --expose 80",
        "./shop --label \"team: shop\"",
        "./shop --label 'a=#x' #x",
        "'quoted' \"twice\"",
        "#x",
        "",
        "1.10",
        "true",
        "null",
        "~",
        "- a",
        "{a: b}",
        "&a *b !c %d @e `f`",
        "  led by spaces",
        "\ttab\t",
        "C:\\path\\n",
        "ends in a line end\n",
        "ü",
    ] {
        let inputs = ["args", "tags", "budget-image", "budget-growth", "previous", "version", "releases"];
        let with: Vec<(&str, &str)> =
            inputs.iter().map(|name| (*name, value)).chain([("releases", value)]).collect();
        let [text, read] = jobs(&with).unwrap().map(|(_, job)| job.variables);
        for name in inputs {
            let name = format!("CORACLE_{}", name.to_uppercase().replace('-', "_"));
            assert_eq!(text[&name], value.trim_end_matches('\n'), "{name}");
            assert_eq!(read[&name], value, "{name}");
        }
    }
    for (name, value) in [("stage", "it's: #1"), ("image", "a \"b\""), ("job", "it's: #1, ü")] {
        let (called, job) = job(&[(name, value), ("releases", "")]);
        assert!([called, job.stage, job.image].iter().any(|found| found == value), "{name}: {value}");
    }
    // The pattern rejects text that would break the job. Optional inputs have no pattern: GitLab matches no empty text.
    let refused = header().spec.inputs.remove("job").unwrap().regex.unwrap();
    assert_eq!(refused, r#"^[^"\\\r\n]+$"#);
    // A line end can't be carried; it is an error, and no other job.
    for value in
        ["a:1\nb:2", "./app \\\n--expose 8080", "./app\nb: {script: c}", "./app \\\n    --expose 8080"]
    {
        for name in ["tags", "args"] {
            let found = jobs(&[(name, value), ("releases", "")]);
            let found = found.map(|[(_, job), _]| job.variables);
            assert!(found.is_err(), "{value}: {found:?}");
        }
    }
}

#[test]
fn pushes_to_the_projects_registry() {
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
    let size = registry.image("group/shop:abc").images[0].total_size();
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
fn works_with_busybox() {
    let (releases, folder) = (Releases::start(), TempDir::new().unwrap());
    let Some(path) = busybox(folder.path()) else { return };
    program(folder.path(), "shop");
    let with = [("args", "./shop --label 'a=b  c' -o oci:out"), ("releases", releases.url.as_str())];
    let output = run(folder.path(), &[BUSYBOX, "sh", "-e"], &path, None, &with);
    assert!(output.status.success(), "{}", said(&output));
    let stored = layout::read_disk_image(&DiskLocation::layout(folder.path().join("out"))).unwrap();
    assert_eq!(stored.images[0].label("a"), Some("b  c"));
}
