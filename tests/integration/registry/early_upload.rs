//! Layers that are sent while others are packed, as the library's callers see it.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use coracle::recipe::{Recipe, RecipeOverrides};
use coracle::{Observer, Plan, Settings};
use coracle_core::hint::Hint as _;
use coracle_oci::registry::RegistryClient;

use super::fake::{FakeRegistry, Fault, settings};
use super::push_and_copy::folder;

/// Watches what is packed and sent; where `waits`, packing goes on behind the first layer only when a registry has that.
struct Watch<'a> {
    fake: &'a FakeRegistry,
    waits: bool,
    first: AtomicU64,
    total: AtomicU64,
    packed: AtomicU64,
    sending: AtomicU64,
    sent: AtomicU64,
    overlapped: AtomicBool,
}

impl<'a> Watch<'a> {
    fn new(fake: &'a FakeRegistry, waits: bool) -> Self {
        let zero = AtomicU64::default;
        let overlapped = AtomicBool::default();
        Self {
            fake,
            waits,
            first: zero(),
            total: zero(),
            packed: zero(),
            sending: zero(),
            sent: zero(),
            overlapped,
        }
    }
}

impl Observer for Watch<'_> {
    fn on_planned(&self, plans: &[Plan]) {
        let rootfs = &plans[0].rootfs;
        self.total.store(rootfs.total_size(), Ordering::SeqCst);
    }

    fn on_packed(&self, bytes: u64) {
        self.packed.fetch_add(bytes, Ordering::SeqCst);
        let behind_first = self.first.load(Ordering::SeqCst) > 0;
        // Bounded, so that a build which sends nothing meanwhile fails this test and does not hang.
        for _ in 0..2000 {
            if !self.waits || !behind_first || self.overlapped.load(Ordering::SeqCst) {
                break;
            }
            let is_there = !self.fake.state().blobs.is_empty();
            self.overlapped.store(is_there, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn on_upload_queued(&self, bytes: u64) {
        let _ = self.first.compare_exchange(0, bytes, Ordering::SeqCst, Ordering::SeqCst);
        self.sending.fetch_add(bytes, Ordering::SeqCst);
    }

    fn on_uploaded(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::SeqCst);
    }
}

fn recipe(folder: &std::path::Path, to: &str) -> Recipe {
    let flags = RecipeOverrides {
        programs: vec![folder.join("app").into()],
        includes: vec![format!("{}:/srv/data", folder.join("data").display()).into()],
        destinations: vec![to.into()],
        ..RecipeOverrides::default()
    };
    Recipe::from_flags(&flags).unwrap()
}

#[test]
fn uploads_a_layer_while_the_next_is_packed() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    File::create(folder.path().join("data")).unwrap().set_len(3 << 20).unwrap();
    let recipe = recipe(folder.path(), &format!("docker://{}/shop:1", fake.address));
    let client = Some(RegistryClient::new(settings()).unwrap());
    let scratch = Some(folder.path().to_owned());
    let watch = Watch::new(&fake, true);
    let built = coracle::build(
        &recipe,
        &Settings { registry_client: client, scratch_dir: scratch, ..Settings::default() },
        &watch,
    )
    .unwrap();
    assert!(watch.overlapped.into_inner());
    assert_eq!(watch.sent.into_inner(), watch.sending.into_inner(), "all that is announced is sent");
    let [delivery] = built.pushes.as_slice() else { panic!("{:?}", built.pushes) };
    assert_eq!((delivery.sent.blobs, delivery.name.to_string()), (4, format!("{}/shop:1", fake.address)));
}

/// Packing stops if the upload fails.
#[test]
fn an_upload_error_stops_packing() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    fake.inject_fault(100, "POST", "uploads", Fault::Respond(403, vec![], ""));
    // Without a block on disk, and long to pack.
    File::create(folder.path().join("data")).unwrap().set_len(4 << 30).unwrap();
    let recipe = recipe(folder.path(), &format!("docker://{}/shop:1", fake.address));
    let client = Some(RegistryClient::new(settings()).unwrap());
    let scratch = Some(folder.path().to_owned());
    let watch = Watch::new(&fake, false);
    let error = coracle::build(
        &recipe,
        &Settings { registry_client: client, scratch_dir: scratch, ..Settings::default() },
        &watch,
    )
    .unwrap_err();
    assert!(error.to_string().contains("403"), "{error}");
    assert!(watch.packed.into_inner() < watch.total.into_inner(), "all of it was packed");
}

#[test]
fn requires_a_registry_client() {
    let folder = folder();
    File::create(folder.path().join("data")).unwrap();
    let recipe = recipe(folder.path(), "docker://127.0.0.1:1/shop:1");
    let error = coracle::build(&recipe, &Settings::default(), &()).unwrap_err();
    assert!(error.to_string().contains("no registry client is configured"), "{error}");
    assert!(error.hint().unwrap().contains("Settings::registry_client"));
}
