//! A recipe with configuration for an environment and a secret, and the sections that the page shows.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;
use crate::page;

pub(super) const PAGE: Page = Page {
    path: "docs/manifests.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle manifests | kubectl apply", Check::Prints("deployment.apps/shop serverside-applied")),
        ("kubectl create secret", Check::Asks("POST /api/v1/namespaces/default/secrets")),
        ("kubectl get configmap", Check::Asks("configmaps?labelSelector=app.kubernetes.io%2Fname%3Dshop&")),
    ],
};

const RECIPE: &str = r#"
[image]
name = "ghcr.io/acme/shop"
programs = ["shop"]
expose = ["8080"]

[[config]]
mount = "/etc/shop"
templates = ["config/shop.toml.j2", "config/login.env.j2"]

[values]
schema = "config/schema.json"
files = ["config/values.toml"]

[environments.production]
values = ["config/values.toml"]
"#;

const SCHEMA: &str = r#"{ "properties": {
    "port": {}, "db": { "properties": { "password": { "type": "string", "writeOnly": true } } } } }"#;

fn prepare(runner: &DocRunner) {
    let text = page::text(PAGE.path);
    let more = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let patch = "kind: Deployment\nspec: {template: {spec: {priorityClassName: high}}}\n";
    runner
        .programs(["shop"])
        .file("coracle.toml", format!("{RECIPE}\n{more}"))
        .file("patches/deployment.yaml", patch)
        .file("config/schema.json", SCHEMA)
        .file("config/shop.toml.j2", "port = {{ port }}\n")
        .file("config/login.env.j2", "PASSWORD={{ db.password|sh }}\n")
        .file("config/values.toml", "port = 1\n")
        .file("password", "hunter22");
    let digest = runner.done("coracle build -q -o oci:there.oci; rm -r there.oci");
    runner.word("sha256:…", digest.split_once('@').unwrap().1);
    if crate::registry_hosts::missing().is_empty() {
        runner.done("coracle build -q -o docker://ghcr.io/acme/shop:1.2");
    }
}
