//! A program that asks a native module.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;
use crate::page;

pub(super) const PAGE: Page = Page {
    path: "docs/python.md",
    engines: NONE,
    prepare,
    checks: &[
        ("coracle build", Check::Prints("MB in 3 layers")),
        ("umoci unpack", Check::PrintsToRoot("")),
        ("chroot", Check::PrintsToRoot("{\"sqlite\": \"3.40.1\"}")),
        ("coracle build --exclude", Check::Prints("MB in 3 layers")),
    ],
};

const APP: &str = r#"import json
import sqlite3

version = sqlite3.connect(":memory:").execute("select sqlite_version()").fetchone()[0]
print(json.dumps({"sqlite": version}))
"#;

fn prepare(runner: &DocRunner) {
    let text = page::text(PAGE.path);
    let recipe = text.split("```toml\n").nth(1).and_then(|block| block.split("```").next());
    runner.file("app.py", APP).file("coracle.toml", recipe.unwrap());
}
