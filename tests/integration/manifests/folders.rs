//! Folders in a mount: keys made from paths, and `items` that put them back, in every layout.

use std::fs;
use std::path::Path;

use coracle_testing::coracle_in;
use coracle_testing::kubernetes_tools::{self, documents, output};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::contract::test_image;
use crate::manifests::layouts::comparable;

const RECIPE: &str = r#"
[image]
name = "ghcr.io/acme/web:1.0"
programs = ["PROGRAM"]

[[config]]
mount = "/etc/web"
reload = "watch"
templates = [
    { from = "nginx", path = "." },
    { from = "nginx/nginx.conf", path = "main.d/a b=ü.conf", verbatim = true },
    "more",
]

[[config]]
mount = "/etc/web/snippets"
templates = ["tls.conf"]

[[secret]]
mount = "/etc/web"
name = "tls"
keys = [{ key = "tls.key", path = "tls/server.key" }, "token"]

[[state]]
mount = "/etc/web/cache/now"

[[variable]]
name = "MOTD"
from = "/etc/web/conf.d/motd"

[values]
schema = "schema.json"
files = ["nginx/values.toml"]

[environments.production]
values = ["nginx/production.toml"]
"#;

const SCHEMA: &str =
    r#"{ "properties": { "host": {}, "password": { "type": "string", "writeOnly": true } } }"#;

/// Every file of the mount `/etc/web` that is public, and its key.
const FILES: [(&str, &str, &[u8]); 6] = [
    ("conf.d/deep/x.bin", "conf.d_-deep_-x.bin", &[0xff, 0]),
    ("conf.d/motd", "conf.d_-motd", b"hi\n"),
    ("conf.d/site.conf", "conf.d_-site.conf", b"server_name example.com;# part\n"),
    ("main.d/a b=ü.conf", "main.d_-a_.20b_.3D_.C3_.BC.conf", b"include conf.d/*.conf;\n"),
    ("more/conf.d_-site.conf", "more_-conf.d_.5F-site.conf", b"\xef\xbb\xbfmark\n"),
    ("nginx.conf", "nginx.conf", b"include conf.d/*.conf;\n"),
];

fn project() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let program = test_image::shop().join("app");
    for (name, bytes) in [
        ("coracle.toml", RECIPE.replace("PROGRAM", program.to_str().unwrap()).as_bytes()),
        ("schema.json", SCHEMA.as_bytes()),
        ("nginx/values.toml", b"host = \"example.com\"\n"),
        ("nginx/production.toml", b"host = \"example.org\"\n"),
        ("nginx/nginx.conf", b"include conf.d/*.conf;\n"),
        ("nginx/conf.d/site.conf.j2", b"server_name {{ host }};{% include 'parts/part.j2' %}\n"),
        ("nginx/conf.d/parts/part.j2", b"# part"),
        ("nginx/conf.d/motd", b"hi\n"),
        ("nginx/conf.d/login.conf.j2", b"{{ password }}\n"),
        ("nginx/conf.d/deep/x.bin", &[0xff, 0]),
        ("more/conf.d_-site.conf", b"\xef\xbb\xbfmark\n"),
        ("tls.conf", b"tls\n"),
        ("password", b"s3cret"),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

#[track_caller]
fn succeed(folder: &Path, args: &[&str]) -> (String, String) {
    let mut coracle = coracle_in(folder, []);
    args.iter().for_each(|arg| coracle.more([*arg]));
    let output = coracle.command().output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    assert!(output.status.success(), "{args:?}: {}", text(output.stderr));
    (text(output.stdout), text(output.stderr))
}

fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is_wanted = |object: &&Value| {
        object["kind"] == kind && object["metadata"]["name"].as_str().unwrap().starts_with(name)
    };
    objects.iter().find(is_wanted).unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[test]
fn volumes_put_keys_at_their_paths() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let folder = project();
    let (printed, messages) = succeed(folder.path(), &["manifests"]);
    let objects = documents(folder.path(), &printed);
    let config_map = object(&objects, "ConfigMap", "web-etc-web");
    let keys: Vec<&String> = ["data", "binaryData"]
        .iter()
        .flat_map(|part| config_map[*part].as_object().unwrap().keys())
        .collect();
    let mut expected: Vec<&str> = FILES.iter().map(|(_, key, _)| *key).collect();
    expected.sort_by_key(|key| *key == "conf.d_-deep_-x.bin");
    assert_eq!(keys, expected);

    let pod = &object(&objects, "Deployment", "web")["spec"]["template"]["spec"];
    let items: Vec<Value> = FILES.iter().map(|(path, key, _)| json!({ "key": key, "path": path })).collect();
    assert_eq!(
        pod["volumes"][0]["projected"]["sources"],
        json!([
            { "configMap": { "name": "web-etc-web", "items": items } },
            { "secret": {
                "name": "web-etc-web",
                "items": [{ "key": "conf.d_-login.conf", "path": "conf.d/login.conf", "mode": 0o440 }],
            } },
            { "secret": { "name": "tls", "items": [
                { "key": "tls.key", "path": "tls/server.key", "mode": 0o440 },
                { "key": "token", "path": "token", "mode": 0o440 },
            ] } },
        ])
    );
    // A map without folders has no items.
    assert_eq!(pod["volumes"][1]["configMap"].as_object().unwrap().len(), 1);
    let reference = &pod["containers"][0]["env"][0]["valueFrom"]["configMapKeyRef"];
    assert_eq!(reference["key"], "conf.d_-motd");
    let command = "kubectl create secret generic web-etc-web \
                   --from-file=conf.d_-login.conf=out/etc/web/conf.d/login.conf";
    assert!(messages.contains(command), "{messages}");
}

#[test]
fn every_layout_has_the_same_folders() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let folder = project();
    let at = folder.path();
    succeed(at, &["manifests", "-q", "--layout", "kustomize", "-o", "deploy"]);
    succeed(at, &["manifests", "-q", "--layout", "helm", "-o", "chart"]);
    let plain = succeed(at, &["manifests", "-q"]).0;
    let expected = comparable(documents(at, &plain));
    let base = output(at, "kubectl", &["kustomize", "deploy/base"]);
    assert_eq!(comparable(documents(at, &base)), expected);
    let chart = output(at, "helm", &["template", "web", "chart"]);
    assert_eq!(comparable(documents(at, &chart)), expected);
    let overlay = output(at, "kubectl", &["kustomize", "deploy/overlays/production"]);
    let production = succeed(at, &["manifests", "-q", "--environment", "production"]).0;
    assert_eq!(comparable(documents(at, &overlay)), comparable(documents(at, &production)));
    assert!(production.contains("server_name example.org;"), "{production}");
    fs::write(at.join("plain.yaml"), plain).unwrap();
    output(at, "kubernetes-validate", &["--strict", "--quiet", "plain.yaml"]);
}

#[test]
fn render_check_and_contract_know_folders() {
    let folder = project();
    let at = folder.path();
    succeed(at, &["config", "render", "-q", "--set-file", "password=password", "-o", "out"]);
    for (path, _, bytes) in FILES {
        assert_eq!(fs::read(at.join("out/etc/web").join(path)).unwrap(), bytes, "{path}");
    }
    assert_eq!(fs::read(at.join("out/etc/web/conf.d/login.conf")).unwrap(), b"s3cret\n");
    assert!(!at.join("out/etc/web/conf.d/parts").exists());
    // A folder that was a file before.
    fs::remove_file(at.join("nginx/conf.d/motd")).unwrap();
    fs::create_dir(at.join("nginx/conf.d/motd")).unwrap();
    fs::write(at.join("nginx/conf.d/motd/a"), "a").unwrap();
    succeed(at, &["config", "render", "-q", "--set-file", "password=password", "-o", "out"]);
    assert!(at.join("out/etc/web/conf.d/motd/a").exists());
    fs::remove_dir_all(at.join("nginx/conf.d/motd")).unwrap();
    fs::write(at.join("nginx/conf.d/motd"), "hi\n").unwrap();

    succeed(at, &["build", "-q", "-o", "oci:web.oci", "--publish-contract", "oci:web.oci"]);
    let (shown, _) = succeed(at, &["config", "show", "oci:web.oci"]);
    assert!(shown.contains("  conf.d/site.conf  uses host\n"), "{shown}");
    assert!(shown.contains("  tls/server.key  secret\n"), "{shown}");
    let (printed, _) = succeed(at, &["manifests", "-q"]);
    fs::write(at.join("web.yaml"), &printed).unwrap();
    let values = ["--values", "nginx/values.toml"];
    succeed(at, &[["config", "check", "oci:web.oci", "web.yaml"].as_slice(), &values].concat());
    let item = "              - key: conf.d_-site.conf\n                path: conf.d/site.conf\n";
    assert!(printed.contains(item), "{printed}");
    for (changed, expected) in [
        (
            printed.replace(item, ""),
            "`/etc/web/conf.d/site.conf` is missing: the volume at `/etc/web` has no such file",
        ),
        (
            printed.replace("server_name example.com", "server_name b"),
            "line 1 of `/etc/web/conf.d/site.conf` is `server_name b",
        ),
        (
            printed.replace("mountPath: /etc/web/cache/now", "mountPath: /etc/web/conf.d/now"),
            "`/etc/web/conf.d/site.conf` is missing: the mount at `/etc/web/conf.d/now` replaces a folder of the volume at `/etc/web` as a whole",
        ),
    ] {
        fs::write(at.join("changed.yaml"), changed).unwrap();
        let mut check = coracle_in(at, ["config", "check", "oci:web.oci", "changed.yaml"]);
        check.more(values);
        let output = check.command().output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(4) && text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_folder_given_by_a_flag_is_mounted_with_its_folders() {
    let folder = project();
    let (printed, _) = succeed(
        folder.path(),
        &[
            "config",
            "render",
            "--config",
            "nginx:/etc/web",
            "--set-file",
            "password=password",
            "--set",
            "host=h",
        ],
    );
    let paths: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("==> ")).collect();
    assert_eq!(
        paths,
        [
            "/etc/web/conf.d/deep/x.bin",
            "/etc/web/conf.d/login.conf",
            "/etc/web/conf.d/motd",
            "/etc/web/conf.d/site.conf",
            "/etc/web/nginx.conf",
            "/etc/web/production.toml",
        ]
    );
}

#[test]
fn files_that_an_inner_mount_would_hide_are_an_error() {
    let folder = project();
    let recipe = fs::read_to_string(folder.path().join("coracle.toml")).unwrap();
    for (from, to, expected) in [
        (
            "\"/etc/web/snippets\"",
            "\"/etc/web/conf.d\"",
            "the mount `/etc/web/conf.d` would hide `/etc/web/conf.d/",
        ),
        (
            "\"/etc/web/cache/now\"",
            "\"/etc/web/tls/now\"",
            "would hide `/etc/web/tls/server.key`, from the Secret `tls`",
        ),
        ("path = \"tls/server.key\"", "path = \"conf.d\"", "`conf.d`, from the Secret `tls`, is a file, but"),
        ("path = \"tls/server.key\"", "path = \"nginx.conf\"", "have the same path `nginx.conf` in /etc/web"),
        ("path = \"main.d/a b=ü.conf\"", "path = \"main.d/../a\"", "it has an empty part, `.` or `..`"),
    ] {
        assert!(recipe.contains(from));
        fs::write(folder.path().join("coracle.toml"), recipe.replace(from, to)).unwrap();
        let output = coracle_in(folder.path(), ["config", "render"]).command().output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && text.contains(expected), "{expected}: {text}");
    }
}
