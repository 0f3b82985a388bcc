//! Signatures and provenance of a built image. They are made before anything is published, and stored
//! before the image gets its names: a name never refers to an image whose signature failed.

mod provenance;

use std::sync::Arc;

pub use coracle_sign::signer::{SignError, Signer, SignerProgram};
pub use coracle_sign::signing_key::SigningKey;
pub use provenance::ProvenanceSettings;

use crate::build_request::BuildRequest;
use crate::destinations::Destinations;
use crate::error::Error;
use crate::plan::PlannedImages;
use coracle_core::reference::ImageReference;
use coracle_oci::copy::{self, ImageLocation};
use coracle_oci::image::{Artifact, ArtifactAnnotations, ImageSet, RawManifest};
use coracle_oci::layout::{self, DiskFormat, LayoutWarning};
use coracle_oci::registry::{Access, RegistryClient, Repository};
use coracle_sign::signer::Attestation;
use coracle_sign::simple_signing::{self, SimpleSignature};
use coracle_sign::statement::{SLSA_PROVENANCE, Statement};
use coracle_sign::stored::STATEMENT_TYPE;

/// The annotation of an unsigned statement with the type of its predicate, as BuildKit uses it.
const PREDICATE_TYPE_ANNOTATION: &str = "in-toto.io/predicate-type";

/// The signatures and attestations that are published with an image.
#[derive(Clone, Default, Debug)]
pub struct AttestationSettings {
    /// What signs the image and the documents about it.
    pub signer: Option<Arc<Signer>>,
    /// `true` if the image also gets a signature in the form that engines verify.
    pub simple_signing: bool,
    /// The contents of the published provenance; `None` if there is none.
    pub provenance: Option<ProvenanceSettings>,
}

impl AttestationSettings {
    /// Returns whether there is anything to publish.
    pub(crate) fn are_requested(&self) -> bool {
        self.signer.is_some() || self.provenance.is_some()
    }
}

/// The artifacts of one build.
pub(crate) struct ImageAttestations {
    artifacts: Vec<Artifact>,
    /// The key for signatures in the older form.
    simple_key: Option<SigningKey>,
}

/// Fails if attestations are requested and a destination cannot hold them.
///
/// # Errors
/// Fails for archives and engines, and for simple signing without a key or a registry.
pub(crate) fn check_destinations(
    settings: &AttestationSettings,
    destinations: &Destinations,
) -> Result<(), Error> {
    if settings.simple_signing && !matches!(settings.signer.as_deref(), Some(Signer::Key(_))) {
        return Err(Error::SimpleSigningWithoutKey);
    }
    let cannot_hold = |location: &ImageLocation| match location {
        ImageLocation::OnDisk(location) => location.format != DiskFormat::Layout,
        ImageLocation::Engine(_) => true,
        ImageLocation::Registry(_) => false,
    };
    match destinations.locations().find(cannot_hold).filter(|_| settings.are_requested()) {
        Some(location) => Err(Error::AttestationsUnsupported(location)),
        None => Ok(()),
    }
}

/// Makes the provenance and all signatures: of the image, of its provenance, and of `documents`, the
/// SBOMs that are published with it. Nothing is written.
///
/// # Errors
/// Fails if a signature cannot be made, or a file of the image has changed.
pub(crate) fn create(
    request: &BuildRequest<'_>,
    images: &PlannedImages<'_>,
    image_set: &ImageSet,
    documents: &[Artifact],
) -> Result<ImageAttestations, Error> {
    let settings = &request.settings.attestations;
    let image = image_set.descriptor();
    let mut artifacts = Vec::new();
    if let Some(provenance) = &settings.provenance {
        let predicate = provenance::predicate(request, &images.plans, provenance)?;
        let statement = Statement::new(image.digest, SLSA_PROVENANCE, predicate.clone());
        let json = statement.to_json().map_err(SignError::Serialize)?;
        let annotations = ArtifactAnnotations::from([(PREDICATE_TYPE_ANNOTATION, SLSA_PROVENANCE.into())]);
        let unsigned = Artifact::with_annotations(STATEMENT_TYPE, json, image, annotations)?;
        let attestation = Attestation {
            subject: image.clone(),
            artifact: unsigned.descriptor(),
            predicate_type: SLSA_PROVENANCE.into(),
            predicate,
        };
        match settings.signer.as_deref() {
            // The signed statement contains the provenance.
            Some(signer @ Signer::Key(_)) => artifacts.push(signer.sign_attestation(&attestation)?),
            Some(signer @ Signer::Program(_)) => {
                artifacts.extend([unsigned, signer.sign_attestation(&attestation)?]);
            }
            None => artifacts.push(unsigned),
        }
    }
    if let Some(signer) = settings.signer.as_deref() {
        for attestation in documents.iter().filter_map(Attestation::from_artifact) {
            artifacts.push(signer.sign_attestation(&attestation)?);
        }
        artifacts.push(signer.sign_image(image)?);
    }
    let simple_key = match settings.signer.as_deref() {
        Some(Signer::Key(key)) if settings.simple_signing => Some(key.clone()),
        _ => None,
    };
    Ok(ImageAttestations { artifacts, simple_key })
}

impl ImageAttestations {
    /// Writes the artifacts to the layouts among the destinations.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    pub(crate) fn write_to_layouts(&self, request: &BuildRequest<'_>) -> Result<Vec<LayoutWarning>, Error> {
        let mut warnings = Vec::new();
        for location in request.destinations.local.iter().filter(|_| !self.artifacts.is_empty()) {
            warnings.extend(layout::add_artifacts(&self.artifacts, location, request.settings.durability)?);
        }
        Ok(warnings)
    }

    /// Pushes the artifacts to the repositories among the destinations.
    ///
    /// # Errors
    /// Fails if a request fails.
    pub(crate) fn push(&self, request: &BuildRequest<'_>, image_set: &ImageSet) -> Result<(), Error> {
        let Some(client) = &request.settings.registry_client else { return Ok(()) };
        let mut repositories: Vec<Repository> = Vec::new();
        for name in request.destinations.remote.iter().filter(|_| !self.artifacts.is_empty()) {
            let repository = Repository::from(&name.reference);
            if repositories.contains(&repository) {
                continue;
            }
            copy::push_artifacts(&self.artifacts, name, client)?;
            if let Some(key) = &self.simple_key {
                push_simple_signatures(key, &image_set.manifests(), &name.reference, client)?;
            }
            repositories.push(repository);
        }
        Ok(())
    }
}

/// Pushes signatures in the older form, of each manifest and index in `documents`: engines verify the
/// manifest of their platform, too.
///
/// # Errors
/// Fails if a request fails.
pub fn push_simple_signatures(
    key: &SigningKey,
    documents: &[RawManifest],
    name: &ImageReference,
    client: &RegistryClient,
) -> Result<(), Error> {
    let repository = Repository::from(name);
    let remote = client.repository_client(&repository, &Access::push());
    for document in documents {
        let signature = SimpleSignature::new(document.digest, &repository.to_string(), key)
            .map_err(SignError::Serialize)?;
        simple_signing::push(&remote, &document.digest, &signature)?;
    }
    Ok(())
}
