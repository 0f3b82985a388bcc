//! The tests that docs/security.md names exist.

use std::path::Path;

use crate::page;

/// Returns the names in the last column of the page's tables of promises.
fn named_tests(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    rows.flat_map(|row| row.trim_end_matches(" |").rsplit(" | ").next().unwrap().split(", "))
        .map(|name| name.trim_matches('`'))
        .collect()
}

fn sources(directory: &Path, found: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_promise_names_tests_that_exist() {
    let page = page::text("docs/security.md");
    let names = named_tests(&page);
    assert!(names.len() > 40, "{names:?}");
    let mut code = String::new();
    ["crates", "src", "tests"].iter().for_each(|folder| sources(&page::root().join(folder), &mut code));
    let missing: Vec<_> = names
        .iter()
        .filter(|name| {
            !code.contains(&format!("#[test]\nfn {name}("))
                && !code.contains(&format!("#[test]\n    fn {name}("))
        })
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
    // A table without tests would not be found.
    let promises = page.lines().filter(|line| *line == "| promise | test |").count();
    assert_eq!(promises, 6);
}
