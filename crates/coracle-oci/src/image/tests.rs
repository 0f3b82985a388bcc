//! The documents, byte for byte, and as parsed by `oci-spec`.

use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest};

use super::*;
use crate::layer::Layer;
use coracle_core::digest::{DiffId, Digest};
use coracle_core::entry::LayerKind;
use coracle_core::platform::Platform;

fn layer(kind: LayerKind) -> Layer {
    let digest = Digest::compute(kind.to_string().as_bytes());
    let diff_id = DiffId::new(Digest::compute(b"tar"));
    Layer {
        digest,
        diff_id,
        size: 7,
        unpacked_size: 9,
        media_type: crate::layer::Codec::Gzip.media_type(),
        kind,
    }
}

fn full() -> ImageConfig {
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|&(a, b)| (a.into(), b.into())).collect();
    ImageConfig {
        entrypoint: vec!["/app/shop".into()],
        cmd: vec!["--config".into(), "a b".into()],
        env: map(&[("Z", "1"), ("A", "x=y")]),
        user: Some("65532:65532".into()),
        exposed_ports: ["9000/udp".into(), "8080/tcp".into()].into(),
        working_dir: Some("/".into()),
        stop_signal: Some("SIGTERM".into()),
        labels: map(&[("b", "2"), ("a", "1")]),
        annotations: map(&[("org.opencontainers.image.source", "https://example.com")]),
    }
}

fn text(blob: &Blob) -> String {
    String::from_utf8(blob.bytes().to_vec()).unwrap()
}

#[test]
fn writes_a_config() {
    let layers = [layer(LayerKind::Libraries), layer(LayerKind::Program)];
    let image =
        Image::new(&full(), &Platform::linux("arm", Some("v7")), &InheritedBase::default(), &layers, 1)
            .unwrap();
    let tar = layers[0].diff_id;
    assert_eq!(
        text(image.config()),
        [
            r#"{"architecture":"arm","config":{"Cmd":["--config","a b"],"Entrypoint":["/app/shop"],"#,
            r#""Env":["A=x=y","Z=1"],"ExposedPorts":{"8080/tcp":{},"9000/udp":{}},"#,
            r#""Labels":{"a":"1","b":"2"},"StopSignal":"SIGTERM","User":"65532:65532","WorkingDir":"/"},"#,
            r#""created":"1970-01-01T00:00:01Z","history":["#,
            r#"{"comment":"libraries","created":"1970-01-01T00:00:01Z","created_by":"coracle"},"#,
            r#"{"comment":"program","created":"1970-01-01T00:00:01Z","created_by":"coracle"}],"#,
            &format!(
                r#""os":"linux","rootfs":{{"diff_ids":["{tar}","{tar}"],"type":"layers"}},"variant":"v7"}}"#
            ),
        ]
        .concat()
    );
}

#[test]
fn writes_a_manifest() {
    let image = Image::new(
        &ImageConfig::default(),
        &Platform::linux("amd64", None),
        &InheritedBase::default(),
        &[layer(LayerKind::Program)],
        0,
    );
    let image = image.unwrap();
    let config = image.config().descriptor();
    assert_eq!(
        text(image.manifest()),
        format!(
            concat!(
                r#"{{"config":{{"digest":"{}","mediaType":"application/vnd.oci.image.config.v1+json","size":{}}},"#,
                r#""layers":[{{"digest":"{}","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":7}}],"#,
                r#""mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}}"#
            ),
            config.digest,
            config.size,
            Digest::compute(b"program")
        )
    );
    assert!(text(image.config()).contains(r#""config":{},"#));
}

#[test]
fn oci_spec_parses_config_and_manifest() {
    let layers = [layer(LayerKind::Program)];
    let image =
        Image::new(&full(), &Platform::linux("arm", Some("v7")), &InheritedBase::default(), &layers, 0)
            .unwrap();
    let config: ImageConfiguration = serde_json::from_slice(image.config().bytes()).unwrap();
    let run = config.config().as_ref().unwrap();
    assert_eq!(run.entrypoint().as_deref(), Some(&["/app/shop".to_owned()][..]));
    assert_eq!(run.env().as_deref(), Some(&["A=x=y".to_owned(), "Z=1".to_owned()][..]));
    assert_eq!(run.user().as_deref(), Some("65532:65532"));
    assert_eq!(run.exposed_ports().as_ref().unwrap().len(), 2);
    assert_eq!(config.rootfs().diff_ids(), &[layers[0].diff_id.to_string()]);
    assert_eq!(config.variant().as_deref(), Some("v7"));
    let manifest: ImageManifest = serde_json::from_slice(image.manifest().bytes()).unwrap();
    assert_eq!(manifest.config().digest().to_string(), Digest::compute(image.config().bytes()).to_string());
    assert_eq!(manifest.layers()[0].size(), 7);
    assert_eq!(manifest.annotations().as_ref().unwrap().len(), 1);
}

#[test]
fn sorts_an_index_by_platform() {
    let image = |architecture| {
        Image::new(
            &full(),
            &Platform::linux(architecture, None),
            &InheritedBase::default(),
            &[layer(LayerKind::Program)],
            0,
        )
        .unwrap()
    };
    let one = ImageSet::new(vec![image("amd64")]).unwrap();
    assert_eq!(one.descriptor(), &image("amd64").descriptor());
    let two = ImageSet::new(vec![image("arm64"), image("amd64")]).unwrap();
    assert_eq!(two, ImageSet::new(vec![image("amd64"), image("arm64")]).unwrap());
    assert_eq!(two.documents().count(), 5);
    let index: ImageIndex = serde_json::from_slice(two.documents().last().unwrap().bytes()).unwrap();
    let architectures =
        index.manifests().iter().map(|entry| entry.platform().as_ref().unwrap().architecture().to_string());
    assert_eq!(architectures.collect::<Vec<_>>(), ["amd64", "arm64"]);
    let error = ImageSet::new(vec![image("amd64"), image("amd64")]).unwrap_err();
    assert_eq!(error.to_string(), "cannot create an index: two images are for `linux/amd64`");
    assert!(matches!(ImageSet::new(Vec::new()), Err(ImageError::NoPlatform)));
}

#[test]
fn index_of_existing_images_equals_that_of_a_build() {
    let images = [("arm64", None), ("arm", Some("v7")), ("amd64", None)].map(|(architecture, variant)| {
        let layers = [layer(LayerKind::Program)];
        Image::new(&full(), &Platform::linux(architecture, variant), &InheritedBase::default(), &layers, 0)
            .unwrap()
    });
    let root = ImageSet::new(images.to_vec()).unwrap();
    let members: Vec<IndexEntry> = root
        .images()
        .iter()
        .map(|image| {
            let (descriptor, bytes) = (image.manifest().descriptor(), image.manifest().bytes().to_vec());
            let media_type = descriptor.media_type.to_string();
            let manifest = RawManifest { media_type, digest: descriptor.digest, bytes };
            IndexEntry::new(&manifest, image.platform().clone(), None)
        })
        .collect();
    let index = serialize_index(&members, &Default::default()).unwrap();
    assert_eq!(Some(index.bytes.as_slice()), root.documents().last().map(Blob::bytes));
}
