//! The example, and a crate `shop` with all that the page names, by the recipe that the page shows.

use super::{Check, PODMAN, Page};
use crate::doc_runner::DocRunner;
use crate::{page, registry_hosts};

pub(super) const PAGE: Page = Page {
    path: "README.md",
    engines: PODMAN,
    prepare,
    checks: &[
        ("cargo build --release -p greeter", Check::Prints("kind: Deployment")),
        ("podman load", Check::Prints("greeter:latest")),
        ("podman run", Check::Serves),
        ("curl ", Check::PrintsToRoot("Hello, ada!")),
        ("coracle init ./app", Check::After(begin)),
        ("coracle build ./app ", Check::After(go_on)),
        ("coracle build ./app --dry-run", Check::Prints("libssl.so.3")),
        // Some program of a machine may lack a library.
        ("coracle deps --format jsonl", Check::Exits(&[0, 4])),
        ("coracle config diff", Check::Prints("port 9000/udp is new")),
        ("coracle manifests --environment production | kubectl", Check::Prints("serverside-applied")),
    ],
};

fn prepare(runner: &DocRunner) {
    example(runner);
    runner.programs(["app"]);
    runner.done("mkdir -p ~/.local/share/bash-completion/completions ~/.zfunc ~/.config/fish/completions");
    recipe(runner);
    roots(runner);
    deployment(runner);
}

/// This project is built already: `.ci/run` runs the line as it stands.
fn example(runner: &DocRunner) {
    let greeter = coracle_testing::built_package("greeter");
    runner.done(&format!("cp -r {}/templates .", page::root().display()));
    super::cargo::targets(runner);
    let script = std::fs::read_to_string(runner.path("../bin/cargo")).unwrap();
    let script = script.trim_start_matches("#!/bin/sh\n");
    runner.tool(
        "cargo",
        &format!(
            "case \"$1 $2\" in\n'run --release') shift 3; exec coracle \"$@\" ;;\n'build --release')\n    mkdir -p \
             target/release; exec cp {} target/release ;;\nesac\n{script}",
            greeter.display()
        ),
    );
    // As a browser on the machine whose port 8080 is the container's.
    runner.tool(
        "curl",
        "exec nsenter --net=/proc/$(podman inspect --latest --format '{{.State.Pid}}')/ns/net /usr/bin/curl -sS \"$@\"",
    );
}

/// The recipe whose parts the page shows, and its files.
fn recipe(runner: &DocRunner) {
    let readme = page::text("README.md");
    let parts = readme.split("\n```toml\n").skip(1).map(|part| part.split("```").next().unwrap());
    runner.file("coracle.toml", parts.collect::<Vec<_>>().join("\n"));
    for (file, text) in [
        ("Cargo.toml", "[package]\nname = \"shop\"\nversion = \"1.2.0\"\nedition = \"2024\"\n"),
        ("src/main.rs", "fn main() {}\n"),
        ("assets/logo.svg", "<svg/>\n"),
        (
            "config/shop.toml.j2",
            "port = {{ port }}\n{% if db is defined %}password = {{ db.password|toml }}{% endif %}\n",
        ),
        ("config/log.yaml", "level: info\n"),
        ("config/values.toml", "port = 1\n"),
        ("config/production.toml", "port = 2\n"),
        (
            "config/schema.json",
            r#"{ "properties": { "port": {}, "db": { "properties": { "password": { "writeOnly": true } } } } }"#,
        ),
        ("password", "hunter22"),
        (
            "patches/deployment.yaml",
            "kind: Deployment\nspec: {template: {spec: {priorityClassName: high}}}\n",
        ),
        ("a.toml", "[image]\nname = \"a\"\nprograms = [\"/usr/bin/env\"]\n"),
        ("b.toml", "[image]\nname = \"b\"\nprograms = [\"/usr/bin/id\"]\n"),
    ] {
        runner.file(file, text);
    }
    runner.done("mkdir -p target/release sysroots; cp app target/release/shop");
}

/// Programs of two machines, by themselves and in roots.
fn roots(runner: &DocRunner) {
    runner.file("hello.c", "int main(void) { return 0; }\n");
    runner.done(
        "gcc -static -s -o app-amd64 hello.c
        for root in rootfs rootfs/amd64 rootfs/arm64; do mkdir -p $root/usr/bin; cp app-amd64 $root/usr/bin/app; done
        if aarch64-linux-gnu-gcc -s -o app-arm64 hello.c; then
            aarch64-linux-gnu-gcc -static -s -o rootfs/arm64/usr/bin/app hello.c
            ln -s /usr/aarch64-linux-gnu sysroots/arm64
        fi",
    );
}

/// `coracle init` wants a folder without a recipe.
fn begin(runner: &DocRunner) {
    runner.done("mkdir kept; mv coracle.toml Cargo.toml config kept");
}

/// From here on the page's own recipe counts.
fn go_on(runner: &DocRunner) {
    runner.done("rm -rf coracle.toml config; mv kept/* .; rmdir kept");
}

/// Images of before and of now, and manifests of the latter.
fn deployment(runner: &DocRunner) {
    runner.done(
        "coracle build -q -o oci:shop.oci
        sed 's/, .9000.udp.//' coracle.toml > old.toml; coracle build -q -f old.toml -o oci:old.oci; rm old.toml
        mkdir -p deploy overlays/prod; coracle manifests > shop.yaml; mv shop.yaml deploy
        cp deploy/shop.yaml overlays/prod; echo 'resources: [shop.yaml]' > overlays/prod/kustomization.yaml",
    );
    if registry_hosts::missing().is_empty() {
        runner.done(
            "coracle build -q app-amd64 -o docker://ghcr.io/acme/shop:1.2-amd64
            if [ -e app-arm64 ]; then
                coracle build -q app-arm64 --sysroot /usr/aarch64-linux-gnu -o docker://ghcr.io/acme/shop:1.2-arm64
            fi",
        );
    }
}
