//! The artifacts about an image.

use coracle_core::hint::Hint as _;
use coracle_oci::layout::{ParsedImage, ParsedPlatform};
use coracle_oci::registry::Referrer;
use serde::Serialize;
use serde_json::Value;

/// An artifact whose subject is the image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReferrerReport {
    /// What it is, for people: `SBOM (SPDX)`, `signature`, `provenance` …
    pub what: String,
    /// The artifact type, or the media type if it has none.
    pub artifact_type: String,
    /// The digest of its manifest.
    pub digest: String,
    /// The size of its manifest, in bytes.
    pub size: u64,
    /// The digest of the manifest or index that it is about.
    pub subject: String,
}

/// The annotation of attestations in an index. Source: BuildKit, `docs/attestations/attestation-storage.md`.
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

impl ReferrerReport {
    /// Lists the artifacts about `image` and about its image for `platform`, then the attestations
    /// in its index. The error is why they cannot be listed.
    pub(crate) fn list(image: &ParsedImage, platform: &ParsedPlatform) -> Result<Vec<Self>, String> {
        let mut subjects: Vec<_> = image.source.digest().into_iter().collect();
        subjects.extend(platform.digest().filter(|digest| !subjects.contains(digest)));
        let mut reports = Vec::new();
        for subject in &subjects {
            let found = image.source.referrers(subject).map_err(|error| {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                let hint = error.hint().map(|hint| format!("; {hint}"));
                format!("{error}{}{}", cause.unwrap_or_default(), hint.unwrap_or_default())
            })?;
            reports.extend(found.iter().map(|referrer| Self::new(referrer, &subject.to_string())));
        }
        if let Some(digest) = platform.digest() {
            reports.extend(index_attestations(image, &digest.to_string()));
        }
        Ok(reports)
    }

    fn new(referrer: &Referrer, subject: &str) -> Self {
        let kind = referrer.artifact_type.as_deref().unwrap_or(&referrer.media_type);
        let predicate = referrer.annotations.get("dev.sigstore.bundle.predicateType").map(String::as_str);
        let predicate =
            predicate.or(referrer.annotations.get("in-toto.io/predicate-type").map(String::as_str));
        Self {
            what: describe(kind, predicate),
            artifact_type: kind.to_owned(),
            digest: referrer.digest.to_string(),
            size: referrer.size,
            subject: subject.to_owned(),
        }
    }
}

/// Returns what an artifact is, by its type and the predicate of its statement.
fn describe(artifact_type: &str, predicate: Option<&str>) -> String {
    let what = match (artifact_type, predicate) {
        (_, Some(predicate)) if predicate.contains("slsa.dev/provenance") => "provenance",
        (_, Some(predicate)) if predicate.contains("cosign/sign") => "signature",
        (_, Some(predicate)) if predicate.contains("spdx.dev") || predicate.contains("cyclonedx") => {
            "SBOM, signed"
        }
        ("application/spdx+json", _) => "SBOM (SPDX)",
        (kind, _) if kind.starts_with("application/vnd.cyclonedx") => "SBOM (CycloneDX)",
        (kind, _) if kind.contains("sigstore.bundle") => "signed statement",
        (kind, _) if kind.contains("cosign") || kind.contains("notary") || kind.contains("simplesigning") => {
            "signature"
        }
        (kind, _) if kind.contains("in-toto") => "attestation",
        (coracle_kube::contract::CONTRACT_MEDIA_TYPE, _) => "contract",
        _ => "artifact",
    };
    what.to_owned()
}

/// Returns the attestations about the manifest `subject` that are entries of the image's index.
fn index_attestations(image: &ParsedImage, subject: &str) -> Vec<ReferrerReport> {
    let root = image.source.root_manifest().and_then(|root| serde_json::from_slice(&root.bytes).ok());
    let root: Value = root.unwrap_or_default();
    let entries = root.get("manifests").and_then(Value::as_array).into_iter().flatten();
    let about = |entry: &&Value| {
        let digest =
            entry.get("annotations").and_then(|annotations| annotations.get(REFERENCE_DIGEST)?.as_str());
        digest == Some(subject)
    };
    let text =
        |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let reports = entries.filter(about).map(|entry| ReferrerReport {
        what: "attestation in the index".into(),
        artifact_type: text(entry, "mediaType"),
        digest: text(entry, "digest"),
        size: entry.get("size").and_then(Value::as_u64).unwrap_or_default(),
        subject: subject.to_owned(),
    });
    reports.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_named_by_type_and_predicate() {
        for (kind, predicate, what) in [
            ("application/spdx+json", None, "SBOM (SPDX)"),
            ("application/vnd.cyclonedx+json", None, "SBOM (CycloneDX)"),
            (
                "application/vnd.dev.sigstore.bundle.v0.3+json",
                Some("https://sigstore.dev/cosign/sign/v1"),
                "signature",
            ),
            (
                "application/vnd.dev.sigstore.bundle.v0.3+json",
                Some("https://slsa.dev/provenance/v1"),
                "provenance",
            ),
            ("application/vnd.dev.sigstore.bundle.v0.3+json", None, "signed statement"),
            ("application/vnd.cncf.notary.signature", None, "signature"),
            ("application/vnd.in-toto+json", None, "attestation"),
            ("text/plain", None, "artifact"),
        ] {
            assert_eq!(describe(kind, predicate), what, "{kind} {predicate:?}");
        }
    }
}
