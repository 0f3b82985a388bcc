//! Manual pages, checked and shown by what shows them to everybody.

use std::path::Path;
use std::process::Command;

use coracle_testing::{coracle_in, listing, skipped};
use tempfile::TempDir;

fn pages() -> TempDir {
    let folder = TempDir::new().unwrap();
    let output = coracle_in(folder.path(), ["man", ".", "--date", "2026-01-31"]).command().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    folder
}

#[test]
fn every_command_has_a_page() {
    let folder = pages();
    let help = coracle_in(folder.path(), ["--help"]).command().output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let pages = listing(folder.path());
    let has = |page: &str| pages.contains_key(Path::new(page));
    for command in commands.lines().map(|line| line.split_whitespace().next().unwrap()) {
        assert!(has(&format!("coracle-{command}.1")), "{command}");
    }
    for page in ["coracle.1", "coracle-config-check.1", "cargo-coracle.1", "cargo-coracle-build.1"] {
        assert!(has(page), "{page}");
    }
    assert!(!has("coracle-man.1"));
}

#[test]
fn mandoc_accepts_the_pages() {
    let folder = pages();
    for page in listing(folder.path()).into_keys() {
        let mut lint = Command::new("mandoc");
        lint.args(["-T", "lint", "-W", "warning"]).arg(&page).current_dir(folder.path());
        let Ok(lint) = lint.output() else {
            skipped("mandoc is not installed");
            return;
        };
        assert_eq!(String::from_utf8_lossy(&lint.stdout), "", "{page:?}");
        assert!(lint.status.success(), "{page:?}");
    }
    let mut show = Command::new("mandoc");
    let shown = show.args(["-T", "utf8", "coracle-build.1"]).current_dir(folder.path()).output().unwrap();
    // Bold is written twice, with a step back between.
    let shown = String::from_utf8(shown.stdout).unwrap();
    let mut plain = String::new();
    for c in shown.chars() {
        match c {
            '\u{8}' => plain.truncate(plain.len() - plain.chars().last().map_or(0, char::len_utf8)),
            c => plain.push(c),
        }
    }
    for line in [
        "coracle-build(1)",
        "   --compression <CODEC[:LEVEL]>\n",
        "\n       coracle build ./app -t shop:1.2 --load\n",
        "2026-01-31",
    ] {
        assert!(plain.contains(line), "{line}: {plain}");
    }
}
