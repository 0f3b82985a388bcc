//! Preconditions of the other tests' images: layers of
//! many blocks.

use std::io;

use coracle_testing::requirement;
use flate2::bufread::GzDecoder;

use crate::test_images::Subjects;

#[test]
fn test_images_have_several_layers_with_many_blocks() {
    if !requirement::programs_installed("layers of many blocks", &[]) {
        return;
    }
    let subjects = Subjects::shared();
    let mut media_types = Vec::new();
    for subject in subjects.codecs() {
        let manifest = subject.blob(&subject.digest);
        let layers = manifest["layers"].as_array().unwrap();
        assert!(layers.len() > 1, "{manifest}");
        let media_type = layers[0]["mediaType"].as_str().unwrap();
        let blob = subject.bytes(layers[0]["digest"].as_str().unwrap());
        let first = match media_type {
            "application/vnd.oci.image.layer.v1.tar+gzip" => blob.len() - behind_member(&blob),
            "application/vnd.oci.image.layer.v1.tar+zstd" => {
                zstd::zstd_safe::find_frame_compressed_size(&blob).unwrap()
            }
            _ => 4 << 20,
        };
        assert!(first * 2 < blob.len(), "{first} of {} bytes: {media_type}", blob.len());
        media_types.push(media_type.rsplit('.').next().unwrap().to_owned());
    }
    assert_eq!(media_types, ["tar+gzip", "tar+zstd", "tar"]);
}

/// Bytes behind the first member of a gzip file.
fn behind_member(blob: &[u8]) -> usize {
    let mut member = GzDecoder::new(blob);
    io::copy(&mut member, &mut io::sink()).unwrap();
    member.into_inner().len()
}
