//! nginx, Redis and PostgreSQL from the recipes in examples/servers, which the page shows.

use super::{Check, PODMAN, Page};
use crate::doc_runner::DocRunner;
use crate::page;

const EXAMPLES: &str = "examples/servers";

pub(super) const PAGE: Page = Page {
    path: "docs/servers.md",
    engines: PODMAN,
    prepare,
    checks: &[
        (
            "coracle build -f nginx",
            Check::Prints("expects    /etc/nginx: conf.d/site.conf, mime.types, nginx.conf"),
        ),
        ("podman load -i nginx", Check::Prints("nginx:1")),
        ("podman run", Check::PrintsToRoot("test is successful")),
        ("coracle manifests -f nginx", Check::Asks("Deployment")),
        ("coracle build -f redis", Check::Prints("expects    /var/lib/redis: writable")),
        ("podman load -i redis", Check::Prints("redis:1")),
        ("podman run", Check::PrintsToRoot("Redis server v=")),
        ("coracle manifests -f redis", Check::Asks("Deployment")),
        ("coracle build -f postgres", Check::Prints("expects    /var/lib/postgresql: writable")),
        ("podman load -i postgres", Check::Prints("postgres:15")),
        ("podman run", Check::Serves),
        ("psql", Check::PrintsToRoot("PostgreSQL 15")),
    ],
};

fn prepare(runner: &DocRunner) {
    runner.done(&format!("cp -r {}/{EXAMPLES}/. .", page::root().display()));
    // Runs in the network namespace of the container, because its port is not published.
    runner.tool(
        "psql",
        "exec nsenter --net=/proc/$(podman inspect --latest --format '{{.State.Pid}}')/ns/net /usr/bin/psql \"$@\"",
    );
}

/// A block is the file whose path ends the text before it.
#[test]
fn blocks_are_the_files_of_the_examples() {
    let text = page::text(PAGE.path);
    let mut shown = Vec::new();
    let mut before = "";
    for (number, part) in text.split("```").enumerate() {
        if number % 2 == 0 {
            before = part;
            continue;
        }
        let (_, block) = part.split_once('\n').unwrap();
        let file =
            before.rsplit('`').nth(1).unwrap_or_else(|| panic!("which file is the block after `{before}`?"));
        assert_eq!(block, page::text(&format!("{EXAMPLES}/{file}")), "{file}");
        shown.push(file);
    }
    assert_eq!(shown.len(), 9, "{shown:?}");
}
