//! `growth` below `[budget]`: beside the image that is replaced, or one that is named.

use std::fs;
use std::path::Path;

use coracle_testing::coracle_in;
use snapbox::str;
use tempfile::TempDir;

use crate::ci::test_programs::{data, program};

/// A folder with a program and so many bytes of data.
fn shop(length: usize) -> TempDir {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "shop");
    data(folder.path(), "data", length);
    folder
}

const BUILD: [&str; 6] = ["build", "./shop", "--no-cache", "--include", "data:/data", "--budget-growth"];

fn index(folder: &Path) -> String {
    fs::read_to_string(folder.join("shop.oci/index.json")).unwrap()
}

#[test]
fn compares_with_the_replaced_image() {
    let folder = shop(20_000);
    let build = |growth: &str| coracle_in(folder.path(), BUILD).more_args([growth, "-t", "shop:1"]);
    build("5%").ends(0, str!["shop:1@sha256:[..]\n"], str![[r#"
warning: no image exists at the destination yet, so `--budget-growth` was not checked; name one with `--previous IMAGE`
shop:1  linux/amd64  4 files, 27.14 kB → 21.52 kB in 2 layers
  data        24.58 kB →  20.33 kB  sha256:fbf2098e358f19beed82316a6f7ea5c547e2cf6a6b1da3c1b34df2bff474be38
  program      2.56 kB →     133 B  sha256:3bf522889d49ed6de861db13cb8d55ca73b6d98791baf4daa2dcce4d9faaf7f1
  inventory  nothing visible to scanners; 1 file of no package
  written to oci:shop.oci

"#]]);
    let before = index(folder.path());
    build("0%").ends(
        0,
        str!["shop:1@sha256:[..]\n"],
        str![[r#"
shop:1  linux/amd64  4 files, 27.14 kB → 21.52 kB in 2 layers
  data        24.58 kB →  20.33 kB  sha256:fbf2098e358f19beed82316a6f7ea5c547e2cf6a6b1da3c1b34df2bff474be38
  program      2.56 kB →     133 B  sha256:3bf522889d49ed6de861db13cb8d55ca73b6d98791baf4daa2dcce4d9faaf7f1
  compared   the same size as oci:shop.oci:1
  inventory  nothing visible to scanners; 1 file of no package
  written to oci:shop.oci

"#]],
    );
    data(folder.path(), "data", 22_000);
    build("5%").ends(4, str![], str![[r#"
error: the image for linux/amd64 has 23.52 kB, 2.00 kB (9.3 %) more than `oci:shop.oci:1`: over the budget of 5 %
  layers for linux/amd64:
     22.34 kB  data
        133 B  program, as before
  growth of files since `oci:shop.oci:1`, before compression:
      2.00 kB  /data  20.00 kB before, included from [FOLDER]/data

hint: leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: `--budget-growth`

"#]]);
    build("1kB").ends(4, str![], str![[r#"
error: the image for linux/amd64 has 23.52 kB, 2.00 kB (9.3 %) more than `oci:shop.oci:1`: over the budget of 1.00 kB
  layers for linux/amd64:
     22.34 kB  data
        133 B  program, as before
  growth of files since `oci:shop.oci:1`, before compression:
      2.00 kB  /data  20.00 kB before, included from [FOLDER]/data

hint: leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: `--budget-growth`

"#]]);
    assert_eq!(index(folder.path()), before);
    build("10%").ends(
        0,
        str!["shop:1@sha256:[..]\n"],
        str![[r#"
shop:1  linux/amd64  4 files, 28.67 kB → 23.52 kB in 2 layers
  data        26.11 kB →  22.34 kB  sha256:72ab438781fe38e885cf072d60df56db86077f6351a9bef99efefe0b1e57bba4
  program      2.56 kB →     133 B  sha256:3bf522889d49ed6de861db13cb8d55ca73b6d98791baf4daa2dcce4d9faaf7f1
  compared   2.00 kB (9.3 %) more than oci:shop.oci:1
  inventory  nothing visible to scanners; 1 file of no package
  written to oci:shop.oci

"#]],
    );
    data(folder.path(), "data", 10_000);
    build("0%").ends(
        0,
        str!["shop:1@sha256:[..]\n"],
        str![[r#"
shop:1  linux/amd64  4 files, 16.90 kB → 11.52 kB in 2 layers
  data        14.34 kB →  10.33 kB  sha256:07707673225c17378259361090357594a451b735b1878ef604ea3e172c2652cd
  program      2.56 kB →     133 B  sha256:3bf522889d49ed6de861db13cb8d55ca73b6d98791baf4daa2dcce4d9faaf7f1
  compared   12.00 kB (51.0 %) less than oci:shop.oci:1
  inventory  nothing visible to scanners; 1 file of no package
  written to oci:shop.oci

"#]],
    );
}

#[test]
fn does_not_compare_with_another_tag() {
    let folder = shop(100);
    for (tag, length) in [("shop:1", 100), ("shop:2", 9000)] {
        data(folder.path(), "data", length);
        let args = BUILD;
        coracle_in(folder.path(), args).more_args(["5%", "--quiet", "-t", tag]).ends(
            0,
            str!["shop:[..]@sha256:[..]\n"],
            str![[r#"
warning: no image exists at the destination yet, so `--budget-growth` was not checked; name one with `--previous IMAGE`

"#]],
        );
    }
    // An image without a name is `shop:latest`.
    coracle_in(folder.path(), BUILD).more_args(["5%", "--quiet"]).ends(
        0,
        str!["shop:latest@sha256:[..]\n"],
        str![[r#"
warning: no image exists at the destination yet, so `--budget-growth` was not checked; name one with `--previous IMAGE`

"#]],
    );
    data(folder.path(), "data", 12_000);
    coracle_in(folder.path(), BUILD).more_args(["5%", "--quiet"]).ends(4, str![], str![[r#"
error: the image for linux/amd64 has 13.52 kB, 3.00 kB (28.5 %) more than `oci:shop.oci:latest`: over the budget of 5 %
  layers for linux/amd64:
     12.33 kB  data
        133 B  program, as before
  growth of files since `oci:shop.oci:latest`, before compression:
      3.00 kB  /data  9.00 kB before, included from [FOLDER]/data

hint: leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: `--budget-growth`

"#]]);
    // One that is named holds a new tag, too.
    let named = ["5%", "--quiet", "-t", "shop:3", "--previous", "oci:shop.oci:2"];
    coracle_in(folder.path(), BUILD).more_args(named).ends(4, str![], str![[r#"
error: the image for linux/amd64 has 13.52 kB, 3.00 kB (28.5 %) more than `oci:shop.oci:2`: over the budget of 5 %
  layers for linux/amd64:
     12.33 kB  data
        133 B  program, as before
  growth of files since `oci:shop.oci:2`, before compression:
      3.00 kB  /data  9.00 kB before, included from [FOLDER]/data

hint: leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: `--budget-growth`

"#]]);
    let named = ["5%", "--quiet", "-t", "shop:3", "--previous", "oci:shop.oci:7"];
    coracle_in(folder.path(), BUILD).more_args(named).ends(
        1,
        str![],
        str![[r#"
error: cannot read `oci:shop.oci:7`: no image in it has the tag `7`

hint: its tags: 1, 2, latest

"#]],
    );
}

#[test]
fn a_new_platform_is_a_note() {
    let folder = shop(100);
    crate::ci::test_programs::program_for(folder.path(), "shop-arm64", 183);
    let build = |program: &str| {
        let args = ["build", "--no-cache", "--budget-growth", "0%", "-t", "shop:1"];
        coracle_in(folder.path(), args).more_args([program, "--quiet"])
    };
    build("./shop").ends(0, str!["shop:1@sha256:[..]\n"], str![[r#"
warning: no image exists at the destination yet, so `--budget-growth` was not checked; name one with `--previous IMAGE`

"#]]);
    let args = ["build", "--no-cache", "--budget-growth", "0%", "-t", "shop:1", "./shop-arm64"];
    coracle_in(folder.path(), args).ends(
        0,
        str!["shop:1@sha256:[..]\n"],
        str![[r#"
warning: `oci:shop.oci:1` has no image for linux/arm64, so `--budget-growth` was not checked for it
shop:1  linux/arm64  3 files, 5.12 kB → 1.04 kB in 1 layer
  program      5.12 kB →     282 B  sha256:19a6ba6f6aff259e743aceae6f9200e28c5c7e7ee0fbf86473bc4d6ab1ada3e4
  inventory  nothing visible to scanners
  written to oci:shop.oci

"#]],
    );
}

/// Each platform is held to the first destination that has an image for it.
#[test]
fn compares_each_platform_with_the_same_platform() {
    let folder = shop(100);
    crate::ci::test_programs::program_for(folder.path(), "shop-arm64", 183);
    let build = |program: &str, growth: &str, to: &[&str]| {
        let mut run = coracle_in(folder.path(), ["build", "--no-cache", "--quiet", "--summary", "s.md"]);
        run.more([program, "--include", "data:/data", "--budget-growth", growth]);
        to.iter().for_each(|place| run.more(["-o", place]));
        run
    };
    let (a, b) = ("oci:a.oci:1", "oci:b.oci:1");
    build("./shop-arm64", "1%", &[a]).ends(0, str!["shop-arm64:latest@sha256:[..]\n"], str![[r#"
warning: no image exists at the destination yet, so `--budget-growth` was not checked; name one with `--previous IMAGE`

"#]]);
    build("./shop", "1%", &[b]).ends(0, str!["shop:latest@sha256:[..]\n"], str![[r#"
warning: no image exists at the destination yet, so `--budget-growth` was not checked; name one with `--previous IMAGE`

"#]]);
    data(folder.path(), "data", 20_000);
    fs::remove_file(folder.path().join("s.md")).unwrap();
    let mut command = build("./shop", "1%", &[a, b]).command();
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains(" more than `oci:b.oci:1`: over the budget of 1 %"), "{said}");
    let mut command = build("./shop", "100kB", &[a, b]).command();
    assert!(command.stdin(std::process::Stdio::null()).output().unwrap().status.success());
    let summary = fs::read_to_string(folder.path().join("s.md")).unwrap();
    assert!(summary.contains("| platform | size | compared with `oci:b.oci:1` |\n"), "{summary}");
}

#[test]
fn rejects_invalid_budgets() {
    let folder = shop(100);
    for (growth, more) in [("5", []), ("five", [])] {
        coracle_in(folder.path(), BUILD).more_args([growth]).more_args(more).ends(
            2,
            str![],
            str![[r#"
error: `--budget-growth`: `[..]` is neither a percentage nor a size with a unit

hint: write it as in `5%` or `200kB`

"#]],
        );
    }
    let args = ["1%", "--previous", "docker-daemon:shop:1"];
    coracle_in(folder.path(), BUILD).more_args(args).ends(
        2,
        str![],
        str![[r#"
error: `--previous`: cannot compare with `docker-daemon:shop:1`: it must be in an image layout or at a registry

hint: copy it here first: `coracle copy docker-daemon:shop:1 oci:DIR`, then name `oci:DIR`

"#]],
    );
}

#[test]
fn rejects_one_previous_image_for_several_images() {
    let folder = shop(100);
    for name in ["a", "b"] {
        let recipe = format!("[image]\nname = \"{name}:1\"\nprograms = [\"shop\"]\n");
        fs::write(folder.path().join(format!("{name}.toml")), recipe).unwrap();
    }
    let args = ["build", "-f", "a.toml", "-f", "b.toml", "--previous", "oci:a.oci"];
    coracle_in(folder.path(), args).ends(
        2,
        str![],
        str![[r#"
error: `--previous` can't be used when several images are built: each has its own previous image

hint: leave it out to compare each image with the one that it replaces, or build one image at a time

"#]],
    );
}
