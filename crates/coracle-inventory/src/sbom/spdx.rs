//! SPDX 2.3 documents. Source: SPDX specification 2.3, JSON format.

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::{Component, Sbom, SbomFile, SbomPart, timestamp};

const IMAGE_ID: &str = "SPDXRef-Image";
const NOT_STATED: &str = "NOASSERTION";
/// Licences that are written without a definition of their own, because their names are SPDX's.
const KNOWN_LICENCES: [&str; 24] = [
    "0BSD",
    "AGPL-3.0-only",
    "Apache-2.0",
    "Artistic-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "ISC",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-or-later",
    "MIT",
    "MPL-2.0",
    "OpenSSL",
    "Python-2.0",
    "Unlicense",
    "Zlib",
    "curl",
];

/// Returns the document.
pub(super) fn document(sbom: &Sbom) -> Value {
    let mut writer = Writer { sbom, files: Vec::new(), relations: Vec::new(), licences: Vec::new() };
    let mut packages = vec![writer.image()];
    writer.relate("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE_ID, None);
    packages.extend(writer.distribution());
    for (index, component) in sbom.components.iter().enumerate() {
        packages.push(writer.component(index, component));
    }
    for ((from, to), (is_optional, reasons)) in sbom.merged_relations() {
        let (from, to) = (part_id(from), component_id(to));
        let comment = Some(reasons.join("; "));
        match is_optional {
            true => writer.relate(&to, "OPTIONAL_DEPENDENCY_OF", &from, comment),
            false => writer.relate(&from, "DEPENDS_ON", &to, comment),
        }
    }
    let image = &sbom.image;
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": image.name,
        "documentNamespace": format!("https://spdx.org/spdxdocs/coracle-{}", image.digest.replace(':', "-")),
        "creationInfo": {"created": timestamp(image.created), "creators": creators(sbom)},
        "packages": packages,
        "files": writer.files,
        "relationships": writer.relations,
        "hasExtractedLicensingInfos": writer.licences,
    })
}

/// The parts of a document that grow while packages are written.
struct Writer<'a> {
    sbom: &'a Sbom,
    files: Vec<Value>,
    relations: Vec<Value>,
    licences: Vec<Value>,
}

impl Writer<'_> {
    fn image(&mut self) -> Value {
        let sbom = self.sbom;
        let licence = self.licence(sbom.image.licence.as_deref());
        let hex = sbom.image.digest.rsplit(':').next().unwrap_or_default();
        let mut image = json!({
            "SPDXID": IMAGE_ID,
            "name": sbom.image.name,
            "versionInfo": sbom.image_version(),
            "supplier": supplier(sbom.image_supplier().as_deref()),
            "downloadLocation": NOT_STATED,
            "copyrightText": NOT_STATED,
            "licenseDeclared": licence,
            "licenseConcluded": licence,
            "primaryPackagePurpose": "CONTAINER",
            "checksums": [{"algorithm": "SHA256", "checksumValue": hex}],
            "externalRefs": [package_url(&sbom.image_url())],
        });
        self.add_files(&mut image, IMAGE_ID, &sbom.files);
        image
    }

    /// Returns the distribution, by which scanners choose their data.
    fn distribution(&mut self) -> Option<Value> {
        let distribution = self.sbom.distribution.as_ref()?;
        let id = format!("SPDXRef-OperatingSystem-{}", id_characters(&distribution.id));
        self.relate(IMAGE_ID, "CONTAINS", &id, None);
        Some(json!({
            "SPDXID": id,
            "name": distribution.id,
            "versionInfo": distribution.version_id.as_deref().unwrap_or("rolling"),
            "supplier": supplier(distribution.name.as_deref().or(Some(&distribution.id))),
            "downloadLocation": NOT_STATED,
            "copyrightText": NOT_STATED,
            "licenseDeclared": NOT_STATED,
            "licenseConcluded": NOT_STATED,
            "primaryPackagePurpose": "OPERATING-SYSTEM",
            "filesAnalyzed": false,
        }))
    }

    fn component(&mut self, index: usize, component: &Component) -> Value {
        let id = component_id(index);
        let licence = self.licence(component.licence.as_deref());
        let from = component.supplier.clone().or_else(|| self.sbom.image_supplier());
        let mut package = json!({
            "SPDXID": id,
            "name": component.name,
            "supplier": supplier(from.as_deref()),
            "downloadLocation": NOT_STATED,
            "copyrightText": NOT_STATED,
            "licenseDeclared": licence,
            "licenseConcluded": licence,
            "primaryPackagePurpose": "LIBRARY",
            "externalRefs": [package_url(&component.package_url)],
        });
        // A local Go module has no version but that of the image.
        let version =
            if component.version.is_empty() { self.sbom.image_version() } else { &component.version };
        insert(&mut package, "versionInfo", version.into());
        if let Some(source) = &component.source {
            insert(&mut package, "sourceInfo", format!("built package from: {source}").into());
        }
        self.add_files(&mut package, &id, &component.files);
        self.relate(IMAGE_ID, "CONTAINS", &id, None);
        package
    }

    /// Adds the files of `package`, and the digest over them that packages with files must have.
    fn add_files(&mut self, package: &mut Value, id: &str, files: &[SbomFile]) {
        insert(package, "filesAnalyzed", (!files.is_empty()).into());
        if files.is_empty() {
            return;
        }
        let mut digests: Vec<&str> = files.iter().map(|file| file.sha1.as_str()).collect();
        digests.sort_unstable();
        let code: String = Sha1::digest(digests.concat()).iter().map(|byte| format!("{byte:02x}")).collect();
        insert(package, "packageVerificationCode", json!({"packageVerificationCodeValue": code}));
        for file in files {
            let file_id = format!("SPDXRef-File-{}", self.files.len());
            self.files.push(json!({
                "SPDXID": file_id,
                "fileName": format!(".{}", file.path),
                "checksums": [
                    {"algorithm": "SHA1", "checksumValue": file.sha1},
                    {"algorithm": "SHA256", "checksumValue": file.sha256},
                ],
                "copyrightText": NOT_STATED,
                "licenseConcluded": NOT_STATED,
            }));
            self.relate(id, "CONTAINS", &file_id, None);
        }
    }

    /// Returns a licence expression. One with other names than SPDX's becomes a licence of the document.
    fn licence(&mut self, licence: Option<&str>) -> String {
        let Some(licence) = licence else { return NOT_STATED.into() };
        let words = licence.split(|c: char| c.is_whitespace() || "()".contains(c));
        let is_known =
            |word: &str| word.is_empty() || ["AND", "OR"].contains(&word) || KNOWN_LICENCES.contains(&word);
        let mut words = words.peekable();
        if words.peek().is_some() && words.all(is_known) {
            return licence.to_owned();
        }
        let id = format!("LicenseRef-{}", id_characters(licence));
        if !self.licences.iter().any(|known| known.get("licenseId") == Some(&json!(id))) {
            self.licences.push(json!({"licenseId": id, "extractedText": licence, "name": licence}));
        }
        id
    }

    fn relate(&mut self, from: &str, kind: &str, to: &str, comment: Option<String>) {
        let mut relation = json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to});
        if let Some(comment) = comment.filter(|comment| !comment.is_empty()) {
            insert(&mut relation, "comment", comment.into());
        }
        self.relations.push(relation);
    }
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value);
    }
}

fn part_id(part: SbomPart) -> String {
    match part {
        SbomPart::Image => IMAGE_ID.to_owned(),
        SbomPart::Component(index) => component_id(index),
    }
}

fn component_id(index: usize) -> String {
    format!("SPDXRef-Package-{index}")
}

/// Replaces characters that identifiers must not have.
fn id_characters(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '-' }).collect()
}

fn package_url(url: &str) -> Value {
    json!({"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url})
}

/// Returns `Organization: NAME (EMAIL)`, which `NAME <EMAIL>` becomes.
fn supplier(name: Option<&str>) -> String {
    let Some(name) = name else { return NOT_STATED.into() };
    // Parentheses hold the address.
    let plain = |text: &str| text.replace(['(', ')', '\n'], " ").trim().to_owned();
    match name.split_once('<').and_then(|(name, rest)| Some((name, rest.split_once('>')?.0))) {
        Some((name, address)) if address.contains('@') => {
            format!("Organization: {} ({})", plain(name), plain(address))
        }
        _ => format!("Organization: {}", plain(name)),
    }
}

fn creators(sbom: &Sbom) -> Vec<String> {
    let tool = concat!("Tool: coracle-", env!("CARGO_PKG_VERSION")).to_owned();
    let people = sbom.image.authors.as_deref().or(sbom.image.vendor.as_deref());
    std::iter::once(tool).chain(people.map(|people| supplier(Some(people)))).collect()
}
