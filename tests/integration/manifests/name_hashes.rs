//! The suffix of a map is kustomize's, whatever is in it.

use std::fmt::Write as _;

use coracle_kube::manifests::{ConfigObject, ConfigObjectKind};
use coracle_testing::kubernetes_tools;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

/// Maps that one run of kubectl is given.
const MAPS: usize = 250;

/// Files as a map may have them: keys with every letter, text of every kind, and bytes around the length of a line of base64.
pub(crate) fn files(is_text_free: bool) -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let pieces = prop::sample::select(vec![
        "a", " ", "\n", "\r\n", "\t", ": ", "#", "- ", "---\n", "'", "\"", "\\", "\u{0}", "\u{8}", "\u{c}",
        "\u{1b}", "<", ">", "&", "\u{feff}", "\u{85}", "\u{a0}", "\u{2028}", "\u{2029}", "é", "𝄞", "{{ x }}",
        "|", "%", "yes", "1", "~",
    ]);
    let free = if is_text_free { vec!["\u{7f}", "\u{90}", "\u{ffff}", "\u{fffe}"] } else { vec!["b"] };
    let text = prop::collection::vec(prop_oneof![9 => pieces, 1 => prop::sample::select(free)], 0..12);
    let bytes = prop_oneof![
        5 => text.prop_map(|pieces| pieces.concat().into_bytes()),
        2 => "[ -~\n]{0,200}".prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..160),
        // A byte order mark, followed by bytes that are not text.
        1 => prop::collection::vec(any::<u8>(), 1..9).prop_map(|bytes| [b"\xef\xbb\xbf\xff".to_vec(), bytes].concat()),
    ];
    prop::collection::btree_map("[a-zA-Z][-_.a-zA-Z0-9]{0,9}|[-_.0-9][-_a-zA-Z0-9]{1,9}", bytes, 0..4)
        .prop_map(|files| files.into_iter().collect())
}

/// Whether kustomize can write the text, and takes the key for text; what it fails on, we refuse in its layout.
fn is_fit(files: &[(String, Vec<u8>)]) -> bool {
    let refused = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    let is_text = |key: &str| {
        key.starts_with(|c: char| c.is_ascii_alphabetic()) && !["true", "false", "null"].contains(&key)
    };
    files.iter().all(|(key, bytes)| {
        let is_legal =
            |text: &str| !(text.contains(refused) || text.starts_with('\t') && text.contains('\n'));
        is_text(key) && std::str::from_utf8(bytes).map_or(true, is_legal)
    })
}

#[test]
fn name_suffixes_equal_kustomizes() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (strategy, mut runner) = (files(false), TestRunner::deterministic());
    let (mut generators, mut expected) = ([String::new(), String::new()], Vec::new());
    let mut count = 0;
    while count < MAPS {
        let files = strategy.new_tree(&mut runner).unwrap().current();
        if !is_fit(&files) || files.is_empty() && count > 5 {
            continue;
        }
        let listed: Vec<String> = files.iter().map(|(key, _)| format!("\"{key}=m{count}/{key}\"")).collect();
        std::fs::create_dir(folder.path().join(format!("m{count}"))).unwrap();
        for (key, bytes) in &files {
            std::fs::write(folder.path().join(format!("m{count}/{key}")), bytes).unwrap();
        }
        for (kind, list) in
            [ConfigObjectKind::ConfigMap, ConfigObjectKind::Secret].into_iter().zip(&mut generators)
        {
            writeln!(list, "- name: m{count}\n  files: [{}]", listed.join(", ")).unwrap();
            let map = ConfigObject {
                kind,
                mount: "/etc/x".parse().unwrap(),
                base_name: format!("m{count}"),
                is_immutable: true,
                metadata: json!({}),
                files: files.clone(),
            };
            expected.push(format!("{} {}", kind.as_str(), map.name()));
        }
        count += 1;
    }
    let [maps, secrets] = generators;
    let text = format!("configMapGenerator:\n{maps}secretGenerator:\n{secrets}");
    std::fs::write(folder.path().join("kustomization.yaml"), text).unwrap();
    let printed = kubernetes_tools::output(folder.path(), "kubectl", &["kustomize", "."]);
    let documents = kubernetes_tools::documents(folder.path(), &printed);
    let mut found: Vec<String> = documents
        .iter()
        .map(|object| {
            format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
        })
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found.len(), 2 * MAPS);
    let differing: Vec<_> =
        found.iter().zip(&expected).filter(|(found, expected)| found != expected).collect();
    assert!(differing.is_empty(), "{differing:?}");
}
