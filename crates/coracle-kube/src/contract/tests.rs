use std::path::PathBuf;

use super::*;
use crate::config::{self, Configuration, MountFileSource, ReloadMethod, SecretMount, WritableDirectory};

/// Returns a configuration whose source files are in `folder`.
fn configuration(folder: &std::path::Path) -> Configuration {
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = vec![
        MountFileSource::from_path(
            file("shop.toml.j2", "port = {{ port }}\n{% include 'more' %}"),
            None,
            false,
        ),
        MountFileSource::from_path(file("login.env.j2", "PASSWORD={{ db.password|sh }}\n"), None, false),
        MountFileSource::from_path(file("logo", "\u{0}"), None, false),
    ];
    file("more", "host = {{ db.host|toml }}");
    let schema = r#"{
        "required": ["db"],
        "properties": {
            "port": { "type": "integer", "default": 80 },
            "db": { "required": ["host"], "properties": {
                "host": { "type": "string" },
                "password": { "type": "string", "writeOnly": true, "default": "hunter22" }
            } }
        }
    }"#;
    Configuration {
        mounts: vec![config::ConfigMount {
            path: "/etc/shop".parse().unwrap(),
            files,
            reload: ReloadMethod::Watch,
            is_optional: false,
        }],
        secrets: vec![SecretMount {
            path: "/etc/shop".parse().unwrap(),
            name: None,
            files: vec![config::SecretFile::from_key("token")],
            reload: ReloadMethod::Restart,
            is_optional: true,
        }],
        writable_directories: vec![WritableDirectory {
            path: "/var/lib/shop".parse().unwrap(),
            size: Some("1Gi".into()),
            is_shared: false,
        }],
        variables: vec![config::FileVariable {
            name: "LOGO".into(),
            file: "/etc/shop/logo".parse().unwrap(),
            is_secret_allowed: false,
        }],
        schema: Some(file("schema.json", schema)),
        ..Configuration::default()
    }
}

fn facts() -> ImagePortsAndUser {
    ImagePortsAndUser { ports: vec!["8080/tcp".into()], user: "65532:65532".into() }
}

#[test]
fn serializes_expectations_without_values() {
    let folder = tempfile::tempdir().unwrap();
    let document = ContractDocument::new(&configuration(folder.path()), &facts()).unwrap();
    let label = document.contract.to_label().unwrap();
    let schema = document.contract.schema.clone().unwrap();
    let expected = format!(
        "{}{schema}{}",
        concat!(
            r#"{"env":[{"from":"/etc/shop/logo","name":"LOGO"}],"#,
            r#""mounts":[{"files":[{"format":"env","key":"login.env","secret":true,"uses":["db.password"]},{"key":"logo"},"#,
            r#"{"format":"toml","key":"shop.toml","uses":["db.host","port"]},{"key":"token","optional":true,"secret":true}],"#,
            r#""path":"/etc/shop","reload":"watch"}],"#,
            r#""parameters":{"db.host":{"required":true,"type":"string"},"db.password":{"secret":true,"type":"string"},"port":{"type":"integer"}},"#,
            r#""ports":["8080/tcp"],"schema":""#
        ),
        r#"","user":"65532:65532","version":1,"writable":[{"path":"/var/lib/shop","persistent":true}]}"#
    );
    assert_eq!(label, expected);
    assert_eq!(Contract::parse(&label).unwrap(), document.contract);
    let whole = String::from_utf8(coracle_core::json::to_bytes(&document).unwrap()).unwrap();
    assert!(!whole.contains("hunter22"), "{whole}");
    assert!(whole.contains("host = {{ db.host|toml }}"), "{whole}");
    assert_eq!(serde_json::from_str::<ContractDocument>(&whole).unwrap(), document);
}

#[test]
fn omits_parameters_of_a_large_contract() {
    let folder = tempfile::tempdir().unwrap();
    let mut contract = ContractDocument::new(&configuration(folder.path()), &facts()).unwrap().contract;
    for number in 0..200 {
        contract.parameters.insert(format!("parameter-{number}"), ContractParameter::default());
    }
    let label = contract.to_label().unwrap();
    assert!(label.len() <= MAX_LABEL_BYTES, "{}", label.len());
    let read = Contract::parse(&label).unwrap();
    assert_eq!(read.mounts.len(), 1);
    let whole = coracle_core::digest::Digest::compute(contract.to_json().unwrap().as_bytes());
    assert_eq!((read.parameters.len(), read.document), (0, Some(whole.to_string())));
    let file = |number| ContractFile {
        key: format!("file-{number}"),
        path: None,
        secret: false,
        optional: false,
        format: None,
        uses: vec![],
    };
    contract.mounts[0].files.extend((0..400).map(file));
    assert!(matches!(contract.to_label(), Err(ContractError::TooLarge { .. })));
}

#[test]
fn rejects_invalid_contracts() {
    for (text, expected) in [
        ("", "not a valid contract"),
        ("[]", "`version` is missing"),
        ("{\"version\":2}", "format version 2"),
        ("{\"version\":1,\"mounts\":3}", "not a valid contract"),
        (r#"{"version":1,"writable":[{"path":"../x"}]}"#, "must start with `/`"),
        (
            r#"{"version":1,"mounts":[{"path":"/a","reload":"watch","files":[{"key":"../x"}]}]}"#,
            "is not a valid key",
        ),
    ] {
        let error = Contract::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn rejects_variables_of_missing_or_secret_files() {
    let folder = tempfile::tempdir().unwrap();
    for (from, expected) in [
        ("/etc/shop/none", "which is not a file of any mount"),
        ("/etc/shop/token", "which is secret"),
        ("/etc/shop/login.env", "which is secret"),
    ] {
        let mut configuration = configuration(folder.path());
        configuration.variables[0].file = from.parse().unwrap();
        let error = ContractDocument::new(&configuration, &facts()).unwrap_err().to_string();
        assert!(error.contains(expected), "{from}: {error}");
        configuration.variables[0].is_secret_allowed = true;
        assert_eq!(ContractDocument::new(&configuration, &facts()).is_ok(), from != "/etc/shop/none");
    }
}

#[test]
fn rejects_conflicting_reloads_and_duplicate_variables() {
    let folder = tempfile::tempdir().unwrap();
    let mut configuration = configuration(folder.path());
    configuration.secrets[0].reload = "signal:SIGHUP".parse().unwrap();
    configuration.variables.push(configuration.variables[0].clone());
    let error = ContractDocument::new(&configuration, &facts()).unwrap_err().to_string();
    for part in [
        "`/etc/shop` has two values of `reload`: `watch` and `signal:SIGHUP`",
        "two variables have the name `LOGO`",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

const OLD: &str = r#"{"version":1,"user":"65532:65532","ports":["8080/tcp"],
    "mounts":[{"path":"/etc/shop","reload":"watch","files":[{"key":"a.toml","format":"toml"},{"key":"b"}]}],
    "parameters":{"n":{"type":"integer"},"s":{"type":"string"}},
    "env":[{"name":"A","from":"/etc/shop/b"}],"writable":[{"path":"/var/lib/shop"}]}"#;

/// The changes from `OLD` to a version of it with `from` replaced.
fn changed(from: &str, to: &str) -> Vec<String> {
    let text = OLD.replace(from, to);
    assert_ne!(text, OLD, "{from}");
    let show = |change: ContractChange| {
        format!(
            "{}{} {} {}",
            if change.is_breaking { "! " } else { "" },
            change.part,
            change.name,
            change.message
        )
    };
    diff_contracts(&Contract::parse(OLD).unwrap(), &Contract::parse(&text).unwrap())
        .into_iter()
        .map(show)
        .collect()
}

#[test]
fn classifies_every_change() {
    for (from, to, expected) in [
        (
            "{\"key\":\"b\"}",
            "{\"key\":\"b\"},{\"key\":\"c\"}",
            "! file /etc/shop/c is new, and the program needs it",
        ),
        (
            "{\"key\":\"b\"}",
            "{\"key\":\"b\"},{\"key\":\"c\",\"optional\":true}",
            "file /etc/shop/c is new, and the program starts without it",
        ),
        (",{\"key\":\"b\"}", "", "file /etc/shop/b is no longer read"),
        (
            "{\"key\":\"b\"}",
            "{\"key\":\"b\",\"secret\":true}",
            "! file /etc/shop/b is secret now and must be in a Secret",
        ),
        ("{\"key\":\"b\"}", "{\"key\":\"b\",\"optional\":true}", "file /etc/shop/b is optional now"),
        ("\"format\":\"toml\"", "\"format\":\"yaml\"", "! file /etc/shop/a.toml is yaml, was toml"),
        ("\"path\":\"/etc/shop\"", "\"path\":\"/etc/store\"", "! mount /etc/store was at `/etc/shop`"),
        ("\"reload\":\"watch\"", "\"reload\":\"restart\"", "reload /etc/shop is `restart`, was `watch`"),
        ("\"type\":\"integer\"", "\"type\":\"number\"", "parameter n is number, was integer"),
        ("\"type\":\"integer\"", "\"type\":\"string\"", "! parameter n is string, was integer"),
        ("{\"type\":\"string\"}", "{\"type\":\"string\",\"secret\":true}", "! parameter s is secret now"),
        ("{\"type\":\"string\"}", "{\"type\":\"string\",\"required\":true}", "! parameter s is required now"),
        (
            ",\"s\":{\"type\":\"string\"}",
            ",\"s\":{\"type\":\"string\"},\"t\":{\"required\":true}",
            "! parameter t is new, and has no default",
        ),
        (",\"s\":{\"type\":\"string\"}", "", "parameter s is no longer used"),
        ("\"name\":\"A\"", "\"name\":\"B\"", "! env B is new, with the text of `/etc/shop/b`"),
        ("8080/tcp", "9090/tcp", "! port 8080/tcp is no longer exposed"),
        ("65532:65532", "1:1", "! user 1:1 was 65532:65532"),
        (
            "{\"path\":\"/var/lib/shop\"}",
            "{\"path\":\"/var/lib/shop\",\"persistent\":true}",
            "! writable /var/lib/shop must outlive the pod now",
        ),
        (
            "{\"path\":\"/var/lib/shop\"}",
            "{\"path\":\"/srv\"}",
            "! writable /srv is new: the program writes to it",
        ),
    ] {
        let found = changed(from, to);
        assert!(found.iter().any(|found| found == expected), "{expected}: {found:#?}");
    }
    let same = Contract::parse(OLD).unwrap();
    assert_eq!(diff_contracts(&same, &same), []);
}

#[test]
fn a_file_may_move_between_a_folder_and_a_mount_inside_of_it() {
    let file = |path: &str| ContractFile {
        key: path.replace('/', "_-"),
        path: path.contains('/').then(|| path.to_owned()),
        secret: false,
        optional: false,
        format: None,
        uses: Vec::new(),
    };
    let mount = |path: &str, files: &[&str]| ContractMount {
        path: path.into(),
        reload: "restart".into(),
        files: files.iter().map(|path| file(path)).collect(),
    };
    let contract =
        |mounts: Vec<ContractMount>| Contract { version: CONTRACT_VERSION, mounts, ..Contract::default() };
    let one = contract(vec![mount("/etc/web", &["conf.d/a", "conf.d/b", "main"])]);
    let two = contract(vec![mount("/etc/web", &["main"]), mount("/etc/web/conf.d", &["a", "c"])]);
    let names = |old: &Contract, new: &Contract| -> Vec<(String, bool)> {
        diff_contracts(old, new).into_iter().map(|change| (change.name, change.is_breaking)).collect()
    };
    let path = |name: &str| format!("/etc/web/conf.d/{name}");
    assert_eq!(names(&one, &two), [(path("b"), false), (path("c"), true)]);
    assert_eq!(names(&two, &one), [(path("b"), true), (path("c"), false)]);
    assert_eq!(Contract::parse(&one.to_json().unwrap()).unwrap(), one);
}
