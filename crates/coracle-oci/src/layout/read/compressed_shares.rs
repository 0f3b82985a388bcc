//! How many compressed bytes each part of a layer takes.
//!
//! A decoder reads its input in blocks, so only some offsets of the tar have a known offset in the
//! blob. Between them, the compression is taken as even. The shares of all parts add up to the
//! size of the blob.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// The maximum number of known offsets of one layer.
const MAX_OFFSETS: usize = 1 << 16;

/// Counts the bytes that are read from a blob.
pub(super) struct CountingReader<R> {
    reader: R,
    count: Rc<Cell<u64>>,
}

impl<R> CountingReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, count: Rc::default() }
    }

    pub(super) fn count(&self) -> Rc<Cell<u64>> {
        self.count.clone()
    }
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

/// A decoder's output, with the offsets at which the decoder needed more of the blob.
pub(super) struct OffsetRecorder<R> {
    decoder: R,
    compressed: Rc<Cell<u64>>,
    known_compressed: u64,
    unpacked: u64,
    offsets: CompressedOffsets,
}

impl<R> OffsetRecorder<R> {
    /// `compressed` is the number of bytes that `decoder` has read.
    pub(super) fn new(decoder: R, compressed: Rc<Cell<u64>>) -> Self {
        Self { decoder, compressed, known_compressed: 0, unpacked: 0, offsets: CompressedOffsets::default() }
    }

    /// Returns the offsets of a tar whose blob has `size` bytes.
    pub(super) fn finish(mut self, size: u64) -> CompressedOffsets {
        self.offsets.0.push((self.unpacked, size));
        self.offsets
    }

    /// The number of unpacked bytes so far.
    pub(super) fn unpacked(&self) -> u64 {
        self.unpacked
    }
}

impl<R: Read> Read for OffsetRecorder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        let compressed = self.compressed.get();
        if compressed != self.known_compressed {
            // All earlier input was needed for the output before this read.
            self.offsets.add(self.unpacked, self.known_compressed);
            self.known_compressed = compressed;
        }
        self.unpacked += read as u64;
        Ok(read)
    }
}

/// Pairs of an offset in a tar and the offset in its blob, both increasing.
#[derive(Clone, Default, Debug)]
pub(super) struct CompressedOffsets(Vec<(u64, u64)>);

impl CompressedOffsets {
    fn add(&mut self, unpacked: u64, compressed: u64) {
        if self.0.len() >= MAX_OFFSETS {
            let mut index = 0;
            self.0.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        self.0.push((unpacked, compressed));
    }

    /// Returns the offset in the blob for an offset in the tar.
    pub(super) fn compressed_offset(&self, unpacked: u64) -> u64 {
        let after = self.0.partition_point(|(known, _)| *known <= unpacked);
        let before = after.checked_sub(1).and_then(|before| self.0.get(before)).copied().unwrap_or((0, 0));
        let Some(&next) = self.0.get(after) else { return before.1 };
        let (size, compressed) = (u128::from(next.0 - before.0), u128::from(next.1.saturating_sub(before.1)));
        let part = u128::from(unpacked - before.0) * compressed / size.max(1);
        before.1 + u64::try_from(part).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_between_known_ones_are_interpolated() {
        let offsets = CompressedOffsets(vec![(0, 0), (1000, 100), (1100, 200), (1100, 210)]);
        for (unpacked, compressed) in [(0, 0), (500, 50), (1000, 100), (1050, 150), (1100, 210), (9000, 210)]
        {
            assert_eq!(offsets.compressed_offset(unpacked), compressed, "{unpacked}");
        }
        assert_eq!(CompressedOffsets::default().compressed_offset(5), 0);
    }

    #[test]
    fn number_of_offsets_is_limited() {
        let mut offsets = CompressedOffsets::default();
        for offset in 0..1_000_000 {
            offsets.add(offset * 10, offset);
        }
        assert!(offsets.0.len() <= MAX_OFFSETS + 1);
        assert_eq!(offsets.compressed_offset(5_000_000), 500_000);
    }
}
