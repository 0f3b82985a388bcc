//! A software bill of materials of an image, and its documents in SPDX 2.3 and CycloneDX 1.6.
//!
//! Documents are functions of the [`Sbom`]: they contain no clock, no random identifier, and sorted
//! keys.

mod cyclonedx;
mod package_url;
mod spdx;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use coracle_core::content::Content;
use coracle_core::digest::DigestHasher;
use coracle_core::path::ImagePath;
use coracle_core::{fs, json};
use coracle_ld::elf::Toolchain;

use crate::database_file::text;
use crate::distribution::Distribution;
use crate::modules::{Module, ModuleList};
use crate::package::Package;
use package_url::module_url;
pub use package_url::{image_url, package_url};
use sha1::{Digest as _, Sha1};

/// A format of documents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SbomFormat {
    /// SPDX 2.3.
    Spdx,
    /// CycloneDX 1.6.
    CycloneDx,
}

/// What an image consists of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sbom {
    pub(crate) image: SbomImage,
    pub(crate) distribution: Option<Distribution>,
    pub(crate) components: Vec<Component>,
    /// The files of no component.
    pub(crate) files: Vec<SbomFile>,
    pub(crate) relations: Vec<Relation>,
}

/// The image that a bill of materials describes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SbomImage {
    /// The name without tag: `ghcr.io/acme/shop`.
    pub name: String,
    /// The tag, if there is one.
    pub tag: Option<String>,
    /// The digest of its manifest.
    pub digest: String,
    /// The platform, such as `linux/amd64`.
    pub platform: String,
    /// The creation time, in seconds since 1970.
    pub created: u64,
    /// The people or the organization responsible for the image: `NAME <EMAIL>`.
    pub authors: Option<String>,
    /// The organization that distributes the image.
    pub vendor: Option<String>,
    /// The licence of the image's own files, an SPDX expression.
    pub licence: Option<String>,
}

impl SbomImage {
    /// Describes the image with the full name `name`, which may have a tag.
    pub fn named(name: &str, digest: String, platform: String) -> Self {
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (name, None),
        };
        Self { name: name.to_owned(), tag, digest, platform, ..Self::default() }
    }
}

/// A file with its checksums.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SbomFile {
    /// The absolute path in the image.
    pub path: String,
    /// The SHA-1 in hexadecimal digits, which SPDX requires.
    pub sha1: String,
    /// The SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// The size of the blocks in which files are read, in bytes.
const BLOCK_SIZE: usize = 1 << 20;

impl SbomFile {
    /// Reads a file and computes its checksums.
    ///
    /// # Errors
    /// Fails if the file cannot be read or has changed.
    pub fn read(path: &ImagePath, content: &Content) -> fs::Result<Self> {
        let file = content.open()?;
        let (mut sha1, mut sha256, mut offset) = (Sha1::new(), DigestHasher::default(), 0);
        loop {
            let block = file.read_bytes_at(offset, BLOCK_SIZE)?;
            if block.is_empty() {
                break;
            }
            sha1.update(&block);
            sha256.update(&block);
            offset += block.len() as u64;
        }
        file.verify_unchanged()?;
        let sha1 = sha1.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { path: text(path.as_bytes()), sha1, sha256: sha256.finish().hex() })
    }
}

/// A package, crate or Go module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) package_url: String,
    pub(crate) supplier: Option<String>,
    pub(crate) licence: Option<String>,
    /// Name and version of the source package.
    pub(crate) source: Option<String>,
    pub(crate) files: Vec<SbomFile>,
}

/// Part of an image: the image's own files, or the component with this index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SbomPart {
    /// The image's own files.
    Image,
    /// A component.
    Component(usize),
}

/// A part that needs a component.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Relation {
    pub(crate) from: SbomPart,
    pub(crate) to: usize,
    /// `true` if the part works without it.
    pub(crate) is_optional: bool,
    /// How the need was found.
    pub(crate) reason: String,
}

impl Sbom {
    /// Starts a bill of materials without components.
    pub fn new(image: SbomImage, distribution: Option<Distribution>) -> Self {
        Self { image, distribution, components: Vec::new(), files: Vec::new(), relations: Vec::new() }
    }

    /// Adds a file that belongs to no component.
    pub fn add_file(&mut self, file: SbomFile) {
        self.files.push(file);
    }

    /// Adds a package of the distribution with its files.
    pub fn add_package(&mut self, package: &Package, files: Vec<SbomFile>) -> SbomPart {
        let source = package.source.as_ref().map(|source| {
            format!("{} {}", source.name, source.version.as_deref().unwrap_or(&package.version))
        });
        self.add_component(Component {
            name: package.name.clone(),
            version: package.version.clone(),
            package_url: package_url(package, self.distribution.as_ref()),
            supplier: package.supplier.clone(),
            licence: package.licence.clone(),
            source,
            files,
        })
    }

    /// Adds the modules of a file, which belongs to `owner`. A module that is known is not added again.
    pub fn add_modules(&mut self, path: &str, owner: SbomPart, list: &ModuleList) {
        let parts: Vec<SbomPart> =
            list.modules.iter().map(|module| self.add_module(list.toolchain, module)).collect();
        let needs = |module: &Module| module.dependencies.clone();
        for (module, from) in list.modules.iter().zip(&parts) {
            for to in needs(module).into_iter().filter_map(|index| parts.get(index)) {
                self.add_relation(*from, *to, false, format!("compiled into {path}"));
            }
        }
        // Go lists modules without their dependencies, and Rust's programs need their own crate.
        let has_main = list.modules.iter().any(|module| module.is_main);
        for (module, part) in list.modules.iter().zip(&parts) {
            if module.is_main || list.toolchain == Toolchain::Go || !has_main {
                self.add_relation(owner, *part, false, format!("compiled into {path}"));
            }
        }
    }

    /// Adds the relation that `from` needs `to`; nothing if both are the same.
    pub fn add_relation(&mut self, from: SbomPart, to: SbomPart, is_optional: bool, reason: String) {
        let SbomPart::Component(index) = to else { return };
        if from != to {
            self.relations.push(Relation { from, to: index, is_optional, reason });
        }
    }

    /// Returns the document in this format.
    ///
    /// # Errors
    /// Fails only if JSON cannot be written, which is a defect.
    pub fn to_document(&self, format: SbomFormat) -> Result<Vec<u8>, serde_json::Error> {
        json::to_bytes(&match format {
            SbomFormat::Spdx => spdx::document(self),
            SbomFormat::CycloneDx => cyclonedx::document(self),
        })
    }

    fn add_module(&mut self, toolchain: Toolchain, module: &Module) -> SbomPart {
        let package_url = module_url(toolchain, module);
        let known = self.components.iter().position(|component| component.package_url == package_url);
        let supplier = module.is_from_registry.then(|| match toolchain {
            Toolchain::Rust => "crates.io".to_owned(),
            Toolchain::Go => module.name.split('/').take(2).collect::<Vec<_>>().join("/"),
        });
        known.map(SbomPart::Component).unwrap_or_else(|| {
            self.add_component(Component {
                name: module.name.clone(),
                version: module.version.clone(),
                package_url,
                supplier,
                licence: None,
                source: None,
                files: Vec::new(),
            })
        })
    }

    fn add_component(&mut self, component: Component) -> SbomPart {
        self.components.push(component);
        SbomPart::Component(self.components.len() - 1)
    }

    /// Returns the reasons of each relation: one relation for two parts, required if one reason is.
    pub(crate) fn merged_relations(&self) -> BTreeMap<(SbomPart, usize), (bool, Vec<&str>)> {
        let mut merged: BTreeMap<(SbomPart, usize), (bool, Vec<&str>)> = BTreeMap::new();
        for relation in &self.relations {
            let (is_optional, reasons) =
                merged.entry((relation.from, relation.to)).or_insert((true, Vec::new()));
            *is_optional &= relation.is_optional;
            reasons.push(&relation.reason);
        }
        merged.values_mut().for_each(|(_, reasons)| {
            reasons.sort_unstable();
            reasons.dedup();
        });
        merged
    }

    /// Returns the organization that components without a supplier are from.
    pub(crate) fn image_supplier(&self) -> Option<String> {
        let namespace = || {
            let (namespace, _) = self.image.name.rsplit_once('/')?;
            Some(namespace.to_owned())
        };
        self.image.vendor.clone().or_else(|| self.image.authors.clone()).or_else(namespace)
    }

    pub(crate) fn image_url(&self) -> String {
        image_url(&self.image)
    }

    /// Returns the tag, or the digest.
    pub(crate) fn image_version(&self) -> &str {
        self.image.tag.as_deref().unwrap_or(&self.image.digest)
    }
}

impl SbomFormat {
    /// The media type of a document, which is the artifact type of its referrer.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Spdx => "application/spdx+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
        }
    }

    /// Returns the format of a file by its name: CycloneDX for `*.cdx.json` and `bom.json`, else
    /// SPDX.
    pub fn of_file_name(name: &str) -> Self {
        let is_cyclonedx = name.ends_with(".cdx.json") || name == "bom.json";
        if is_cyclonedx { Self::CycloneDx } else { Self::Spdx }
    }
}

/// The error for text that is no [`SbomFormat`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a format of SBOMs")]
pub struct ParseSbomFormatError(String);

impl coracle_core::hint::Hint for ParseSbomFormatError {
    fn hint(&self) -> Option<String> {
        Some("the formats are `spdx` (SPDX 2.3) and `cyclonedx` (CycloneDX 1.6)".into())
    }
}

impl FromStr for SbomFormat {
    type Err = ParseSbomFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "spdx" => Ok(Self::Spdx),
            "cyclonedx" => Ok(Self::CycloneDx),
            _ => Err(ParseSbomFormatError(text.to_owned())),
        }
    }
}

impl fmt::Display for SbomFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Spdx => "spdx",
            Self::CycloneDx => "cyclonedx",
        })
    }
}

/// Formats seconds since 1970 as `2024-01-31T12:00:00Z`.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days; years begin in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests;
