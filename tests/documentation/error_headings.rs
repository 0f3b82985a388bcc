//! Every error of the sources has its heading in docs/errors.md, so that whoever searches for its
//! text finds it.
//!
//! A message is found by what stands before it in the sources; in its heading `…` stands for what
//! varies, and there is its first line alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::page;

/// Where messages are: the start of a file's path, the text before them, and where the search ends.
const PLACES: &[(&str, &str, &str)] = &[
    ("", "#[error(", ")]"),
    ("src/cli/", "CliError::usage(", ","),
    ("src/cli/", "CliError::failed(", ","),
    ("src/cli/", "CliError::failed_with_hint(", ","),
    ("src/cli/", "message: ", ","),
    ("src/cli/", "let message =", ";"),
    ("src/cli/", " failure(", ","),
    ("src/cli/", " usage(", ","),
    ("src/cli/", "(usage(", ","),
    ("src/cli/", "Self::failed(", ","),
    ("src/cli/", "with_message(CliExit::Failed, ", ","),
    ("src/recipe/", "let message =", ";"),
    ("src/recipe/", "let (message, hint) = ", ";"),
    ("src/recipe/", ".add_problem(", SECOND),
    ("src/recipe/", ".report(", SECOND),
    ("src/recipe/", ".note(", SECOND),
    ("crates/coracle-ld/src/closure/", "message: format!(", ","),
    ("crates/coracle-ld/src/closure/", "let message =", ";"),
    ("crates/coracle-ld/src/closure/", "problem(", ";"),
    ("crates/coracle-kube/src/manifests/", "Problem::new(", ","),
    ("crates/coracle-kube/src/manifests/", ".problem(", ","),
    ("crates/coracle-kube/src/manifests/", ".problem_here(", ","),
    ("crates/coracle-kube/src/config/", "Problem::new(", ","),
    ("crates/coracle-ld/src/closure/checks/symbols.rs", "|symbol, by| {", ","),
    ("crates/coracle-kube/src/located_problem.rs", "Self::new(", ","),
    ("crates/coracle-scan/src/finding.rs", "let heading = ", ";"),
    ("src/error.rs", "|note: &DependencyNote| ", ";"),
];

/// The message is the second argument.
const SECOND: &str = ",,";

/// Messages that are made from parts and match no pattern above: heading, file, and a part of the message.
const PARTS: &[(&str, &str, &str)] = &[
    (
        "`…` is not a resource of containers",
        "crates/coracle-kube/src/resource_rules.rs",
        "is not a resource of containers",
    ),
    (
        "`…` is not a whole number, and `…` has no fractions",
        "crates/coracle-kube/src/resource_rules.rs",
        "is not a whole number, and `{resource}` has no fractions",
    ),
    (
        "`…` is not a multiple of the page size of `…`",
        "crates/coracle-kube/src/resource_rules.rs",
        "is not a multiple of the page size of",
    ),
    (
        "the request of `…` needs an equal limit: it cannot be overcommitted",
        "crates/coracle-kube/src/resource_rules.rs",
        "needs an equal limit: it cannot be overcommitted",
    ),
    (
        "the request of `…`, `…`, differs from its limit, `…`",
        "crates/coracle-kube/src/resource_rules.rs",
        "differs from its limit",
    ),
    (
        "the request of `…`, `…`, is larger than its limit, `…`",
        "crates/coracle-kube/src/resource_rules.rs",
        "is larger than its limit",
    ),
    (
        "`…` requires a quantity of `cpu` or `memory`, too",
        "crates/coracle-kube/src/resource_rules.rs",
        "requires a quantity of `cpu` or `memory`, too",
    ),
    (
        "the annotation `…` is not a string",
        "crates/coracle-kube/src/manifests/api_rules/metadata_rules.rs",
        "is not a string",
    ),
    ("cannot find `…`, needed by …", "crates/coracle-ld/src/closure/error.rs", "`{}`, needed by {}"),
    ("cannot … `…`", "crates/coracle-core/src/fs/error.rs", "cannot {verb} `{}`"),
    (
        "cannot mount on `…`: Kubernetes allows no `:` in a mount path",
        "crates/coracle-kube/src/config/configuration_problems.rs",
        "Kubernetes allows no `:` in a mount path",
    ),
    (
        "`…`, from …, is not a valid path of a mounted file: …",
        "crates/coracle-kube/src/config/configuration_problems.rs",
        "is not a valid path of a mounted file: {why}",
    ),
    (
        "… and … have the same path `…` in …",
        "crates/coracle-kube/src/config/configuration_problems.rs",
        "have the same path `{shown}` in {mount}",
    ),
    (
        "`…`, from …, is a file, but … needs a folder of that name in …",
        "crates/coracle-kube/src/config/configuration_problems.rs",
        "needs a folder of that name in {mount}",
    ),
    (
        "the mount `…` would hide `…`, from …: a folder of `…` is replaced as a whole",
        "crates/coracle-kube/src/config/configuration_problems.rs",
        "a folder of `{mount}` is replaced as a whole",
    ),
    (
        "`…` is not a valid key of a Secret: …",
        "crates/coracle-kube/src/config/configuration_problems.rs",
        "is not a valid key of a Secret: {why}",
    ),
    (
        "`…` has more than … bytes, the limit for manifests",
        "src/cli/config/check.rs",
        "has more than {MAX_MANIFEST_SIZE} bytes, the limit for manifests",
    ),
];

/// Every message by its heading, with the file that has it.
fn messages() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![page::root().join("src"), page::root().join("crates")];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.strip_prefix(page::root()).unwrap().display().to_string();
        if !name.ends_with(".rs") || name.contains("/tests") || name.starts_with("crates/coracle-testing") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for (_, before, end) in PLACES.iter().filter(|(start, ..)| name.starts_with(start)) {
            for (at, _) in source.match_indices(before) {
                let source = &source[at + before.len()..];
                // The type of a parameter.
                if source.starts_with("String|") {
                    continue;
                }
                let texts =
                    if *end == SECOND { literals(argument(source), ",") } else { literals(source, end) };
                let headings =
                    texts.iter().map(|text| heading(text)).filter(|heading| says_something(heading));
                // An `if` or `match` has several messages; a call may have hints after its message.
                let several = *end == ";" && !before.contains("hint");
                for heading in headings.take(if several { usize::MAX } else { 1 }) {
                    found.entry(heading).or_insert_with(|| name.clone());
                }
            }
        }
    }
    for (heading, file, part) in PARTS {
        let source = fs::read_to_string(page::root().join(file)).unwrap();
        assert!(source.contains(part), "{file} has no `{part}` any more: change `PARTS`");
        found.insert((*heading).to_owned(), (*file).to_owned());
    }
    found
}

/// The texts in quotes of an expression that ends with `end`, outside of brackets that begin in it.
fn literals(source: &str, end: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut rest, mut depth) = (source, 0_i32);
    while let Some(character) = rest.chars().next() {
        if depth == 0 && rest.starts_with(end) || depth < 0 {
            break;
        }
        match character {
            '"' => {
                let (text, after) = literal(&rest[1..]);
                found.push(text);
                rest = after;
                continue;
            }
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            // A character literal is not a bracket.
            '\'' if rest[1..].chars().nth(1) == Some('\'') => rest = &rest[2..],
            _ => {}
        }
        rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
    }
    found
}

/// The text after the first argument, which contains no string.
fn argument(source: &str) -> &str {
    let mut depth = 0_i32;
    let comma = source.find(|character| {
        depth += i32::from("([{".contains(character)) - i32::from(")]}".contains(character));
        depth == 0 && character == ','
    });
    comma.map_or("", |comma| &source[comma + 1..])
}

/// A text up to its closing quote, escapes taken out, and what follows it.
fn literal(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = source.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, &source[at + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => text.push('\n'),
                // The line goes on where the next one has its first word.
                Some((next, '\n')) => {
                    let rest = &source[next..];
                    let spaces = rest.len() - rest.trim_start().len();
                    (1..spaces).for_each(|_| _ = characters.next());
                }
                Some((_, escaped)) => text.push(escaped),
                None => {}
            },
            _ => text.push(character),
        }
    }
    (text, "")
}

/// The first line of a message, with `…` for what varies.
fn heading(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let mut text = String::new();
    let mut depth = 0;
    for character in line.replace("{{", "\u{1}").replace("}}", "\u{2}").chars() {
        match character {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                text.push('…');
            }
            _ if depth == 0 => text.push(character),
            _ => {}
        }
    }
    let text = text.replace('\u{1}', "{").replace('\u{2}', "}");
    ["… …", "……"].iter().fold(text, |text, twice| text.replace(twice, "…")).trim().to_owned()
}

/// Whether somebody could search for it: two words at least.
fn says_something(heading: &str) -> bool {
    let is_word = |word: &&str| word.len() > 1 && word.chars().all(|letter| letter.is_ascii_lowercase());
    heading.split([' ', '`', ',', ':', '…']).filter(is_word).count() >= 2
}

/// The headings of docs/errors.md.
fn headings() -> BTreeSet<String> {
    let path = page::root().join("docs/errors.md");
    let page = if Path::new(&path).exists() { fs::read_to_string(path).unwrap() } else { String::new() };
    page.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect()
}

#[test]
fn every_error_has_a_heading() {
    let (messages, headings) = (messages(), headings());
    let lacking: Vec<String> = messages
        .iter()
        .filter(|(heading, _)| !headings.contains(*heading))
        .map(|(heading, file)| format!("### {heading}    ({file})"))
        .collect();
    assert!(
        lacking.is_empty(),
        "docs/errors.md has no heading for these; say below each what it means and what to do:\n{}",
        lacking.join("\n")
    );
}

#[test]
fn every_heading_is_an_error() {
    let messages = messages();
    let stale: Vec<String> =
        headings().into_iter().filter(|heading| !messages.contains_key(heading)).collect();
    assert!(stale.is_empty(), "no source has these errors of docs/errors.md any more:\n{}", stale.join("\n"));
}

#[test]
fn errors_are_explained() {
    let page = page::text("docs/errors.md");
    for section in page.split("\n### ").skip(1) {
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        // Headings that stand right below each other share what follows.
        let shares = page.contains(&format!("\n### {heading}\n### "));
        let text = text.split("\n## ").next().unwrap_or_default();
        assert!(shares || !text.trim().is_empty(), "`{heading}` is not explained");
    }
}

#[test]
fn messages_become_headings() {
    for (source, end, expected) in [
        (r#""cannot find `{a}` of {}", x)]"#, ")]", "cannot find `…` of …"),
        (r#""{}", lines(.0, "two things are wrong"))]"#, ")]", "two things are wrong"),
        ("format!(\n \"a {b} \\\n    is no {} {}\\n  more\", c), \"hint it is\"", ",", "a … is no …"),
    ] {
        let found = literals(source, end).iter().map(|text| heading(text)).find(|text| says_something(text));
        assert_eq!(found.as_deref(), Some(expected), "{source}");
    }
}
