//! Blobs that go from one registry to another, and what is told meanwhile.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use coracle_core::digest::Digest;
use coracle_core::progress::Progress;
use coracle_oci::registry::{BlobContent, BlobUpload, PushOutcome, RegistryError, RepositoryClient};

use super::fake::{FakeRegistry, FakeRepositories as _, Fault};
use super::test_image::{image, upload};

const SIZE: usize = 100_000;

fn copy(
    from: &RepositoryClient,
    to: &RepositoryClient,
    digest: Digest,
) -> Result<PushOutcome, RegistryError> {
    let open = || {
        let reader = from.pull_blob(&digest, SIZE as u64).map_err(io::Error::other)?;
        Ok(Box::new(reader) as Box<dyn Read>)
    };
    to.push_blob(&BlobUpload {
        digest,
        size: SIZE as u64,
        content: BlobContent::Stream(&open),
        mount_from: None,
        progress: &(),
    })
}

#[test]
fn copies_a_blob_without_a_file_and_resumes_after_cuts() {
    let (from, to) = (FakeRegistry::start(), FakeRegistry::start());
    let layer = image(&[SIZE]).layers.remove(0);
    let digest = Digest::compute(&layer);
    from.shop().push_blob(&upload(&layer)).unwrap();
    from.inject_fault(1, "GET", "/blobs/", Fault::TruncateResponse(20_000));
    to.inject_fault(1, "PUT", "/uploads/", Fault::TruncateUpload(60_000));
    from.take_requests();
    assert_eq!(copy(&from.shop(), &to.shop(), digest).unwrap(), PushOutcome::Sent);
    assert_eq!(to.state().blobs[&("shop".to_owned(), digest.to_string())], layer);
    assert_eq!(from.take_requests().len(), 3);
}

#[test]
fn rejects_an_altered_blob() {
    let (from, to) = (FakeRegistry::start(), FakeRegistry::start());
    let layer = image(&[SIZE]).layers.remove(0);
    let digest = Digest::compute(&layer);
    from.shop().push_blob(&upload(&layer)).unwrap();
    from.inject_fault(9, "GET", "/blobs/", Fault::AlterResponse);
    let said = copy(&from.shop(), &to.shop(), digest).unwrap_err().to_string();
    assert!(said.contains(&to.address.to_string()) && said.contains(&from.address.to_string()), "{said}");
    assert!(said.contains("cannot read the content to send: the response to `GET /v2/shop/blobs/"), "{said}");
    assert!(to.state().blobs.is_empty() && to.state().uploads.is_empty());
}

#[derive(Default)]
struct ByteCounter(AtomicU64);

impl Progress for ByteCounter {
    fn advance(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::SeqCst);
    }
}

#[test]
fn reports_progress() {
    let fake = FakeRegistry::start();
    let layer = image(&[SIZE]).layers.remove(0);
    let sent = ByteCounter::default();
    let blob = BlobUpload { progress: &sent, ..upload(&layer) };
    fake.shop().push_blob(&blob).unwrap();
    fake.shop().push_blob(&blob).unwrap();
    assert_eq!(sent.0.into_inner(), SIZE as u64);
}
