//! Every layout makes the same objects, for every name of the image and every patch.

use coracle_testing::kubernetes_tools::{self, documents, output, run};
use coracle_testing::{Coracle, coracle_in};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use tempfile::TempDir;

use crate::manifests::project::Project;
use crate::manifests::workload_kinds::without_labels;

const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// Names of the image, and of images that patches add.
const NAMES: [&str; 5] =
    ["ghcr.io/acme/shop", "shop", "docker.io/library/shop", "localhost:5000/shop", "acme/shop"];

/// Patches of the pod; `IMAGE` is the name of another container's image.
const PATCHES: [&str; 6] = [
    "initContainers: [{ name: migrate, image: 'IMAGE:migrate-7' }]",
    "initContainers: [{ name: migrate, image: 'IMAGE@sha256:2222222222222222222222222222222222222222222222222222222222222222' }]",
    "containers: [{ name: shop, envFrom: [{ configMapRef: { name: shop-config } }] }]",
    "containers: [{ name: shop, env: [{ name: A, valueFrom: { configMapKeyRef: { name: shop-config, key: a.txt } } }] }]",
    "volumes: [{ name: more, projected: { sources: [{ configMap: { name: shop-config } }] } }]",
    "volumes: [{ name: more, image: { reference: 'IMAGE:data' } }]",
];

fn coracle(folder: &TempDir, name: &str, args: &[&str]) -> Coracle {
    let mut run = coracle_in(folder.path(), ["manifests", "-q"]);
    run.more([format!("{name}:1.0@{DIGEST}").as_str()]);
    args.iter().for_each(|arg| run.more([*arg]));
    run
}

/// Returns the kinds and contents of objects, without what is particular to a chart.
pub(crate) fn comparable(objects: Vec<Value>) -> Vec<String> {
    let is_known = |annotation: &str| annotation == "helm.sh/resource-policy";
    let mut texts: Vec<String> = objects
        .iter()
        .map(|object| {
            let mut object = without_labels(object);
            for pointer in ["/metadata/annotations", "/spec/template/metadata/annotations"] {
                let annotations = object.pointer_mut(pointer).and_then(Value::as_object_mut);
                let Some(annotations) = annotations else { continue };
                annotations.retain(|key, _| !is_known(key));
            }
            for pointer in ["/metadata", "/spec/template/metadata"] {
                let metadata = object.pointer_mut(pointer).and_then(Value::as_object_mut);
                metadata.into_iter().for_each(|metadata| {
                    metadata.retain(|_, value| value.as_object().is_none_or(|value| !value.is_empty()));
                });
            }
            object.to_string()
        })
        .collect();
    texts.sort();
    texts
}

#[test]
fn all_layouts_make_the_same_objects() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let strategy = (
        prop::sample::select(NAMES.to_vec()),
        prop::sample::select(NAMES.to_vec()),
        prop::sample::subsequence(PATCHES.to_vec(), 1..4),
    );
    let mut runner = TestRunner::deterministic();
    for _ in 0..12 {
        let (name, other, patches) = strategy.new_tree(&mut runner).unwrap().current();
        let folder = tempfile::tempdir().unwrap();
        let patch: Vec<String> = patches
            .iter()
            .map(|patch| format!("kind: Deployment\nspec: {{ template: {{ spec: {{ {patch} }} }} }}\n"))
            .map(|patch| patch.replace("IMAGE", other))
            .collect();
        std::fs::write(folder.path().join("patch.yaml"), patch.join("---\n")).unwrap();
        std::fs::write(folder.path().join("a.txt"), "a").unwrap();
        let recipe = "[[config]]\nmount = \"/etc/shop\"\ntemplates = [{ from = \"a.txt\", verbatim = true }]\n\
                      [kubernetes]\npatches = [\"patch.yaml\"]\n";
        std::fs::write(folder.path().join("coracle.toml"), recipe).unwrap();
        let text = |args: &[&str]| {
            let output = coracle(&folder, name, args).command().output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let plain = comparable(documents(folder.path(), &text(&[])));
        text(&["--layout", "kustomize", "-o", "deploy"]);
        let made = output(folder.path(), "kubectl", &["kustomize", "deploy/base"]);
        assert_eq!(comparable(documents(folder.path(), &made)), plain, "kustomize {name} {patch:?}");
        text(&["--layout", "helm", "-o", "chart"]);
        let made = output(folder.path(), "helm", &["template", "shop", "chart"]);
        assert_eq!(comparable(documents(folder.path(), &made)), plain, "helm {name} {patch:?}");
    }
}

#[test]
fn a_chart_that_lost_a_file_fails() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let project = Project::of("Deployment");
    project.printed(["--layout", "helm", "-o", "chart"]);
    let chart = project.path().join("chart/files");
    for file in ["etc-shop/logo.bin", "etc-shop/empty.txt", "etc-shop/+base64/mark.txt"] {
        let content = std::fs::read(chart.join(file)).unwrap();
        std::fs::remove_file(chart.join(file)).unwrap();
        let (is_done, text) = run(project.path(), "helm", &["template", "shop", "chart"]);
        assert!(!is_done && text.contains(&format!("the chart has no file files/{file}")), "{text}");
        std::fs::write(chart.join(file), content).unwrap();
    }
}

#[test]
fn every_value_of_a_chart_may_be_null() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let project = Project::of("Deployment");
    project.printed(["--layout", "helm", "-o", "chart"]);
    for value in [
        "labels",
        "podLabels",
        "annotations",
        "podAnnotations",
        "resources",
        "service",
        "service.type",
        "service.annotations",
        "replicas",
        "imagePullSecrets",
        "nodeSelector",
        "affinity",
        "tolerations",
        "fullnameOverride",
        "image.tag",
        "image.digest",
        "image.pullPolicy",
    ] {
        let text =
            output(project.path(), "helm", &["template", "shop", "chart", "--set", &format!("{value}=null")]);
        let objects = documents(project.path(), &text);
        assert!(objects.iter().any(|object| object["kind"] == "Deployment"), "{value}: {text}");
        let service = objects.iter().find(|object| object["kind"] == "Service").unwrap();
        assert!(service["spec"]["type"].is_string(), "{value}: {service}");
        std::fs::write(project.path().join("null.yaml"), format!("{}:\n", value.replace('.', ":\n  ")))
            .unwrap();
        output(project.path(), "helm", &["template", "shop", "chart", "--values", "null.yaml"]);
    }
}

#[test]
fn charts_have_the_limit_of_helm_and_not_that_of_kubectl() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = "[[config]]\nmount = \"/etc/shop\"\ntemplates = [\"a.bin\"]\n";
    std::fs::write(folder.path().join("coracle.toml"), recipe).unwrap();
    for (size, chart_warning) in
        [(300_000, None), (400_000, Some("Helm stores a release in one Secret of 1 MiB"))]
    {
        std::fs::write(folder.path().join("a.bin"), vec![0xff_u8; size]).unwrap();
        let warnings = |args: &[&str]| {
            let output = coracle(&folder, "shop", args).command().output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stderr).unwrap()
        };
        for args in [["--layout", "yaml"].as_slice(), &["--layout", "kustomize", "-o", "deploy"]] {
            let printed = warnings(args);
            assert!(printed.contains("too large for client-side `kubectl apply`"), "{args:?}: {printed}");
        }
        let printed = warnings(&["--layout", "helm", "-o", "chart"]);
        assert!(!printed.contains("kubectl"), "{printed}");
        assert!(chart_warning.is_none_or(|expected| printed.contains(expected)), "{printed}");
        assert_eq!(printed.contains("Helm stores"), chart_warning.is_some(), "{printed}");
    }
}
