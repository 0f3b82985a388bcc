//! `docs/ci.md`: its jobs are what the services ask for and name inputs and outputs that are there,
//! its commands are run, and the summary in it is one.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use coracle_kube::yaml;
use coracle_testing::coracle_in;
use serde_json::Value;
use tempfile::TempDir;

use crate::ci::docker_registry::{PASSWORD, Registry, USER};
use crate::ci::github_runner::{action, expressions};
use crate::ci::gitlab_component;
use crate::ci::schemas::check;
use crate::ci::test_programs::{data, program};

/// The blocks of this language.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string("docs/ci.md").unwrap();
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The only document of the job that begins with this comment.
fn job(name: &str) -> (String, Value) {
    let start = format!("# {name}\n");
    let [text] = blocks("yaml")
        .into_iter()
        .filter(|text| text.starts_with(&start))
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let [document]: [Value; 1] = yaml::parse_documents(&text).unwrap().try_into().unwrap();
    (text, document)
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_github_job_works() {
    let (text, job) = job(".github/workflows/image.yml");
    assert_eq!(check("github-workflows", &text), Ok(()));
    let steps = job["jobs"]["image"]["steps"].as_array().unwrap();
    let uses = |step: &&Value| step["uses"].as_str().is_some_and(|uses| uses.contains("/coracle@"));
    let step = steps.iter().find(uses).unwrap();
    assert_eq!(step["uses"], format!("OWNER/coracle@v{}", env!("CARGO_PKG_VERSION")));
    let action = action();
    assert!(keys(&step["with"]).iter().all(|name| action.inputs.contains_key(name)), "{step}");
    let outputs = expressions(&text).into_iter().filter_map(|text| text.strip_prefix("steps.image.outputs."));
    let outputs: Vec<&str> = outputs.collect();
    assert!(
        !outputs.is_empty() && outputs.iter().all(|name| action.outputs.contains_key(*name)),
        "{outputs:?}"
    );
}

#[test]
fn the_gitlab_job_works() {
    let (text, job) = job(".gitlab-ci.yml");
    assert_eq!(check("gitlab-ci", &text), Ok(()));
    let include = &job["include"][0];
    let component = format!("$CI_SERVER_FQDN/OWNER/coracle/build@{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(include["component"], component);
    let known: BTreeSet<String> = gitlab_component::inputs().into_iter().collect();
    assert!(keys(&include["inputs"]).is_subset(&known), "{include}");
}

#[test]
fn the_page_documents_every_input() {
    let page = fs::read_to_string("docs/ci.md").unwrap();
    let action = action();
    let names = action.inputs.keys().chain(action.outputs.keys()).cloned().chain(gitlab_component::inputs());
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_shell_lines_work() {
    let Some(registry) = Registry::start() else { return };
    let [commands] = blocks("sh").try_into().unwrap();
    let folder = TempDir::new().unwrap();
    program(folder.path(), "shop");
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_coracle")).parent().unwrap();
    let run = |commands: &str| {
        let mut shell = Command::new("sh");
        let commands = commands.replace("registry.acme.example", &registry.host);
        shell.args(["-euc", &commands]).current_dir(folder.path()).env_clear().env("HOME", folder.path());
        shell.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
        shell.env("CI_USER", USER).env("CI_TOKEN", PASSWORD).stdin(Stdio::null()).output().unwrap()
    };
    let previous = " --previous \"docker://$name:latest\"";
    assert!(commands.contains(previous));
    let output = run(&commands.replace(previous, ""));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("warning: no image exists at the destination yet"),
        "{said}"
    );
    let output = run(&commands);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("warning"), "{said}");
    assert!(
        said.contains(&format!("compared   the same size as docker://{}/shop:latest", registry.host)),
        "{said}"
    );
    data(folder.path(), "data", 20_000);
    let output = run(&commands.replace("./shop", "./shop --include data:/data"));
    let said = String::from_utf8_lossy(&output.stderr);
    let grown =
        format!("growth of files since `docker://{}/shop:latest`, before compression:", registry.host);
    assert!(output.status.code() == Some(4) && said.contains(&grown), "{said}");
    assert!(said.contains("20.00 kB  /data  new, included from "), "{said}");
    let digest = registry.digest("shop:1.3").unwrap();
    let image = fs::read_to_string(folder.path().join("image.txt")).unwrap();
    assert_eq!(image, format!("{}/shop:1.3@{digest}\n", registry.host));
}

/// `SNAPSHOTS=overwrite` puts it into the page.
#[test]
fn the_documented_summary_is_real_output() {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "shop");
    data(folder.path(), "config/shop.toml.j2", 0);
    for (tag, length) in [("1.2", 7_600_000), ("1.3", 7_900_000)] {
        data(folder.path(), "assets/pages", length);
        let name = format!("ghcr.io/acme/shop:{tag}");
        let args = ["build", "./shop", "--no-cache", "--quiet", "--include", "assets/:/srv/", "--tag", &name];
        let mounts = ["--config", "config:/etc/shop", "--secret", "token:/run/secrets/shop"];
        let reports = ["--summary", "summary.md", "--previous", "oci:shop.oci:1.2"];
        let build = coracle_in(folder.path(), args).more_args(mounts);
        let build = if tag == "1.2" { build } else { build.more_args(reports) };
        let output = build.command().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let summary = fs::read_to_string(folder.path().join("summary.md")).unwrap();
    let page = fs::read_to_string("docs/ci.md").unwrap();
    let (before, rest) = page.split_once("```markdown\n").unwrap();
    let (_, after) = rest.split_once("```").unwrap();
    let expected = format!("{before}```markdown\n{}\n```{after}", summary.trim_end());
    #[allow(clippy::disallowed_methods, reason = "how a page is written anew")]
    if std::env::var("SNAPSHOTS").as_deref() == Ok("overwrite") {
        fs::write("docs/ci.md", &expected).unwrap();
    } else {
        assert_eq!(page, expected);
    }
}
