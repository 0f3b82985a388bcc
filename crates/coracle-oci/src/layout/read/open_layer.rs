//! Opens the layers of an image.

use std::io::{self, Read};

use super::blob_source::BlobSource;
use super::disk_blobs::SizedReader;
use super::{ImageSource, ParsedLayer, ReadFailure};
use crate::layer::Codec;

impl ImageSource {
    /// Opens the uncompressed tar of a layer. The caller has to verify its digest.
    ///
    /// # Errors
    /// Fails if the layer does not exist or its compression is not supported. The error can contain
    /// a [`registry::Error`](crate::registry::Error).
    pub fn open_tar(&self, layer: &ParsedLayer) -> io::Result<Box<dyn Read>> {
        self.decompress_layer(layer, self.open_layer(layer).map_err(ReadFailure::into_io)?.reader)
    }

    /// Returns the uncompressed tar of a layer whose blob is read from `reader`.
    ///
    /// # Errors
    /// Fails if the compression is not supported.
    pub(crate) fn decompress_layer(
        &self,
        layer: &ParsedLayer,
        reader: impl Read + 'static,
    ) -> io::Result<Box<dyn Read>> {
        self.layer_codec(layer).map_err(ReadFailure::into_io)?.decompress(reader)
    }

    /// Opens the blob of a layer.
    pub(super) fn open_layer(&self, layer: &ParsedLayer) -> Result<SizedReader, ReadFailure> {
        match (&layer.descriptor, &self.bytes) {
            (Some(descriptor), bytes) => bytes.open_blob(descriptor).map_err(ReadFailure::from),
            (None, BlobSource::Disk(blobs)) => {
                let source = blobs.open_file(&layer.archive_member).map_err(|error| error.to_string())?;
                source.ok_or_else(|| "it is missing".to_owned().into())
            }
            (None, BlobSource::Registry(_)) => Err("it has no digest".to_owned().into()),
        }
    }

    /// Returns the compression of a layer: by its media type, or by its first bytes if it has none.
    pub(super) fn layer_codec(&self, layer: &ParsedLayer) -> Result<Codec, ReadFailure> {
        match layer.descriptor.as_ref().map_or("", |descriptor| &descriptor.media_type) {
            kind if kind.ends_with("+gzip") || kind.ends_with(".gzip") => Ok(Codec::Gzip),
            kind if kind.ends_with("+zstd") => Ok(Codec::Zstd),
            "application/vnd.oci.image.layer.v1.tar" => Ok(Codec::None),
            "" => {
                let mut start = [0; 4];
                let mut reader = self.open_layer(layer)?.reader;
                // A tar is longer than these bytes and starts with none of them.
                std::io::Read::read_exact(&mut reader, &mut start)?;
                Ok(match start {
                    [0x1f, 0x8b, ..] => Codec::Gzip,
                    [0x28, 0xb5, 0x2f, 0xfd] => Codec::Zstd,
                    _ => Codec::None,
                })
            }
            kind => Err(ReadFailure::Message(format!(
                "the media type `{kind}` is not supported, only tar, gzip and zstd layers"
            ))),
        }
    }
}
