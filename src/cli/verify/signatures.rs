//! Checks the signatures of an image, and the documents that are stored with it.

use coracle_core::digest::Digest;
use coracle_oci::layout::ImageSource;
use coracle_sign::bundle::{self, Bundle};
use coracle_sign::public_key::PublicKey;
use coracle_sign::statement::{CYCLONE_DX, IMAGE_SIGNATURE, SLSA_PROVENANCE, SPDX, Statement};
use coracle_sign::stored::{self, CheckedSignatures, SBOM_TYPES};

use super::report::CheckReport;
use crate::cli::error::CliError;

/// The maximum number of rejected signatures that are listed.
const MAX_REJECTED: usize = 10;

/// A document about an image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Document {
    Sbom,
    Provenance,
}

impl Document {
    fn name(self) -> &'static str {
        match self {
            Self::Sbom => "sbom",
            Self::Provenance => "provenance",
        }
    }

    fn predicate_types(self) -> &'static [&'static str] {
        match self {
            Self::Sbom => &[SPDX, CYCLONE_DX],
            Self::Provenance => &[SLSA_PROVENANCE],
        }
    }
}

/// Checks that the image is signed with `key`.
pub(super) fn check_signature(
    source: &ImageSource,
    image: &Digest,
    key: &PublicKey,
) -> Result<CheckReport, CliError> {
    let checked = stored::check_signatures(source, image, key).map_err(coracle::Error::from)?;
    let is_signature = |statement: &Statement| statement.predicate_type == IMAGE_SIGNATURE;
    let signatures: Vec<String> = checked
        .verified
        .iter()
        .filter(|(_, statement)| is_signature(statement))
        .map(|(artifact, _)| format!("{artifact} signs it"))
        .collect();
    if !signatures.is_empty() {
        return Ok(CheckReport::new("signature", Vec::new()).with_notes(signatures));
    }
    let finding = match checked.rejected.is_empty() {
        true => "it has no signature".to_owned(),
        false => "no signature of it was made with this key".to_owned(),
    };
    Ok(CheckReport::new("signature", vec![finding]).with_notes(rejected_lines(&checked)))
}

fn rejected_lines(checked: &CheckedSignatures) -> Vec<String> {
    let mut lines: Vec<String> = checked
        .rejected
        .iter()
        .take(MAX_REJECTED)
        .map(|(artifact, why)| format!("{artifact}: {why}"))
        .collect();
    if checked.rejected.len() > MAX_REJECTED {
        lines.push(format!("and {} more", checked.rejected.len() - MAX_REJECTED));
    }
    lines
}

/// Checks that there is a document about the image, or about each of its platforms; with a key, a signed
/// one.
pub(super) fn check_document(
    source: &ImageSource,
    document: Document,
    key: Option<&PublicKey>,
) -> Result<CheckReport, CliError> {
    let graph = source.read_graph().map_err(coracle::Error::from)?;
    let Some((root, platforms)) = graph.documents.split_last() else {
        return Ok(CheckReport::new(document.name(), vec!["the image has no manifest".into()]));
    };
    let root_documents = find_documents(source, &root.digest, document, key)?;
    if !root_documents.found.is_empty() {
        return Ok(CheckReport::new(document.name(), Vec::new()).with_notes(root_documents.found));
    }
    let (mut findings, mut notes) = (Vec::new(), root_documents.rejected);
    for platform in platforms {
        let of_platform = find_documents(source, &platform.digest, document, key)?;
        if of_platform.found.is_empty() {
            findings.push(missing_text(document, key, &platform.digest));
        }
        notes.extend(of_platform.found.into_iter().chain(of_platform.rejected));
    }
    if platforms.is_empty() {
        findings.push(missing_text(document, key, &root.digest));
    }
    Ok(CheckReport::new(document.name(), findings).with_notes(notes))
}

fn missing_text(document: Document, key: Option<&PublicKey>, image: &Digest) -> String {
    let name = match document {
        Document::Sbom => "SBOM",
        Document::Provenance => "provenance",
    };
    match key {
        Some(_) => format!("there is no {name} about {image} that is signed with this key"),
        None => format!("there is no {name} about {image}"),
    }
}

/// The documents about one image.
#[derive(Default)]
struct FoundDocuments {
    found: Vec<String>,
    rejected: Vec<String>,
}

fn find_documents(
    source: &ImageSource,
    image: &Digest,
    document: Document,
    key: Option<&PublicKey>,
) -> Result<FoundDocuments, CliError> {
    let is_wanted =
        |statement: &Statement| document.predicate_types().contains(&statement.predicate_type.as_str());
    let mut documents = FoundDocuments::default();
    if let Some(key) = key {
        let checked = stored::check_signatures(source, image, key).map_err(coracle::Error::from)?;
        let verified = checked.verified.iter().filter(|(_, statement)| is_wanted(statement));
        documents.found = verified.map(|(artifact, _)| format!("{artifact} is signed")).collect();
        if documents.found.is_empty() {
            documents.rejected = rejected_lines(&checked);
        }
        return Ok(documents);
    }
    let mut add = |artifact: Digest, result: Result<bool, String>| match result {
        Ok(true) => {
            documents.found.push(format!("{artifact}: its signature was not checked, there is no `--key`"));
        }
        Ok(false) => {}
        Err(why) => documents.rejected.push(format!("{artifact}: {why}")),
    };
    let kinds = SBOM_TYPES.iter().map(|(kind, _)| *kind).filter(|_| document == Document::Sbom);
    for kind in kinds {
        let read = source.read_artifacts(kind, image, &mut |artifact, content| {
            add(artifact, content.map(|_| true).map_err(|error| error.to_string()));
        });
        read.map_err(coracle::Error::from)?;
    }
    let read = source.read_artifacts(stored::STATEMENT_TYPE, image, &mut |artifact, content| {
        let statement = content
            .map_err(|error| error.to_string())
            .and_then(|content| Statement::parse(&content).map_err(|error| error.to_string()));
        add(artifact, statement.map(|statement| is_wanted(&statement) && statement.is_about(image)));
    });
    read.map_err(coracle::Error::from)?;
    let read = source.read_artifacts(bundle::MEDIA_TYPE, image, &mut |artifact, content| {
        let statement = content.map_err(|error| error.to_string()).and_then(|content| {
            let bundle = Bundle::parse(&content).map_err(|error| error.to_string())?;
            bundle.unverified_statement(image).map_err(|error| error.to_string())
        });
        add(artifact, statement.map(|statement| is_wanted(&statement)));
    });
    read.map_err(coracle::Error::from)?;
    Ok(documents)
}
