//! `coracle config check`: what is in objects, and in files rendered from the whole contract.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::contract::test_image::{TestFolder, changed, shop};

fn findings(changes: &[(&str, &str)]) -> String {
    TestFolder::new().run_with(&["config", "check", "@", "-"], &changed(changes)).stdout
}

#[test]
fn reports_objects_that_kubernetes_rejects() {
    let large = format!("motd: {}", "x".repeat((1 << 20) + 1));
    for (changes, expected) in [
        (
            vec![("  motd: hi", "  motd: hi\n  ..a: x\n  b/c: x")],
            "stdin:9:3: ConfigMap/shop: `..a` is not a valid key of a ConfigMap: the kubelet reserves such names\n\
             stdin:10:3: ConfigMap/shop: `b/c` is not a valid key of a ConfigMap: it has characters other than letters, digits, `-`, `_` and `.`\n",
        ),
        (
            vec![("motd: hi", "motd: 1")],
            "stdin:8:9: ConfigMap/shop: the value of `motd` is not a string: quote it\n",
        ),
        (
            vec![("motd: hi", "motd: Off")],
            "stdin:8:9: ConfigMap/shop: the value of `motd` is a boolean in YAML 1.1, which Kubernetes uses: quote it\n",
        ),
        (vec![("motd: hi", "motd: 'no'")], ""),
        (vec![("motd: hi", "motd: |-\n    no")], ""),
        (
            vec![("  motd: hi", "  motd: hi\nbinaryData: {motd: '?'}")],
            "stdin:9:14: ConfigMap/shop: `motd` is in both `data` and `binaryData`\n\
             stdin:9:20: ConfigMap/shop: the value of `motd` is not valid base64\n",
        ),
        (
            vec![("motd: hi", large.as_str())],
            "stdin:1:1: ConfigMap/shop: the values have 1048600 bytes; the limit of an object is 1048576\n",
        ),
        (
            vec![("port = 8080", "port = ")],
            "stdin:7:5: ConfigMap/shop: line 2 of `/etc/shop/shop.toml` is not valid TOML: [..]\n",
        ),
        (vec![("  motd: hi", "  motd: hi\n  motd: ho")], "stdin:9:3: duplicate mapping key: motd\n"),
    ] {
        let found = findings(&changes);
        match expected.split_once("[..]") {
            Some((start, _)) => assert!(found.starts_with(start) && found.lines().count() == 1, "{found}"),
            None => assert_eq!(found, expected),
        }
    }
    // Past what a client-side apply records, and within an object.
    let large = format!("motd: {}", "x".repeat(262_144));
    let ended = TestFolder::new().run_with(&["config", "check", "@", "-"], &changed(&[("motd: hi", &large)]));
    assert_eq!((ended.status, ended.stdout.as_str()), (0, ""));
    assert!(
        ended
            .stderr
            .starts_with("warning: stdin:1:1: ConfigMap/shop: client-side `kubectl apply` would store"),
        "{}",
        ended.stderr
    );
}

#[test]
fn rejects_exponential_yaml_aliases() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in
        ["a", "b", "c", "d", "e", "f", "g", "h"].iter().zip(["b", "c", "d", "e", "f", "g", "h", "i"])
    {
        let items = vec![format!("*{from}"); 10].join(", ");
        bomb += &format!("{to}: &{to} [{items}]\n");
    }
    let ended = TestFolder::new().run_with(&["config", "check", "@", "-"], &bomb);
    assert_eq!(ended.status, 4);
    assert!(ended.stdout.starts_with("stdin:"), "{}", ended.stdout);
}

/// The whole contract, as it is published.
fn contract() -> String {
    let folder = TestFolder::new();
    let ended = folder.run(&["config", "show", "@", "--format", "json"]);
    let contract: Value = serde_json::from_str(&ended.stdout).unwrap();
    let schema = std::fs::read(shop().join("config/schema.json")).unwrap();
    let template = |key: &str, text: Option<&str>, data: Option<&str>| {
        let data = data.map(|data| base64::engine::general_purpose::STANDARD.encode(data));
        let mut value = json!({"mount": "/etc/shop", "key": key});
        text.inspect(|text| value["text"] = (*text).into());
        data.inspect(|data| value["data"] = data.as_str().into());
        value
    };
    json!({
        "contract": contract,
        "schema": serde_json::from_slice::<Value>(&schema).unwrap(),
        "templates": [
            template("motd", None, Some("hi")),
            template("shop.toml", Some("name = {{ name|toml }}\nport = {{ port }}\n"), None),
        ],
    })
    .to_string()
}

#[test]
fn templates_are_rendered_again() {
    let folder = TestFolder::new();
    folder.file("contract.json", contract()).file("v.yaml", "name: a\n");
    let check = ["config", "check", "@", "-", "--contract", "contract.json", "--values"];
    let with = |values: &str, changes: &[(&str, &str)]| {
        let ended = folder.run_with(&[&check[..], &[values]].concat(), &changed(changes));
        (ended.status, ended.stdout)
    };
    assert_eq!(with("v.yaml", &[]), (0, String::new()));
    let expected = "stdin:7:5: ConfigMap/shop: line 2 of `/etc/shop/shop.toml` is `port = 80`, but the contract renders `port = 8080` from these values\n";
    assert_eq!(with("v.yaml", &[("port = 8080", "port = 80")]), (4, expected.into()));
    folder.file("w.toml", "name = \"a\"\nport = \"1\"\n");
    let expected = "w.toml:2:8: `port`: \"1\" is not of type \"integer\"\n";
    assert_eq!(with("w.toml", &[]), (4, expected.into()));
    folder.file("w.yaml", "name: a\nport: '1'\nprt: 1\n");
    let expected = "w.yaml:2:7: `port`: \"1\" is not of type \"integer\"\n\
                    w.yaml:3:6: `prt`: the schema does not declare this key; did you mean `port`?\n";
    assert_eq!(with("w.yaml", &[]), (4, expected.into()));
    folder.file("contract.json", contract().replace("65532", "1"));
    let ended = folder.run_with(&[&check[..], &["v.yaml"]].concat(), &changed(&[]));
    assert_eq!(ended.status, 1);
    assert!(
        ended.stderr.starts_with("error: the whole contract belongs to another image\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn unreadable_values_are_an_error_and_not_a_finding() {
    let folder = TestFolder::new();
    folder.file("contract.json", contract()).file("v.toml", "name = \n");
    for (values, expected) in
        [("none.yaml", "error: cannot read `none.yaml`: "), ("v.toml", "error: cannot parse `v.toml`: ")]
    {
        let args = ["config", "check", "@", "-", "--contract", "contract.json", "--values", values];
        let ended = folder.run_with(&args, &changed(&[]));
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{ended:?}");
        assert!(ended.stderr.starts_with(expected), "{ended:?}");
    }
}

#[test]
fn json_output_has_the_same_findings() {
    let folder = TestFolder::new();
    let text = changed(&[("mountPath: /var/lib/shop}", "mountPath: /var/lib/shop, readOnly: true}")]);
    let ended = folder.run_with(&["config", "check", "@", "-", "--format", "json"], &text);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    let expected = json!({
        "containers": ["Deployment/shop, container `shop`"],
        "notes": [],
        "findings": [{
            "file": "stdin", "line": 33, "column": 36, "rule": "read-only", "object": "Deployment/shop", "container": "shop",
            "field": "spec.template.spec.containers[0].volumeMounts[2].mountPath",
            "message": "the program writes to `/var/lib/shop`, but the mount at `/var/lib/shop` is read-only",
        }],
    });
    assert_eq!((ended.status, found), (4, expected));
}
