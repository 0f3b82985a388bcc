//! `coracle config check`: where files, variables and directories are, and who runs.

use crate::contract::test_image::{MANIFEST, RECIPE, TestFolder, changed, digest, each, shop};

/// The findings about a manifest with these changes, and its notes with the prefix `note:`.
fn said(changes: &[(&str, &str)]) -> String {
    let folder = TestFolder::new();
    let ended = folder.file("m.yaml", changed(changes)).run(&["config", "check", "@", "m.yaml"]);
    assert_eq!(ended.status, if ended.stdout.is_empty() { 0 } else { 4 }, "{ended:?}");
    let notes =
        ended.stderr.lines().filter(|line| line.starts_with("hint: ") || line.starts_with("warning: "));
    let notes: String = notes.map(|line| format!("{line}\n")).collect();
    let shop = "Deployment/shop, container `shop`: ";
    (ended.stdout + &notes).replace(shop, "").trim_end().to_owned()
}

#[test]
fn reports_matching_manifests_in_one_line() {
    let folder = TestFolder::new();
    folder.file("k/m.yaml", MANIFEST).file("k/README.md", "no manifest");
    let ended = folder.run(&["config", "check", "@", "k"]);
    let line = "Deployment/shop, container `shop` matches the contract of oci:SHOP/shop.oci\n";
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", line));
    let ended = folder.run_with(&["config", "check", "@", "-"], MANIFEST);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, line));
}

#[test]
fn accepts_every_way_of_mounting_a_file() {
    for changes in [
        // Projected, with a path of its own for each key.
        vec![(
            "configMap: {name: shop}",
            "projected: {sources: [{configMap: {name: shop, items: [{key: shop.toml, path: shop.toml}, {key: motd, path: motd}]}}, {secret: {name: shop}}]}",
        )],
        // Above the directory, and a mount in a mount.
        vec![
            (
                "mountPath: /etc/shop}",
                "mountPath: /etc/shop/}\n        - {name: more, mountPath: /etc/shop/more}",
            ),
            (
                "      - name: secret\n        secret",
                "      - name: more\n        emptyDir: {}\n      - name: secret\n        secret",
            ),
        ],
        vec![
            (
                "kind: Deployment\nmetadata: {name: shop}\nspec:\n  template:\n    spec:",
                "kind: CronJob\nmetadata: {name: shop}\nspec:\n  jobTemplate: {}\n  template:\n    spec:",
            ),
            ("kind: CronJob", "kind: DaemonSet"),
        ],
        vec![("  motd: hi\n", "binaryData: {motd: aGk=}\n")],
        vec![("stringData: {token: abc}", "data: {token: YWJj}")],
    ] {
        assert_eq!(said(&changes), "", "{changes:?}");
    }
    let folder = TestFolder::new();
    let items =
        MANIFEST.split("---\n").map(|item| item.replace('\n', "\n  ")).collect::<Vec<_>>().join("\n- ");
    let ended = folder.run_with(&["config", "check", "@", "-"], &format!("kind: List\nitems:\n- {items}"));
    assert_eq!((ended.status, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
}

#[test]
fn reports_every_kind_of_finding_with_its_location() {
    let cases = [
        (
            vec![("        - {name: config, mountPath: /etc/shop}\n", "")],
            "m.yaml:30:9: nothing is mounted at `/etc/shop`, but the program reads `motd`, `shop.toml` there",
        ),
        (
            vec![("  motd: hi\n", ""), ("key: motd", "key: shop.toml")],
            "m.yaml:30:37: `/etc/shop/motd` is missing: the volume at `/etc/shop` has no such file",
        ),
        (
            vec![(
                "configMap: {name: shop}",
                "configMap: {name: shop, items: [{key: shop.toml, path: a/shop.toml}, {key: motd, path: motd}]}",
            )],
            "m.yaml:31:37: `/etc/shop/shop.toml` is missing: the volume at `/etc/shop` has no such file",
        ),
        (
            vec![(
                "configMap: {name: shop}",
                "configMap: {name: shop, items: [{key: shop.toml, path: shop.toml}, {key: nope, path: motd}]}",
            )],
            "m.yaml:31:37: `/etc/shop/motd` is missing: the volume at `/etc/shop` has no such file\n\
             m.yaml:36:82: the ConfigMap `shop` has no key `nope`, so the pod cannot start",
        ),
        (
            vec![
                ("secret: {secretName: shop}", "configMap: {name: shop}"),
                ("  motd: hi", "  motd: hi\n  token: abc"),
            ],
            "m.yaml:39:27: `/run/secrets/shop/token` is secret, but comes from a ConfigMap",
        ),
        (
            vec![(
                "mountPath: /etc/shop}",
                "mountPath: /etc/shop/motd, subPath: motd}\n        - {name: config, mountPath: /etc/shop/shop.toml, subPath: shop.toml}",
            )],
            "m.yaml:31:62: `/etc/shop/motd` is mounted with `subPath`, so the kubelet does not update it, but the program expects updates (`reload` is `watch`)\n\
             m.yaml:32:67: `/etc/shop/shop.toml` is mounted with `subPath`, so the kubelet does not update it, but the program expects updates (`reload` is `watch`)",
        ),
        (
            vec![("kind: ConfigMap\n", "kind: ConfigMap\nimmutable: true\n")],
            "m.yaml:3:12: ConfigMap/shop: the object is immutable, but the program expects updates in `/etc/shop` (`reload` is `watch`)",
        ),
        (
            vec![(
                "mountPath: /var/lib/shop}",
                "mountPath: /var/lib/shop}\n        - {name: state, mountPath: /srv}",
            )],
            "m.yaml:34:36: a mount on `/srv` hides files of the image: `/srv/assets/logo`",
        ),
        (
            vec![(
                "mountPath: /var/lib/shop}",
                "mountPath: /var/lib/shop}\n        - {name: state, mountPath: /etc}\n        - {name: state, mountPath: /}",
            )],
            "m.yaml:34:36: cannot mount on `/etc`: Kubernetes mounts `/etc/hosts` and `/etc/resolv.conf` there, and the mount would hide the image's files\n\
             m.yaml:35:36: cannot mount on `/`: it is the root directory of the image",
        ),
        (
            vec![(
                "mountPath: /var/lib/shop}",
                "mountPath: /var/lib/shop}\n        - {name: none, mountPath: /a}\n        - {name: state, mountPath: /etc/shop}\n        - {name: state}\n        - {name: state, mountPath: /a/../b}",
            )],
            "m.yaml:34:18: the pod has no volume `none`\n\
             m.yaml:35:36: two volumes are mounted at `/etc/shop`, which Kubernetes rejects\n\
             m.yaml:36:11: the mount has no `mountPath`\n\
             m.yaml:37:36: `/a/../b` is not a valid mount path",
        ),
        (
            vec![(
                "        env:\n        - name: MOTD\n          valueFrom: {configMapKeyRef: {name: shop, key: motd}}\n",
                "",
            )],
            "m.yaml:23:15: the variable `MOTD` is not set; it should have the text of `/etc/shop/motd`",
        ),
        (
            vec![(
                "        ports:",
                "        - name: TOKEN\n          valueFrom: {secretKeyRef: {name: shop, key: token}}\n        envFrom: [{prefix: P_, secretRef: {name: shop}}]\n        ports:",
            )],
            "m.yaml:29:37: the variable `TOKEN` contains a secret that the contract does not request: child processes and crash reports expose variables, so mount it as a file\n\
             m.yaml:30:43: the variable `P_token` contains a secret that the contract does not request: child processes and crash reports expose variables, so mount it as a file",
        ),
        (
            vec![("key: motd}", "key: gone}")],
            "m.yaml:27:58: the ConfigMap `shop` has no key `gone`, so the container cannot start",
        ),
        (
            vec![("        - {name: state, mountPath: /var/lib/shop}\n", "")],
            "m.yaml:29:51: the program writes to `/var/lib/shop`, but nothing is mounted there and the root is read-only",
        ),
        (
            vec![("mountPath: /var/lib/shop}", "mountPath: /var/lib/shop, readOnly: true}")],
            "m.yaml:33:36: the program writes to `/var/lib/shop`, but the mount at `/var/lib/shop` is read-only",
        ),
        (
            vec![("{runAsNonRoot: true}", "{runAsUser: 0, runAsNonRoot: true}")],
            "m.yaml:21:36: the program would run as user 0, but the image is made for user 65532\n\
             m.yaml:21:53: `runAsNonRoot` prevents the container from starting: `runAsUser` is root",
        ),
        (
            vec![("secret: {secretName: shop}", "secret: {secretName: shop, defaultMode: 0400}")],
            "m.yaml:38:49: user 65532 cannot read `/run/secrets/shop/token`, which has mode 0400 and is owned by root: set `fsGroup`, or mode 0444",
        ),
    ];
    each(cases.map(|(changes, expected)| (changes.clone(), said(&changes), expected.to_owned())).into());
    assert_eq!(
        said(&[
            ("secret: {secretName: shop}", "secret: {secretName: shop, defaultMode: 0400}"),
            ("{runAsNonRoot: true}", "{fsGroup: 65532}")
        ]),
        ""
    );
}

#[test]
fn notes_what_it_can_not_check() {
    let cases = [
        (
            vec![("kind: Secret\nmetadata: {name: shop}\n", "kind: Other\nmetadata: {name: shop}\n")],
            "hint: m.yaml:38:30: cannot check whether the Secret `shop` has `token`: it is not in these manifests",
        ),
        (
            vec![("secret: {secretName: shop}", "csi: {driver: secrets-store.csi.k8s.io}")],
            "hint: m.yaml:32:37: cannot check whether `/run/secrets/shop/token` is in the volume at `/run/secrets/shop`",
        ),
        (
            vec![("containerPort: 8080", "containerPort: 9090")],
            "warning: m.yaml:28:33: the image does not expose 9090/tcp; it exposes 8080/tcp",
        ),
        (
            vec![("shop:1.2", "shop@sha256:00")],
            "warning: m.yaml:24:16: the container has another image, `sha256:00`",
        ),
    ];
    each(cases.map(|(changes, expected)| (changes.clone(), said(&changes), expected.to_owned())).into());
}

#[test]
fn finds_the_container_by_image_or_flag() {
    let folder = TestFolder::new();
    let sidecar = "      - {name: other, image: \"other:1\"}\n      volumes:";
    for image in ["ghcr.io/acme/shop:9", "coracle://shop", &format!("x/y@{}", digest())] {
        let text = changed(&[("ghcr.io/acme/shop:1.2", image), ("      volumes:", sidecar)]);
        let ended = folder.run_with(&["config", "check", "@", "-"], &text);
        assert_eq!((ended.status, ended.stdout.as_str()), (0, ""), "{image}");
    }
    let text = changed(&[("ghcr.io/acme/shop:1.2", "x"), ("      volumes:", sidecar)]);
    let ended = folder.run_with(&["config", "check", "@", "-"], &text);
    let expected = "stdin:15:1: Deployment/shop: no container has this image; choose one with `--container`: `shop`, `other`\n";
    assert_eq!((ended.status, ended.stdout.as_str()), (4, expected));
    let ended = folder.run_with(&["config", "check", "@", "-", "--container", "shop"], &text);
    assert_eq!((ended.status, ended.stdout.as_str()), (0, ""));
    let ended = folder.run_with(&["config", "check", "@", "-", "--container", "none"], &text);
    let expected =
        "stdin:15:1: Deployment/shop: no container is named `none`; the containers are `shop`, `other`\n";
    assert_eq!((ended.status, ended.stdout.as_str()), (4, expected));
    let ended = folder.run_with(&["config", "check", "@", "-"], "# nothing\n");
    assert_eq!((ended.status, ended.stdout.as_str()), (4, "stdin: no workload found\n"));
}

#[test]
fn names_files_without_manifests() {
    let folder = TestFolder::new();
    folder.file("k/README.md", "no manifest").file("empty.yaml", "# later\n---\n").file("m.yaml", MANIFEST);
    for command in [vec!["config", "check", "@", "k"], vec!["resolve", "k", "--image", "shop=@"]] {
        let ended = folder.run(&command);
        let expected = "error: `k` contains no manifests: no file name ends in `.yaml`, `.yml` or `.json`\n\n\
                        hint: name another directory, or the files themselves\n";
        assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (2, "", expected));
    }
    let ended = folder.run(&["config", "check", "@", "m.yaml", "empty.yaml"]);
    let expected = "warning: empty.yaml: the file has no documents\n\
                    Deployment/shop, container `shop` matches the contract of oci:SHOP/shop.oci\n";
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", expected));
    folder.file("other.yaml", "kind: Other\n");
    let ended = folder.run(&["config", "check", "@", "other.yaml", "empty.yaml"]);
    let expected = "the manifests: no workload found\n";
    assert_eq!((ended.status, ended.stdout.as_str()), (4, expected));
}

#[test]
fn a_sidecar_must_send_the_reload_signal() {
    let folder = TestFolder::new();
    let recipe = shop().join("signal.toml");
    std::fs::write(&recipe, RECIPE.replace("\"watch\"", "\"signal:SIGHUP\"")).unwrap();
    folder.run(&["build", "-q", "-f", recipe.to_str().unwrap(), "-o", "oci:signal.oci"]);
    let said = |changes: &[(&str, &str)]| {
        let ended = folder.run_with(&["config", "check", "oci:signal.oci", "-"], &changed(changes));
        assert_eq!(ended.status, if ended.stdout.is_empty() { 0 } else { 4 }, "{ended:?}");
        ended.stdout
    };
    let shares = ("      containers:", "      shareProcessNamespace: true\n      containers:");
    let other = ("      volumes:", "      - {name: reload, image: reload}\n      volumes:");
    let init = |policy: &str| {
        let list =
            format!("      initContainers: [{{name: reload, image: reload{policy}}}]\n      containers:");
        changed(&[shares]).replacen("      containers:", &list, 1)
    };
    let start = "Deployment/shop, container `shop`: nothing sends SIGHUP when `/etc/shop` changes: the kubelet does not send signals, and";
    let alone = format!("stdin:31:37: {start} the pod has no other container\n");
    assert_eq!(said(&[]), alone);
    assert_eq!(
        said(&[other]),
        format!(
            "stdin:31:37: {start} without `shareProcessNamespace`, no other container sees the process\n"
        )
    );
    assert_eq!(said(&[shares, other]), "");
    // A native sidecar stays, another init container is gone when the program starts.
    let ended =
        folder.run_with(&["config", "check", "oci:signal.oci", "-"], &init(", restartPolicy: Always"));
    assert_eq!(ended.stdout, "");
    let ended = folder.run_with(&["config", "check", "oci:signal.oci", "-"], &init(""));
    assert_eq!(ended.stdout, alone.replace(":31:", ":33:"));
}
