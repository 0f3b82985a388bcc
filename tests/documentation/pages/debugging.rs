//! A pod of a cluster, a container of podman's, and a bundle of umoci's.

use super::{Check, PODMAN, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page { path: "docs/debugging.md", engines: PODMAN, prepare, checks: CHECKS };

const CHECKS: &[(&str, Check)] = &[
    ("kubectl debug", Check::Asks(RESTRICTED)),
    ("ls -l /proc/1/root/", Check::Prints("shop.toml")),
    ("cat /proc/1/root/", Check::Prints("port = 1")),
    ("ls -l /proc/1/fd", Check::Prints(" -> ")),
    ("echo ", Check::Prints("")),
    ("kubectl debug", Check::Asks(AS_THE_PROGRAM)),
    ("kubectl get configmap", Check::Asks("configmaps?labelSelector=app.kubernetes.io%2Fname%3DNAME&")),
    ("kubectl describe pod", Check::Prints("Volumes:")),
    ("coracle build --load", Check::Prints("loaded as  containers-storage:shop:latest: ")),
    ("coracle config render", Check::Prints("out/etc/shop/db.conf")),
    // The program's messages about the two files that it reads there.
    ("podman run", Check::PrintsToRoot("*/etc/shop/shop.toml\n")),
    ("coracle build --dry-run", Check::Prints("/app/shop")),
    ("coracle deps", Check::Prints("libssl.so.3")),
    ("coracle build ./app", Check::Prints("app:latest@sha256:")),
    ("umoci unpack", Check::PrintsToRoot("")),
    ("strace", Check::PrintsToRoot("libssl.so.3\", O_RDONLY|O_CLOEXEC) = 3")),
];

/// A container that a restricted namespace takes, beside the processes of the program's.
const RESTRICTED: &str = r#""securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},"stdin":true,"targetContainerName":"CONTAINER""#;
/// The same as the program's own user.
const AS_THE_PROGRAM: &str = r#""securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"runAsGroup":65532,"runAsNonRoot":true,"runAsUser":65532,"seccompProfile":{"type":"RuntimeDefault"}},"stdin":true,"targetContainerName":"CONTAINER""#;

const RECIPE: &str = r#"
[image]
name = "shop"
programs = ["shop"]
args = ["dgst", "-r", "/etc/shop/shop.toml", "/etc/shop/db.conf"]

[[config]]
mount = "/etc/shop"
templates = ["config/shop.toml.j2", "config/db.conf.j2"]

[values]
schema = "config/schema.json"
files = ["config/values.toml"]

[environments.production]
values = ["config/values.toml"]
"#;

const SCHEMA: &str = r#"{ "properties": {
    "port": {}, "db": { "properties": { "password": { "type": "string", "writeOnly": true } } } } }"#;

/// A process of this machine takes the place of process 1 of a container, and `seen` is its view.
fn prepare(runner: &DocRunner) {
    runner.programs(["shop", "app"]);
    for (file, text) in [
        ("coracle.toml", RECIPE),
        ("config/schema.json", SCHEMA),
        ("config/shop.toml.j2", "port = {{ port }}\n"),
        ("config/db.conf.j2", "{{ db.password }}\n"),
        ("config/values.toml", "port = 1\n"),
        ("seen/etc/shop/shop.toml", "port = 1\n"),
        ("password", "hunter22"),
    ] {
        runner.file(file, text);
    }
    runner.word(
        "/proc/1/root/",
        format!("/proc/self/root{}/seen/", runner.path("").display().to_string().trim_end_matches('/')),
    );
    runner.word("/proc/1/", "/proc/self/");
    // Root has no user namespace to keep.
    runner.word("--userns=keep-id ", "");
}
