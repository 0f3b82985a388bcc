//! Copies the referrers of an image: signatures, SBOMs, contracts.

use std::collections::BTreeSet;

use super::{CopyProgress, Error, ImageLocation, RegistryImageName, open_source, push_image};
use crate::image::Descriptor;
use crate::registry::{Referrer, RegistryClient};
use coracle_core::digest::Digest;

/// The maximum number of referrers that are copied, including indirect ones.
const MAX_REFERRERS: usize = 1024;

/// Copies the referrers of the image at `from`, those of its platform images, and those of copied
/// referrers, to the repository of `to`. Returns what was copied.
///
/// # Errors
/// Fails if a referrer can't be read or a request fails.
pub fn copy_referrers(
    from: &ImageLocation,
    to: &RegistryImageName,
    client: &RegistryClient,
    observer: &CopyProgress<'_>,
) -> Result<Vec<Referrer>, Error> {
    let origin = open_source(from, client)?;
    let reading = |error| Error::from_read_error(from, error);
    let documents = origin.read_graph().map_err(reading)?.documents;
    let mut pending: Vec<Digest> = documents.iter().map(|document| document.digest).collect();
    let (mut seen, mut copied) = (BTreeSet::new(), Vec::new());
    let open = |blob: &Descriptor| origin.open_blob(blob);
    while let Some(subject) = pending.pop() {
        for referrer in origin.referrers(&subject).map_err(reading)? {
            if seen.len() == MAX_REFERRERS || !seen.insert(referrer.digest) {
                continue;
            }
            let graph = origin.read_referrer_graph(&referrer).map_err(reading)?;
            let digest = Some(referrer.digest);
            let to = RegistryImageName { digest, is_untagged: true, reference: to.reference.clone() };
            push_image(&graph, &open, &to, &|_| from.repository(), client, observer)?;
            pending.push(referrer.digest);
            copied.push(referrer);
        }
    }
    Ok(copied)
}
