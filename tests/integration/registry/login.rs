//! Passwords, tokens, and that neither is seen by anybody else.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_core::hint::Hint as _;
use coracle_oci::registry::{
    Access, BlobUpload, Credential, ManifestReference, PushOutcome, RegistryClient, RegistrySettings, Secret,
};

use super::fake::{FakeRegistry, FakeRepositories as _, Fault, Login, settings};
use super::test_image::{image, upload};

pub(crate) const USER: &str = "anna";
const PASSWORD: &str = "correct horse battery staple";

pub(crate) fn known(fake: &FakeRegistry, credential: Credential) -> RegistrySettings {
    RegistrySettings { credentials: BTreeMap::from([(fake.address.to_string(), credential)]), ..settings() }
}

pub(crate) fn anna(fake: &FakeRegistry) -> RegistrySettings {
    known(fake, Credential::password(USER, PASSWORD))
}

pub(crate) fn with(login: Login) -> FakeRegistry {
    let fake = FakeRegistry::start();
    fake.state().login = login;
    fake
}

#[test]
fn sends_a_password_after_the_first_challenge() {
    let fake = with(Login::Password);
    let shop = fake.shop_with(anna(&fake));
    image(&[9]).push(&shop, "1").unwrap();
    let without =
        fake.state().requests.iter().filter(|request| request.header("authorization").is_none()).count();
    assert!((1..=2).contains(&without), "{without}");
    fake.take_requests();
    shop.head_manifest(ManifestReference::Tag("1")).unwrap();
    assert_eq!(fake.take_requests().len(), 1);
}

#[test]
fn one_token_serves_a_push_with_mounts() {
    let fake = with(Login::Tokens);
    let client = RegistryClient::new(anna(&fake)).unwrap();
    let blob = upload(b"shared");
    client.repository_client(&fake.repository("base"), &Access::push()).push_blob(&blob).unwrap();
    fake.take_requests();
    let access = Access::Push { mounts: vec!["base".into()] };
    let shop = client.repository_client(&fake.repository("shop"), &access);
    assert_eq!(
        shop.push_blob(&BlobUpload { mount_from: Some("base"), ..blob }).unwrap(),
        PushOutcome::Mounted
    );
    image(&[9, 10, 11]).push(&shop, "1").unwrap();
    let tokens: Vec<String> =
        fake.take_requests().into_iter().filter(|asked| asked.contains("/token")).collect();
    let expected =
        "GET /token?service=fake&scope=repository:shop:pull%2Cpush&scope=repository:base:pull&account=anna";
    assert_eq!(tokens, [expected]);
}

#[test]
fn accepts_tokens_without_mount_scope() {
    let fake = with(Login::Tokens);
    fake.inject_fault(9, "GET", "base", Fault::Respond(403, vec![], ""));
    let access = Access::Push { mounts: vec!["base".into()] };
    let shop = RegistryClient::new(anna(&fake)).unwrap().repository_client(&fake.repository("shop"), &access);
    assert_eq!(
        shop.push_blob(&BlobUpload { mount_from: Some("none"), ..upload(b"x") }).unwrap(),
        PushOutcome::Sent
    );
    image(&[9]).push(&shop, "1").unwrap();
    assert_eq!(fake.state().tokens, [["repository:shop:pull,push"]]);
}

#[test]
fn pulls_anonymously() {
    let fake = with(Login::Tokens);
    image(&[9]).push(&fake.shop_with(anna(&fake)), "1").unwrap();
    let client = RegistryClient::new(settings()).unwrap();
    let shop = client.repository_client(&fake.repository("shop"), &Access::Pull);
    fake.take_requests();
    assert!(shop.head_manifest(ManifestReference::Tag("1")).unwrap().is_some());
    assert!(shop.pull_manifest(ManifestReference::Tag("1")).unwrap().is_some());
    let asked = fake.take_requests();
    assert_eq!(asked[0], "HEAD /v2/shop/manifests/1");
    assert_eq!(asked[1], "GET /token?service=fake&scope=repository:shop:pull");
    assert_eq!(asked[2..], ["HEAD /v2/shop/manifests/1", "GET /v2/shop/manifests/1"]);

    let error = fake.shop().push_blob(&upload(b"x")).unwrap_err();
    assert!(
        error.to_string().contains("401 Unauthorized (UNAUTHORIZED: not with Bearer [secret])")
            || error.to_string().contains("[secret]"),
        "{error}"
    );
    assert_eq!(
        error.hint().unwrap(),
        format!(
            "log in with `docker login {0}` or `podman login {0}`, or set CORACLE_REGISTRY_USER and \
             CORACLE_REGISTRY_PASSWORD, and CORACLE_REGISTRY={0} where it is only read",
            fake.address
        )
    );
}

#[test]
fn renews_a_rejected_token() {
    let fake = with(Login::Tokens);
    let shop = fake.shop_with(anna(&fake));
    image(&[9]).push(&shop, "1").unwrap();
    fake.state().tokens.iter_mut().for_each(Vec::clear);
    assert!(shop.head_manifest(ManifestReference::Tag("1")).unwrap().is_some());
    fake.state().tokens.iter_mut().for_each(Vec::clear);
    shop.push_blob(&upload(b"more")).unwrap();
}

#[test]
fn exchanges_an_identity_token() {
    let fake = with(Login::Tokens);
    let token = Credential::IdentityToken(Secret::new("identity-token-of-anna"));
    image(&[9]).push(&fake.shop_with(known(&fake, token)), "1").unwrap();
    let state = fake.state();
    let request = state.requests.iter().find(|request| request.path() == "/token").unwrap();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/token"));
    assert_eq!(
        String::from_utf8(request.body.clone()).unwrap(),
        "grant_type=refresh_token&service=fake&client_id=coracle&scope=repository:shop:pull%2Cpush\
         &refresh_token=identity-token-of-anna"
    );
}

#[test]
fn sends_a_registry_token_unchanged() {
    let fake = with(Login::Tokens);
    fake.state().tokens.push(vec!["repository:shop:pull,push".into()]);
    let token = Credential::RegistryToken(Secret::new("secret-token-0"));
    image(&[9]).push(&fake.shop_with(known(&fake, token)), "1").unwrap();
    assert!(fake.take_requests().iter().all(|asked| !asked.contains("/token")));
}

#[test]
fn reads_credentials_from_files() {
    let fake = with(Login::Password);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.json");
    let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let json = format!(
        r#"{{"auths":{{"{0}":{{"auth":"{1}"}},"{0}/shop":{{"auth":"{2}"}}}}}}"#,
        fake.address,
        STANDARD.encode("x:y"),
        auth
    );
    std::fs::write(&path, json).unwrap();
    let files = vec![folder.path().join("none.json"), path];
    let shop = fake.shop_with(RegistrySettings { credential_files: files, ..settings() });
    image(&[9]).push(&shop, "1").unwrap();
}

#[cfg(unix)]
#[test]
fn reads_credentials_from_helpers() {
    let fake = with(Login::Password);
    let folder = tempfile::tempdir().unwrap();
    // A helper of Windows, as Docker Desktop configures it in WSL.
    let helper = folder.path().join("docker-credential-desktop.exe");
    let script = format!(
        "#!/bin/sh\nread -r registry\n[ \"$registry\" = {} ] || exit 1\n\
         echo '{{\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}'\n",
        fake.address
    );
    coracle_testing::write_executable(&helper, script);
    let config = folder.path().join("config.json");
    std::fs::write(&config, r#"{"credsStore":"desktop.exe"}"#).unwrap();
    let shop = fake.shop_with(RegistrySettings {
        credential_files: vec![config],
        helper_directories: Some(vec![folder.path().to_owned()]),
        ..settings()
    });
    image(&[9]).push(&shop, "1").unwrap();
}

/// A helper or an `auth` without user and secret means that nobody is logged in.
#[cfg(unix)]
#[test]
fn empty_credentials_are_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let helper = folder.path().join("docker-credential-mine");
    coracle_testing::write_executable(&helper, "#!/bin/sh\necho '{\"Username\":\"\",\"Secret\":\"\"}'\n");
    for config in [r#"{"credsStore":"mine"}"#, r#"{"auths":{"HOST":{"auth":"Og=="}}}"#] {
        let fake = with(Login::Tokens);
        image(&[9]).push(&fake.shop_with(anna(&fake)), "1").unwrap();
        fake.take_requests();
        let path = folder.path().join("config.json");
        std::fs::write(&path, config.replace("HOST", &fake.address.to_string())).unwrap();
        let client = RegistryClient::new(RegistrySettings {
            credential_files: vec![path],
            helper_directories: Some(vec![folder.path().to_owned()]),
            ..settings()
        });
        let shop = client.unwrap().repository_client(&fake.repository("shop"), &Access::Pull);
        assert!(shop.head_manifest(ManifestReference::Tag("1")).unwrap().is_some(), "{config}");
        let state = fake.state();
        let token = state.requests.iter().find(|request| request.path() == "/token").unwrap();
        assert_eq!(token.header("authorization"), None, "{config}");
    }
}

/// `credsStore` may be left over from another machine.
#[test]
fn a_failed_helper_does_not_prevent_anonymous_pulls() {
    let fake = with(Login::Tokens);
    image(&[9]).push(&fake.shop_with(anna(&fake)), "1").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    std::fs::write(&config, r#"{"credsStore":"absent.exe"}"#).unwrap();
    let settings = RegistrySettings {
        credential_files: vec![config],
        helper_directories: Some(vec![folder.path().to_owned()]),
        ..settings()
    };
    let client = RegistryClient::new(settings).unwrap();
    let helper = format!(
        "cannot get credentials for `{}` from `docker-credential-absent.exe`: the program was not found",
        fake.address
    );
    let shop = client.repository_client(&fake.repository("shop"), &Access::Pull);
    assert!(shop.head_manifest(ManifestReference::Tag("1")).unwrap().is_some());
    fake.inject_fault(1, "GET", "/token", Fault::Respond(401, vec![], ""));
    let error = client
        .repository_client(&fake.repository("closed"), &Access::Pull)
        .head_manifest(ManifestReference::Tag("1"))
        .unwrap_err();
    assert_eq!(error.hint().unwrap(), format!("{helper}; the request was sent without credentials"));
    // Commands that need a login report what is wrong with it.
    let error = client
        .repository_client(&fake.repository("shop"), &Access::push())
        .push_blob(&upload(b"x"))
        .unwrap_err();
    assert_eq!(error.to_string(), helper);
    fake.state().login = Login::Password;
    let error = client
        .repository_client(&fake.repository("other"), &Access::Pull)
        .head_manifest(ManifestReference::Tag("1"))
        .unwrap_err();
    assert!(error.to_string().contains("401 Unauthorized"), "{error}");
    assert_eq!(error.hint().unwrap(), format!("{helper}; the request was sent without credentials"));
}

#[test]
fn reports_invalid_token_responses() {
    for (body, expected) in [
        ("", "not a JSON token response"),
        ("{}", "contains no token"),
        (r#"{"token":"a\r\nX-Evil: yes"}"#, "not valid in a header"),
        (r#"{"token":["x"]}"#, "not a JSON token response"),
    ] {
        let fake = with(Login::Tokens);
        fake.inject_fault(9, "GET", "/token", Fault::Respond(200, vec![], body));
        let error = fake.shop().head_manifest(ManifestReference::Tag("1")).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot get a token for `{}/shop`", fake.address));
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(expected) && source.contains("`GET /token`"), "{source}");
    }
    let fake = with(Login::Tokens);
    fake.inject_fault(9, "GET", "/token", Fault::ResizeResponse(2 << 20));
    let error = fake.shop().head_manifest(ManifestReference::Tag("1")).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.ends_with("the body is larger than 1048576 bytes"), "{source}");
    // Tokens that open nothing are asked for once more, and not for ever.
    let fake = with(Login::Tokens);
    fake.inject_fault(
        99,
        "GET",
        "/token",
        Fault::Respond(200, vec![], r#"{"token":"useless","expires_in":99999999999}"#),
    );
    let error = fake.shop().head_manifest(ManifestReference::Tag("1")).unwrap_err();
    assert!(error.to_string().contains("401 Unauthorized"), "{error}");
    assert!(fake.take_requests().len() <= 4);
    // Temporary failures are retried.
    let fake = with(Login::Tokens);
    fake.inject_fault(2, "GET", "/token", Fault::Respond(503, vec![], ""));
    fake.inject_fault(1, "GET", "/token", Fault::Disconnect);
    assert_eq!(fake.shop().head_manifest(ManifestReference::Tag("1")).unwrap(), None);
}

#[test]
fn sends_credentials_only_to_safe_realms() {
    for realm in ["http://registry.invalid/token", "http://10.0.0.1/token", "http://127.0.0.1.nip.invalid/"] {
        let fake = with(Login::Realm(realm.into()));
        let error = fake.shop_with(anna(&fake)).head_manifest(ManifestReference::Tag("1")).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("`HEAD /v2/shop/manifests/1`") && source.contains("without TLS"), "{source}");
    }
    for realm in ["", "token", "ftp://x/", "https://u:p@x/", "file:///etc/passwd"] {
        let fake = with(Login::Realm(realm.into()));
        let error = fake.shop_with(anna(&fake)).head_manifest(ManifestReference::Tag("1")).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("the URL of its token server is invalid"), "{source}");
    }
}

#[test]
fn many_threads_share_one_token() {
    let fake = with(Login::Tokens);
    let blobs: Vec<Vec<u8>> = (0..16_u8).map(|n| vec![n; 10]).collect();
    let uploads: Vec<BlobUpload<'_>> = blobs.iter().map(|blob| upload(blob)).collect();
    fake.shop_with(RegistrySettings { parallel_uploads: 8, ..anna(&fake) }).push_blobs(&uploads).unwrap();
    assert_eq!(fake.state().tokens.len(), 1);
}
