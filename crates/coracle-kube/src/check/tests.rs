//! What the image of the tests with the binary has no word for.

use super::*;

/// Findings for a pod with this container and these volumes, against a contract.
fn found(contract: &str, user: Option<&str>, container: &str, pod: &str) -> Vec<String> {
    let contract = Contract::parse(&format!(r#"{{"version":1,{contract}}}"#)).unwrap();
    let text = format!(
        "kind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, {container}}}], {pod}}}\n"
    );
    let inputs = [Input { name: "p.yaml".into(), text }];
    let expected = Expected {
        contract: &contract,
        files: None,
        user,
        digests: Vec::new(),
        names: Vec::new(),
        container: None,
        document: None,
    };
    let report = check(&inputs, &expected);
    report.findings.iter().map(|finding| format!("{} {}", finding.rule, finding.message)).collect()
}

#[test]
fn what_has_to_outlive_the_pod_does() {
    let contract = r#""writable":[{"path":"/data","persistent":true}]"#;
    let mount = "volumeMounts: [{name: v, mountPath: /data}]";
    for (container, pod, expected) in [
        (
            "image: a",
            "",
            vec![
                "not-persistent the program writes to `/data`: nothing is mounted there, and it has to outlive the pod",
            ],
        ),
        (
            mount,
            "volumes: [{name: v, emptyDir: {}}]",
            vec!["not-persistent what is in `/data` has to outlive the pod, and this volume goes with it"],
        ),
        (mount, "volumes: [{name: v, persistentVolumeClaim: {claimName: d}}]", vec![]),
        (
            mount,
            "volumes: [{name: v, configMap: {name: m}}]",
            vec!["read-only the program writes to `/data`, and what is mounted at `/data` is read-only"],
        ),
    ] {
        assert_eq!(found(contract, Some("1"), container, pod), expected, "{container} {pod}");
    }
}

#[test]
fn who_runs_is_no_surprise() {
    let refusing = "securityContext: {runAsNonRoot: true}";
    for (user, container, pod, expected) in [
        (
            None,
            refusing,
            "",
            vec!["user `runAsNonRoot` keeps the container from starting: the image runs as root"],
        ),
        (
            Some("0:0"),
            "image: a",
            refusing,
            vec!["user `runAsNonRoot` keeps the container from starting: the image runs as root"],
        ),
        (
            Some("app"),
            refusing,
            "",
            vec![
                "user `runAsNonRoot` keeps the container from starting: the image's user `app` is a name, which can't be told from root's",
            ],
        ),
        (Some("app"), "securityContext: {runAsNonRoot: true, runAsUser: 7}", "", vec![]),
        (Some("7"), "securityContext: {runAsNonRoot: false}", refusing, vec![]),
    ] {
        assert_eq!(found(r#""ports":[]"#, user, container, pod), expected, "{user:?} {container} {pod}");
    }
}

#[test]
fn optional_files_may_be_absent_and_modes_are_octal() {
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
