//! Blocks of a fixed size, each compressed by itself: deterministic, and done on several cores.
//!
//! Block size and level follow from codec and size of the tar alone. A gzip file is a series of members (RFC 1952, 2.2),
//! a Zstandard file a series of frames (RFC 8878, 3.1). libdeflate fixes a member's header: no name, no time, OS
//! unknown; a frame has its content's size and no checksum, which the digest makes needless.

use libdeflater::{CompressionLvl, Compressor};

use super::{Codec, Compression, Error};

/// The encoders, and the version of how blocks and levels are chosen: what else was packed with is another layer.
pub(super) const VERSIONS: &str = "blocks 1, libdeflater 1.26.1, zstd 0.14.4";

/// The largest tar that is compressed as hard as can be, in one block.
const SMALL: u64 = 1 << 20;

/// How the blocks of one layer are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    codec: Codec,
    level: i32,
    /// Bytes of a tar in one block.
    pub(super) block: usize,
    /// Blocks that go round, and so the most encoders that can be busy; all of them take 64 MB at most.
    pub(super) in_flight: usize,
}

impl Plan {
    /// For a tar of `size` bytes. docs/performance.md has what blocks and levels cost on real layers.
    pub(super) fn new(compression: Compression, size: u64) -> Self {
        let is_small = size <= SMALL;
        let (strongest, fast, block, in_flight) = match compression.codec {
            // The lowest level that is smaller than `gzip -6`.
            Codec::Gzip => (12, 5, 1 << 20, 8),
            // The lowest that is smaller than `zstd -3`; its window is worth larger blocks.
            Codec::Zstd => (19, 3, 4 << 20, 4),
            Codec::None => (0, 0, 1 << 20, 4),
        };
        let level = compression.level.map_or(if is_small { strongest } else { fast }, i32::from);
        Self { codec: compression.codec, level, block, in_flight }
    }

    /// An encoder, for one thread.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn encoder(self) -> Result<Encoder, Error> {
        Ok(match self.codec {
            Codec::Gzip => {
                Encoder::Gzip(Compressor::new(CompressionLvl::new(self.level).unwrap_or_default()))
            }
            Codec::Zstd => {
                Encoder::Zstd(zstd::bulk::Compressor::new(self.level).map_err(|_| Error::Compress)?)
            }
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
    /// Bytes that a block of `size` bytes takes at most.
    pub(super) fn bound(&mut self, size: usize) -> usize {
        match self {
            Self::Gzip(encoder) => encoder.gzip_compress_bound(size),
            Self::Zstd(_) => zstd::zstd_safe::compress_bound(size),
            Self::None => size,
        }
    }

    /// Writes `block` to the start of `out`; the number of bytes written.
    pub(super) fn encode(&mut self, block: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::Gzip(encoder) => encoder.gzip_compress(block, out).map_err(|_| Error::Compress),
            Self::Zstd(encoder) => encoder.compress_to_buffer(block, out).map_err(|_| Error::Compress),
            Self::None => {
                out.get_mut(..block.len()).ok_or(Error::Compress)?.copy_from_slice(block);
                Ok(block.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Magic, deflate, no flags, no time, how hard it tried, OS unknown.
    #[test]
    fn the_header_of_a_member_is_fixed() {
        for (size, how) in [(10, 2), (2 * SMALL, 0)] {
            let mut encoder = Plan::new(Compression::default(), size).encoder().unwrap();
            let mut out = vec![0; encoder.bound(5)];
            encoder.encode(b"hello", &mut out).unwrap();
            assert_eq!(out[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, how, 255], "{size}");
        }
    }

    /// Magic, then a single segment with its size and no checksum.
    #[test]
    fn the_header_of_a_frame_is_fixed() {
        let zstd = Compression { codec: Codec::Zstd, level: None };
        let mut encoder = Plan::new(zstd, 5).encoder().unwrap();
        let mut out = vec![0; encoder.bound(5)];
        encoder.encode(b"hello", &mut out).unwrap();
        assert_eq!(out[..6], [0x28, 0xb5, 0x2f, 0xfd, 0x20, 5]);
    }

    /// Another version may write other bytes, and then nothing that was packed before may be taken for the same.
    #[test]
    fn the_versions_are_those_that_are_pinned() {
        let manifest = include_str!("../../Cargo.toml");
        for encoder in VERSIONS.split(", ").skip(1) {
            let (name, version) = encoder.split_once(' ').unwrap();
            let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap();
            assert!(line.contains(&format!("\"={version}\"")), "{line}");
        }
    }

    #[test]
    fn a_level_that_is_named_holds_for_every_size() {
        for size in [10, 10 * SMALL] {
            let compression = Compression { codec: Codec::Gzip, level: Some(9) };
            assert_eq!(Plan::new(compression, size).level, 9);
        }
    }
}
