use std::collections::BTreeMap;

use super::*;
use crate::package::{PackageKind, SourcePackage};

fn sample() -> Sbom {
    let image = SbomImage {
        name: "ghcr.io/acme/shop".into(),
        tag: Some("1".into()),
        digest: format!("sha256:{}", "ab".repeat(32)),
        platform: "linux/amd64".into(),
        ..SbomImage::default()
    };
    let distribution = Distribution::parse(b"ID=debian\nVERSION_ID=\"12\"\n");
    let mut sbom = Sbom::new(image, Some(distribution));
    let package = Package {
        kind: PackageKind::Deb,
        name: "libstdc++6".into(),
        version: "1:12.2.0-14+deb12u1".into(),
        architecture: "amd64".into(),
        source: Some(SourcePackage { name: "gcc-12".into(), version: None }),
        supplier: Some("Team <t@example.org>".into()),
        licence: Some("GPL-3.0-or-later AND odd".into()),
        files: BTreeMap::new(),
    };
    let file = |path: &str| SbomFile { path: path.into(), sha1: "1".repeat(40), sha256: "2".repeat(64) };
    let part = sbom.add_package(&package, vec![file("/usr/lib/libstdc++.so.6")]);
    sbom.add_file(file("/app/shop"));
    sbom.add_relation(SbomPart::Image, part, true, "opened".into());
    sbom
}

#[test]
fn formats_times() {
    for (seconds, expected) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_826_554, "2000-02-29T12:15:54Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ] {
        assert_eq!(timestamp(seconds), expected);
    }
}

#[test]
fn urls_are_encoded() {
    let sbom = sample();
    assert_eq!(
        sbom.components[0].package_url,
        "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=gcc-12"
    );
    let digest = "ab".repeat(32);
    assert_eq!(
        sbom.image_url(),
        format!("pkg:oci/shop@sha256%3A{digest}?arch=amd64&repository_url=ghcr.io%2Facme%2Fshop&tag=1")
    );
}

#[test]
fn optional_needs_are_told_from_required_ones() {
    let mut sbom = sample();
    let spdx = |sbom: &Sbom| String::from_utf8(sbom.to_document(SbomFormat::Spdx).unwrap()).unwrap();
    let cyclonedx =
        |sbom: &Sbom| String::from_utf8(sbom.to_document(SbomFormat::CycloneDx).unwrap()).unwrap();
    assert!(
        spdx(&sbom)
            .contains(r#""relatedSpdxElement":"SPDXRef-Image","relationshipType":"OPTIONAL_DEPENDENCY_OF""#)
    );
    assert!(cyclonedx(&sbom).contains(r#""scope":"optional""#));
    sbom.add_relation(SbomPart::Image, SbomPart::Component(0), false, "needed".into());
    assert!(!spdx(&sbom).contains("OPTIONAL") && spdx(&sbom).contains(r#""comment":"needed; opened""#));
    assert!(!cyclonedx(&sbom).contains(r#""scope":"optional""#));
}

#[test]
fn licences_of_unknown_names_are_defined() {
    let spdx = String::from_utf8(sample().to_document(SbomFormat::Spdx).unwrap()).unwrap();
    assert!(spdx.contains(r#""licenseDeclared":"LicenseRef-GPL-3.0-or-later-AND-odd""#), "{spdx}");
    assert!(spdx.contains(r#""extractedText":"GPL-3.0-or-later AND odd""#));
}

#[test]
fn file_names_choose_the_format() {
    for (name, format) in [
        ("shop.spdx.json", SbomFormat::Spdx),
        ("shop.cdx.json", SbomFormat::CycloneDx),
        ("bom.json", SbomFormat::CycloneDx),
        ("sbom", SbomFormat::Spdx),
    ] {
        assert_eq!(SbomFormat::of_file_name(name), format, "{name}");
    }
}
