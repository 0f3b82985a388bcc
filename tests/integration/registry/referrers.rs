//! Referrers of an image, with the API and without.

use std::collections::BTreeSet;
use std::time::Duration;

use coracle_core::digest::Digest;
use coracle_core::hint::Hint as _;
use coracle_oci::registry::{ManifestReference, RegistryError, RepositoryClient};
use coracle_testing::registry::Request;
use serde_json::{Value, json};

use super::fake::{FakeRegistry, FakeRepositories as _, Fault, settings};
use super::test_image::{Image, MANIFEST, image, upload};

const KIND: &str = "application/vnd.example.note";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A note about an image.
pub(crate) struct Artifact(Vec<u8>);

impl Artifact {
    pub(crate) fn about(image: &Image) -> Self {
        Self::new(image, "one")
    }

    pub(crate) fn new(image: &Image, note: &str) -> Self {
        Self::of(&image.digest(), image.manifest.len(), note)
    }

    /// A note about another one.
    pub(crate) fn about_note(&self, note: &str) -> Self {
        Self::of(&self.digest(), self.0.len(), note)
    }

    fn of(subject: &Digest, size: usize, note: &str) -> Self {
        let empty = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::compute(b"{}").to_string(), "size": 2});
        let subject = json!({"mediaType": MANIFEST, "digest": subject.to_string(), "size": size});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": KIND, "config": empty, "layers": [empty],
            "subject": subject, "annotations": {"note": note},
        });
        Self(manifest.to_string().into_bytes())
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::compute(&self.0)
    }

    pub(crate) fn push(&self, remote: &RepositoryClient) -> Result<Digest, RegistryError> {
        remote.push_blob(&upload(b"{}"))?;
        remote.add_referrer(MANIFEST, &self.0)
    }
}

fn tag(image: &Image) -> String {
    format!("sha256-{}", image.digest().hex())
}

#[test]
fn uses_the_referrers_api_if_supported() {
    let (fake, image) = (FakeRegistry::start(), image(&[9]));
    fake.state().referrers = true;
    image.push(&fake.shop(), "1").unwrap();
    assert_eq!(fake.shop().referrers(&image.digest()).unwrap(), []);
    let artifact = Artifact::about(&image);
    artifact.push(&fake.shop()).unwrap();
    let found = fake.shop().referrers(&image.digest()).unwrap();
    assert_eq!((found.len(), found[0].digest), (1, artifact.digest()));
    assert_eq!((found[0].artifact_type.as_deref(), found[0].media_type.as_str()), (Some(KIND), MANIFEST));
    assert_eq!(fake.shop().head_manifest(ManifestReference::Tag(&tag(&image))).unwrap(), None);
}

#[test]
fn maintains_the_referrers_tag_without_the_api() {
    let (fake, image) = (FakeRegistry::start(), image(&[9]));
    let shop = fake.shop();
    image.push(&shop, "1").unwrap();
    assert_eq!(shop.referrers(&image.digest()).unwrap(), []);
    let (one, two) = (Artifact::new(&image, "one"), Artifact::new(&image, "two"));
    for artifact in [&one, &two, &one] {
        artifact.push(&shop).unwrap();
    }
    let found = shop.referrers(&image.digest()).unwrap();
    assert_eq!(found.iter().map(|found| found.digest).collect::<Vec<_>>(), [one.digest(), two.digest()]);
    assert_eq!(found[1].annotations["note"], "two");
    assert_eq!(found[1].artifact_type.as_deref(), Some(KIND));
}

#[test]
fn keeps_entries_of_other_tools() {
    let (fake, image) = (FakeRegistry::start(), image(&[9]));
    let shop = fake.shop();
    image.push(&shop, "1").unwrap();
    let other = json!({
        "mediaType": MANIFEST, "digest": image.digest().to_string(), "size": image.manifest.len(),
        "artifactType": "x/y", "data": "e30=", "x-unknown": [1],
    });
    let index =
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [other], "annotations": {"a": "b"}});
    shop.put_manifest(ManifestReference::Tag(&tag(&image)), INDEX, index.to_string().as_bytes()).unwrap();
    Artifact::about(&image).push(&shop).unwrap();
    let bytes = shop.pull_manifest(ManifestReference::Tag(&tag(&image))).unwrap().unwrap().bytes;
    let now: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&now["manifests"][0], &now["annotations"]["a"]), (&other, &json!("b")));
    assert_eq!(now["manifests"].as_array().unwrap().len(), 2);
}

#[test]
fn repeats_an_overwritten_update() {
    let (fake, image) = (FakeRegistry::start(), image(&[9]));
    let shop = fake.shop();
    image.push(&shop, "1").unwrap();
    shop.push_blob(&upload(b"{}")).unwrap();
    let artifact = Artifact::about(&image);
    // The first read sees nothing, and neither does the one after the first write.
    let empty = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    fake.inject_fault(
        2,
        "GET",
        "/manifests/sha256-",
        Fault::Respond(200, vec![("content-type", INDEX.into())], empty),
    );
    artifact.push(&shop).unwrap();
    let puts = fake
        .take_requests()
        .iter()
        .filter(|asked| asked.starts_with("PUT") && asked.contains("sha256-"))
        .count();
    assert_eq!(puts, 2);
    assert_eq!(shop.referrers(&image.digest()).unwrap().len(), 1);

    fake.inject_fault(
        99,
        "GET",
        "/manifests/sha256-",
        Fault::Respond(200, vec![("content-type", INDEX.into())], empty),
    );
    let error = artifact.push(&shop).unwrap_err();
    assert!(error.to_string().starts_with("other clients keep overwriting the tag"), "{error}");
}

#[test]
fn rejects_an_invalid_referrers_index() {
    let (fake, image) = (FakeRegistry::start(), image(&[9]));
    let shop = fake.shop();
    image.push(&shop, "1").unwrap();
    for body in ["{}", "[]", r#"{"manifests":{}}"#, "<html>"] {
        fake.inject_fault(1, "GET", "/referrers/", Fault::Respond(200, vec![], body));
        let error = shop.referrers(&image.digest()).unwrap_err();
        assert!(error.to_string().contains("not an image index"), "{error}");
    }
    fake.take_requests();
    let deep =
        vec![("content-type", INDEX.to_owned()), ("link", "</v2/shop/referrers/next>; rel=\"next\"".into())];
    fake.inject_fault(
        999,
        "GET",
        "/referrers/",
        Fault::Respond(200, deep, r#"{"manifests":[{"digest":"sha256:../x"},7]}"#),
    );
    let error = shop.referrers(&image.digest()).unwrap_err();
    assert!(error.to_string().ends_with("has more than 1024 referrers"), "{error}");
    assert_eq!(fake.take_requests()[1..], vec!["GET /v2/shop/referrers/next"; 99]);
    let error = shop.add_referrer(MANIFEST, &image.manifest).unwrap_err();
    assert_eq!(error.to_string(), format!("manifest `{}` has no subject", image.digest()));
}

fn digests(remote: &RepositoryClient, image: &Image) -> BTreeSet<Digest> {
    remote.referrers(&image.digest()).unwrap().iter().map(|found| found.digest).collect()
}

/// The other client has read the index before this one writes it, and overwrites it afterwards.
#[test]
fn adds_an_entry_again_that_another_client_overwrites_later() {
    for etags in [false, true] {
        let (fake, image) = (FakeRegistry::start(), image(&[9]));
        fake.state().etags = etags;
        let (first, second) = (Artifact::new(&image, "one"), Artifact::new(&image, "two"));
        let existing = Artifact::new(&image, "zero");
        image.push(&fake.shop(), "1").unwrap();
        existing.push(&fake.shop()).unwrap();
        let mut patient = settings();
        patient.retry_policy.initial_delay = Duration::from_secs(1);
        fake.take_requests();
        fake.inject_fault(1, "GET", "/manifests/sha256-", Fault::Delay(Duration::from_millis(300)));
        let (slow, quick) = (fake.shop_with(patient.clone()), fake.shop_with(patient));
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| first.push(&slow).unwrap());
            let has_read = |asked: &Request| asked.target.contains("/manifests/sha256-");
            while !fake.state().requests.iter().any(has_read) {
                std::thread::yield_now();
            }
            second.push(&quick).unwrap();
            slow.join().unwrap();
        });
        assert_eq!(
            digests(&fake.shop(), &image),
            [existing.digest(), first.digest(), second.digest()].into(),
            "{etags}"
        );
    }
}

#[test]
fn many_clients_add_referrers_at_once() {
    let (fake, image) = (FakeRegistry::start(), image(&[9]));
    image.push(&fake.shop(), "1").unwrap();
    let notes: Vec<Artifact> = (0..8).map(|note| Artifact::new(&image, &note.to_string())).collect();
    let mut patient = settings();
    patient.retry_policy.initial_delay = Duration::from_millis(100);
    std::thread::scope(|scope| {
        for note in &notes {
            let remote = fake.shop_with(patient.clone());
            scope.spawn(move || note.push(&remote).unwrap());
        }
    });
    assert_eq!(digests(&fake.shop(), &image), notes.iter().map(Artifact::digest).collect());
}

#[test]
fn uses_the_api_of_a_registry_that_does_not_confirm_the_subject() {
    let (fake, image) = (FakeRegistry::start(), image(&[9]));
    (fake.state().referrers, fake.state().no_subject_header) = (true, true);
    image.push(&fake.shop(), "1").unwrap();
    let note = Artifact::about(&image);
    note.push(&fake.shop()).unwrap();
    assert_eq!(digests(&fake.shop(), &image), [note.digest()].into());
    assert_eq!(fake.shop().head_manifest(ManifestReference::Tag(&tag(&image))).unwrap(), None);
}

#[test]
fn reads_all_pages() {
    let (fake, image) = (FakeRegistry::start(), image(&[9]));
    fake.state().referrers = true;
    fake.state().page_size = Some(2);
    image.push(&fake.shop(), "1").unwrap();
    let notes: Vec<Artifact> = (0..5).map(|note| Artifact::new(&image, &note.to_string())).collect();
    for note in &notes {
        note.push(&fake.shop()).unwrap();
    }
    assert_eq!(digests(&fake.shop(), &image), notes.iter().map(Artifact::digest).collect());
}

#[test]
fn refuses_ten_thousand_referrers() {
    for has_api in [false, true] {
        let (fake, image) = (FakeRegistry::start(), image(&[9]));
        image.push(&fake.shop(), "1").unwrap();
        fake.shop().push_blob(&upload(b"{}")).unwrap();
        let (mut state, mut entries) = (fake.state(), Vec::new());
        for note in 0..10_000 {
            let Artifact(bytes) = Artifact::new(&image, &note.to_string());
            let digest = Digest::compute(&bytes).to_string();
            entries.push(json!({"mediaType": MANIFEST, "digest": digest, "size": bytes.len()}));
            if has_api {
                state.manifests.insert(("shop".into(), digest), (MANIFEST.into(), bytes));
            }
        }
        (state.referrers, state.page_size) = (has_api, Some(500));
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
        let digest = Digest::compute(index.as_bytes()).to_string();
        state.tags.insert(("shop".into(), tag(&image)), digest.clone());
        state.manifests.insert(("shop".into(), digest), (INDEX.into(), index.into_bytes()));
        drop(state);
        let error = fake.shop().referrers(&image.digest()).unwrap_err();
        let shown = format!("`{}` in `{}/shop` has more than 1024 referrers", image.digest(), fake.address);
        assert_eq!(error.to_string(), shown);
        assert!(error.hint().unwrap().starts_with("delete referrers"), "{:?}", error.hint());
    }
}
