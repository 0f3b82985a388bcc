//! Every codec: media types, the same tar, and what a level that is none is told.

use snapbox::str;

use crate::build::project::Project;

#[test]
fn every_codec_holds_the_same_tar() {
    let project = Project::hello(&[]);
    let mut diff_ids = Vec::new();
    for (compression, media_type) in [("gzip", "tar+gzip"), ("zstd:3", "tar+zstd"), ("none", "tar")] {
        // Opening the layout unpacks its layers and compares them with their diff IDs.
        let layout = project.built(&["hello", "--compression", compression], "hello.oci");
        for layer in layout.manifest()["layers"].as_array().unwrap() {
            assert_eq!(layer["mediaType"], format!("application/vnd.oci.image.layer.v1.{media_type}"));
        }
        diff_ids.push(layout.config()["rootfs"].clone());
    }
    assert!(diff_ids.iter().all(|ids| *ids == diff_ids[0]), "{diff_ids:?}");
}

#[test]
fn rejects_invalid_compressions() {
    Project::hello(&[]).coracle(["build", "hello", "--compression=zstd:99"]).ends(
        2,
        str![""],
        str![[r#"
error: `--compression`: `zstd:99` is not a valid compression: the level must be a number from 1 to 22

hint: write `gzip`, `zstd` or `none`, optionally with a level: `gzip:9`, `zstd:19`

"#]],
    );
}
