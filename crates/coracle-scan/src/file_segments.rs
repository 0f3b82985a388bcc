//! Splits a file into segments at fixed offsets, whatever the chunks are in which it is read.

use super::bytes_around_offset::{BYTES_AFTER, BYTES_BEFORE};

/// The number of bytes that are examined at once. They fit into a core's cache.
const SEGMENT_SIZE: usize = 256 << 10;

/// Bytes of a file of which a part has not been examined yet.
#[derive(Default, Debug)]
pub(super) struct FileSegments {
    buffer: Vec<u8>,
    /// The position of the buffer in the file.
    start: u64,
    /// The first offset of the buffer that has not been examined.
    pending: usize,
}

/// A part of a file, with bytes around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileSegment<'a> {
    pub(super) bytes: &'a [u8],
    /// The position of `bytes` in the file.
    pub(super) start: u64,
    /// The offsets that are examined: from `from` until `to`.
    pub(super) from: usize,
    pub(super) to: usize,
}

impl FileSegment<'_> {
    /// Returns the position in the file of an offset of `bytes`.
    pub(super) fn position(&self, offset: usize) -> u64 {
        self.start + offset as u64
    }

    /// Returns whether there are no control characters, which all binary data has.
    pub(super) fn is_text(&self) -> bool {
        let has_control = |block: &[u8]| block.iter().fold(false, |found, byte| found | (*byte < b'\t'));
        !self.bytes.chunks(256).any(has_control)
    }

    /// Returns the offsets at which `text` starts.
    pub(super) fn find_all(&self, text: &[u8]) -> Vec<usize> {
        let end = (self.to + text.len().saturating_sub(1)).min(self.bytes.len());
        let part = self.bytes.get(self.from..end).unwrap_or_default();
        memchr::memmem::find_iter(part, text).map(|at| self.from + at).collect()
    }
}

impl FileSegments {
    /// Adds the next bytes. Calls `examine` with each segment that is complete.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut examine: impl FnMut(FileSegment<'_>)) {
        while !bytes.is_empty() {
            let end = self.pending + SEGMENT_SIZE;
            let room = (end + BYTES_AFTER).saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= end + BYTES_AFTER {
                examine(FileSegment { bytes: &self.buffer, start: self.start, from: self.pending, to: end });
                let done = end.saturating_sub(BYTES_BEFORE);
                self.buffer.drain(..done);
                self.start += done as u64;
                self.pending = end - done;
            }
        }
    }

    /// Calls `examine` with the last segment.
    pub(super) fn finish(self, mut examine: impl FnMut(FileSegment<'_>)) {
        let (bytes, to) = (&*self.buffer, self.buffer.len());
        examine(FileSegment { bytes, start: self.start, from: self.pending, to });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_do_not_depend_on_chunks() {
        let bytes: Vec<u8> = (0..=250).cycle().take(3 * SEGMENT_SIZE + 5).collect();
        let segments = |chunk: usize| {
            let mut found = Vec::new();
            let mut examine = |segment: FileSegment<'_>| {
                let from = usize::try_from(segment.position(segment.from)).unwrap();
                let before = segment.from.min(BYTES_BEFORE);
                assert_eq!(segment.bytes[segment.from - before..][..before], bytes[from - before..from]);
                found.push((segment.position(segment.from), segment.position(segment.to)));
            };
            let mut segments = FileSegments::default();
            bytes.chunks(chunk).for_each(|chunk| segments.push(chunk, &mut examine));
            segments.finish(&mut examine);
            found
        };
        let whole = segments(bytes.len());
        // The last bytes are examined with the segment before them.
        assert_eq!(whole.len(), 3);
        assert_eq!((whole[0].0, whole[2].1), (0, bytes.len() as u64));
        assert!(whole.windows(2).all(|pair| pair[0].1 == pair[1].0));
        assert_eq!(segments(1000), whole);
        assert_eq!(segments(SEGMENT_SIZE + BYTES_AFTER), whole);
    }
}
