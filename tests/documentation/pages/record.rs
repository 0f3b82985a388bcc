//! A program that opens data, starts another program and writes a file.

use super::{NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page { path: "docs/record.md", engines: NONE, prepare, checks: &[] };

const SOURCE: &str = r#"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    if (!fopen("prices.csv", "r") || !readdir(opendir("pages"))) return 1;
    fclose(fopen("state/orders", "a"));
    fopen("shop.toml", "r");
    return system("sort prices.csv");
}
"#;

fn prepare(runner: &DocRunner) {
    runner.file("shop.c", SOURCE).done("gcc -O1 -s -o shop shop.c; rm shop.c");
    runner.file("prices.csv", "bread,3\napple,1\n").file("shop.toml", "currency = \"EUR\"\n");
    runner.file("pages/index.html", "<p>shop</p>\n").file("state/.keep", "");
    runner.file(
        "coracle.toml",
        "[image]\nname = \"shop\"\nprograms = [\"shop\"]\nworking-dir = \"/srv/shop\"\n",
    );
}
