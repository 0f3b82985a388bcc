//! A large blob goes through a small memory.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use coracle_core::digest::Digest;
use coracle_oci::registry::{BlobContent, BlobUpload, ManifestReference, PushOutcome};
use coracle_testing::in_own_process;

use super::fake::{FakeRegistry, FakeRepositories as _};

/// `head -c 1G /dev/zero | sha256sum`
const DIGEST: &str = "sha256:49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14";

#[test]
fn uploads_a_gigabyte_in_little_memory() {
    in_own_process("registry::memory::uploads_a_gigabyte_in_little_memory", send_gigabyte);
}

fn send_gigabyte() {
    let fake = FakeRegistry::start();
    fake.state().counts = Some(0);
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1 << 30).unwrap();
    let open = || File::open(file.path());
    let digest: Digest = DIGEST.parse().unwrap();
    let blob = BlobUpload {
        digest,
        size: 1 << 30,
        content: BlobContent::File(&open),
        mount_from: None,
        progress: &(),
    };
    let shop = fake.shop();
    shop.head_manifest(ManifestReference::Tag("1")).unwrap();
    let before = resident();
    let (ends, most) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::SeqCst) {
                most.fetch_max(resident(), Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let pushed = shop.push_blob(&blob);
        ends.store(true, Ordering::SeqCst);
        assert_eq!(pushed.unwrap(), PushOutcome::Sent);
    });
    assert_eq!(fake.state().counts, Some(1 << 30));
    let most = most.into_inner();
    assert!(most > 0 && most.saturating_sub(before) < 64 << 10, "{before} KiB before, {most} KiB at most");
}

/// The memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
