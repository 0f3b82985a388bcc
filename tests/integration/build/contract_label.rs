//! The contract of an image: its label, directories for its mounts, and
//! the whole contract as an artifact.

use serde_json::{Value, json};
use snapbox::str;

use crate::build::layout::Layout;
use crate::build::project::Project;

/// A project with a program and its configuration.
fn project() -> Project {
    let project = Project::hello(&["-static"]);
    project
        .file("config/shop.toml.j2", "port = {{ port }}\n")
        .file("config/login.env.j2", "PASSWORD={{ password|sh }}\n")
        .file(
            "config/schema.json",
            r#"{"properties":{"port":{"type":"integer","default":80},"password":{"writeOnly":true,"default":"hunter22"}}}"#,
        )
        .file(
            "coracle.toml",
            r#"
[image]
programs = ["hello"]
expose = [80]
publish-contract = "oci:contracts"
[[config]]
mount = "/etc/shop"
templates = ["config/shop.toml.j2", "config/login.env.j2"]
reload = "watch"
[[secret]]
mount = "/run/secrets/shop"
keys = ["token"]
[[state]]
mount = "/var/lib/shop"
[values]
schema = "config/schema.json"
"#,
        );
    project
}

fn label(layout: &Layout) -> Value {
    serde_json::from_str(layout.config()["config"]["Labels"]["io.coracle.config.v1"].as_str().unwrap())
        .unwrap()
}

#[test]
fn the_label_has_the_contract_and_the_image_no_configuration() {
    let project = project();
    let layout = project.built(&[], "hello.oci");
    let mut found = label(&layout);
    assert!(found["schema"].take().as_str().unwrap().starts_with("sha256:"));
    let expected = json!({
        "version": 1,
        "mounts": [
            {"path": "/etc/shop", "reload": "watch", "files": [
                {"key": "login.env", "format": "env", "secret": true, "uses": ["password"]},
                {"key": "shop.toml", "format": "toml", "uses": ["port"]}
            ]},
            {"path": "/run/secrets/shop", "reload": "restart", "files": [{"key": "token", "secret": true}]}
        ],
        "parameters": {"password": {"secret": true}, "port": {"type": "integer"}},
        "schema": null,
        "ports": ["80/tcp"],
        "user": "65532:65532",
        "writable": [{"path": "/var/lib/shop"}]
    });
    assert_eq!(found, expected);
    let entries: Vec<String> = layout.entries().into_iter().flatten().collect();
    for directory in ["/etc/shop/", "/run/secrets/shop/", "/var/lib/shop/"] {
        assert!(entries.contains(&directory.to_owned()), "{entries:?}");
        assert!(
            !entries.iter().any(|entry| entry.starts_with(directory) && entry != directory),
            "{entries:?}"
        );
    }
    assert_eq!(layout.manifest()["layers"].as_array().unwrap().len(), 1);
}

#[test]
fn the_digest_depends_on_the_contract_and_not_on_values() {
    let project = project();
    let before = project.built(&[], "hello.oci").digests();
    project.file("config/shop.toml.j2", "# another text\nport = {{ port }}\n");
    assert_eq!(project.built(&["--set=port=81"], "hello.oci").digests(), before);
    project.file("config/shop.toml.j2", "port = {{ port }}\npassword = {{ password|toml }}\n");
    assert_ne!(project.built(&[], "hello.oci").digests(), before);
}

#[test]
fn the_whole_contract_is_a_referrer() {
    let project = project();
    let image = project.built(&["--tag=shop"], "shop.oci");
    let contracts = project.layout("contracts");
    let index = contracts.index();
    let entry = &index["manifests"][0];
    assert_eq!(entry["artifactType"], "application/vnd.coracle.config-contract.v1+json");
    let manifest = contracts.manifest();
    assert_eq!(manifest["subject"]["digest"], image.index()["manifests"][0]["digest"]);
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
    let document = contracts.document(&manifest["layers"][0]["digest"]);
    assert_eq!(document["contract"], label(&image));
    assert_eq!(document["templates"][1]["text"], "port = {{ port }}\n");
    let text = document.to_string();
    assert!(text.contains("\"default\":80") && !text.contains("hunter22"), "{text}");
    // Built again it is replaced, and beside its image it stays as long as the image does.
    for value in ["a", "b"] {
        project.built(
            &[
                "--tag=shop",
                "--output=oci:both",
                "--publish-contract=oci:both",
                "--label",
                &format!("a={value}"),
            ],
            "both",
        );
        let both = project.layout("both").index();
        assert_eq!(both["manifests"].as_array().unwrap().len(), 2, "{both}");
    }
}

#[test]
fn an_invalid_contract_writes_nothing() {
    let project = project();
    project.file("config/shop.toml.j2", "port = {{ port\n");
    project.coracle(["build"]).ends(
        2,
        str![""],
        str![[r#"
error: `{{` is not closed
   --> config/shop.toml.j2:1

hint: close it, or remove its start

"#]],
    );
    project.coracle(["build", "hello", "--publish-contract=oci-archive:x.tar"]).ends(
        2,
        str![""],
        str![[r#"
error: `--publish-contract`: `oci-archive:x.tar` can't hold an artifact

hint: write a layout: `oci:DIR`

"#]],
    );
    let said = |flag: &str, value: &str| {
        let mut command = project.coracle(["build", "hello", flag, value]).command();
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag} {value}");
        String::from_utf8(output.stderr).unwrap()
    };
    for (flag, value, form, example) in [
        ("--secret", "/run/secrets/app", "KEY[,KEY]:TO", "token,tls.key:/run/secrets/app"),
        ("--secret", "token", "KEY[,KEY]:TO", "token,tls.key:/run/secrets/app"),
        ("--secret", ":/run/secrets/app", "KEY[,KEY]:TO", "token,tls.key:/run/secrets/app"),
        ("--secret", "/run/secrets/app=token", "KEY[,KEY]:TO", "token,tls.key:/run/secrets/app"),
        ("--config", "config", "FOLDER:TO", "config/:/etc/app"),
        ("--config", ":/etc/app", "FOLDER:TO", "config/:/etc/app"),
        ("--config", "/etc/app=config", "FOLDER:TO", "config/:/etc/app"),
        ("--config", "config:etc/app", "FOLDER:TO", "config/:/etc/app"),
    ] {
        let expected = format!(
            "error: `{flag}`: `{value}` is not of the form `{form}`\n\n\
             hint: write it as `{flag} {example}`, with an absolute TO\n"
        );
        assert_eq!(said(flag, value), expected);
    }
    assert!(!project.path("hello.oci").exists() && !project.path("contracts").exists());
}

#[test]
fn problems_of_mounts_name_their_flag() {
    let project = Project::hello(&["-static"]);
    project.file("config/a.toml", "a = 1\n");
    for (flag, value, problem) in [
        (
            "--config",
            "config:/etc/app:ro",
            "cannot mount on `/etc/app:ro`: Kubernetes allows no `:` in a mount path",
        ),
        (
            "--secret",
            "token:/run/a:b",
            "cannot mount on `/run/a:b`: Kubernetes allows no `:` in a mount path",
        ),
        (
            "--state",
            "/var/lib/app:rw",
            "cannot mount on `/var/lib/app:rw`: Kubernetes allows no `:` in a mount path",
        ),
        (
            "--config",
            "config:/proc",
            "cannot mount on `/proc`: the container runtime mounts the kernel's processes there and refuses other mounts",
        ),
        (
            "--secret",
            "token:/proc",
            "cannot mount on `/proc`: the container runtime mounts the kernel's processes there and refuses other mounts",
        ),
        (
            "--state",
            "/proc",
            "cannot mount on `/proc`: the container runtime mounts the kernel's processes there and refuses other mounts",
        ),
    ] {
        let output = project.coracle(["build", "hello", flag, value]).command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with(&format!("error: `{flag}`: {problem}\n\nhint: ")), "{said}");
    }
}

#[test]
fn prints_the_contract_of_the_image() {
    let project = project();
    project.coracle(["build"]).ends(
        0,
        str!["hello:latest@sha256:[..]"],
        str![[r#"
hello:latest  linux/amd64  3 files, [..] in 1 layer
  program  [..]
  inventory  nothing visible to scanners
  expects    /etc/shop: login.env (secret), shop.toml
  expects    /run/secrets/shop: token (secret)
  expects    /var/lib/shop: writable
  written to oci:hello.oci

"#]],
    );
    project.coracle(["config"]).ends(0, str!["..."], str![""]);
}

#[test]
fn finds_a_published_contract() {
    let project = project();
    project.file("values.toml", "port = 81\n").file(
        "deploy.yaml",
        r#"
kind: ConfigMap
apiVersion: v1
metadata: {name: shop}
data: {shop.toml: "port = 80\n"}
---
kind: Pod
apiVersion: v1
metadata: {name: shop}
spec:
  containers:
  - name: shop
    image: shop
    volumeMounts:
    - {name: config, mountPath: /etc/shop}
    - {name: token, mountPath: /run/secrets/shop}
    - {name: state, mountPath: /var/lib/shop}
  volumes:
  - name: config
    projected: {sources: [{configMap: {name: shop}}, {secret: {name: login, items: [{key: login.env, path: login.env}]}}]}
  - {name: token, secret: {secretName: token}}
  - {name: state, emptyDir: {}}
"#,
    );
    project.built(&["--tag=shop", "--compression=zstd"], "shop.oci");
    let check = ["config", "check", "oci:shop.oci", "deploy.yaml", "--values=values.toml"];
    project.coracle(check).ends(
        1,
        str![""],
        str![[r#"
error: `oci:shop.oci` has no whole contract of `oci:shop.oci`

hint: build the image with `--publish-contract oci:DIR` or `docker://NAME`, and pass the same location to `--contract`

"#]],
    );
    let mut there = project.coracle(check);
    there.more(["--contract=oci:contracts"]);
    there.ends(4, str![[r#"
deploy.yaml:5:19: ConfigMap/shop: line 1 of `/etc/shop/shop.toml` is `port = 80`, but the contract renders `port = 81` from these values

"#]], str![[r#"
hint: /etc/shop/login.env: not compared: the file is secret and its values are not given
hint: deploy.yaml:20:70: Pod/shop, container `shop`: cannot check whether the Secret `login` has `login.env`: it is not in these manifests
hint: deploy.yaml:21:40: Pod/shop, container `shop`: cannot check whether the Secret `token` has `token`: it is not in these manifests

"#]]);
    project.built(&["--tag=shop", "--compression=zstd", "--publish-contract=oci:shop.oci"], "shop.oci");
    project.file("values.toml", "port = 80\n");
    project.coracle(check).ends(0, str![""], str![[r#"
hint: /etc/shop/login.env: not compared: the file is secret and its values are not given
hint: deploy.yaml:20:70: Pod/shop, container `shop`: cannot check whether the Secret `login` has `login.env`: it is not in these manifests
hint: deploy.yaml:21:40: Pod/shop, container `shop`: cannot check whether the Secret `token` has `token`: it is not in these manifests
Pod/shop, container `shop` matches the contract of oci:shop.oci

"#]]);
}

#[test]
fn publishes_a_contract_without_a_tag() {
    let project = Project::hello(&["-static"]);
    project.coracle(["build", "hello", "--publish-contract=oci:contracts"]).ends(
        2,
        str![""],
        str![[r#"
error: `--publish-contract`: there is no contract to publish: the image has no configuration

hint: declare it with `--config config/:/etc/app` or `[[config]]`, or do not publish a contract

"#]],
    );
    project.file("config/a", "a\n");
    project
        .coracle(["build", "hello", "--config=config:/etc/a", "--publish-contract=oci:contracts:v1"])
        .ends(
            2,
            str![""],
            str![[r#"
error: `--publish-contract`: `oci:contracts:v1`: a contract is stored without a tag, and found by its image's digest

hint: write `oci:contracts`

"#]],
        );
    project.file(
        "sub/coracle.toml",
        "[image]\nprograms = [\"../hello\"]\npublish-contract = \"oci:contracts:v1\"\n[[state]]\nmount = \"/var/lib/a\"\n",
    );
    project.coracle(["build", "--file=sub/coracle.toml"]).ends(
        2,
        str![""],
        str![[r#"
error: `oci:contracts:v1`: a contract is stored without a tag, and found by its image's digest
   --> sub/coracle.toml:3:20
  3 | publish-contract = "oci:contracts:v1"
    |                    ^^^^^^^^^^^^^^^^^^

hint: write `oci:contracts`

"#]],
    );
    project.file("coracle.toml", "[image]\nprograms = [\"hello\"]\npublish-contract = \"oci:contracts\"\n");
    project.coracle(["build"]).ends(
        2,
        str![""],
        str![[r#"
error: there is no contract to publish: the image has no configuration
   --> coracle.toml:3:20
  3 | publish-contract = "oci:contracts"
    |                    ^^^^^^^^^^^^^^^

hint: declare it with `--config config/:/etc/app` or `[[config]]`, or do not publish a contract

"#]],
    );
}

#[test]
fn rejects_a_contract_too_large_for_a_label() {
    let project = Project::hello(&["-static"]);
    for number in 0..200 {
        project.file(&format!("config/a-file-of-the-program-{number}"), "a\n");
    }
    project.coracle(["build", "hello", "--config=config:/etc/a"]).ends(2, str![""], str![[r#"
error: the contract is too large for an image label: 7267 bytes, at most 3500 are allowed

hint: the label lists every mount, file, variable and writable directory: shorten their names, or merge several files into one

"#]]);
}
