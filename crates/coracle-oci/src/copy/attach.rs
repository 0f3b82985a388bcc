//! Something that is said of an image, to a registry: among the referrers of its subject.

use super::{Error, Named, Sent};
use coracle_core::digest::Digest;
use crate::image::{Artifact, Blob};
use crate::registry::{Access, Client, Content, Pushed, Target, Upload};

/// Writes `artifact` to the repository of `to`, beside what others say of its subject. Its subject need not be there yet, so it
/// can be there before a name leads to it.
///
/// # Errors
/// When the registry can't be asked or refuses something.
pub fn attach(artifact: &Artifact, to: &Named, client: &Client) -> Result<Sent, Error> {
    let remote = client.open(&(&to.reference).into(), &Access::push());
    let [config, content, manifest] = artifact.blobs();
    let descriptor = manifest.descriptor();
    let mut sent = Sent::default();
    let uploads = [config, content].map(upload);
    for (pushed, upload) in remote.push_blobs(&uploads)?.into_iter().zip(&uploads) {
        match pushed {
            Pushed::Present => sent.present += 1,
            Pushed::Mounted => sent.mounted += 1,
            Pushed::Sent => {
                sent.blobs += 1;
                sent.bytes += upload.size;
            }
        }
    }
    remote.add_referrer(&descriptor.media_type, manifest.bytes())?;
    Ok(sent)
}

/// Whether the manifest of this digest is in the repository of `to`; one request.
///
/// # Errors
/// When the registry can't be asked.
pub fn has(to: &Named, digest: Digest, client: &Client) -> Result<bool, Error> {
    let remote = client.open(&(&to.reference).into(), &Access::Pull);
    Ok(remote.head(Target::Digest(digest))?.is_some())
}

fn upload(blob: &Blob) -> Upload<'_> {
    let (descriptor, content) = (blob.descriptor(), Content::Bytes(blob.bytes()));
    Upload { digest: descriptor.digest, size: descriptor.size, content, from: None, progress: None }
}
