//! `--metadata-file`, `--dotenv` and `--summary`.

use std::fs;
use std::process::Stdio;

use coracle_testing::coracle_in;
use serde_json::Value;
use snapbox::str;
use tempfile::TempDir;

use crate::ci::test_programs::{data, program};

fn shop() -> TempDir {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "shop");
    data(folder.path(), "data", 10_000);
    data(folder.path(), "config/shop.toml.j2", 0);
    folder
}

const BUILD: [&str; 8] =
    ["build", "./shop", "--no-cache", "--quiet", "-t", "acme/shop:1", "--include", "data:/data"];

const REPORTS: [&str; 6] = ["--metadata-file", "m.json", "--dotenv", "d.env", "--summary", "s.md"];

#[test]
fn reports_an_image_in_three_formats() {
    let folder = shop();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    fs::write(folder.path().join("s.md"), "Before.\n\n").unwrap();
    let mounts = ["--config", "config:/etc/shop", "--secret", "token,tls.key:/run/secrets/shop"];
    coracle_in(folder.path(), BUILD).more_args(REPORTS).more_args(mounts).ends(
        0,
        str!["acme/shop:1@sha256:[..]\n"],
        str![],
    );
    data(folder.path(), "data", 11_000);
    let json = ["--format", "json"];
    let mut command = coracle_in(folder.path(), BUILD).more_args(REPORTS).more_args(json).command();
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(read("m.json"), String::from_utf8(output.stdout).unwrap(), "what stdout has");
    let metadata: Value = serde_json::from_str(&read("m.json")).unwrap();
    let image = &metadata["images"][0];
    assert_eq!(image["previous"]["image"], "oci:shop.oci:1");
    assert_eq!(image["sizes"][0]["platform"], "linux/amd64");
    assert_eq!(image["sizes"][0]["size"], image["size"]);
    let [size, before] = [&image["size"], &image["previous"]["size"]].map(|size| size.as_i64().unwrap());
    assert_eq!(image["previous"]["size_delta"], size - before);
    assert_eq!(image["sizes"][0]["size_delta"], size - before);
    snapbox::assert_data_eq!(
        read("s.md"),
        str![[r#"
Before.

### acme/shop:1

`acme/shop:1@sha256:e44ed600312ba28931e9eac031e39ad5ef343be74a55d0a0dda5c3f9b6114ce8`

| platform | size |
| --- | ---: |
| linux/amd64 | 11.92 kB |

| layer | size | unpacked | media type | digest |
| --- | ---: | ---: | --- | --- |
| data | 10.33 kB | 14.34 kB | `application/vnd.oci.image.layer.v1.tar+gzip` | `sha256:07707673225c17378259361090357594a451b735b1878ef604ea3e172c2652cd` |
| program | 199 B | 5.12 kB | `application/vnd.oci.image.layer.v1.tar+gzip` | `sha256:4b4cb2a8c4086d5c4024dde9f81354bb8ae8f0af21c7be6637ebfab07f354218` |

| mounted at | files |
| --- | --- |
| `/etc/shop` | `shop.toml` |
| `/run/secrets/shop` | `tls.key` (secret), `token` (secret) |

### acme/shop:1

`acme/shop:1@sha256:ded03554eab558bd1c51532402ccf7a5d2f35c199bda8046464c903c3444066e`

| platform | size | compared with `oci:shop.oci:1` |
| --- | ---: | --- |
| linux/amd64 | 12.53 kB | 602 B (5.0 %) more |

| layer | size | unpacked | media type | digest |
| --- | ---: | ---: | --- | --- |
| data | 11.34 kB | 15.36 kB | `application/vnd.oci.image.layer.v1.tar+gzip` | `sha256:52c9f7052bb1c59649923bac55c69230401f36c7642e81aaf6bfdecf1fc10135` |
| program | 133 B | 2.56 kB | `application/vnd.oci.image.layer.v1.tar+gzip` | `sha256:3bf522889d49ed6de861db13cb8d55ca73b6d98791baf4daa2dcce4d9faaf7f1` |


"#]]
    );
    snapbox::assert_data_eq!(
        read("d.env"),
        str![[r#"
CORACLE_REFERENCE=acme/shop:1@sha256:e44ed600312ba28931e9eac031e39ad5ef343be74a55d0a0dda5c3f9b6114ce8
CORACLE_DIGEST=sha256:e44ed600312ba28931e9eac031e39ad5ef343be74a55d0a0dda5c3f9b6114ce8
CORACLE_SIZE=11923
CORACLE_IMAGES=[{"digest":"sha256:e44ed600312ba28931e9eac031e39ad5ef343be74a55d0a0dda5c3f9b6114ce8","reference":"acme/shop:1@sha256:e44ed600312ba28931e9eac031e39ad5ef343be74a55d0a0dda5c3f9b6114ce8","size":11923}]
CORACLE_REFERENCE=acme/shop:1@sha256:ded03554eab558bd1c51532402ccf7a5d2f35c199bda8046464c903c3444066e
CORACLE_DIGEST=sha256:ded03554eab558bd1c51532402ccf7a5d2f35c199bda8046464c903c3444066e
CORACLE_SIZE=12525
CORACLE_IMAGES=[{"digest":"sha256:ded03554eab558bd1c51532402ccf7a5d2f35c199bda8046464c903c3444066e","reference":"acme/shop:1@sha256:ded03554eab558bd1c51532402ccf7a5d2f35c199bda8046464c903c3444066e","size":12525}]

"#]]
    );
    assert_eq!(
        fs::metadata(folder.path().join("m.json")).unwrap().permissions(),
        fs::metadata(folder.path().join("s.md")).unwrap().permissions()
    );
}

#[test]
fn a_failure_has_a_summary_and_no_variables() {
    let folder = shop();
    coracle_in(folder.path(), BUILD).more_args(REPORTS).ends(0, str!["acme/shop:1@sha256:[..]\n"], str![]);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let before = ["m.json", "d.env"].map(read);
    fs::remove_file(folder.path().join("s.md")).unwrap();
    data(folder.path(), "data", 20_000);
    let mut command =
        coracle_in(folder.path(), BUILD).more_args(REPORTS).more_args(["--budget-growth", "1%"]).command();
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(["m.json", "d.env"].map(read), before);
    snapbox::assert_data_eq!(
        read("s.md"),
        str![[r#"
### No image

~~~~~~~~text
error: the image for linux/amd64 has 21.52 kB, 10.00 kB (86.8 %) more than `oci:shop.oci:1`: over the budget of 1 %
  layers for linux/amd64:
     20.33 kB  data
        133 B  program, as before
  growth of files since `oci:shop.oci:1`, before compression:
     10.00 kB  /data  10.00 kB before, included from [..]/data

hint: leave out what is not needed (`--dry-run` lists every file and why it is there), or raise the budget: `--budget-growth`
~~~~~~~~


"#]]
    );
}

/// Who only wants a report is not kept from building by what can't be compared.
#[test]
fn a_damaged_previous_image_is_a_warning() {
    let folder = shop();
    coracle_in(folder.path(), BUILD).ends(0, str!["acme/shop:1@sha256:[..]\n"], str![]);
    let blobs = folder.path().join("shop.oci/blobs/sha256");
    fs::read_dir(&blobs).unwrap().for_each(|blob| fs::remove_file(blob.unwrap().path()).unwrap());
    let growth = ["--budget-growth", "5%"];
    coracle_in(folder.path(), BUILD).more_args(growth).ends(1, str![], str![[r#"
error: cannot read `oci:shop.oci:1`: `sha256:714c0785f8790ed7c2ce21b4a7a9a7c6043ccf89e6b048284e09b84dde72f635` is missing

hint: name another image to compare with: `--previous IMAGE`

"#]]);
    let summary = ["--summary", "s.md"];
    coracle_in(folder.path(), BUILD).more_args(summary).ends(0, str!["acme/shop:1@sha256:[..]\n"], str![[r#"
warning: cannot compare with the image that is replaced: cannot read `oci:shop.oci:1`: `sha256:714c0785f8790ed7c2ce21b4a7a9a7c6043ccf89e6b048284e09b84dde72f635` is missing

"#]]);
}

#[test]
fn reports_unwritable_files_before_building() {
    let folder = shop();
    fs::create_dir(folder.path().join("directory")).unwrap();
    for (args, expected) in [
        (["--metadata-file", "none/m.json"], "error: cannot write `none/m.json`: No such file"),
        (
            ["--metadata-file", "directory"],
            "error: `--metadata-file` needs the path of a file, but `directory` is a directory",
        ),
        (["--dotenv", "none/d.env"], "error: cannot write `none/d.env`"),
        (
            ["--summary", "directory"],
            "error: `--summary` needs the path of a file, but `directory` is a directory",
        ),
    ] {
        let mut command = coracle_in(folder.path(), BUILD).more_args(args).command();
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.starts_with(expected), "{args:?}: {said}");
        assert!(!folder.path().join("shop.oci").exists(), "{args:?}");
    }
    coracle_in(folder.path(), BUILD).more_args(["--dry-run", "--summary", "s.md"]).ends(2, str![], str![[r#"
error: the argument `--dry-run` cannot be used with `--summary <FILE>`

  usage: coracle build --no-cache --quiet --tag <NAME[:TAG]> --include <FROM:TO> --dry-run <PROGRAM[:TO]>... [-- <ARG>...]

hint: `coracle build --help` lists all flags, with examples

"#]]);
    // The JSON of `--dry-run` can be written to a file, too.
    let mut command =
        coracle_in(folder.path(), BUILD).more_args(["--dry-run", "--metadata-file", "m.json"]).command();
    assert!(command.stdin(Stdio::null()).output().unwrap().status.success());
    let plan: Value = serde_json::from_slice(&fs::read(folder.path().join("m.json")).unwrap()).unwrap();
    assert_eq!(plan["images"][0]["layers"][0]["layer_kind"], "data");
    assert!(!folder.path().join("shop.oci").exists());
}

/// Before anything is packed, too.
#[test]
fn every_failure_has_a_summary() {
    let folder = shop();
    fs::create_dir(folder.path().join("m.d")).unwrap();
    for name in ["a", "b"] {
        let recipe = format!("[image]\nname = \"{name}:1\"\nprogram = [\"shop\"]\n");
        fs::write(folder.path().join(format!("{name}.toml")), recipe).unwrap();
    }
    let several = ["-f", "a.toml", "-f", "b.toml"];
    for (args, expected) in [
        (vec!["./shop", "-t", "acme//shop"], vec!["acme//shop"]),
        (vec!["./shop", "--epoch", "now"], vec!["error: `--epoch`: `now` is not a number of seconds"]),
        (vec!["./shop", "--ca-file", "none.pem", "-t", "x.example/shop", "--push"], vec!["none.pem"]),
        (vec!["./none"], vec!["none"]),
        (vec![], vec!["error: nothing to build"]),
        (several.to_vec(), vec!["a.toml", "b.toml"]),
        ([&several[..], &["-t", "shop"]].concat(), vec!["error: PROGRAM, `--tag`, an archive and a name"]),
        (vec!["./shop", "--metadata-file", "none/m.json"], vec!["cannot write `none/m.json`"]),
        (
            vec!["./shop", "--metadata-file", "m.d/m.json", "--include", "m.d:/srv"],
            vec!["which the image includes"],
        ),
    ] {
        let mut command = coracle_in(folder.path(), ["build", "--no-cache", "--summary", "s.md"]).command();
        let output = command.args(&args).stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success(), "{args:?}");
        let summary = fs::read_to_string(folder.path().join("s.md")).unwrap_or_default();
        assert_eq!(summary.matches("### No image\n").count(), expected.len(), "{args:?}: {summary}");
        assert!(expected.iter().all(|part| summary.contains(part)), "{args:?}: {summary}");
        // The same words as on the terminal.
        let said = String::from_utf8(output.stderr).unwrap();
        let first = summary.lines().nth(3).unwrap();
        assert!(said.contains(first), "{args:?}: `{first}` is not in {said}");
        fs::remove_file(folder.path().join("s.md")).unwrap();
    }
}
