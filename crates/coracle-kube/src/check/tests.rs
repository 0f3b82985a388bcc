//! Cases that the image of the tests with the binary does not cover.

use super::*;

/// Returns the findings for a pod with this container and these further fields.
fn found(contract: &str, user: Option<&str>, container: &str, pod: &str) -> Vec<String> {
    let contract = Contract::parse(&format!(r#"{{"version":1,{contract}}}"#)).unwrap();
    let text = format!(
        "kind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, {container}}}], {pod}}}\n"
    );
    let inputs = [ManifestFile { name: "p.yaml".into(), text }];
    let expected = Expectations {
        contract: &contract,
        image_files: None,
        user,
        digests: Vec::new(),
        names: Vec::new(),
        container_name: None,
        contract_document: None,
    };
    let report = check_manifests(&inputs, &expected);
    report.findings.iter().map(|finding| format!("{} {}", finding.rule, finding.message)).collect()
}

#[test]
fn reports_storage_that_is_not_persistent_or_writable() {
    let contract = r#""writable":[{"path":"/data","persistent":true}]"#;
    let mount = "volumeMounts: [{name: v, mountPath: /data}]";
    for (container, pod, expected) in [
        (
            "image: a",
            "",
            vec![
                "not-persistent the program writes to `/data`, which must outlive the pod, but nothing is mounted there",
            ],
        ),
        (
            mount,
            "volumes: [{name: v, emptyDir: {}}]",
            vec![
                "not-persistent the content of `/data` must outlive the pod, but this volume is deleted with the pod",
            ],
        ),
        (mount, "volumes: [{name: v, persistentVolumeClaim: {claimName: d}}]", vec![]),
        (
            mount,
            "volumes: [{name: v, configMap: {name: m}}]",
            vec!["read-only the program writes to `/data`, but the mount at `/data` is read-only"],
        ),
    ] {
        assert_eq!(found(contract, Some("1"), container, pod), expected, "{container} {pod}");
    }
}

#[test]
fn reports_users_that_run_as_non_root_rejects() {
    let refusing = "securityContext: {runAsNonRoot: true}";
    for (user, container, pod, expected) in [
        (
            None,
            refusing,
            "",
            vec!["user `runAsNonRoot` prevents the container from starting: the image runs as root"],
        ),
        (
            Some("0:0"),
            "image: a",
            refusing,
            vec!["user `runAsNonRoot` prevents the container from starting: the image runs as root"],
        ),
        (
            Some("app"),
            refusing,
            "",
            vec![
                "user `runAsNonRoot` prevents the container from starting: the image's user `app` is a name, and Kubernetes cannot verify that it is not root",
            ],
        ),
        (Some("app"), "securityContext: {runAsNonRoot: true, runAsUser: 7}", "", vec![]),
        (Some("7"), "securityContext: {runAsNonRoot: false}", refusing, vec![]),
    ] {
        assert_eq!(found(r#""ports":[]"#, user, container, pod), expected, "{user:?} {container} {pod}");
    }
}

#[test]
fn accepts_missing_optional_files_and_reads_octal_modes() {
    let contract = r#""user":"7:7","mounts":[{"path":"/etc/a","reload":"restart","files":[{"key":"x","optional":true}]}]"#;
    assert_eq!(found(contract, Some("7"), "image: a", ""), Vec::<String>::new());
    let mount = "volumeMounts: [{name: v, mountPath: /etc/a}]";
    let map = |mode: &str, more: &str| {
        let text = format!(
            "volumes: [{{name: v, configMap: {{name: m, defaultMode: {mode}}}}}]{more}}}\n---\n{{kind: ConfigMap, metadata: {{name: m}}, data: {{x: z}}"
        );
        found(contract, Some("7"), mount, &text).len()
    };
    for (mode, more, expected) in [
        ("0440", "", 1),
        ("288", "", 1),
        ("0o440", "", 1),
        ("0444", "", 0),
        ("420", "", 0),
        ("0440", ", securityContext: {fsGroup: 7}", 0),
        ("0440", ", securityContext: {runAsGroup: 0}", 0),
    ] {
        assert_eq!(map(mode, more), expected, "{mode} {more}");
    }
}
