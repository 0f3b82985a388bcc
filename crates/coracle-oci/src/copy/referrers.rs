//! What is said of an image, copied along with it: signatures, lists of what it is made of, contracts.

use std::collections::BTreeSet;

use super::{Error, Named, Observer, Place, find, push};
use coracle_core::digest::Digest;
use crate::image::Descriptor;
use crate::registry::{Client, Referrer};

/// More than anybody says of one image; what is said of all that is asked for, too.
const MAX_REFERRERS: usize = 1024;

/// Copies what is said at `from` of the image there, of its images of single platforms and of what is said of those, to the
/// repository of `to`, where it is found beside what others say. Gives what that was.
///
/// # Errors
/// When it can't be read, or the registry can't be asked or refuses something.
pub fn copy_referrers(
    from: &Place,
    to: &Named,
    client: &Client,
    observer: &Observer<'_>,
) -> Result<Vec<Referrer>, Error> {
    let origin = find(from, client)?;
    let reading = |error| Error::reading(from, error);
    let documents = origin.graph().map_err(reading)?.documents;
    let mut due: Vec<Digest> = documents.iter().map(|document| document.digest).collect();
    let (mut known, mut copied) = (BTreeSet::new(), Vec::new());
    let open = |blob: &Descriptor| origin.blob(blob);
    while let Some(subject) = due.pop() {
        for referrer in origin.referrers(&subject).map_err(reading)? {
            if known.len() == MAX_REFERRERS || !known.insert(referrer.digest) {
                continue;
            }
            let graph = origin.graph_of(&referrer).map_err(reading)?;
            let digest = Some(referrer.digest);
            let to = Named { digest, is_untagged: true, reference: to.reference.clone() };
            push(&graph, &open, &to, &|_| from.repository(), client, observer)?;
            due.push(referrer.digest);
            copied.push(referrer);
        }
    }
    Ok(copied)
}
