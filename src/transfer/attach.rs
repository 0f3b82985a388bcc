//! Something that is said of an image, to a registry: among the referrers of its subject.

use super::{Error, Named, Sent};
use crate::image::{Artifact, Blob};
use crate::registry::{Access, Client, Content, Pushed, Target, Upload};

/// Writes `artifact` to the repository of `to`, beside what others say of its subject. Its subject need not be there yet, so it
/// can be there before a name leads to it.
///
/// Where it is known to be complete there if it is there at all, because something that follows it is there
/// (`is_settled`), that costs one request.
///
/// # Errors
/// When the registry can't be asked or refuses something.
pub fn attach(artifact: &Artifact, to: &Named, is_settled: bool, client: &Client) -> Result<Sent, Error> {
    let remote = client.open(&(&to.reference).into(), &Access::push());
    let [config, content, manifest] = artifact.blobs();
    let descriptor = manifest.descriptor();
    if is_settled && remote.head(Target::Digest(descriptor.digest))?.is_some() {
        return Ok(Sent { is_unchanged: true, ..Sent::default() });
    }
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

fn upload(blob: &Blob) -> Upload<'_> {
    let (descriptor, content) = (blob.descriptor(), Content::Bytes(blob.bytes()));
    Upload { digest: descriptor.digest, size: descriptor.size, content, from: None, progress: None }
}
