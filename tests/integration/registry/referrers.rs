//! Referrers of an image, with the API and without.

use coracle_core::digest::Digest;
use coracle_oci::registry::{ManifestReference, RegistryError, RepositoryClient};
use serde_json::{Value, json};

use super::fake::{FakeRegistry, FakeRepositories as _, Fault};
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
    // The first look sees nothing, and so does the one after the first write.
    let empty = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    fake.inject_fault(
        3,
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
    assert_eq!(shop.referrers(&image.digest()).unwrap(), []);
    assert_eq!(fake.take_requests()[1..], vec!["GET /v2/shop/referrers/next"; 99]);
    let error = shop.add_referrer(MANIFEST, &image.manifest).unwrap_err();
    assert_eq!(error.to_string(), format!("manifest `{}` has no subject", image.digest()));
}
