//! Every kind of workload in every layout: kubernetes-validate takes it for each version, kubectl
//! and helm take it, and all layouts mean the same.

use std::path::Path;

use coracle_core::json;
use coracle_testing::kubernetes_tools;
use serde_json::{Value, json};

use crate::manifests::config_map_contents::bytes_of;
use crate::manifests::project::{KINDS, Project};

/// Minor versions of Kubernetes whose schemas everything must fit.
const VERSIONS: std::ops::RangeInclusive<u32> = 29..=37;

#[test]
fn every_output_format_is_valid_and_equivalent() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let all = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (kind, ..) in KINDS {
        let project = Project::of(kind);
        let at = project.path();
        let plain = project.printed([]);
        let production = project.printed(["--environment", "production"]);
        project.printed(["--layout", "kustomize", "-o", "deploy"]);
        project.printed(["--layout", "helm", "-o", "chart"]);

        let objects = kubernetes_tools::documents(at, &plain);
        assert!(objects.iter().any(|object| object["kind"] == kind), "{kind}: {plain}");
        for (folder, expected) in
            [("base", &plain), ("overlays/production", &production), ("overlays/test", &plain)]
        {
            let made = kubernetes_tools::output(at, "kubectl", &["kustomize", &format!("deploy/{folder}")]);
            assert_eq!(
                sorted(kubernetes_tools::documents(at, &made)),
                sorted(kubernetes_tools::documents(at, expected)),
                "{kind} {folder}"
            );
        }

        let lint = kubernetes_tools::output(at, "helm", &["lint", "--strict", "chart"]);
        assert!(lint.contains("0 chart(s) failed"), "{lint}");
        let template =
            kubernetes_tools::output(at, "helm", &["template", "shop", "chart", "--namespace", "shops"]);
        check_chart(kind, &objects, &kubernetes_tools::documents(at, &template));

        for (layout, text) in [("plain", &plain), ("chart", &template)] {
            let file = format!("{kind}-{layout}.yaml");
            std::fs::write(all.path().join(&file), text).unwrap();
            files.push(file);
        }
    }
    validate(all.path(), &files);
}

fn validate(folder: &Path, files: &[String]) {
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let versions: Vec<_> = VERSIONS
        .map(|version| {
            let (folder, files) =
                (folder.to_owned(), files.iter().map(|file| (*file).to_owned()).collect::<Vec<_>>());
            std::thread::spawn(move || {
                let version = format!("1.{version}");
                let mut args = vec!["--strict", "--quiet", "-k", &version];
                args.extend(files.iter().map(String::as_str));
                let (is_done, text) = kubernetes_tools::run(&folder, "kubernetes-validate", &args);
                assert!(is_done, "{version}: {text}");
            })
        })
        .collect();
    versions.into_iter().for_each(|version| version.join().unwrap());
}

/// A chart makes the same objects, but for labels and for what only charts have.
fn check_chart(kind: &str, plain: &[Value], chart: &[Value]) {
    let kinds = |objects: &[Value]| {
        let mut kinds: Vec<String> = objects.iter().map(|object| object["kind"].to_string()).collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(chart), kinds(plain), "{kind}");
    for object in plain {
        let same_name = |other: &&Value| {
            (&other["kind"], &other["metadata"]["name"]) == (&object["kind"], &object["metadata"]["name"])
        };
        let other =
            chart.iter().find(same_name).unwrap_or_else(|| panic!("{kind}: no {object} in the chart"));
        if object["kind"] == "ConfigMap" {
            assert_eq!(bytes_of(other), bytes_of(object), "{kind}");
            let is_hashed = object["immutable"] == true;
            assert_eq!(other["immutable"] == true, is_hashed);
            let policy = &other["metadata"]["annotations"]["helm.sh/resource-policy"];
            assert_eq!(policy == "keep", is_hashed, "{kind}: {other}");
        } else {
            assert_eq!(without_labels(other), without_labels(object), "{kind}");
        }
    }
    let workload = chart.iter().find(|object| object["kind"] == kind).unwrap();
    let template =
        workload.pointer("/spec/jobTemplate/spec/template").or_else(|| workload.pointer("/spec/template"));
    if let Some(template) = template {
        let annotations = template["metadata"]["annotations"].as_object().unwrap();
        let sums: Vec<&String> = annotations.keys().filter(|key| key.starts_with("checksum/")).collect();
        assert_eq!(sums, ["checksum/etc-shop"], "{kind}: only what restarts");
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_ne!(annotations["checksum/etc-shop"], nothing, "{kind}: of something");
    }
}

pub(crate) fn without_labels(object: &Value) -> Value {
    let mut object = object.clone();
    strip(&mut object);
    object
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for key in ["labels", "selector", "namespace"] {
                members.remove(key);
            }
            if let Some(annotations) = members.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.retain(|key, _| !key.starts_with("checksum/"));
            }
            // The type that a Service has when nobody says one.
            if members.get("type") == Some(&json!("ClusterIP")) {
                members.remove("type");
            }
            // JSON and YAML of a quantity may be a number or text.
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn charts_validate_their_values() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let project = Project::of("Deployment");
    project.printed(["--layout", "helm", "-o", "chart"]);
    let at = project.path();
    let template = |set: &[&str]| {
        let mut args = vec!["template", "other", "chart"];
        set.iter().for_each(|set| args.extend(["--set", set]));
        kubernetes_tools::run(at, "helm", &args)
    };
    let (is_done, text) = template(&[
        "replicas=null",
        "image.tag=v2",
        "image.digest=",
        "labels.a=b",
        "podLabels.c=d",
        "resources.limits.cpu=2",
        "imagePullSecrets[0].name=mine",
        "service.type=LoadBalancer",
        "fullnameOverride=store",
        "tolerations[0].operator=Exists",
    ]);
    assert!(is_done, "{text}");
    let objects = kubernetes_tools::documents(at, &text);
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let pod = &deployment["spec"]["template"];
    assert_eq!(deployment["metadata"]["name"], "store");
    assert!(deployment["spec"].get("replicas").is_none());
    assert_eq!(pod["spec"]["containers"][0]["image"], "ghcr.io/acme/shop:v2");
    assert_eq!(pod["spec"]["containers"][0]["resources"]["limits"], json!({ "memory": "64Mi", "cpu": 2 }));
    assert_eq!(pod["spec"]["imagePullSecrets"], json!([{ "name": "mine" }]));
    assert_eq!(pod["spec"]["tolerations"], json!([{ "operator": "Exists" }]));
    assert_eq!(
        (&pod["metadata"]["labels"]["a"], &pod["metadata"]["labels"]["c"]),
        (&json!("b"), &json!("d"))
    );
    assert_eq!(pod["metadata"]["annotations"]["example.com/owner"], "{{ someone }}");
    let service = objects.iter().find(|object| object["kind"] == "Service").unwrap();
    assert_eq!(
        (&service["spec"]["type"], &service["metadata"]["labels"]["patched"]),
        (&json!("LoadBalancer"), &json!("yes"))
    );
    let maps: Vec<&str> = objects
        .iter()
        .filter(|object| object["kind"] == "ConfigMap")
        .map(|object| object["metadata"]["name"].as_str().unwrap())
        .collect();
    assert!(
        maps.iter().all(|name| name.starts_with("store-etc-") && text.matches(name).count() > 1),
        "{maps:?}"
    );

    // The digest of another tag is not the chart's.
    let image = |set: &[&str]| {
        let objects = kubernetes_tools::documents(at, &template(set).1);
        let deployment = objects.into_iter().find(|object| object["kind"] == "Deployment").unwrap();
        deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    };
    let digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
    let other = digest.replace('1', "2");
    assert_eq!(image(&[]), format!("ghcr.io/acme/shop:1.2@{digest}"));
    assert_eq!(image(&["image.tag=2.0"]), "ghcr.io/acme/shop:2.0");
    assert_eq!(
        image(&["image.tag=2.0", &format!("image.digest={other}")]),
        format!("ghcr.io/acme/shop:2.0@{other}")
    );
    assert_eq!(
        image(&["image.repository=mirror.example.com/shop"]),
        format!("mirror.example.com/shop:1.2@{digest}")
    );
    // The version follows the content.
    let version = || {
        let text = std::fs::read_to_string(at.join("chart/Chart.yaml")).unwrap();
        text.lines().find(|line| line.starts_with("version: ")).unwrap().to_owned()
    };
    let before = version();
    assert!(before.contains("1.2.0+"), "{before}");
    project.printed(["--layout", "helm", "-o", "chart"]);
    assert_eq!(version(), before);
    project.printed(["--layout", "helm", "-o", "chart", "--set", "name=other"]);
    assert_ne!(version(), before);
    project.printed(["--layout", "helm", "-o", "chart"]);
    let values = std::fs::read_to_string(at.join("chart/values.yaml")).unwrap();
    assert!(
        values.contains("# The number of pods; null to leave it to an autoscaler.\nreplicas: 2\n"),
        "{values}"
    );

    for wrong in [
        "replicas=-1",
        "replica=1",
        "image.digest=sha256:0",
        "service.type=Other",
        "config=x",
        "labels.a[0]=b",
        "labels.app\\.kubernetes\\.io/name=x",
        "podLabels.app\\.kubernetes\\.io/name=x",
        "podLabels.app\\.kubernetes\\.io/instance=x",
    ] {
        let (is_done, text) = template(&[wrong]);
        assert!(!is_done && text.contains("schema"), "{wrong}: {text}");
        let (is_done, text) = kubernetes_tools::run(at, "helm", &["lint", "chart", "--set", wrong]);
        assert!(!is_done && text.contains("schema"), "{wrong}: {text}");
    }
}

/// Duplicate labels are written once, and no value can change the selector of the pods.
#[test]
fn labels_of_a_chart_are_unique_and_select_its_pods() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let project = Project::of("Deployment");
    project.printed(["--layout", "helm", "-o", "chart"]);
    let values = "labels: { team: a, app.kubernetes.io/managed-by: me, app.kubernetes.io/name: x }\n\
        podLabels: { team: b, app.kubernetes.io/version: '2', app.kubernetes.io/instance: x }\n";
    project.write("labels.yaml", values);
    let args = ["template", "7", "chart", "--values", "labels.yaml", "--skip-schema-validation"];
    let text = kubernetes_tools::output(project.path(), "helm", &args);
    let objects = kubernetes_tools::documents(project.path(), &text);
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let selector = json!({ "app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": "7" });
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], selector);
    let labels = |more: Value| {
        let mut labels = selector.as_object().unwrap().clone();
        labels.extend(more.as_object().unwrap().clone());
        Value::Object(labels)
    };
    let pod = json!({
        "app.kubernetes.io/managed-by": "me", "app.kubernetes.io/version": "2", "team": "b",
    });
    assert_eq!(deployment["spec"]["template"]["metadata"]["labels"], labels(pod));
    let workload = json!({
        "app.kubernetes.io/managed-by": "me", "app.kubernetes.io/version": "1.2", "team": "a",
        "helm.sh/chart": deployment["metadata"]["labels"]["helm.sh/chart"],
    });
    assert_eq!(deployment["metadata"]["labels"], labels(workload));
    let count = |label: &str| text.matches(&format!("{label}:")).count();
    assert_eq!(count("app.kubernetes.io/managed-by"), objects.len() + 1, "{text}");
}

/// Documents as a set.
fn sorted(documents: Vec<Value>) -> Vec<String> {
    let text = |value: &Value| String::from_utf8(json::to_bytes(value).unwrap()).unwrap();
    let mut texts: Vec<String> = documents.iter().map(text).collect();
    texts.sort();
    texts
}
