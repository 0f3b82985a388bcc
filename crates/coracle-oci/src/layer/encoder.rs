//! Compresses blocks of a fixed size independently, so that the result is deterministic on any
//! number of cores.
//!
//! Block size and level depend only on the codec and the size of the tar. A gzip file is a series
//! of members (RFC 1952, 2.2), a Zstandard file a series of frames (RFC 8878, 3.1). libdeflate
//! fixes a member's header: no name, no time, OS unknown. A frame has its content's size and no
//! checksum, because the blob has a digest.

use libdeflater::{CompressionLvl, Compressor};

use super::{Codec, Compression, LayerError};

/// The versions of the encoders and of how blocks and levels are chosen. Part of the cache key: a
/// change means that cached layers are packed again.
pub(super) const ENCODER_VERSIONS: &str = "blocks 1, libdeflater 1.26.1, zstd 0.14.4";

/// The size in bytes up to which a tar is compressed at the highest default level.
pub const SMALL_TAR: u64 = 1 << 20;

/// How the blocks of one layer are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct EncoderSettings {
    codec: Codec,
    level: i32,
    /// Uncompressed bytes in one block.
    pub(super) block_size: usize,
    /// The number of blocks in flight, which also limits the number of encoders. Together they
    /// use at most 64 MB.
    pub(super) max_blocks: usize,
}

impl EncoderSettings {
    /// Chooses the settings for a tar of `size` bytes. docs/performance.md has measurements of
    /// blocks and levels on real layers.
    pub(super) fn new(compression: Compression, size: u64) -> Self {
        let is_small = size <= SMALL_TAR;
        let (strongest, fast, block_size, max_blocks) = match compression.codec {
            // The lowest level that is smaller than `gzip -6`.
            Codec::Gzip => (12, 5, 1 << 20, 8),
            // The lowest level that is smaller than `zstd -3`; its window benefits from larger
            // blocks.
            Codec::Zstd => (19, 3, 4 << 20, 4),
            Codec::None => (0, 0, 1 << 20, 4),
        };
        let level = compression.level.map_or(if is_small { strongest } else { fast }, i32::from);
        Self { codec: compression.codec, level, block_size, max_blocks }
    }

    /// Creates an encoder for one thread.
    ///
    /// # Errors
    /// Fails if there is not enough memory.
    pub(super) fn encoder(self) -> Result<Encoder, LayerError> {
        Ok(match self.codec {
            Codec::Gzip => {
                Encoder::Gzip(Compressor::new(CompressionLvl::new(self.level).unwrap_or_default()))
            }
            Codec::Zstd => Encoder::Zstd(
                zstd::bulk::Compressor::new(self.level).map_err(|_| LayerError::CompressionFailed)?,
            ),
            Codec::None => Encoder::None,
        })
    }
}

/// The encoder of one thread.
pub(super) enum Encoder {
    Gzip(Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
    None,
}

impl Encoder {
    /// Returns the maximum compressed size of a block of `size` bytes.
    pub(super) fn max_encoded_size(&mut self, size: usize) -> usize {
        match self {
            Self::Gzip(encoder) => encoder.gzip_compress_bound(size),
            Self::Zstd(_) => zstd::zstd_safe::compress_bound(size),
            Self::None => size,
        }
    }

    /// Compresses `block` to the start of `out`; returns the number of bytes written.
    pub(super) fn encode(&mut self, block: &[u8], out: &mut [u8]) -> Result<usize, LayerError> {
        match self {
            Self::Gzip(encoder) => {
                encoder.gzip_compress(block, out).map_err(|_| LayerError::CompressionFailed)
            }
            Self::Zstd(encoder) => {
                encoder.compress_to_buffer(block, out).map_err(|_| LayerError::CompressionFailed)
            }
            Self::None => {
                out.get_mut(..block.len()).ok_or(LayerError::CompressionFailed)?.copy_from_slice(block);
                Ok(block.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Magic, deflate, no flags, no time, compression effort, OS unknown.
    #[test]
    fn gzip_member_header_is_fixed() {
        for (size, effort) in [(10, 2), (2 * SMALL_TAR, 0)] {
            let mut encoder = EncoderSettings::new(Compression::default(), size).encoder().unwrap();
            let mut out = vec![0; encoder.max_encoded_size(5)];
            encoder.encode(b"hello", &mut out).unwrap();
            assert_eq!(out[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, effort, 255], "{size}");
        }
    }

    /// Magic, then a single segment with its size and no checksum.
    #[test]
    fn zstd_frame_header_is_fixed() {
        let zstd = Compression { codec: Codec::Zstd, level: None };
        let mut encoder = EncoderSettings::new(zstd, 5).encoder().unwrap();
        let mut out = vec![0; encoder.max_encoded_size(5)];
        encoder.encode(b"hello", &mut out).unwrap();
        assert_eq!(out[..6], [0x28, 0xb5, 0x2f, 0xfd, 0x20, 5]);
    }

    /// Another version may write other bytes, so cached layers must not be reused across versions.
    #[test]
    fn versions_match_cargo_toml() {
        let manifest = include_str!("../../Cargo.toml");
        for encoder in ENCODER_VERSIONS.split(", ").skip(1) {
            let (name, version) = encoder.split_once(' ').unwrap();
            let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap();
            assert!(line.contains(&format!("\"={version}\"")), "{line}");
        }
    }

    #[test]
    fn explicit_level_applies_to_every_size() {
        for size in [10, 10 * SMALL_TAR] {
            let compression = Compression { codec: Codec::Gzip, level: Some(9) };
            assert_eq!(EncoderSettings::new(compression, size).level, 9);
        }
    }
}
