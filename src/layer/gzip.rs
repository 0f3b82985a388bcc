//! gzip in members of one fixed block size: deterministic, and compressed on several cores.
//!
//! Level and block size follow from the tar's size alone. libdeflate fixes the member's header: no name, no time, OS
//! unknown. Source: RFC 1952, 2.2 ("a gzip file consists of a series of members").

use libdeflater::{CompressionLvl, Compressor};

use super::Error;

/// Bytes of a tar in one member. Larger blocks gain less than 0.2 % and cost memory in every thread.
pub(super) const BLOCK: usize = 1 << 20;

/// The strongest level, for a tar of one block.
const STRONGEST: i32 = 12;

/// The lowest level that is smaller than `gzip -6`, at a quarter of its time (ARCHITECTURE.md has the table).
const FAST: i32 = 5;

/// The encoder of one thread.
pub(super) struct Encoder(Compressor);

impl Encoder {
    /// The encoder for a tar of `size` bytes.
    pub(super) fn new(size: u64) -> Self {
        let level = if size <= BLOCK as u64 { STRONGEST } else { FAST };
        Self(Compressor::new(CompressionLvl::new(level).unwrap_or_default()))
    }

    /// Bytes that a member of `size` bytes takes at most.
    pub(super) fn bound(&mut self, size: usize) -> usize {
        self.0.gzip_compress_bound(size)
    }

    /// Writes `block` as one member; the number of bytes written.
    pub(super) fn encode(&mut self, block: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.0.gzip_compress(block, out).map_err(|_| Error::Compress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Magic, deflate, no flags, no time, how hard it tried, OS unknown.
    #[test]
    fn the_header_is_fixed() {
        for (size, how) in [(10, 2), (2 * BLOCK as u64, 0)] {
            let mut encoder = Encoder::new(size);
            let mut out = vec![0; encoder.bound(5)];
            encoder.encode(b"hello", &mut out).unwrap();
            assert_eq!(out[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, how, 255], "{size}");
        }
    }
}
