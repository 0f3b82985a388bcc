use super::*;
use crate::contract::Contract;

/// Returns rule and message of each finding for `manifests`, which are YAML, against a contract in
/// JSON without `version`, and the user of the image's config.
fn findings(contract: &str, image_user: Option<&str>, manifests: String) -> Vec<String> {
    let contract = Contract::parse(&contract.replacen('{', r#"{"version":1,"#, 1)).unwrap();
    let inputs = [ManifestFile { name: "p.yaml".into(), text: manifests }];
    let expected = Expectations {
        contract: &contract,
        image_files: None,
        user: image_user,
        digests: Vec::new(),
        names: Vec::new(),
        container_name: None,
        contract_document: None,
    };
    let report = check_manifests(&inputs, &expected);
    report.findings.iter().map(|finding| format!("{} {}", finding.rule, finding.message)).collect()
}

/// Returns a pod in YAML with one container; the fields are in flow style.
fn pod_yaml(container_fields: &str, pod_fields: &str) -> String {
    format!(
        "kind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, {container_fields}}}], {pod_fields}}}\n"
    )
}

#[test]
fn accepts_missing_optional_files_and_reads_octal_modes() {
    let contract = r#"{"user":"7:7","mounts":[{"path":"/etc/a","reload":"restart","files":[{"key":"x","optional":true}]}]}"#;
    assert_eq!(findings(contract, Some("7"), pod_yaml("image: a", "")), Vec::<String>::new());
    let mount = "volumeMounts: [{name: v, mountPath: /etc/a}]";
    let count_findings = |mode: &str, more: &str| {
        let pod = pod_yaml(
            mount,
            &format!("volumes: [{{name: v, configMap: {{name: m, defaultMode: {mode}}}}}]{more}"),
        );
        let config_map = "---\n{kind: ConfigMap, metadata: {name: m}, data: {x: z}}";
        findings(contract, Some("7"), pod + config_map).len()
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
        assert_eq!(count_findings(mode, more), expected, "{mode} {more}");
    }
}

#[test]
fn reports_storage_that_is_not_persistent_or_writable() {
    let contract = r#"{"writable":[{"path":"/data","persistent":true}]}"#;
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
        assert_eq!(findings(contract, Some("1"), pod_yaml(container, pod)), expected, "{container} {pod}");
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
        assert_eq!(
            findings(r#"{"ports":[]}"#, user, pod_yaml(container, pod)),
            expected,
            "{user:?} {container} {pod}"
        );
    }
}
