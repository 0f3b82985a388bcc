//! A Node program with one module.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page {
    path: "docs/node.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle build /usr/bin/node", Check::Prints("in 3 layers")),
        ("umoci unpack", Check::PrintsToRoot("")),
        ("chroot", Check::PrintsToRoot("Hello, ada!")),
    ],
};

fn prepare(runner: &DocRunner) {
    runner
        .file("app/package.json", "{ \"name\": \"app\", \"main\": \"main.js\" }\n")
        .file("app/main.js", "console.log(require(\"greeting\")(process.argv[2]));\n")
        .file("app/node_modules/greeting/index.js", "module.exports = (name) => `Hello, ${name}!`;\n");
}
