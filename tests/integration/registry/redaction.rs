//! That no output shows a secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_core::hint::Hint as _;
use coracle_oci::registry::{Credential, ManifestReference, RegistryClient, RegistryError, Secret};

use super::fake::{FakeRepositories as _, Fault, Login};
use super::login::{USER, anna, known, with};

/// Whatever a registry repeats, and however an error is printed.
#[test]
fn no_error_shows_a_secret() {
    let check = |error: &RegistryError, part: &str| {
        let mut said = format!("{error} {error:?} {error:#?} {:?}", error.hint());
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            said.push_str(&format!(" {error}"));
            cause = error.source();
        }
        let basic = STANDARD.encode(format!("{USER}:hunter2hunter2"));
        for secret in ["hunter2", &basic, "secret-token", "identity-token"] {
            assert!(!said.contains(secret), "`{secret}` is in: {said}");
        }
        assert!(said.contains(part), "{said}");
    };
    for login in [Login::Password, Login::Tokens] {
        let fake = with(login);
        for credential in [
            Credential::password(USER, "hunter2hunter2"),
            Credential::IdentityToken(Secret::new("hunter2hunter2")),
            Credential::RegistryToken(Secret::new("hunter2hunter2")),
        ] {
            let settings = known(&fake, credential);
            assert!(
                !format!("{settings:?} {:?}", RegistryClient::new(settings.clone()).unwrap())
                    .contains("hunter2")
            );
            let error = fake.shop_with(settings).pull_manifest(ManifestReference::Tag("1")).unwrap_err();
            check(&error, "401 Unauthorized");
        }
    }
    // A registry that repeats it where it may send us.
    let token = "secret-token-0";
    for (fault, expected) in [
        (Fault::Respond(307, vec![("location", format!("http://{token}.invalid/"))], ""), "[secret].invalid"),
        (
            Fault::Respond(307, vec![("location", format!("/v2/shop/manifests/{token}"))], ""),
            "more than 5 redirects",
        ),
        (Fault::Respond(200, vec![("content-type", token.into())], r#"{"mediaType":"a"}"#), "is `[secret]`"),
    ] {
        let fake = with(Login::Tokens);
        let shop = fake.shop_with(anna(&fake));
        shop.head_manifest(ManifestReference::Tag("1")).unwrap();
        fake.inject_fault(6, "GET", "/manifests/", fault);
        check(&shop.pull_manifest(ManifestReference::Tag("1")).unwrap_err(), expected);
    }
    // A token server that repeats what it got.
    let fake = with(Login::Tokens);
    fake.inject_fault(1, "GET", "/token", Fault::Respond(400, vec![], r#"{"details":"bad hunter2hunter2"}"#));
    let settings = known(&fake, Credential::password(USER, "hunter2hunter2"));
    check(&fake.shop_with(settings).head_manifest(ManifestReference::Tag("1")).unwrap_err(), "bad [secret]");
}
