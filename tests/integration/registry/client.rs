//! The requests to a registry without errors.

use std::io::{Seek, Write};

use coracle_core::digest::Digest;
use coracle_core::hint::Hint as _;
use coracle_core::reference::ImageReference;
use coracle_oci::registry::{
    Access, BlobContent, BlobUpload, ManifestReference, PushOutcome, RegistryClient, RegistrySettings,
    Repository, Secret,
};

use super::fake::{FakeRegistry, FakeRepositories as _, settings};
use super::test_image::{MANIFEST, image, read, upload};

#[test]
fn pushes_and_pulls_an_image() {
    let (fake, image) = (FakeRegistry::start(), image(&[300_000, 0, 7]));
    let shop = fake.shop();
    image.push(&shop, "1").unwrap();
    for target in [ManifestReference::Tag("1"), ManifestReference::Digest(image.digest())] {
        let head = shop.head_manifest(target).unwrap().unwrap();
        assert_eq!((head.media_type.as_str(), head.digest), (MANIFEST, image.digest()));
        assert_eq!(head.size, image.manifest.len() as u64);
        let manifest = shop.pull_manifest(target).unwrap().unwrap();
        assert_eq!((manifest.bytes, manifest.digest), (image.manifest.clone(), image.digest()));
        assert_eq!(manifest.media_type, MANIFEST);
    }
    for layer in &image.layers {
        assert_eq!(&read(&shop, &Digest::compute(layer), layer.len()).unwrap(), layer);
    }
}

#[test]
fn an_unchanged_image_takes_one_head_request() {
    let (fake, image) = (FakeRegistry::start(), image(&[9]));
    image.push(&fake.shop(), "1").unwrap();
    fake.take_requests();
    assert_eq!(
        fake.shop().head_manifest(ManifestReference::Tag("1")).unwrap().unwrap().digest,
        image.digest()
    );
    assert_eq!(fake.take_requests(), ["HEAD /v2/shop/manifests/1"]);
}

#[test]
fn a_new_blob_takes_three_requests_and_an_existing_one_takes_one() {
    for relative in [false, true] {
        let fake = FakeRegistry::start();
        fake.state().relative = relative;
        let (shop, blob) = (fake.shop(), upload(b"hello"));
        assert_eq!(shop.push_blob(&blob).unwrap(), PushOutcome::Sent);
        let digest = blob.digest;
        assert_eq!(
            fake.take_requests(),
            [
                format!("HEAD /v2/shop/blobs/{digest}"),
                "POST /v2/shop/blobs/uploads/".into(),
                format!("PUT /v2/shop/blobs/uploads/session-1?_state=at-0&digest={digest}"),
            ]
        );
        assert_eq!(shop.push_blob(&blob).unwrap(), PushOutcome::Present);
        assert_eq!(fake.take_requests(), [format!("HEAD /v2/shop/blobs/{digest}")]);
    }
}

#[test]
fn mounts_blobs_if_supported() {
    let fake = FakeRegistry::start();
    let client = RegistryClient::new(settings()).unwrap();
    let base = client.repository_client(&fake.repository("base"), &Access::push());
    let blob = upload(b"shared");
    base.push_blob(&blob).unwrap();
    let blob = BlobUpload { mount_from: Some("base"), ..blob };
    assert_eq!(fake.shop().push_blob(&blob).unwrap(), PushOutcome::Mounted);
    assert!(fake.state().uploads.is_empty());

    // Where it does not, the session that comes instead is used.
    fake.state().no_mounts = true;
    fake.take_requests();
    let other = client.repository_client(&fake.repository("other"), &Access::push());
    assert_eq!(other.push_blob(&blob).unwrap(), PushOutcome::Sent);
    let asked = fake.take_requests();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(asked[1], format!("POST /v2/other/blobs/uploads/?mount={}&from=base", blob.digest));
    assert!(fake.state().uploads.is_empty());
}

#[test]
fn uploads_files_concurrently_and_each_once() {
    let fake = FakeRegistry::start();
    let contents: Vec<Vec<u8>> = (0..20_u8).map(|n| vec![n / 2; 100_000 + usize::from(n / 2)]).collect();
    let files: Vec<_> = contents
        .iter()
        .map(|content| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(content).unwrap();
            file
        })
        .collect();
    let opens: Vec<_> = files.iter().map(|file| || std::fs::File::open(file.path())).collect();
    let uploads: Vec<BlobUpload<'_>> = contents
        .iter()
        .zip(&opens)
        .map(|(content, open)| BlobUpload {
            digest: Digest::compute(content),
            size: content.len() as u64,
            content: BlobContent::File(open),
            mount_from: None,
            progress: &(),
        })
        .collect();
    let pushed =
        fake.shop_with(RegistrySettings { parallel_uploads: 4, ..settings() }).push_blobs(&uploads).unwrap();
    for pair in pushed.chunks(2) {
        assert_eq!(pair, [PushOutcome::Sent, PushOutcome::Present]);
    }
    assert_eq!(fake.state().blobs.len(), 10);
    assert_eq!(fake.take_requests().iter().filter(|asked| asked.starts_with("PUT")).count(), 10);
}

#[test]
fn missing_content_is_none() {
    let fake = FakeRegistry::start();
    let shop = fake.shop();
    assert_eq!(shop.head_manifest(ManifestReference::Tag("none")).unwrap(), None);
    assert_eq!(shop.pull_manifest(ManifestReference::Digest(Digest::compute(b""))).unwrap(), None);
    assert!(!shop.has_blob(&Digest::compute(b"")).unwrap());
    let error = shop.pull_blob(&Digest::compute(b""), 0).unwrap_err();
    assert!(error.to_string().contains("404 Not Found (BLOB_UNKNOWN: the fake says no)"), "{error}");
    let error = shop.head_manifest(ManifestReference::Tag("../../evil")).unwrap_err();
    assert_eq!(error.to_string(), "`../../evil` is not a valid tag");
}

#[test]
fn reports_a_manifest_with_missing_blobs() {
    let (fake, image) = (FakeRegistry::start(), image(&[9]));
    let error = fake.shop().put_manifest(ManifestReference::Tag("1"), MANIFEST, &image.manifest).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`PUT /v2/shop/manifests/1` for `shop` at `{}` failed with status 400 Bad Request \
             (MANIFEST_BLOB_UNKNOWN: the fake says no)",
            fake.address
        )
    );
    assert_eq!(error.hint().unwrap(), "push the blobs and manifests that the manifest refers to first");
    assert!(fake.state().tags.is_empty());
}

#[test]
fn a_truncated_file_is_an_error_and_ends_the_upload() {
    let fake = FakeRegistry::start();
    let open = || {
        let mut file = tempfile::tempfile()?;
        file.write_all(b"short")?;
        file.rewind()?;
        Ok(file)
    };
    let blob = BlobUpload {
        digest: Digest::compute(b"long"),
        size: 99,
        content: BlobContent::File(&open),
        mount_from: None,
        progress: &(),
    };
    let error = fake.shop().push_blob(&blob).unwrap_err();
    assert!(
        error.to_string().ends_with("cannot read the content to send: it is shorter than expected"),
        "{error}"
    );
    assert!(fake.state().uploads.is_empty() && fake.state().blobs.is_empty());
}

/// A proxy sees where somebody goes.
#[test]
fn uses_plain_http_only_for_localhost_or_on_request() {
    let fake = FakeRegistry::start();
    let reference: ImageReference = "registry.invalid/shop".parse().unwrap();
    let open = |settings| {
        RegistryClient::new(settings).unwrap().repository_client(&Repository::from(&reference), &Access::Pull)
    };
    let proxied = || RegistrySettings {
        proxy: Some(Secret::new(format!("http://me:hush@{}", fake.address))),
        ..settings()
    };

    let error = open(proxied()).head_manifest(ManifestReference::Tag("1")).unwrap_err();
    assert!(error.to_string().ends_with("at `registry.invalid`: the proxy can't connect"), "{error}");
    assert!(!format!("{error:?} {:?}", proxied()).contains("hush"));
    assert_eq!(fake.take_requests(), ["CONNECT registry.invalid:443"]);

    let insecure = RegistrySettings { insecure_registries: vec!["registry.invalid".into()], ..proxied() };
    let shop = open(insecure);
    assert_eq!(shop.head_manifest(ManifestReference::Tag("1")).unwrap(), None);
    let connects = ["CONNECT registry.invalid:443", "CONNECT registry.invalid:80"];
    let expected = [&connects[..], &["HEAD /v2/shop/manifests/1"]].concat();
    assert_eq!(fake.take_requests(), expected);
    assert_eq!(shop.head_manifest(ManifestReference::Tag("1")).unwrap(), None);
    assert_eq!(fake.take_requests(), ["HEAD /v2/shop/manifests/1"]);

    // Hosts in NO_PROXY and the local host are reached without the proxy.
    let direct = RegistrySettings { no_proxy: vec![".invalid".into()], ..proxied() };
    open(direct).head_manifest(ManifestReference::Tag("1")).unwrap_err();
    assert_eq!(fake.take_requests(), [""; 0]);
    assert_eq!(fake.shop_with(proxied()).head_manifest(ManifestReference::Tag("1")).unwrap(), None);
    assert_eq!(fake.take_requests(), ["HEAD /v2/shop/manifests/1"]);
}
