//! A program, a folder with its configuration, a secret, and the recipe that the page shows.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;
use crate::page;

pub(super) const PAGE: Page = Page {
    path: "docs/configuration.md",
    engines: NONE,
    prepare,
    checks: &[("coracle build ./shop", Check::Prints("expects    /run/secrets/shop: token (secret)"))],
};

fn prepare(runner: &DocRunner) {
    let text = page::text(PAGE.path);
    let (_, recipe) = text.split_once("```toml\n[[config]]").unwrap();
    let recipe = recipe.split("```").next().unwrap();
    runner
        .programs(["shop"])
        .file("coracle.toml", format!("[image]\nname = \"shop\"\nprograms = [\"shop\"]\n\n[[config]]{recipe}"))
        .file(
            "config/shop.toml.j2",
            "port = {{ port }}\n{% if db is defined %}password = {{ db.password|toml }}{% endif %}\n",
        )
        .file("config/log.yaml", "level: info\n")
        .file("config/values.toml", "port = 1\n")
        .file("config/production.toml", "port = 2\n")
        .file(
            "config/schema.json",
            r#"{ "properties": { "port": {}, "db": { "properties": { "password": { "writeOnly": true } } } } }"#,
        )
        .file("password", "hunter22");
}
