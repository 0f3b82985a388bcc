//! Every fault ends in success after another try, or in one error that names registry, repository,
//! request and answer.

use std::time::{Duration, Instant};

use coracle_core::digest::Digest;
use coracle_core::hint::Hint as _;
use coracle_oci::registry::{BlobUpload, ManifestReference, PushOutcome, RegistryError};

use super::fake::{FakeRegistry, FakeRepositories as _, Fault, Login, settings};
use super::login::{anna, with};
use super::test_image::{MANIFEST, image, read, upload};

fn says(status: u16) -> Fault {
    let body = r#"{"errors":[{"code":"FAULT","message":"\u001b[31mred\u001b[0m"}]}"#;
    Fault::Respond(status, vec![("content-type", "application/json".into())], body)
}

type Step = fn(&FakeRegistry) -> Result<(), RegistryError>;

/// The steps of a push and a pull, each on its own.
const STEPS: &[(&str, &str, Step)] = &[
    ("HEAD", "/manifests/", |fake| {
        fake.shop().head_manifest(ManifestReference::Tag("1")).map(|head| drop(head.unwrap()))
    }),
    ("GET", "/manifests/", |fake| {
        fake.shop().pull_manifest(ManifestReference::Tag("1")).map(|manifest| drop(manifest.unwrap()))
    }),
    ("PUT", "/manifests/", |fake| {
        fake.shop().put_manifest(ManifestReference::Tag("2"), MANIFEST, &image(&[LAYER]).manifest).map(drop)
    }),
    ("HEAD", "/blobs/", |fake| fake.shop().has_blob(&Digest::compute(b"hello")).map(drop)),
    ("POST", "/uploads/", |fake| fake.shop().push_blob(&upload(b"hello")).map(drop)),
    ("PUT", "/uploads/", |fake| fake.shop().push_blob(&upload(b"hello")).map(drop)),
    ("GET", "/blobs/", |fake| {
        let layer = &image(&[LAYER]).layers[0];
        read(&fake.shop(), &Digest::compute(layer), layer.len()).map(|bytes| assert_eq!(&bytes, layer))
    }),
];

const LAYER: usize = 100_000;

fn fake() -> FakeRegistry {
    let fake = FakeRegistry::start();
    image(&[LAYER]).push(&fake.shop(), "1").unwrap();
    fake.take_requests();
    fake
}

fn assert_names(error: &RegistryError, fake: &FakeRegistry, method: &str) {
    let said = error.to_string();
    for part in [&format!("`{method} /v2/shop/"), "`shop`", &format!("`{}`", fake.address)] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    assert!(!said.contains('\x1b'), "{said}");
}

#[test]
fn retries_temporary_errors() {
    for fault in [says(429), says(500), says(502), says(503), says(504), Fault::Disconnect] {
        for (method, part, step) in STEPS {
            let fake = fake();
            fake.inject_fault(2, method, part, fault.clone());
            step(&fake).unwrap_or_else(|error| panic!("{method} {part} {fault:?}: {error}"));
        }
    }
}

#[test]
fn reports_permanent_errors() {
    for (fault, expected) in [
        (says(429), "429 Too Many Requests (FAULT: \\u{1b}[31mred\\u{1b}[0m)"),
        (says(500), "500 Internal Server Error (FAULT"),
        (says(502), "502 Bad Gateway (FAULT"),
        (says(403), "403 Forbidden (FAULT"),
        (says(401), "401 Unauthorized (FAULT"),
        (says(418), "418 I'm a teapot (FAULT"),
        (Fault::Disconnect, "the connection was closed too early"),
        (Fault::EndlessHeader, "its headers are too large"),
        (Fault::RawResponse("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "http parse fail"),
        (Fault::Delay(Duration::from_secs(1)), "timed out"),
    ] {
        for (method, part, step) in STEPS {
            let fake = fake();
            let uploads = *part == "/uploads/";
            fake.inject_fault(99, method, part, fault.clone());
            fake.state().short_timeouts = matches!(fault, Fault::Delay(_));
            let result = step(&fake);
            if *part == "/uploads/" && *method == "PUT" && result.is_ok() {
                // The answer alone was lost, and the registry said so when it was asked for the blob.
                assert!(matches!(fault, Fault::Disconnect | Fault::Delay(_)), "{fault:?}");
                continue;
            }
            let error = result.unwrap_err();
            assert_names(&error, &fake, method);
            // An answer to HEAD has no body.
            let expected = if *method == "HEAD" { expected.split(" (").next().unwrap() } else { expected };
            assert!(error.to_string().contains(expected), "{method} {part}: {error}");
            assert!(
                !uploads || *method == "POST" || fake.state().uploads.is_empty(),
                "an upload was left: {error}"
            );
        }
    }
}

/// Some registries have no `HEAD`.
#[test]
fn asks_by_get_where_head_is_not_supported() {
    for status in [405, 501] {
        let fake = fake();
        let image = image(&[LAYER]);
        fake.inject_fault(99, "HEAD", "", says(status));
        let head = fake.shop().head_manifest(ManifestReference::Tag("1")).unwrap().unwrap();
        assert_eq!((head.digest, head.size), (image.digest(), image.manifest.len() as u64));
        assert_eq!(fake.shop().head_manifest(ManifestReference::Tag("none")).unwrap(), None);
        fake.shop().push_blob(&upload(b"")).unwrap();
        fake.take_requests();
        let layer = &image.layers[0];
        for no_ranges in [false, true] {
            fake.state().no_ranges = no_ranges;
            assert!(fake.shop().has_blob(&Digest::compute(layer)).unwrap());
            assert!(fake.shop().has_blob(&Digest::compute(b"")).unwrap());
            assert!(!fake.shop().has_blob(&Digest::compute(b"none")).unwrap());
        }
        // The layer itself is not fetched.
        let state = fake.state();
        let mut asked = state.requests.iter().filter(|request| request.method == "GET");
        assert!(asked.all(|request| request.header("range") == Some("bytes=0-0")));
    }
}

/// Registries deny a login access to what does not exist, to hide that it does not.
#[test]
fn what_a_registry_hides_from_a_login_is_pushed() {
    for status in [401, 403] {
        let fake = with(Login::Password);
        let shop = fake.shop_with(anna(&fake));
        shop.has_blob(&Digest::compute(b"")).unwrap();
        fake.inject_fault(99, "HEAD", "", says(status));
        assert_eq!(shop.push_blob(&upload(b"hello")).unwrap(), PushOutcome::Sent);
        assert_eq!(shop.head_existing_manifest(ManifestReference::Tag("1")).unwrap(), None);
        image(&[9]).push(&shop, "1").unwrap();
        // An image that is read has to be there.
        let error = shop.head_manifest(ManifestReference::Tag("1")).unwrap_err();
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        // Without a login, one is needed.
        let error = fake.shop().push_blob(&upload(b"other")).unwrap_err();
        assert!(error.hint().unwrap().starts_with("log in with "), "{error}");
        assert_names(&error, &fake, "HEAD");
    }
}

#[test]
fn reads_the_referrers_tag_if_the_api_is_missing() {
    for status in [400, 404, 405, 406, 501] {
        let fake = fake();
        fake.state().referrers = true;
        fake.inject_fault(9, "GET", "/referrers/", says(status));
        let subject = Digest::compute(b"subject");
        assert_eq!(fake.shop().referrers(&subject).unwrap(), [], "{status}");
        assert!(fake.take_requests().last().unwrap().contains("/manifests/sha256-"));
    }
}

#[test]
fn a_mount_that_fails_is_an_upload() {
    for fault in [says(400), says(403), says(500), says(502), says(503), says(504), Fault::Disconnect] {
        let fake = fake();
        fake.inject_fault(9, "POST", "mount=", fault.clone());
        let blob = BlobUpload { mount_from: Some("base"), ..upload(b"hello") };
        assert_eq!(fake.shop().push_blob(&blob).unwrap(), PushOutcome::Sent, "{fault:?}");
    }
}

/// Registries differ in the status of a success.
#[test]
fn every_status_of_success_counts() {
    for status in [200, 201, 204] {
        let fake = FakeRegistry::start();
        fake.state().success = Some(status);
        fake.inject_fault(1, "PUT", "/uploads/", Fault::TruncateUpload(10));
        let image = image(&[100]);
        image.push(&fake.shop(), "1").unwrap();
        assert_eq!(read(&fake.shop(), &Digest::compute(&image.layers[0]), 100).unwrap(), image.layers[0]);
        let blob = BlobUpload { mount_from: Some("base"), ..upload(b"hello") };
        fake.state().blobs.insert(("base".into(), Digest::compute(b"hello").to_string()), b"hello".into());
        assert_eq!(fake.shop().push_blob(&blob).unwrap(), PushOutcome::Mounted, "{status}");
    }
}

#[test]
fn a_trickling_blob_times_out() {
    let fake = fake();
    fake.state().short_timeouts = true;
    fake.inject_fault(99, "GET", "/blobs/", Fault::Trickle(Duration::from_millis(20)));
    let layer = &image(&[LAYER]).layers[0];
    let error = read(&fake.shop(), &Digest::compute(layer), LAYER).unwrap_err();
    assert!(error.to_string().contains("timed out"), "{error}");
}

#[test]
fn honors_retry_after() {
    let date = || {
        let now = ("date", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
        vec![now, ("retry-after", "Sun, 06 Nov 1994 08:49:38 GMT".into())]
    };
    for headers in [vec![("retry-after", "1".to_owned())], date()] {
        let fake = fake();
        fake.inject_fault(1, "HEAD", "/manifests/", Fault::Respond(429, headers, ""));
        let start = Instant::now();
        STEPS[0].2(&fake).unwrap();
        assert!(start.elapsed() >= Duration::from_secs(1));
    }
    // Longer than anybody waits: one clear error at once.
    let fake = fake();
    fake.inject_fault(
        1,
        "HEAD",
        "/manifests/",
        Fault::Respond(429, vec![("retry-after", "3600".into())], ""),
    );
    let error = STEPS[0].2(&fake).unwrap_err();
    assert_eq!(error.hint().unwrap(), "try again in 3600 s");
    assert_eq!(fake.take_requests().len(), 1);
}

#[test]
fn resumes_a_cut_upload() {
    let bytes = image(&[LAYER]).layers.remove(0);
    let fake = FakeRegistry::start();
    fake.inject_fault(1, "PUT", "/uploads/", Fault::TruncateUpload(60_000));
    fake.inject_fault(1, "PATCH", "/uploads/", Fault::TruncateUpload(1_000));
    assert_eq!(fake.shop().push_blob(&upload(&bytes)).unwrap(), PushOutcome::Sent);
    let ranges: Vec<String> =
        fake.state().requests.iter().filter_map(|r| r.header("content-range").map(str::to_owned)).collect();
    assert_eq!(ranges, ["60000-99999", "61000-99999"]);
    assert!(fake.state().uploads.is_empty());
}

#[test]
fn restarts_an_upload_that_was_not_kept() {
    let bytes = image(&[LAYER]).layers.remove(0);
    let fake = FakeRegistry::start();
    fake.state().no_resume = true;
    fake.inject_fault(2, "PUT", "/uploads/", Fault::TruncateUpload(60_000));
    assert_eq!(fake.shop().push_blob(&upload(&bytes)).unwrap(), PushOutcome::Sent);
    fake.inject_fault(9, "PUT", "/uploads/", Fault::TruncateUpload(10));
    let error = fake.shop().push_blob(&upload(b"another")).unwrap_err();
    assert_names(&error, &fake, "PUT");
    assert!(fake.state().uploads.is_empty());
}

#[test]
fn resumes_a_cut_download() {
    let layer = &image(&[LAYER]).layers[0];
    let digest = Digest::compute(layer);
    for no_ranges in [false, true] {
        let fake = fake();
        fake.state().no_ranges = no_ranges;
        fake.inject_fault(1, "GET", "/blobs/", Fault::TruncateResponse(70_000));
        fake.inject_fault(
            1,
            "GET",
            "/blobs/",
            Fault::TruncateResponse(90_000 - if no_ranges { 0 } else { 70_000 }),
        );
        assert_eq!(&read(&fake.shop(), &digest, LAYER).unwrap(), layer);
        let ranges: Vec<String> =
            fake.state().requests.iter().filter_map(|r| r.header("range").map(str::to_owned)).collect();
        assert_eq!(ranges, ["bytes=70000-", "bytes=90000-"]);
    }
}

#[test]
fn rejects_blobs_with_another_digest_or_size() {
    let layer = &image(&[LAYER]).layers[0];
    let digest = Digest::compute(layer);
    for (fault, expected) in [
        (Fault::AlterResponse, "` instead of `sha256:"),
        (Fault::ResizeResponse(LAYER + 1), "the blob is longer than the 100000 bytes of its descriptor"),
        (Fault::ResizeResponse(LAYER - 1), "the connection was closed too early"),
        (Fault::ResizeResponse(0), "the connection was closed too early"),
        (Fault::TruncateResponse(0), "the connection was closed too early"),
    ] {
        let fake = fake();
        fake.state().no_ranges = true;
        fake.inject_fault(99, "GET", "/blobs/", fault.clone());
        let error = read(&fake.shop(), &digest, LAYER).unwrap_err();
        assert_names(&error, &fake, "GET");
        assert!(error.to_string().contains(expected), "{fault:?}: {error}");
    }
    // A part that is another than was asked for.
    let fake = fake();
    fake.inject_fault(1, "GET", "/blobs/", Fault::TruncateResponse(5));
    let other = Fault::Respond(206, vec![("content-range", "bytes 0-99999/100000".into())], "");
    fake.inject_fault(1, "GET", "/blobs/", other);
    let error = read(&fake.shop(), &digest, LAYER).unwrap_err();
    assert!(error.to_string().contains("not the requested range"), "{error}");
}

#[test]
fn verifies_an_empty_blob() {
    let fake = fake();
    fake.shop().push_blob(&upload(b"")).unwrap();
    assert_eq!(read(&fake.shop(), &Digest::compute(b""), 0).unwrap(), b"");
    fake.inject_fault(1, "GET", "/blobs/", Fault::ResizeResponse(1));
    let error = read(&fake.shop(), &Digest::compute(b""), 0).unwrap_err();
    assert!(error.to_string().contains("longer than the 0 bytes"), "{error}");
}

#[test]
fn rejects_manifests_with_another_digest() {
    let digest = image(&[LAYER]).digest();
    for (fault, expected) in [
        (Fault::AlterResponse, "instead of"),
        (Fault::ResizeResponse(10), "instead of"),
        (Fault::ResizeResponse(5 << 20), "the body is larger than 4194304 bytes"),
        (Fault::TruncateResponse(10), "the connection was closed too early"),
        (Fault::Respond(200, vec![("content-type", "a/b".into())], "{}"), "instead of"),
    ] {
        for target in [ManifestReference::Tag("1"), ManifestReference::Digest(digest)] {
            let fake = fake();
            fake.inject_fault(99, "GET", "/manifests/", fault.clone());
            let result = fake.shop().pull_manifest(target);
            if matches!((&fault, target), (Fault::Respond(..), ManifestReference::Tag(_))) {
                // A tag may be anything.
                assert_eq!(result.unwrap().unwrap().media_type, "a/b");
                continue;
            }
            let error = result.unwrap_err();
            assert_names(&error, &fake, "GET");
            assert!(error.to_string().contains(expected), "{fault:?}: {error}");
        }
    }
    let fake = fake();
    fake.inject_fault(1, "GET", "/manifests/", Fault::TruncateResponse(10));
    assert_eq!(fake.shop().pull_manifest(ManifestReference::Tag("1")).unwrap().unwrap().digest, digest);
}

#[test]
fn reports_a_registry_that_stored_another_digest() {
    let fake = fake();
    let other = Digest::compute(b"other").to_string();
    fake.inject_fault(
        1,
        "PUT",
        "/manifests/",
        Fault::Respond(201, vec![("docker-content-digest", other.clone())], ""),
    );
    let error = STEPS[2].2(&fake).unwrap_err();
    assert!(error.to_string().contains(&format!("has the digest `{other}` instead of")), "{error}");
    fake.inject_fault(
        1,
        "PUT",
        "/uploads/",
        Fault::Respond(201, vec![("docker-content-digest", other.clone())], ""),
    );
    let error = STEPS[5].2(&fake).unwrap_err();
    assert!(error.to_string().contains(&format!("has the digest `{other}` instead of")), "{error}");
}

#[test]
fn reports_an_upload_without_location() {
    for location in [
        vec![],
        vec![("location", "ftp://x/".to_owned())],
        vec![("location", "http://u:p@127.0.0.1/".into())],
    ] {
        let fake = fake();
        fake.inject_fault(1, "POST", "/uploads/", Fault::Respond(202, location, ""));
        let error = STEPS[4].2(&fake).unwrap_err();
        assert!(error.to_string().ends_with("it has no valid Location header"), "{error}");
    }
    let fake = fake();
    let location = vec![("location", "http://registry.invalid/upload?_state=signed".to_owned())];
    fake.inject_fault(1, "POST", "/uploads/", Fault::Respond(202, location, ""));
    let error = STEPS[4].2(&fake).unwrap_err();
    assert!(error.to_string().contains("would continue at `registry.invalid` without TLS"), "{error}");
    assert!(!format!("{error:?}").contains("signed"), "{error:?}");
}

#[test]
fn retries_are_counted() {
    let fake = fake();
    fake.inject_fault(99, "HEAD", "/manifests/", says(503));
    STEPS[0].2(&fake).unwrap_err();
    assert_eq!(fake.take_requests().len(), settings().retry_policy.attempts as usize);
}

#[test]
fn a_rejected_blob_ends_the_push() {
    let fake = fake();
    let blobs: Vec<Vec<u8>> = (0..40_u8).map(|n| vec![n; 10]).collect();
    let uploads: Vec<_> = blobs.iter().map(|blob| upload(blob)).collect();
    fake.inject_fault(1, "PUT", "/uploads/", says(403));
    let error = fake.shop().push_blobs(&uploads).unwrap_err();
    assert_names(&error, &fake, "PUT");
    assert!(fake.state().uploads.is_empty());
    assert!(fake.state().blobs.len() < 40);
}
