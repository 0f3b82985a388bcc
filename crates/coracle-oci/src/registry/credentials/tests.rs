//! Tests of credential helpers, with shell scripts as helpers.

#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;

use super::helper::run_helper;
use crate::registry::{Credential, Error, Secret};

fn run_script(script: &str) -> Result<Option<Credential>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker-credential-test");
    std::fs::write(&path, format!("#!/bin/sh\n[ \"$1\" = get ] || exit 9\nread -r key\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let keys = ["https://index.docker.io/v1/".to_owned(), "docker.io".to_owned()];
    run_helper("test", "docker.io", &keys, Some(&[folder.path().to_owned()]))
}

#[test]
fn asks_helpers_for_every_key() {
    let known = r#"[ "$key" = docker.io ] || { echo "credentials not found in native keychain"; exit 1; }
        echo '{"ServerURL":"x","Username":"me","Secret":"hush"}'"#;
    assert_eq!(run_script(known).unwrap(), Some(Credential::password("me", "hush")));
    let token = r#"echo '{"Username":"<token>","Secret":"hush"}'"#;
    assert_eq!(run_script(token).unwrap(), Some(Credential::IdentityToken(Secret::new("hush"))));
    assert_eq!(run_script("echo credentials not found in native keychain; exit 1").unwrap(), None);
}

#[test]
fn reports_failures_of_helpers() {
    for (script, expected) in [
        ("echo 'keyring is locked'; exit 1", "it failed: keyring is locked"),
        ("exit 1", "it failed without a message"),
        (r#"echo '{"Secret":"hush"}'; exit 1"#, "it failed"),
        ("echo hush", "its output is not JSON with a `Secret`"),
    ] {
        let error = run_script(script).unwrap_err();
        let message = format!("{error} {error:?}");
        assert!(error.to_string().ends_with(expected), "{message}");
        assert!(!message.contains("hush"), "{message}");
    }
}

#[test]
fn rejects_helper_names_that_are_paths() {
    for name in ["", "../x", "a b", "A", "x/y", "é", "a\0"] {
        let error = run_helper(name, "r.io", &["r.io".into()], None).unwrap_err();
        assert!(error.to_string().contains("letters"), "{error}");
    }
    let error = run_helper(
        "absent-helper",
        "r.io",
        &["r.io".into()],
        Some(&["/nowhere".into(), ".".into(), "".into()]),
    )
    .unwrap_err();
    assert!(error.to_string().ends_with("the program was not found"), "{error}");
}
