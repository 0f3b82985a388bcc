//! Where a registry sends a request on to.

use std::collections::BTreeMap;

use coracle_core::digest::Digest;
use coracle_oci::registry::{Credential, ManifestReference, RegistrySettings};

use super::fake::{FakeRegistry, FakeRepositories as _, Fault, Login, settings};
use super::test_image::{image, read, upload};

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
fn follows_upload_locations_on_other_hosts() {
    let (here, there) = (FakeRegistry::start(), FakeRegistry::start());
    there.state().uploads.insert("s".into(), Vec::new());
    let location = format!("http://{}/v2/shop/blobs/uploads/s?_state=at-0", there.address);
    here.inject_fault(1, "POST", "/uploads/", Fault::Respond(202, vec![("location", location)], ""));
    here.shop().push_blob(&upload(b"hello")).unwrap();
    assert_eq!(there.state().blobs.len(), 1);
    // A redirect of the upload itself takes its bytes along.
    let place = format!(
        "http://{}/v2/shop/blobs/uploads/t?_state=at-0&digest={}",
        there.address,
        Digest::compute(b"more")
    );
    there.state().uploads.insert("t".into(), Vec::new());
    here.inject_fault(1, "PUT", "/uploads/", to(place));
    here.shop().push_blob(&upload(b"more")).unwrap();
    assert_eq!(there.state().blobs.len(), 2);
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
