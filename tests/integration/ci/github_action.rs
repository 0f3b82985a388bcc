//! `action.yml`, run as a runner runs it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::ci::docker_registry::{PASSWORD, Registry, USER};
use crate::ci::github_runner::{Action, Job, action, expressions};
use crate::ci::release_server::Releases;
use crate::ci::test_programs::{data, program};

/// Where the program is that was built for these tests.
fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_coracle")).parent().unwrap()
}

#[test]
fn expressions_name_declared_inputs_and_are_not_in_scripts() {
    let Action { inputs, outputs, runs, .. } = action();
    assert_eq!(runs.using, "composite");
    assert_eq!(inputs["version"].default, env!("CARGO_PKG_VERSION"), "the release that the action goes with");
    let mut used = BTreeSet::new();
    for step in &runs.steps {
        assert_eq!(expressions(&step.run), [""; 0], "{}: a value in a script would be run", step.name);
        let texts = step.env.values().chain(&step.working_directory);
        used.extend(texts.flat_map(|text| expressions(text)).map(str::to_owned));
    }
    let (of_inputs, others): (BTreeSet<String>, BTreeSet<String>) =
        used.into_iter().partition(|expression| expression.starts_with("inputs."));
    let declared: BTreeSet<String> = inputs.keys().map(|name| format!("inputs.{name}")).collect();
    assert_eq!(of_inputs, declared);
    assert!(others.iter().all(|expression| expression.starts_with("github.")), "{others:?}");
    let ids: Vec<&str> = runs.steps.iter().filter_map(|step| step.id.as_deref()).collect();
    for (name, output) in &outputs {
        let [expression] = expressions(&output.value).try_into().unwrap();
        let (id, _) = expression.strip_prefix("steps.").unwrap().split_once(".outputs.").unwrap();
        assert!(ids.contains(&id), "`{name}` is the output of a step that is not there");
    }
}

#[test]
fn installs_builds_and_pushes_within_the_budget() {
    let Some(registry) = Registry::start() else { return };
    let (releases, job) = (Releases::start(), Job::new());
    let host = registry.host.as_str();
    let (one, two) = (format!("{host}/acme/shop:1"), format!("{host}/acme/shop:latest"));
    // As GitHub writes it for an owner with capitals.
    let tags = format!("{one}\n{}\n", two.replace("acme/shop", "Acme/Shop"));
    let with = |args| {
        [
            ("args", args),
            ("tags", tags.as_str()),
            ("push", "true"),
            ("budget-image", "50kB"),
            ("budget-growth", "10%"),
            ("working-directory", "service"),
            ("registry", host),
            ("username", USER),
            ("password", PASSWORD),
            ("releases", releases.url.as_str()),
        ]
    };
    fs::create_dir(job.folder().join("service")).unwrap();
    program(&job.folder().join("service"), "shop");
    data(job.folder(), "service/assets/pages", 20_000);
    let first = job.uses(&with(
        "./shop --include assets/:/srv/ --label 'com.acme.title=The $HOME shop' \
         --label \"com.acme.made=`touch made`\" -- --port 80",
    ));
    assert_eq!(first.status, 0, "{}", first.said);
    assert!(first.said.contains("no image exists at the destination yet"), "{}", first.said);
    assert!(!job.folder().join("service/made").exists(), "words are no commands");

    let digest = registry.digest("acme/shop:1").unwrap();
    assert_eq!(first.outputs["digest"], digest.to_string());
    assert_eq!(first.outputs["reference"], format!("{one}@{digest}"));
    // In this form the runner takes an image, for a later `actions/attest`.
    assert_eq!(first.artifacts, format!("oci://{one}@{digest}\n"));
    let stored = registry.image("acme/shop:latest");
    assert_eq!(stored.source.digest(), Some(digest));
    assert_eq!(first.outputs["size"], stored.images[0].total_size().to_string());
    assert_eq!(stored.images[0].label("com.acme.title"), Some("The $HOME shop"));
    assert_eq!(stored.images[0].label("com.acme.made"), Some("`touch made`"));
    assert_eq!(stored.images[0].config["config"]["Cmd"], serde_json::json!(["--port", "80"]));
    let images: Value = serde_json::from_str(&first.outputs["images"]).unwrap();
    assert_eq!(images[0]["reference"], first.outputs["reference"]);
    let metadata = fs::read_to_string(&first.outputs["metadata"]).unwrap();
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    assert_eq!(metadata["images"][0]["digest"], first.outputs["digest"]);
    assert!(first.summary.starts_with(&format!("### {one}\n\n`{one}@{digest}`\n")), "{}", first.summary);

    // Half as much again: within 50 kB, and more than a tenth.
    data(job.folder(), "service/assets/pages", 30_000);
    let second = job.uses(&with("./shop --include assets/:/srv/"));
    assert_eq!(second.status, 4, "{}", second.said);
    assert!(second.said.contains("over the budget of 10 %"), "{}", second.said);
    assert!(second.outputs.is_empty());
    assert!(second.summary.starts_with("### No image\n"), "{}", second.summary);
    assert!(second.summary.contains("/srv/pages"), "{}", second.summary);
    assert_eq!(registry.digest("acme/shop:1"), Some(digest), "the tag stays");
    assert_eq!(registry.digest("acme/shop:latest"), Some(digest));

    // The same beside the image at the registry, and beside one that is named.
    fs::remove_dir_all(job.folder().join("service/shop.oci")).unwrap();
    let named = format!("docker://{host}/acme/shop@{digest}");
    for (previous, place) in [("", format!("docker://{one}")), (named.as_str(), named.clone())] {
        let with = [with("./shop --include assets/:/srv/").as_slice(), &[("previous", previous)]].concat();
        let third = job.uses(&with);
        assert_eq!(third.status, 4, "{}", third.said);
        assert!(third.said.contains(&format!("more than `{place}`: over")), "{}", third.said);
    }
    // Once more: what was built before is judged again, and has not grown beside itself.
    data(job.folder(), "service/assets/pages", 20_000);
    let fourth = job.uses(&with("./shop --include assets/:/srv/"));
    assert_eq!(fourth.status, 0, "{}", fourth.said);
}

#[test]
fn uses_an_installed_coracle() {
    let job = Job::new().with_programs(programs());
    program(job.folder(), "shop");
    // There is no server behind the action's own repository.
    let ended = job.uses(&[("args", "./shop -o oci:out")]);
    assert_eq!(ended.status, 0, "{}", ended.said);
    assert!(ended.outputs["reference"].starts_with("shop:latest@sha256:"), "{:?}", ended.outputs);
    assert!(job.folder().join("out/index.json").exists());
    let other = job.uses(&[("args", "./shop"), ("version", "0.0.1")]);
    assert_eq!(other.status, 1);
    let expected =
        "error: cannot get http://127.0.0.1:1/acme/coracle/releases/download/v0.0.1/coracle-v0.0.1-";
    assert!(other.said.contains(expected), "{}", other.said);
}

#[test]
fn outputs_several_images_as_a_list() {
    let job = Job::new().with_programs(programs());
    for name in ["a", "b"] {
        program(job.folder(), name);
        let recipe = format!("[image]\nname = \"{name}:1\"\nprograms = [\"{name}\"]\n");
        fs::write(job.folder().join(format!("{name}.toml")), recipe).unwrap();
    }
    let ended = job.uses(&[("args", "-f a.toml -f b.toml")]);
    assert_eq!(ended.status, 0, "{}", ended.said);
    let images: Value = serde_json::from_str(&ended.outputs["images"]).unwrap();
    assert!(images[0]["reference"].as_str().unwrap().starts_with("a:1@sha256:"), "{images}");
    assert!(images[1]["reference"].as_str().unwrap().starts_with("b:1@sha256:"), "{images}");
    for name in ["reference", "digest", "size"] {
        assert_eq!(ended.outputs[name], "", "one of several would be taken for all of them");
    }
    assert_eq!(ended.summary.matches("\n### ").count() + 1, 2, "{}", ended.summary);
}

#[test]
fn builds_a_crate_first() {
    let cargo = Path::new(env!("CARGO")).parent().unwrap();
    let job = Job::new().with_programs(cargo).with_programs(programs());
    let manifest = "[package]\nname = \"shop\"\nversion = \"1.0.0\"\nedition = \"2024\"\n";
    fs::write(job.folder().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(job.folder().join("src")).unwrap();
    fs::write(job.folder().join("src/main.rs"), "fn main() {}\n").unwrap();
    let ended = job.uses(&[("cargo", "true"), ("args", "--debug")]);
    assert_eq!(ended.status, 0, "{}", ended.said);
    assert!(ended.outputs["reference"].starts_with("shop:latest@sha256:"), "{:?}", ended.outputs);
    assert!(job.folder().join("target/coracle/shop.oci/index.json").exists());
}

#[test]
fn reports_invalid_inputs() {
    let job = Job::new().with_programs(programs());
    program(job.folder(), "shop");
    for (with, status, expected) in [
        ([("args", "./shop"), ("push", "yes")], 2, "error: `push` is `true` or `false`, not `yes`"),
        ([("args", "./shop"), ("cargo", "1")], 2, "error: `cargo` is `true` or `false`, not `1`"),
        (
            [("args", "./shop --label 'a=b"), ("push", "")],
            2,
            "error: `args` has a quote, ', that nothing closes",
        ),
        ([("tags", "shop:\"1"), ("push", "")], 2, "error: `tags` has a quote, \", that nothing closes"),
        ([("args", "./nothing"), ("push", "false")], 1, "error: "),
        ([("args", "./shop"), ("budget-image", "5 MB")], 2, "error: `--budget-image`: `5 MB` is not a size"),
    ] {
        let ended = job.uses(&with);
        assert_eq!(ended.status, status, "{with:?}: {}", ended.said);
        assert!(ended.said.contains(expected), "{with:?}: {}", ended.said);
        assert!(!job.folder().join("shop.oci").exists());
    }
}
