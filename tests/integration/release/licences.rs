//! Licences of all dependencies, as `cargo metadata` knows them, held to the list in deny.toml.
//! `cargo deny` reads their texts, too; this needs nothing but cargo.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::release::run;

/// Whether a licence expression can be met with what is allowed: alternatives of what has to be met together, SPDX's or, as
/// older crates write it, with `/`.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let text = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut rest = words.as_slice();
    let met = any(&mut rest, allowed);
    assert!(rest.is_empty(), "{expression}: {rest:?} is left");
    met
}

fn any(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut met = all(words, allowed);
    while words.first() == Some(&"OR") {
        *words = &words[1..];
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, allowed);
    while words.first() == Some(&"AND") {
        *words = &words[1..];
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let (first, rest) = words.split_first().expect("a licence");
    *words = rest;
    if *first == "(" {
        let met = any(words, allowed);
        assert_eq!(words.first(), Some(&")"));
        *words = &words[1..];
        return met;
    }
    let mut licence = (*first).to_owned();
    if let ["WITH", exception, rest @ ..] = *words {
        licence = format!("{licence} WITH {exception}");
        *words = rest;
    }
    allowed.contains(&licence)
}

fn allowed() -> BTreeSet<String> {
    let deny: toml::Table = toml::from_str(&fs::read_to_string("deny.toml").unwrap()).unwrap();
    let list = deny["licenses"]["allow"].as_array().unwrap();
    list.iter().map(|licence| licence.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let host = run("rustc", &["-vV"]);
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = [
        "metadata",
        "--format-version=1",
        "--locked",
        "--offline",
        "--all-features",
        "--filter-platform",
        host,
    ];
    let metadata: Value = serde_json::from_str(&run("cargo", &metadata)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let allowed = allowed();
    let wrong: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(|licence| is_met(licence, &allowed)))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(wrong.is_empty(), "neither known nor allowed in deny.toml:\n{}", wrong.join("\n"));
    assert!(packages.len() > 100, "{}", packages.len());
}

#[test]
fn parses_licence_expressions() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(String::from).into();
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only AND MIT", false),
        ("(GPL-3.0-only OR ISC) AND MIT", true),
        ("GPL-3.0-only OR Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("MIT AND Apache-2.0 OR GPL-3.0-only", false),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression}");
    }
}
