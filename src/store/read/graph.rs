//! An image with all that belongs to it, to be copied.

use std::io::{self, Read};

use super::{Error, MAX_DOCUMENT, Stored, blobs, unreadable};
use crate::digest::Digest;
use crate::image::{Descriptor, Document, Graph, GraphError};

/// Why a document can't be had.
struct Refused(String);

impl From<GraphError> for Refused {
    fn from(error: GraphError) -> Self {
        Self(error.to_string())
    }
}

impl Stored {
    /// Its documents as they are, and what they name.
    ///
    /// # Errors
    /// When there is no manifest, or a document is missing or is not what its digest says.
    pub fn graph(&self) -> Result<Graph, Error> {
        let Some(digest) = self.digest else {
            return Err(Error::Unreadable {
                image: self.place.to_string(),
                why: "it has Docker's description alone, and no manifest that could be copied".into(),
                hint: Some("build it again with `-o oci-archive:FILE`, or let skopeo convert it".into()),
            });
        };
        let fetch = |digest: &Digest, said: &str| -> Result<Document, Refused> {
            let bytes = self.blobs.document(digest, MAX_DOCUMENT).map_err(Refused)?;
            Ok(Document { media_type: media_type(said, &bytes), digest: *digest, bytes })
        };
        let graph = fetch(&digest, &self.media_type)
            .and_then(|root| Graph::read(root, &mut |below| fetch(&below.digest, &below.media_type)));
        graph.map_err(|Refused(why)| unreadable(&self.place, why))
    }

    /// Opens a blob; whoever takes its bytes checks them.
    ///
    /// # Errors
    /// When it is not there, or has another size.
    pub fn blob(&self, named: &Descriptor) -> io::Result<Box<dyn Read>> {
        let source = self.blobs.file(&blobs::blob(&named.digest)).map_err(io::Error::other)?;
        let source = source.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        if source.size != named.size {
            let why = format!("it has {} bytes, and its descriptor says {}", source.size, named.size);
            return Err(io::Error::other(why));
        }
        Ok(Box::new(source.reader))
    }
}

/// What a document says it is counts before what is said of it; registries compare the two.
fn media_type(said: &str, bytes: &[u8]) -> String {
    let own = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let own = own.as_ref().and_then(|document| document.get("mediaType")?.as_str());
    own.unwrap_or(said).to_owned()
}
