//! Where a registry sends a request on to.

use std::collections::BTreeMap;

use coracle_core::digest::Digest;
use coracle_core::hint::Hint as _;
use coracle_oci::registry::{Credential, ManifestReference, RegistryError, RegistrySettings};

use super::fake::{FakeRegistry, FakeRepositories as _, Fault, Login, settings};
use super::test_image::{MANIFEST, image, read, upload};

fn to(location: String) -> Fault {
    Fault::Respond(307, vec![("location", location)], "")
}

#[test]
fn follows_redirects_without_credentials() {
    let (here, there) = (FakeRegistry::start(), FakeRegistry::start());
    here.state().login = Login::Password;
    let layer = &image(&[50_000]).layers[0];
    there.shop().push_blob(&upload(layer)).unwrap();
    there.take_requests();
    let digest = Digest::compute(layer);
    let password = Credential::password("anna", "correct horse battery staple");
    let credentials = BTreeMap::from([(here.address.to_string(), password)]);
    let shop = here.shop_with(RegistrySettings { credentials, ..settings() });
    shop.head_manifest(ManifestReference::Tag("1")).unwrap();
    here.inject_fault(
        9,
        "GET",
        "/blobs/",
        to(format!("http://{}/v2/shop/blobs/{digest}?signature=x", there.address)),
    );
    there.inject_fault(1, "GET", "/blobs/", Fault::TruncateResponse(20_000));
    assert_eq!(&read(&shop, &digest, layer.len()).unwrap(), layer);
    assert!(here.state().requests.last().unwrap().header("authorization").is_some());
    let there_asked = &there.state().requests;
    assert!(
        there_asked.len() == 2 && there_asked.iter().all(|request| request.header("authorization").is_none())
    );
}

#[test]
fn sends_uploads_to_allowed_hosts_only() {
    let (here, there) = (FakeRegistry::start(), FakeRegistry::start());
    here.state().login = Login::Password;
    for session in ["s", "t"] {
        there.state().uploads.insert(session.into(), Vec::new());
    }
    let location = |session| format!("http://{}/v2/shop/blobs/uploads/{session}?_state=at-0", there.address);
    let begin = || Fault::Respond(202, vec![("location", location("s"))], "");
    // A redirect of the upload itself takes its bytes along.
    let redirect = || to(format!("{}&digest={}", location("t"), Digest::compute(b"more")));
    let password = Credential::password("anna", "correct horse battery staple");
    let credentials = BTreeMap::from([(here.address.to_string(), password)]);
    let settings = RegistrySettings { credentials, ..settings() };

    let refuse = |method, part, fault, send: &dyn Fn() -> Result<(), RegistryError>| {
        here.inject_fault(1, method, part, fault);
        let error = send().unwrap_err();
        let (message, hint) = (error.to_string(), error.hint().unwrap());
        let host = there.address;
        assert!(message.ends_with(&format!("would send the image to `{host}`, which is not the registry")));
        assert_eq!(hint, format!("if `{host}` belongs to the registry, pass `--upload-host {host}`"));
        assert_eq!(there.take_requests().len(), 0, "{message}");
    };
    let shop = here.shop_with(settings.clone());
    shop.head_manifest(ManifestReference::Tag("1")).unwrap();
    refuse("POST", "/uploads/", begin(), &|| shop.push_blob(&upload(b"hello")).map(drop));
    refuse("POST", "/uploads/", to(location("s")), &|| shop.push_blob(&upload(b"hello")).map(drop));
    refuse("PUT", "/uploads/", redirect(), &|| shop.push_blob(&upload(b"more")).map(drop));
    refuse("PUT", "/manifests/", to(location("s")), &|| {
        shop.put_manifest(ManifestReference::Tag("1"), MANIFEST, b"{}").map(drop)
    });

    for host in [there.address.to_string(), "127.0.0.1".to_owned()] {
        let shop = here.shop_with(RegistrySettings { upload_hosts: vec![host], ..settings.clone() });
        here.inject_fault(1, "POST", "/uploads/", begin());
        there.state().uploads.insert("s".into(), Vec::new());
        shop.push_blob(&upload(b"hello")).unwrap();
        here.inject_fault(1, "PUT", "/uploads/", redirect());
        there.state().uploads.insert("t".into(), Vec::new());
        shop.push_blob(&upload(b"more")).unwrap();
        assert_eq!(std::mem::take(&mut there.state().blobs).len(), 2);
    }
    let sent = std::mem::take(&mut there.state().requests);
    assert!(!sent.is_empty() && sent.iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn reports_invalid_redirects() {
    for (location, expected) in [
        ("/v2/shop/manifests/1", "more than 5 redirects"),
        ("ftp://x/", "not a valid URL"),
        ("http://user:pw@127.0.0.1/", "not a valid URL"),
        ("http://registry.invalid/x?signature=y", "would continue at `registry.invalid` without TLS"),
    ] {
        let fake = FakeRegistry::start();
        fake.inject_fault(99, "GET", "/manifests/", to(location.into()));
        let error = fake.shop().pull_manifest(ManifestReference::Tag("1")).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!format!("{error:?}").contains("signature"), "{error:?}");
        assert!(fake.take_requests().len() <= 6);
    }
}
