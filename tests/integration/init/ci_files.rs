//! Which CI gets a file, and that the file is what it should be.

use std::fs;
use std::process::Command;

use serde_json::Value;
use snapbox::str;

use crate::build::project::Project;
use crate::cargo::project::Project as Package;
use crate::init::recipes::done;

const WORKFLOW: &str = ".github/workflows/image.yml";
const PIPELINE: &str = ".gitlab-ci.yml";

/// A program in a repository whose `origin` is `url`.
fn repository(url: &str) -> Project {
    let project = Project::hello(&[]);
    git(&project, &["init", "--quiet"]);
    git(&project, &["remote", "add", "origin", url]);
    project
}

fn git(project: &Project, args: &[&str]) {
    let mut git = Command::new("git");
    assert!(git.arg("-C").arg(project.folder()).args(args).env_clear().status().unwrap().success());
}

fn yaml(project: &Project, path: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(project.path(path)).unwrap()).unwrap()
}

fn written(project: &Project) -> [bool; 2] {
    [WORKFLOW, PIPELINE].map(|path| project.path(path).exists())
}

#[test]
fn chooses_the_ci_of_the_git_remote() {
    for (url, expected, image) in [
        ("git@github.com:Acme/Shop.git", [true, false], "ghcr.io/acme/shop:1.0"),
        ("https://gitlab.com/acme/shop.git", [false, true], "registry.gitlab.com/acme/shop:1.0"),
        ("https://gitlab.acme.example/acme/shop", [false, true], "registry.example/hello:1.0"),
        ("https://git.acme.example/acme/shop", [false, false], "registry.example/hello:1.0"),
    ] {
        let project = repository(url);
        done(project.folder(), ["init", "hello"]);
        assert_eq!(written(&project), expected, "{url}");
        let recipe = fs::read_to_string(project.path("coracle.toml")).unwrap();
        // In a comment alone: nothing is pushed by itself.
        assert!(recipe.contains(&format!("pushes it there: \"{image}\".\n")), "{recipe}");
        assert!(recipe.contains("\nname = \"hello\"\n"), "{recipe}");
    }
}

#[test]
fn ci_files_are_written_to_the_root_of_the_repository() {
    let project = repository("git@github.com:acme/mono.git");
    let folder = "services/my shop";
    project.program("services/my shop/shop", crate::build::project::HELLO, &[]);
    project.coracle(["init", folder, "--no-config"]).ends(
        0,
        str![[r#"
.github/workflows/image-services-my-shop.yml
services/my shop/coracle.toml

"#]],
        str![[r#"
hint: build the image with `coracle build --file 'services/my shop/coracle.toml'`; add `--dry-run` to list its files
hint: there is no release of Coracle yet: replace CORACLE_RELEASE and CORACLE_SHA256 in `.github/workflows/image-services-my-shop.yml`, as docs/ci.md says

"#]],
    );
    let workflow = yaml(&project, ".github/workflows/image-services-my-shop.yml");
    assert_eq!(workflow["name"], "image-services-my-shop");
    let job = &workflow["jobs"]["image"];
    assert_eq!(job["defaults"]["run"]["working-directory"], folder);
    let push = job["steps"].as_array().unwrap().last().unwrap()["run"].as_str().unwrap();
    assert!(push.contains("ghcr.io/${GITHUB_REPOSITORY,,}/services-my-shop:$GITHUB_SHA"), "{push}");

    // From a directory inside, and with GitLab's only file.
    project.program("b/c/app", crate::build::project::HELLO, &[]);
    let folder = project.path("b/c");
    assert_eq!(
        done(&folder, ["init", "--no-config", "--ci", "gitlab"]),
        "../../.gitlab-ci.yml\ncoracle.toml\n"
    );
    let job = &yaml(&project, PIPELINE)["container-b-c"];
    assert!(job["script"].as_array().unwrap().contains(&"cd b/c".into()), "{job}");
    assert!(!project.path("b/c/.gitlab-ci.yml").exists());
}

#[test]
fn ci_files_of_a_workspace_member_are_written_to_the_root_of_the_workspace() {
    let project = Package::empty();
    project.file("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n");
    project.krate("crates/shop", "shop", "");
    let output =
        project.cargo_in("crates/shop", ["init", "--no-config", "--ci", "github"]).command().output();
    let printed = String::from_utf8(output.unwrap().stdout).unwrap();
    assert_eq!(printed, "../../.github/workflows/image-crates-shop.yml\nCargo.toml\n");
    assert!(project.path(".github/workflows/image-crates-shop.yml").exists());
}

#[test]
fn writes_no_ci_file_without_a_repository() {
    let project = Project::hello(&[]);
    done(project.folder(), ["init", "hello"]);
    assert_eq!(written(&project), [false, false]);
}

#[test]
fn an_existing_pipeline_selects_gitlab() {
    let project = repository("https://git.acme.example/acme/shop");
    project.file(PIPELINE, "stages: [build]\n");
    let output = project.coracle(["init", "hello", "--no-config"]).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("kept `.gitlab-ci.yml`") && said.contains("\n  container:\n"), "{said}");
}

#[test]
fn the_ci_can_be_chosen() {
    let project = repository("git@github.com:acme/shop.git");
    done(project.folder(), ["init", "hello", "--ci", "none"]);
    assert_eq!(written(&project), [false, false]);
    let project = repository("git@github.com:acme/shop.git");
    done(project.folder(), ["init", "hello", "--ci", "gitlab"]);
    assert_eq!(written(&project), [false, true]);
    let project = Project::hello(&[]);
    project.file(".github/dependabot.yml", "");
    done(project.folder(), ["init", "hello"]);
    assert_eq!(written(&project), [true, false]);
}

#[test]
fn the_workflow_is_valid() {
    let project = Project::hello(&[]);
    done(project.folder(), ["init", "hello", "--ci", "github"]);
    let workflow = yaml(&project, WORKFLOW);
    let job = &workflow["jobs"]["image"];
    assert_eq!(workflow["on"], "push");
    assert_eq!(workflow["permissions"]["packages"], "write");
    // The token is there for the last step alone, and what builds the program finds none on the disk.
    let all = job["steps"].as_array().unwrap();
    assert!(job["env"].is_null());
    assert!(
        workflow["env"]
            .as_object()
            .unwrap()
            .keys()
            .all(|name| name.starts_with("CORACLE_") && !name.contains("REGISTRY"))
    );
    let (last, before) = all.split_last().unwrap();
    assert_eq!(last["env"]["CORACLE_REGISTRY_PASSWORD"], "${{ secrets.GITHUB_TOKEN }}");
    assert!(before.iter().all(|step| step["env"].is_null()), "{before:?}");
    assert_eq!(all[0]["with"]["persist-credentials"], false);
    let steps: Vec<&str> = all.iter().filter_map(|step| step["run"].as_str()).collect();
    let push = "coracle build --tag \"ghcr.io/${GITHUB_REPOSITORY,,}:$GITHUB_SHA\" --push\n";
    assert_eq!(steps[1..], ["make", "coracle build", push]);

    let package = Package::app("");
    let output = package.cargo(["init", "--ci", "github", "--dry-run"]).command().output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("\n      - run: cargo coracle build\n"), "{printed}");
}

/// Each of several programs has an image with a name of its own, and the lines are what `cargo coracle build` takes.
#[test]
fn pushes_several_programs_one_by_one() {
    let package = Package::app("[[bin]]\nname = \"Ad_min\"\npath = \"src/admin.rs\"\n");
    package
        .file("src/admin.rs", crate::cargo::project::MAIN)
        .file("src/bin/job.rs", crate::cargo::project::MAIN);
    let output = package.cargo(["init", "--no-config", "--ci", "github"]).command().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(package.path(WORKFLOW)).unwrap();
    let workflow: Value = serde_saphyr::from_str(&text).unwrap();
    let steps = workflow["jobs"]["image"]["steps"].as_array().unwrap();
    let lines: Vec<&str> = steps.last().unwrap()["run"].as_str().unwrap().lines().collect();
    let expected = ["Ad_min ad-min", "app app", "job job"].map(|names| {
        let (bin, image) = names.split_once(' ').unwrap();
        format!(
            "cargo coracle build --bin {bin} --tag \"ghcr.io/${{GITHUB_REPOSITORY,,}}/{image}:$GITHUB_SHA\" --push"
        )
    });
    assert_eq!(
        lines.iter().copied().collect::<std::collections::BTreeSet<_>>(),
        expected.iter().map(String::as_str).collect()
    );
    for line in lines {
        let words: Vec<&str> = line.split(' ').skip(2).filter(|word| *word != "--push").collect();
        let tag = |word: &&str| {
            word.replace("${GITHUB_REPOSITORY,,}", "acme/shop").replace("$GITHUB_SHA", "abc").replace('"', "")
        };
        let words: Vec<String> = words.iter().map(tag).chain(["--debug".into()]).collect();
        package.built(&words.iter().map(String::as_str).skip(1).collect::<Vec<_>>());
    }

    let output = package.cargo(["build", "--quiet", "--debug"]).command().output().unwrap();
    assert!(output.status.success());
    let other = Package::app("");
    other.file("src/bin/job.rs", crate::cargo::project::MAIN);
    let output = other.cargo(["init", "--no-config", "--ci", "gitlab"]).command().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let pipeline: Value = serde_saphyr::from_str(&fs::read_to_string(other.path(PIPELINE)).unwrap()).unwrap();
    let last = pipeline["container"]["script"].as_array().unwrap().last().unwrap().as_str().unwrap();
    for name in ["app", "job"] {
        let line = format!(
            "\n  cargo coracle build --bin {name} --tag \"$CI_REGISTRY_IMAGE/{name}:$CI_COMMIT_SHA\" --push\n"
        );
        assert!(last.contains(&line), "{last}");
    }
}

#[test]
fn a_recipe_next_to_a_crate_runs_cargo_first() {
    let package = Package::app("");
    package.built(&[]);
    let output = coracle_testing::coracle_in(&package.path(""), ["init", "--recipe", "--ci", "github"]);
    assert!(output.command().output().unwrap().status.success());
    let text = fs::read_to_string(package.path(WORKFLOW)).unwrap();
    assert!(text.contains("\n      - run: cargo build --release #"), "{text}");
    assert!(text.contains("\n      - run: coracle build\n"), "{text}");
}

#[test]
fn the_pipeline_is_valid() {
    let project = Project::hello(&[]);
    done(project.folder(), ["init", "hello", "--ci", "gitlab"]);
    let pipeline = yaml(&project, PIPELINE);
    assert_eq!(pipeline.as_object().unwrap().keys().collect::<Vec<_>>(), ["container"]);
    let script: Vec<&str> =
        pipeline["container"]["script"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(script[4..6], ["make", "coracle build"]);
    // The shell takes it.
    let shell = Command::new("sh").args(["-n", "-c", &script.join("\n")]).status().unwrap();
    assert!(shell.success() && script.len() == 7);
}

#[test]
fn keeps_an_existing_pipeline_and_prints_the_job() {
    let project = repository("git@gitlab.com:acme/shop.git");
    project.file(PIPELINE, "stages: [build]\n");
    project.coracle(["init", "hello", "--no-config"]).ends(0, str![[r#"
coracle.toml

"#]], str![[r#"
kept `.gitlab-ci.yml`, which exists already
to build the image there, add:
  # Builds the image. From the default branch it goes to the project's registry, tagged with the commit; from others
  # nothing is sent. docs/registries.md in Coracle's sources has images of several platforms, and other registries.
  container:
    image: gcc:14
    variables:
      # Where Coracle's archive is, and its SHA-256 from SHA256SUMS. There is no release yet: until then, make an archive
      # of your own, as docs/ci.md in Coracle's sources says, and replace CORACLE_RELEASE and CORACLE_SHA256.
      CORACLE_RELEASE: https://github.com/OWNER/coracle/releases/download/v[VERSION]
      CORACLE_ARCHIVE: coracle-v[VERSION]-x86_64-unknown-linux-musl.tar.gz
      CORACLE_SHA256: REPLACE
    script:
      - curl -fsSL --retry 3 -o "/tmp/$CORACLE_ARCHIVE" "$CORACLE_RELEASE/$CORACLE_ARCHIVE"
      - echo "$CORACLE_SHA256  /tmp/$CORACLE_ARCHIVE" | sha256sum -c
      - mkdir -p /tmp/coracle && tar -xzf "/tmp/$CORACLE_ARCHIVE" -C /tmp/coracle --strip-components=1
      - export PATH="/tmp/coracle:$PATH"
      - make # replace it by the command that builds the program
      - coracle build
      - |
        if [ "$CI_COMMIT_BRANCH" = "$CI_DEFAULT_BRANCH" ]; then
          export CORACLE_REGISTRY_USER="$CI_REGISTRY_USER" CORACLE_REGISTRY_PASSWORD="$CI_REGISTRY_PASSWORD"
          coracle build --tag "$CI_REGISTRY_IMAGE:$CI_COMMIT_SHA" --push
        fi
hint: build the image with `coracle build`; add `--dry-run` to list its files

"#]]);
    assert_eq!(fs::read_to_string(project.path(PIPELINE)).unwrap(), "stages: [build]\n");
}

#[test]
fn rejects_ci_files_for_a_workspace() {
    let project = Package::empty();
    project.file("Cargo.toml", "[workspace]\n").file(".github/x", "");
    project.cargo(["init", "--ci", "github"]).ends(
        2,
        str![],
        str![[r#"
error: `--ci` can't be used with a workspace: it has several images, and each needs its own name

hint: leave `--ci` out; docs/registries.md in Coracle's sources has example jobs

"#]],
    );
    project.cargo(["init", "--dry-run"]).ends(
        0,
        str![[r#"
==> Cargo.toml, at its end
...
"#]],
        str![],
    );
}

/// The variables of a job with an archive in `folder` that contains the program under test.
fn archive_variables(folder: &std::path::Path, is_intact: bool) -> Vec<(&'static str, String)> {
    fs::create_dir_all(folder.join("coracle-v1")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_coracle"), folder.join("coracle-v1/coracle")).unwrap();
    let mut tar = Command::new("tar");
    assert!(tar.args(["-czf", "a.tar.gz", "coracle-v1"]).current_dir(folder).status().unwrap().success());
    let sum = Command::new("sha256sum").arg(folder.join("a.tar.gz")).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap().split(' ').next().unwrap().to_owned();
    vec![
        ("CORACLE_RELEASE", format!("file://{}", folder.display())),
        ("CORACLE_ARCHIVE", "a.tar.gz".into()),
        ("CORACLE_SHA256", if is_intact { sum } else { "0".repeat(64) }),
    ]
}

#[test]
fn the_workflow_builds_with_a_checked_archive() {
    let project = Project::hello(&[]);
    done(project.folder(), ["init", "hello", "--no-config", "--ci", "github"]);
    let workflow = yaml(&project, WORKFLOW);
    let steps = workflow["jobs"]["image"]["steps"].as_array().unwrap();
    let install = steps[1]["run"].as_str().unwrap();
    for is_intact in [true, false] {
        let temporary = tempfile::TempDir::new().unwrap();
        let path_file = temporary.path().join("path");
        let mut bash = Command::new("bash");
        bash.args(["-e", "-c", install]).envs(archive_variables(&temporary.path().join("server"), is_intact));
        bash.env("RUNNER_TEMP", temporary.path()).env("GITHUB_PATH", &path_file);
        let output = bash.output().unwrap();
        assert_eq!(output.status.success(), is_intact, "{output:?}");
        assert_eq!(path_file.exists(), is_intact);
        if is_intact {
            let folder = fs::read_to_string(&path_file).unwrap();
            let mut build = Command::new(format!("{}/coracle", folder.trim()));
            assert!(
                build
                    .args(["build", "-q", "--no-cache"])
                    .current_dir(project.folder())
                    .status()
                    .unwrap()
                    .success()
            );
        }
    }
}

#[test]
fn ci_files_name_the_owner_once() {
    for (forge, path) in [("github", WORKFLOW), ("gitlab", PIPELINE)] {
        let project = Project::hello(&[]);
        done(project.folder(), ["init", "hello", "--ci", forge]);
        let text = fs::read_to_string(project.path(path)).unwrap();
        assert_eq!(text.matches("OWNER").count(), 1, "{text}");
        assert!(!text.contains("cargo install"), "{text}");
        let recipe = fs::read_to_string(project.path("coracle.toml")).unwrap();
        assert!(!recipe.contains("OWNER"), "{recipe}");
    }
}
