//! A large blob goes through a small memory.

use std::fs::File;

use coracle::digest::Digest;
use coracle::registry::{Content, Pushed, Settings, Target, Timeouts, Upload};

use super::fake::{Fake, settings};

/// `head -c 1G /dev/zero | sha256sum`
const DIGEST: &str = "sha256:49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14";

#[test]
fn a_gigabyte_is_sent_from_disk() {
    let fake = Fake::start();
    fake.state().counts = Some(0);
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1 << 30).unwrap();
    let open = || File::open(file.path());
    let digest: Digest = DIGEST.parse().unwrap();
    let blob = Upload { digest, size: 1 << 30, content: Content::File(&open), from: None };
    let timeouts = Timeouts { answer: std::time::Duration::from_secs(20), ..settings().timeouts };
    let shop = fake.shop_with(Settings { timeouts, ..settings() });
    shop.head(Target::Tag("1")).unwrap();
    let before = peak();
    assert_eq!(shop.push_blob(&blob).unwrap(), Pushed::Sent);
    assert_eq!(fake.state().counts, Some(1 << 30));
    // Other tests run beside it in this process; the blob alone would be a million.
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < 64 << 10, "{before} KiB before, {after} KiB after");
    }
}

/// The most memory that this process ever had, in KiB, where the host tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
