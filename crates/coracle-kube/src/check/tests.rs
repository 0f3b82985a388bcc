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
fn values_that_yaml_1_1_does_not_read_as_text_are_reported() {
    let contract = r#"{"ports":[]}"#;
    let count = |value: &str| {
        let map = format!("---\nkind: ConfigMap\nmetadata: {{name: m}}\ndata:\n  x: {value}\n");
        findings(contract, Some("7"), pod_yaml("image: a", "") + &map).len()
    };
    for value in [
        "yes", "Off", "N", "1__0", "0X1F", "1_000.5", "0b1_0", "-0o7", "+1_0", ".5_0", "1_0e3", "0x_1", "1_",
        "-_1",
    ] {
        assert_eq!(count(value), 1, "{value}");
    }
    for value in [
        "!!str yes",
        "! yes",
        "'yes'",
        "\"1__0\"",
        "|\n    yes",
        ">-\n    1_0",
        "yEs",
        "0Xg",
        "1_0a",
        "_1",
        "1.2.3",
        "1-2",
        "e1",
        "!!str 1_0",
        "&a x",
        "+",
        ".",
    ] {
        assert_eq!(count(value), 0, "{value}");
    }
}

#[test]
fn reports_volumes_of_one_name_and_accepts_directories_of_the_node() {
    let contract = r#"{"ports":[]}"#;
    let volumes = "volumes: [{name: v, emptyDir: {}}, {name: v, configMap: {name: m}}]";
    let found = findings(contract, Some("7"), pod_yaml("volumeMounts: [{name: v, mountPath: /x}]", volumes));
    assert_eq!(found, ["bad-mount two volumes have the name `v`, which Kubernetes rejects"]);
    for path in ["/dev", "/sys", "/sys/fs/cgroup", "/etc", "/dev/disk"] {
        let mount = format!("volumeMounts: [{{name: v, mountPath: {path}}}]");
        let volumes = format!("volumes: [{{name: v, hostPath: {{path: {path}}}}}]");
        assert_eq!(findings(contract, Some("7"), pod_yaml(&mount, &volumes)), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn modes_are_checked_without_the_content_of_the_secret() {
    let contract = r#"{"user":"7:7","mounts":[{"path":"/etc/a","reload":"restart","files":[{"key":"x","secret":true}]}]}"#;
    let mount = "volumeMounts: [{name: v, mountPath: /etc/a}]";
    let expected = "unreadable user 7 cannot read `/etc/a/x`, which has mode 0400 and is owned by root: set `fsGroup`, or mode 0444";
    for (volume, more, count) in [
        ("secret: {secretName: s, defaultMode: 0400}", "", 1),
        ("secret: {secretName: s, items: [{key: x, path: x, mode: 0400}]}", "", 1),
        ("projected: {defaultMode: 0400, sources: [{secret: {name: s}}]}", "", 1),
        ("secret: {secretName: s, defaultMode: 0400}", ", securityContext: {fsGroup: 7}", 0),
        ("secret: {secretName: s}", "", 0),
    ] {
        let found = findings(
            contract,
            Some("7"),
            pod_yaml(mount, &format!("volumes: [{{name: v, {volume}}}]{more}")),
        );
        assert_eq!(found.len(), count, "{volume} {more} {found:?}");
        assert!(found.iter().all(|finding| finding == expected), "{found:?}");
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
