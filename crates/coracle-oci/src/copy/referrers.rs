//! Copies the referrers of an image: signatures, SBOMs, contracts.

use std::collections::BTreeSet;

use super::{Error, Named, Observer, Place, find, push};
use coracle_core::digest::Digest;
use crate::image::Descriptor;
use crate::registry::{Client, Referrer};

/// The maximum number of referrers that are copied, including indirect ones.
const MAX_REFERRERS: usize = 1024;

/// Copies the referrers of the image at `from`, those of its platform images, and those of copied
/// referrers, to the repository of `to`. Returns what was copied.
///
/// # Errors
/// Fails if a referrer can't be read or a request fails.
pub fn copy_referrers(
    from: &Place,
    to: &Named,
    client: &Client,
    observer: &Observer<'_>,
) -> Result<Vec<Referrer>, Error> {
    let origin = find(from, client)?;
    let reading = |error| Error::reading(from, error);
    let documents = origin.graph().map_err(reading)?.documents;
    let mut pending: Vec<Digest> = documents.iter().map(|document| document.digest).collect();
    let (mut seen, mut copied) = (BTreeSet::new(), Vec::new());
    let open = |blob: &Descriptor| origin.blob(blob);
    while let Some(subject) = pending.pop() {
        for referrer in origin.referrers(&subject).map_err(reading)? {
            if seen.len() == MAX_REFERRERS || !seen.insert(referrer.digest) {
                continue;
            }
            let graph = origin.graph_of(&referrer).map_err(reading)?;
            let digest = Some(referrer.digest);
            let to = Named { digest, is_untagged: true, reference: to.reference.clone() };
            push(&graph, &open, &to, &|_| from.repository(), client, observer)?;
            pending.push(referrer.digest);
            copied.push(referrer);
        }
    }
    Ok(copied)
}
