//! Package URLs. Source: purl-spec, `PURL-SPECIFICATION.rst` and its types.

use std::fmt::Write as _;

use coracle_ld::elf::Toolchain;

use super::SbomImage;
use crate::distribution::Distribution;
use crate::modules::Module;
use crate::package::{Package, PackageKind};

/// Returns the URL of a package of a distribution.
pub fn package_url(package: &Package, distribution: Option<&Distribution>) -> String {
    let (kind, default_namespace) = match package.kind {
        PackageKind::Deb => ("deb", "debian"),
        PackageKind::Apk => ("apk", "alpine"),
        PackageKind::Rpm => ("rpm", "fedora"),
    };
    let namespace = distribution.map_or(default_namespace, |distribution| &distribution.id);
    let (epoch, version) = match package.version.split_once(':') {
        // An RPM's epoch is a qualifier.
        Some((epoch, version)) if package.kind == PackageKind::Rpm => (Some(epoch), version),
        _ => (None, package.version.as_str()),
    };
    let mut url = format!("pkg:{kind}/{}/{}@{}", encode(namespace), encode(&package.name), encode(version));
    let release = distribution.map(|distribution| match &distribution.version_id {
        Some(version) => format!("{}-{version}", distribution.id),
        None => distribution.id.clone(),
    });
    let qualifiers = [
        ("arch", Some(package.architecture.clone())),
        ("distro", release),
        ("epoch", epoch.map(str::to_owned)),
        ("upstream", upstream(package)),
    ];
    let mut separator = '?';
    for (name, value) in qualifiers {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = write!(url, "{separator}{name}={}", encode(&value));
            separator = '&';
        }
    }
    url
}

/// Returns the source package, if its name or version differs from the package's.
fn upstream(package: &Package) -> Option<String> {
    let source = package.source.as_ref()?;
    match &source.version {
        Some(version) => Some(format!("{}@{version}", source.name)),
        None => (source.name != package.name).then(|| source.name.clone()),
    }
}

/// Returns the URL of a crate or Go module.
pub(crate) fn module_url(toolchain: Toolchain, module: &Module) -> String {
    let kind = match toolchain {
        Toolchain::Rust => "cargo",
        Toolchain::Go => "golang",
    };
    let name: Vec<String> = module.name.split('/').map(encode).collect();
    let version =
        if module.version.is_empty() { String::new() } else { format!("@{}", encode(&module.version)) };
    format!("pkg:{kind}/{}{version}", name.join("/"))
}

/// Returns the URL of an image.
pub fn image_url(image: &SbomImage) -> String {
    let name = image.name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let mut url = format!("pkg:oci/{}@{}", encode(&name), encode(&image.digest));
    let architecture = image.platform.split('/').nth(1).unwrap_or_default();
    let _ = write!(url, "?arch={}", encode(architecture));
    if image.name.contains('/') {
        let _ = write!(url, "&repository_url={}", encode(&image.name.to_ascii_lowercase()));
    }
    if let Some(tag) = &image.tag {
        let _ = write!(url, "&tag={}", encode(tag));
    }
    url
}

/// Encodes what is not a letter, digit or one of `-._~`.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
