//! Package URLs of files and images. Source: package-url/purl-spec, `PURL-TYPES.rst`.

use crate::inventory::{Distribution, Package};
use coracle_core::digest::Digest;
use coracle_inventory::PackageKind;

/// Returns the URL of a package of a distribution.
pub(super) fn package_url(package: &Package, distribution: Option<&Distribution>) -> String {
    let (kind, vendor) = match package.kind {
        PackageKind::Deb => ("deb", "debian"),
        PackageKind::Apk => ("apk", "alpine"),
        PackageKind::Rpm => ("rpm", "fedora"),
    };
    let id = distribution.map_or(vendor, |distribution| distribution.id.as_str());
    let (name, version) = (encode(&package.name), encode(&package.version));
    let mut url =
        format!("pkg:{kind}/{}/{name}@{version}?arch={}", encode(id), encode(&package.architecture));
    if let Some(version_id) = distribution.and_then(|distribution| distribution.version_id.as_ref()) {
        url += &format!("&distro={}-{}", encode(id), encode(version_id));
    }
    url
}

/// Returns the URL of an image, without its registry if `name` is unknown.
pub(super) fn image_url(name: Option<&str>, digest: &Digest) -> String {
    let name = name.unwrap_or("image");
    let repository = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    };
    let short = repository.rsplit('/').next().unwrap_or(repository);
    format!("pkg:oci/{}@{}?repository_url={}", encode(short), encode(&digest.to_string()), encode(repository))
}

/// Percent-encodes all but unreserved characters.
fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_versions_and_digests() {
        let package = Package {
            kind: PackageKind::Deb,
            name: "libstdc++6".into(),
            version: "1:12.2.0-14+deb12u1".into(),
            architecture: "amd64".into(),
            source: None,
            supplier: None,
            licence: None,
            files: Default::default(),
        };
        let distribution =
            Distribution { id: "debian".into(), version_id: Some("12".into()), ..Default::default() };
        assert_eq!(
            package_url(&package, Some(&distribution)),
            "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12"
        );
        assert_eq!(
            package_url(&package, None),
            "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14%2Bdeb12u1?arch=amd64"
        );
        let digest = Digest::compute(b"");
        assert_eq!(
            image_url(Some("localhost:5000/acme/base:1"), &digest),
            format!("pkg:oci/base@sha256%3A{}?repository_url=localhost%3A5000%2Facme%2Fbase", digest.hex())
        );
    }
}
