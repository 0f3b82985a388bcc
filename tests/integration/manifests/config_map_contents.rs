//! A ConfigMap contains the rendered bytes, as read by PyYAML, kubectl and helm.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_kube::manifests::{ConfigObject, ConfigObjectKind, yaml_writer};
use coracle_testing::kubernetes_tools;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::manifests::name_hashes::files;
use crate::manifests::project::Project;

type Bytes = BTreeMap<String, Vec<u8>>;

/// The bytes of every key of an object.
pub(crate) fn bytes_of(object: &Value) -> Bytes {
    let members = |key: &str| object[key].as_object().cloned().unwrap_or_default();
    let decoded = |text: &Value| {
        let text: String = text.as_str().unwrap().split_whitespace().collect();
        STANDARD.decode(text).unwrap()
    };
    let is_secret = object["kind"] == "Secret";
    let plain =
        |value: &Value| if is_secret { decoded(value) } else { value.as_str().unwrap().as_bytes().to_vec() };
    let data = members("data").into_iter().map(|(key, value)| (key, plain(&value)));
    let binary = members("binaryData").into_iter().map(|(key, value)| (key, decoded(&value)));
    data.chain(binary).collect()
}

fn by_name(documents: &[Value]) -> BTreeMap<String, Bytes> {
    let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
    documents.iter().map(|object| (name(object), bytes_of(object))).collect()
}

/// Whether all of it is the same; the first that is not is told.
#[track_caller]
fn same(found: &BTreeMap<String, Bytes>, expected: &BTreeMap<String, Bytes>) {
    assert!(found.keys().eq(expected.keys()), "{:?}", found.keys());
    for (name, bytes) in expected {
        assert_eq!(&found[name], bytes, "{name}");
    }
}

/// Maps with anything in them, as objects and as what was put in.
fn maps(is_text_free: bool) -> (Vec<Value>, BTreeMap<String, Bytes>) {
    let (strategy, mut runner) = (files(is_text_free), TestRunner::deterministic());
    let (mut objects, mut expected) = (Vec::new(), BTreeMap::new());
    for index in 0..200 {
        let files = strategy.new_tree(&mut runner).unwrap().current();
        let kind = if index % 4 == 0 { ConfigObjectKind::Secret } else { ConfigObjectKind::ConfigMap };
        let base = format!("m{index}");
        expected.insert(format!("\"{}\" \"{base}\"", kind.as_str()), files.iter().cloned().collect());
        let map = ConfigObject {
            kind,
            mount: "/etc/x".parse().unwrap(),
            base_name: base,
            is_immutable: false,
            metadata: json!({}),
            files,
        };
        objects.push(map.to_object());
    }
    (objects, expected)
}

#[test]
fn python_reads_every_text_and_byte() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (objects, expected) = maps(true);
    same(
        &by_name(&kubernetes_tools::documents(folder.path(), &yaml_writer::to_yaml_stream(&objects))),
        &expected,
    );
}

#[test]
fn kubectl_reads_what_it_can_write() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut objects, mut expected) = maps(false);
    let refused = |c: char| matches!(c, '\u{7f}'..='\u{9f}');
    let is_fit = |object: &Value| {
        bytes_of(object).values().all(|bytes| {
            std::str::from_utf8(bytes).map_or(true, |text| !text.contains(refused) && !text.starts_with('\t'))
        })
    };
    objects.retain(is_fit);
    let kept: Vec<String> = by_name(&objects).into_keys().collect();
    assert!(kept.len() > 150);
    expected.retain(|name, _| kept.contains(name));
    std::fs::write(folder.path().join("all.yaml"), yaml_writer::to_yaml_stream(&objects)).unwrap();
    std::fs::write(folder.path().join("kustomization.yaml"), "resources: [all.yaml]\n").unwrap();
    let printed = kubernetes_tools::output(folder.path(), "kubectl", &["kustomize", "."]);
    same(&by_name(&kubernetes_tools::documents(folder.path(), &printed)), &expected);
}

/// The files that `config render` wrote to `out`, by directory and key.
fn rendered(out: &Path, mount: &str) -> Bytes {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    std::fs::read_dir(out.join(mount)).unwrap().map(read).collect()
}

#[test]
fn a_chart_gives_pods_what_config_render_writes() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let project = Project::of("DaemonSet");
    let (strategy, mut runner) = (files(true), TestRunner::deterministic());
    let mut all = Bytes::new();
    for index in 0..60 {
        let some = strategy.new_tree(&mut runner).unwrap().current();
        all.extend(some.into_iter().map(|(key, bytes)| (format!("{index}{key}"), bytes)));
    }
    // Names that contain an escape sequence have other keys.
    all.retain(|key, _| !key.contains("_-") && !key.contains("_."));
    let listed: Vec<String> = all
        .keys()
        .map(|key| format!("{{ from = \"anything/{key}\", path = \"{key}\", verbatim = true }}"))
        .collect();
    for (key, bytes) in &all {
        project.write(&format!("anything/{key}"), bytes);
    }
    project.write(
        "coracle.toml",
        format!("[[config]]\nmount = \"/etc/any\"\ntemplates = [{}]\n", listed.join(", ")),
    );
    let mut render = coracle_testing::coracle_in(project.path(), ["config", "render", "-o", "out"]);
    render.more([]);
    assert!(render.command().output().unwrap().status.success());
    let expected = rendered(&project.path().join("out"), "etc/any");
    assert_eq!(expected, all);

    project.printed(["--layout", "helm", "-o", "chart"]);
    let printed = kubernetes_tools::output(project.path(), "helm", &["template", "shop", "chart"]);
    let documents = kubernetes_tools::documents(project.path(), &printed);
    let map = documents.iter().find(|object| object["kind"] == "ConfigMap").unwrap();
    assert_eq!(bytes_of(map), expected);

    let documents = kubernetes_tools::documents(project.path(), &project.printed([]));
    let map = documents.iter().find(|object| object["kind"] == "ConfigMap").unwrap();
    assert_eq!(bytes_of(map), expected);
}
