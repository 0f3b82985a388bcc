//! Keys: created, read from files and variables, and refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tempfile::TempDir;

use super::{fail, folder, run_with, succeed};

#[test]
fn generates_keys_that_only_the_user_can_read_and_overwrites_none() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let said = fail(at, 2, &["key", "generate"]);
    assert!(said.contains("there is no passphrase"), "{said}");
    let (code, stdout, said) =
        run_with(at, &["key", "generate", "-o", "x"], &[("CORACLE_KEY_PASSWORD", "pw")]);
    assert_eq!((code, stdout.as_str()), (Some(0), "x.key\nx.pub\n"), "{said}");
    let key = at.join("x.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&key).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"), "{text}");
    for taken in ["x.key", "x.pub"] {
        let other = at.join(if taken == "x.key" { "x.pub" } else { "x.key" });
        let moved = at.join("moved");
        fs::rename(&other, &moved).unwrap();
        let said = fail(at, 1, &["key", "generate", "--unencrypted", "-o", "x"]);
        assert!(said.contains(&format!("`{taken}` exists, and a key is never overwritten")), "{said}");
        assert!(!other.exists());
        fs::rename(&moved, &other).unwrap();
    }
    assert_eq!(fs::read_to_string(&key).unwrap(), text);
}

#[test]
fn reads_keys_from_files_and_variables() {
    let folder = folder();
    let at = folder.path();
    succeed(at, &["build", "./app", "-o", "oci:app.oci", "-q"]);
    let text = fs::read_to_string(at.join("one.key")).unwrap();
    let sign = ["sign", "oci:app.oci", "--key", "env://THE_KEY", "-q"];
    let (code, _, said) = run_with(at, &sign, &[("THE_KEY", &text)]);
    assert_eq!(code, Some(0), "{said}");
    let public = fs::read_to_string(at.join("one.pub")).unwrap();
    let verify = ["verify", "oci:app.oci", "--key", "env://THE_KEY", "-q"];
    let (code, _, said) = run_with(at, &verify, &[("THE_KEY", &public)]);
    assert_eq!(code, Some(0), "{said}");
    let said = fail(at, 2, &sign);
    assert!(said.contains("the variable `THE_KEY` is not set"), "{said}");
    let said = fail(at, 2, &["sign", "oci:app.oci", "--key", &text]);
    assert!(said.contains("takes the path of a key, not the key"), "{said}");
    assert!(!said.contains("PRIVATE KEY-----\n"), "the key is not shown: {said}");
}

#[test]
fn warns_of_keys_that_others_can_read() {
    let folder = folder();
    let at = folder.path();
    succeed(at, &["build", "./app", "-o", "oci:app.oci", "-q"]);
    let (code, _, said) = run_with(at, &["sign", "oci:app.oci", "--key", "one.key"], &[]);
    assert!(code == Some(0) && !said.contains("warning"), "{said}");
    fs::set_permissions(at.join("one.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, said) = run_with(at, &["sign", "oci:app.oci", "--key", "one.key"], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("`one.key` can be read by other users of this machine: `chmod 600 one.key`"),
        "{said}"
    );
}

#[test]
fn refuses_wrong_passphrases_and_other_keys() {
    let folder = folder();
    let at = folder.path();
    succeed(at, &["build", "./app", "-o", "oci:app.oci", "-q"]);
    let before = fs::read_to_string(at.join("app.oci/index.json")).unwrap();
    let (code, _, said) = run_with(at, &["key", "generate", "-o", "locked"], &[("COSIGN_PASSWORD", "right")]);
    assert_eq!(code, Some(0), "{said}");
    let openssl = |args: &[&str]| {
        assert!(Command::new("openssl").args(args).current_dir(at).status().unwrap().success());
    };
    openssl(&["genpkey", "-quiet", "-algorithm", "RSA", "-out", "rsa.key"]);
    openssl(&["genpkey", "-quiet", "-algorithm", "ed25519", "-out", "ed.key"]);
    openssl(&[
        "genpkey",
        "-quiet",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-384",
        "-out",
        "p384.key",
    ]);
    fs::write(at.join("text.key"), "hello").unwrap();
    fs::create_dir(at.join("directory")).unwrap();
    for (key, password, why) in [
        ("locked.key", Some("wrong"), "the passphrase is wrong"),
        ("locked.key", None, "it is encrypted, and there is no passphrase"),
        ("rsa.key", None, "its type is RSA, and only P-256 keys are supported here"),
        ("ed.key", None, "its type is Ed25519"),
        ("p384.key", None, "its type is P-384"),
        ("text.key", None, "it is not in PEM format"),
        ("one.pub", None, "it contains `PUBLIC KEY`, which is not a private key"),
        ("absent.key", None, "cannot open `absent.key`: No such file"),
        ("directory", None, "`directory`"),
        ("awskms://alias/x", None, "keys in `awskms` are not supported"),
    ] {
        let env: Vec<(&str, &str)> =
            password.into_iter().map(|password| ("COSIGN_PASSWORD", password)).collect();
        for args in [
            &["sign", "oci:app.oci", "--key", key][..],
            &["build", "./app", "-o", "oci:app.oci", "-q", "--sign-key", key],
        ] {
            let (code, stdout, said) = run_with(at, args, &env);
            assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {said}");
            assert!(said.contains(why), "{args:?}: {said}");
            assert!(said.contains("hint: "), "{args:?}: {said}");
        }
    }
    assert_eq!(fs::read_to_string(at.join("app.oci/index.json")).unwrap(), before);
    let said = fail(at, 2, &["verify", "oci:app.oci", "--key", "one.key"]);
    assert!(said.contains("pass the public key"), "{said}");
}
