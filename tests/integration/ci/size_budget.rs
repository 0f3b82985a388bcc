//! `image` below `[budget]`: what is too large is not written, and told with all that takes up the
//! room.

use std::fs;

use coracle_testing::{coracle_in, listing};
use snapbox::str;
use tempfile::TempDir;

use crate::ci::docker_registry::{PASSWORD, Registry, USER};
use crate::ci::test_programs::{data, program, program_for};

const RECIPE: &str = "\
[image]
name = \"shop:1\"
programs = [\"shop\"]

[[include]]
from = \"assets\"
to = \"/srv/assets\"

[budget]
image = \"20kB\"
";

fn shop() -> TempDir {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "shop");
    data(folder.path(), "assets/pages", 20_000);
    data(folder.path(), "assets/small", 100);
    fs::write(folder.path().join("coracle.toml"), RECIPE).unwrap();
    folder
}

#[test]
fn an_image_over_its_budget_is_not_written() {
    let folder = shop();
    coracle_in(folder.path(), ["build", "--no-cache"]).ends(4, str![], str![[r#"
error: the image for linux/amd64 has 21.60 kB: over the budget of 20.00 kB
    --> coracle.toml:10:9
  10 | image = "20kB"
     |         ^^^^^^
  layers for linux/amd64:
     20.41 kB  data
        133 B  program
  largest files, before compression:
     20.00 kB  /srv/assets/pages  included from [FOLDER]/assets
        137 B  /etc/passwd  accounts of the user
        120 B  /app/shop  program
        100 B  /srv/assets/small  included from [FOLDER]/assets
         44 B  /etc/group  accounts of the user

hint: leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: `image` below `[budget]`

"#]]);
    coracle_in(folder.path(), ["build", "--no-cache", "--quiet", "--budget-image", "1kB"]).ends(4, str![], str![[r#"
error: the image for linux/amd64 has 21.60 kB: over the budget of 1.00 kB
  layers for linux/amd64:
     20.41 kB  data
        133 B  program
  largest files, before compression:
     20.00 kB  /srv/assets/pages  included from [FOLDER]/assets
        137 B  /etc/passwd  accounts of the user
        120 B  /app/shop  program
        100 B  /srv/assets/small  included from [FOLDER]/assets
         44 B  /etc/group  accounts of the user

hint: leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: `--budget-image`

"#]]);
    // Just enough.
    coracle_in(folder.path(), ["build", "--no-cache", "--quiet", "--budget-image=0.025MB"]).ends(
        0,
        str![[r#"
shop:1@sha256:[..]

"#]],
        str![],
    );
}

#[test]
fn checks_the_budget_of_unchanged_images() {
    let folder = shop();
    let cache = TempDir::new().unwrap();
    let cache = format!("--cache-dir={}", cache.path().join("cache").display());
    // Files that are younger than a moment are not trusted.
    for path in ["shop", "assets/pages", "assets/small", "coracle.toml"] {
        let file = fs::File::options().append(true).open(folder.path().join(path)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    let build = |budget: &str| coracle_in(folder.path(), ["build", &cache, "--budget-image", budget]);
    build("30kB").ends(
        0,
        str!["shop:1@sha256:[..]\n"],
        str![[r#"
shop:1  linux/amd64  5 files, 29.18 kB → 21.60 kB in 2 layers
  data        26.62 kB →  20.41 kB  sha256:2afdcdbfa77798fa8a137fd10226664a31575199ed74c9d557e8c69d5fad24e2
  program      2.56 kB →     133 B  sha256:3bf522889d49ed6de861db13cb8d55ca73b6d98791baf4daa2dcce4d9faaf7f1
  inventory  nothing visible to scanners; 2 files of no package
  written to oci:shop.oci

"#]],
    );
    // The budget is no part of what is remembered.
    build("31kB").ends(
        0,
        str!["shop:1@sha256:[..]\n"],
        str![[r#"
shop:1  linux/amd64  5 files, 29.18 kB → 21.60 kB in 2 layers
  data        26.62 kB →  20.41 kB  sha256:2afdcdbfa77798fa8a137fd10226664a31575199ed74c9d557e8c69d5fad24e2
  program      2.56 kB →     133 B  sha256:3bf522889d49ed6de861db13cb8d55ca73b6d98791baf4daa2dcce4d9faaf7f1
  inventory  nothing visible to scanners; 2 files of no package
  unchanged in oci:shop.oci

"#]],
    );
    build("1kB").ends(4, str![], str![[r#"
error: the image for linux/amd64 has 21.60 kB: over the budget of 1.00 kB
  layers for linux/amd64:
     20.41 kB  data
        133 B  program
  largest files, before compression:
     20.00 kB  /srv/assets/pages  included from [FOLDER]/assets
        137 B  /etc/passwd  accounts of the user
        120 B  /app/shop  program
        100 B  /srv/assets/small  included from [FOLDER]/assets
         44 B  /etc/group  accounts of the user

hint: leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: `--budget-image`

"#]]);
}

#[test]
fn the_budget_applies_to_each_platform() {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "amd64");
    program_for(folder.path(), "arm64", 183);
    fs::write(
        folder.path().join("arm64"),
        [&coracle_testing::static_program(183)[..], &crate::ci::test_programs::noise(9000)].concat(),
    )
    .unwrap();
    let programs = ["build", "--no-cache", "./amd64:/app/app", "./arm64:/app/app", "--budget-image"];
    coracle_in(folder.path(), programs).more_args(["9kB"]).ends(4, str![], str![[r#"
error: the image for linux/arm64 has 10.14 kB: over the budget of 9.00 kB
  layers for linux/arm64:
      9.39 kB  program
  largest files, before compression:
      9.12 kB  /app/app  program
        137 B  /etc/passwd  accounts of the user
         44 B  /etc/group  accounts of the user

hint: leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: `--budget-image`

"#]]);
    // Both together have more.
    coracle_in(folder.path(), programs).more_args(["10.5kB"]).ends(
        0,
        str!["amd64:latest@sha256:[..]\n"],
        str![[r#"
amd64:latest  linux/amd64, linux/arm64  6 files, 18.94 kB → 11.66 kB in 2 layers
  program      5.12 kB →     274 B  sha256:c63b2ed0e8617084b01f66a04b05f69f2c1143d9a7417a700406426077285427
  program     13.82 kB →   9.39 kB  sha256:bedf88afffd91c368af15d3f975ec7139bb2556e5752626ad10048eb51cd707c
  inventory  nothing visible to scanners, linux/amd64
  inventory  nothing visible to scanners, linux/arm64
  written to oci:amd64.oci

"#]],
    );
}

#[test]
fn the_size_includes_the_base_image() {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "base");
    program(folder.path(), "shop");
    data(folder.path(), "large", 20_000);
    let args = ["build", "./base", "--no-cache", "--quiet", "--include", "large:/large", "-t", "base:1"];
    coracle_in(folder.path(), args).ends(0, str!["base:1@sha256:[..]\n"], str![]);
    let args = ["build", "./shop", "--no-cache", "--base", "oci:base.oci", "--budget-image", "10kB"];
    coracle_in(folder.path(), args).ends(4, str![], str![[r#"
error: the image for linux/amd64 has 22.16 kB: over the budget of 10.00 kB
  layers for linux/amd64:
     20.34 kB  of the base
        133 B  of the base
        133 B  program
  largest files, before compression:
        120 B  /app/shop  program

hint: leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: `--budget-image`

"#]]);
}

#[test]
fn pushes_no_tag_for_an_image_over_budget() {
    let Some(registry) = Registry::start() else { return };
    let folder = shop();
    let name = format!("{}/shop:1", registry.host);
    let before = listing(folder.path());
    let args = ["build", "--no-cache", "--quiet", "--push", "-o", "oci:out", "--tag"];
    let mut command = coracle_in(folder.path(), args).more_args([&name]).command();
    command.env("CORACLE_REGISTRY_USER", USER).env("CORACLE_REGISTRY_PASSWORD", PASSWORD);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(registry.digest("shop:1"), None);
    assert_eq!(listing(folder.path()), before);
}

/// Each image is judged by itself.
#[test]
fn an_image_over_budget_does_not_stop_other_images() {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "shop");
    for (name, budget) in [("a", "1MB"), ("b", "10B")] {
        let recipe = format!(
            "[image]\nname = \"{name}:1\"\nprograms = [\"shop\"]\n\n[budget]\nimage = \"{budget}\"\n"
        );
        fs::write(folder.path().join(format!("{name}.toml")), recipe).unwrap();
    }
    let args =
        ["build", "--no-cache", "-f", "a.toml", "-f", "b.toml", "--dotenv", "d.env", "--summary", "s.md"];
    let mut command = coracle_in(folder.path(), args).command();
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("a:1@sha256:"));
    let is_there = |name: &str| folder.path().join(name).exists();
    assert_eq!(["a.oci", "b.oci", "d.env"].map(is_there), [true, false, false]);
    let summary = fs::read_to_string(folder.path().join("s.md")).unwrap();
    assert!(summary.contains("### a:1\n") && summary.contains("### No image\n"), "{summary}");
}
