//! nginx with the configuration that the page shows.

use super::{Check, PODMAN, Page};
use crate::doc_runner::DocRunner;
use crate::page;

pub(super) const PAGE: Page = Page {
    path: "docs/distribution.md",
    engines: PODMAN,
    prepare,
    checks: &[
        ("coracle build", Check::Prints("expects    /etc/nginx: mime.types, nginx.conf")),
        ("podman load", Check::Prints("web:latest")),
        ("podman run", Check::PrintsToRoot("test is successful")),
    ],
};

fn prepare(runner: &DocRunner) {
    let text = page::text(PAGE.path);
    let configuration = text.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
    runner
        .file("conf/nginx.conf", configuration)
        .file("conf/mime.types", "types { text/html html; }\n")
        .file("html/index.html", "<p>hello</p>\n");
}
