//! A runner of GitHub's, as far as a composite action needs one: expressions, files of variables,
//! steps in bash.
//!
//! Source: GitHub's documentation, "Metadata syntax for GitHub Actions", "Workflow commands for
//! GitHub Actions".

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// An action's file, with the keys that ours has and no others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what is there for people")]
pub(crate) struct Action {
    name: String,
    description: String,
    branding: BTreeMap<String, String>,
    pub(crate) inputs: BTreeMap<String, Input>,
    pub(crate) outputs: BTreeMap<String, Output>,
    pub(crate) runs: Runs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what is there for people")]
pub(crate) struct Input {
    description: String,
    pub(crate) default: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what is there for people")]
pub(crate) struct Output {
    description: String,
    pub(crate) value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Runs {
    pub(crate) using: String,
    pub(crate) steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) shell: String,
    #[serde(rename = "working-directory")]
    pub(crate) working_directory: Option<String>,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) run: String,
}

/// The one of this repository.
pub(crate) fn action() -> Action {
    let documents = coracle_kube::yaml::parse_documents(&fs::read_to_string("action.yml").unwrap()).unwrap();
    let [action]: [Value; 1] = documents.try_into().unwrap();
    serde_json::from_value(action).unwrap()
}

/// The expressions in a text.
pub(crate) fn expressions(text: &str) -> Vec<&str> {
    text.split("${{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim()).collect()
}

/// A job with one step, which uses the action.
pub(crate) struct Job {
    pub(crate) workspace: TempDir,
    temporary: TempDir,
    path: String,
    known: BTreeMap<String, String>,
}

/// How that step ended.
pub(crate) struct Ended {
    pub(crate) status: i32,
    /// The output of all steps.
    pub(crate) said: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) summary: String,
    /// What the steps declared as artifacts of the job.
    pub(crate) artifacts: String,
}

impl Job {
    /// Where nothing but the system's programs is in PATH.
    pub(crate) fn new() -> Self {
        let github = [
            ("github.actor", "anna"),
            ("github.token", "the job's own token"),
            ("github.server_url", "http://127.0.0.1:1"),
            ("github.action_repository", "acme/coracle"),
        ];
        Self {
            workspace: TempDir::new().unwrap(),
            temporary: TempDir::new().unwrap(),
            path: "/usr/bin:/bin".into(),
            known: github.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        }
    }

    /// Another directory of programs.
    pub(crate) fn with_programs(mut self, directory: &Path) -> Self {
        self.path = format!("{}:{}", directory.display(), self.path);
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.workspace.path()
    }

    /// Runs the action's steps one after the other, until one fails.
    pub(crate) fn uses(&self, with: &[(&str, &str)]) -> Ended {
        let action = action();
        let mut known = self.known.clone();
        for (name, input) in &action.inputs {
            let given = with.iter().find(|(given, _)| given == name);
            let value =
                given.map_or_else(|| resolved(&input.default, &known), |(_, value)| (*value).to_owned());
            known.insert(format!("inputs.{name}"), value);
        }
        let unknown = with.iter().find(|(given, _)| !action.inputs.contains_key(*given));
        assert!(unknown.is_none(), "no such input: {unknown:?}");
        let mut ended = Ended {
            status: 0,
            said: String::new(),
            outputs: BTreeMap::new(),
            summary: String::new(),
            artifacts: String::new(),
        };
        let mut path = self.path.clone();
        for step in &action.runs.steps {
            let files = TempDir::new().unwrap();
            let (status, said) = self.run(step, &known, &path, files.path());
            let file = |name: &str| fs::read_to_string(files.path().join(name)).unwrap();
            ended.said += &said;
            ended.summary += &file("summary");
            ended.artifacts += &file("artifacts");
            if status != 0 {
                return Ended { status, ..ended };
            }
            path = file("path").lines().rev().map(|added| format!("{added}:")).collect::<String>() + &path;
            for line in file("output").lines() {
                let (name, value) = line.split_once('=').unwrap();
                let id = step.id.as_ref().expect("a step with outputs has an id");
                known.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
            }
        }
        let output = |(name, output): (&String, &Output)| (name.clone(), resolved(&output.value, &known));
        Ended { outputs: action.outputs.iter().map(output).collect(), ..ended }
    }

    fn run(&self, step: &Step, known: &BTreeMap<String, String>, path: &str, files: &Path) -> (i32, String) {
        assert_eq!(step.shell, "bash", "{}", step.name);
        ["output", "path", "summary", "artifacts"]
            .iter()
            .for_each(|name| fs::write(files.join(name), "").unwrap());
        let script = files.join("script.sh");
        fs::write(&script, &step.run).unwrap();
        let folder = step.working_directory.as_ref().map(|folder| resolved(folder, known));
        let folder: PathBuf = self.folder().join(folder.unwrap_or_default());
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(script).current_dir(folder);
        command.env_clear().env("PATH", path).env("HOME", self.temporary.path());
        command.env("RUNNER_TEMP", self.temporary.path());
        command.env("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR"));
        for (variable, name) in [
            ("GITHUB_OUTPUT", "output"),
            ("GITHUB_PATH", "path"),
            ("GITHUB_STEP_SUMMARY", "summary"),
            ("GITHUB_ARTIFACTS", "artifacts"),
        ] {
            command.env(variable, files.join(name));
        }
        command.envs(step.env.iter().map(|(name, value)| (name, resolved(value, known))));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }
}

/// `text` with its expressions replaced by what they stand for; outputs that no step has written are empty.
fn resolved(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut parts = text.split("${{");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once("}}").unwrap();
        let value = known.get(expression.trim()).cloned();
        let is_output = expression.trim().starts_with("steps.");
        out += &value.unwrap_or_else(|| if is_output { String::new() } else { panic!("{expression}") });
        out += rest;
    }
    out
}
