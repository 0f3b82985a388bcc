//! A Node script with a module of its own and a package, and a program in a directory.

use super::{Check, PODMAN, Page};
use crate::doc_runner::DocRunner;
use crate::page;

pub(super) const PAGE: Page = Page {
    path: "docs/node.md",
    engines: PODMAN,
    prepare,
    checks: &[
        ("coracle build hello.js", Check::Prints("hello:latest@sha256:")),
        ("podman load", Check::Prints("hello:latest")),
        ("podman run", Check::PrintsToRoot("Hello, ada! 1970")),
        ("coracle build /usr/bin/node", Check::Prints("in 3 layers")),
    ],
};

const GREETING: &str = "module.exports = (name) => `Hello, ${name}!`;\n";

fn prepare(runner: &DocRunner) {
    let text = page::text(PAGE.path);
    let script = text.split("```js\n").nth(1).unwrap().split("```").next().unwrap();
    runner
        .file("hello.js", script)
        .file("lib/clock.js", "exports.year = (time) => new Date(time).getFullYear();\n")
        .file("node_modules/greeting/index.js", GREETING)
        .file("package.json", "{ \"dependencies\": { \"greeting\": \"1.0.0\" } }\n")
        .file("app/main.js", "console.log(require(\"greeting\")(process.argv[2]));\n")
        .file("app/node_modules/greeting/index.js", GREETING)
        .done("chmod +x hello.js");
}

#[test]
fn the_recipe_is_that_of_the_example() {
    let text = page::text(PAGE.path);
    let recipe = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(recipe, page::text("examples/servers/express/coracle.toml"));
}
