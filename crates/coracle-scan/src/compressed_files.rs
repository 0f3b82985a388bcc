//! Files compressed with gzip, and compressed members of zip archives, wherever they are in a file.

use flate2::{Decompress, FlushDecompress, Status};

/// The maximum number of bytes that are decompressed from one file.
const MAX_DECOMPRESSED: u64 = 64 << 20;
/// The size of the blocks that are decompressed.
const BLOCK: usize = 64 << 10;
/// The maximum length of the name of a member.
const MAX_NAME: usize = 512;

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const ZIP_MAGIC: [u8; 4] = *b"PK\x03\x04";

/// Endings of members that have no text: they are not decompressed.
const BINARY_ENDINGS: [&str; 22] = [
    ".class", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".ico", ".so", ".dll", ".dylib", ".a", ".o", ".woff",
    ".woff2", ".ttf", ".otf", ".mp3", ".mp4", ".gz", ".bz2", ".xz", ".zst",
];

/// The state of the search for compressed data in one file.
#[derive(Debug)]
pub(super) struct CompressedFileSearch {
    /// The stream that is being decompressed.
    stream: Option<Decompress>,
    /// The position in the file up to which the data has been read.
    done: u64,
    remaining: u64,
}

/// What the search reports, in order.
#[derive(Debug)]
pub(super) enum CompressedFileEvent<'a> {
    /// A compressed file starts at `position`. Its name is empty if it is unknown.
    Start { position: u64, name: &'a [u8] },
    /// The next bytes of the content.
    Content(&'a [u8]),
    /// The compressed file ends.
    End,
}

impl Default for CompressedFileSearch {
    fn default() -> Self {
        Self { stream: None, done: 0, remaining: MAX_DECOMPRESSED }
    }
}

impl CompressedFileSearch {
    /// Returns whether the data of a compressed file continues.
    pub(super) fn is_in_file(&self) -> bool {
        self.stream.is_some()
    }

    /// Reads `bytes`, which are at `start` in the file, until `end`. Bytes before the position that
    /// was reached before are skipped.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        start: u64,
        end: u64,
        visit: &mut dyn FnMut(CompressedFileEvent<'_>),
    ) {
        while self.done < end && self.remaining > 0 {
            let at = usize::try_from(self.done.saturating_sub(start)).unwrap_or(usize::MAX);
            let to = usize::try_from(end - start).unwrap_or(usize::MAX);
            if self.stream.is_some() {
                self.decompress(bytes.get(at..to).unwrap_or_default(), visit);
                continue;
            }
            let Some((offset, data, name)) = find_compressed_file(bytes, at, to) else {
                self.done = end;
                return;
            };
            self.done = start + data as u64;
            self.stream = Some(Decompress::new(false));
            visit(CompressedFileEvent::Start { position: start + offset as u64, name });
        }
    }

    /// Decompresses `input`, all of it or until the stream ends.
    fn decompress(&mut self, input: &[u8], visit: &mut dyn FnMut(CompressedFileEvent<'_>)) {
        let Some(stream) = &mut self.stream else { return };
        let mut output = Vec::with_capacity(BLOCK);
        let (read_before, written_before) = (stream.total_in(), stream.total_out());
        loop {
            output.clear();
            let read = usize::try_from(stream.total_in() - read_before).unwrap_or(usize::MAX);
            let rest = input.get(read..).unwrap_or_default();
            let status = stream.decompress_vec(rest, &mut output, FlushDecompress::None);
            visit(CompressedFileEvent::Content(&output));
            let written = stream.total_out() - written_before;
            let is_at_limit = written >= self.remaining;
            let needs_input =
                output.len() < output.capacity() && stream.total_in() - read_before >= input.len() as u64;
            let continues =
                matches!(status, Ok(Status::Ok)) || matches!(status, Ok(Status::BufError)) && needs_input;
            if !continues || is_at_limit {
                self.done += stream.total_in() - read_before;
                self.remaining = self.remaining.saturating_sub(written);
                self.stream = None;
                return visit(CompressedFileEvent::End);
            }
            if needs_input {
                self.done += input.len() as u64;
                self.remaining = self.remaining.saturating_sub(written);
                return;
            }
        }
    }
}

/// Returns the first compressed file whose header is at an offset of `bytes` from `from` until `to`:
/// the offsets of its header and its data, and its name.
fn find_compressed_file(bytes: &[u8], from: usize, to: usize) -> Option<(usize, usize, &[u8])> {
    let part = |magic: &[u8]| bytes.get(from..(to + magic.len() - 1).min(bytes.len())).unwrap_or_default();
    let gzip = memchr::memmem::find_iter(part(&GZIP_MAGIC), &GZIP_MAGIC)
        .find_map(|at| Some((from + at, from + at + gzip_header_size(bytes.get(from + at..)?)?, &b""[..])));
    let zip = memchr::memmem::find_iter(part(&ZIP_MAGIC), &ZIP_MAGIC).find_map(|at| {
        let (size, name) = zip_header(bytes.get(from + at..)?)?;
        Some((from + at, from + at + size, name))
    });
    gzip.into_iter().chain(zip).min_by_key(|(offset, ..)| *offset)
}

/// Returns the size of a gzip header (RFC 1952, section 2.3).
fn gzip_header_size(header: &[u8]) -> Option<usize> {
    let flags = *header.get(3)?;
    let has = |flag: u8| flags & flag != 0;
    let mut size = 10;
    if flags >= 0x20 {
        return None;
    }
    if has(4) {
        let length = header.get(size..)?.first_chunk().map(|length| u16::from_le_bytes(*length))?;
        size += 2 + usize::from(length);
    }
    for _ in 0..u32::from(has(8)) + u32::from(has(0x10)) {
        let rest = header.get(size..)?;
        size += rest.iter().take(MAX_NAME).position(|byte| *byte == 0)? + 1;
    }
    Some(size + if has(2) { 2 } else { 0 })
}

/// Returns the size of the header of a deflated member with text, and its name (APPNOTE.TXT, section
/// 4.3.7).
fn zip_header(header: &[u8]) -> Option<(usize, &[u8])> {
    let number = |at: usize| header.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
    let is_encrypted = number(6)? & 1 == 1;
    let is_deflated = number(8)? == 8;
    let (name_length, extra_length) = (usize::from(number(26)?), usize::from(number(28)?));
    let name = header.get(30..30 + name_length).filter(|name| name.len() <= MAX_NAME)?;
    let lower = name.to_ascii_lowercase();
    let is_binary = BINARY_ENDINGS.iter().any(|ending| lower.ends_with(ending.as_bytes()));
    (is_deflated && !is_encrypted && !is_binary).then_some((30 + name_length + extra_length, name))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(bytes: &[u8], chunk: usize) -> Vec<(u64, String, Vec<u8>)> {
        let (mut archives, mut found) = (CompressedFileSearch::default(), Vec::new());
        let mut visit = |event: CompressedFileEvent<'_>| match event {
            CompressedFileEvent::Start { position, name } => {
                found.push((position, String::from_utf8_lossy(name).into_owned(), Vec::new()));
            }
            CompressedFileEvent::Content(bytes) => found.last_mut().unwrap().2.extend_from_slice(bytes),
            CompressedFileEvent::End => {}
        };
        let ends = (chunk..bytes.len()).step_by(chunk).chain([bytes.len()]);
        ends.for_each(|end| archives.read(bytes, 0, end as u64, &mut visit));
        found
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Returns a local header and the data of a member, with the sizes after the data.
    fn zip_member(name: &str, bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let mut member = [&ZIP_MAGIC[..], &[20, 0, 8, 0, 8, 0], &[0; 16], &name_length, &[0, 0]].concat();
        member.extend_from_slice(name.as_bytes());
        member.extend(encoder.finish().unwrap());
        member
    }

    #[test]
    fn decompresses_files_at_any_offset() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        let (first, second) = (gzip(&text), gzip(b"short"));
        let bytes = [b"#!/bin/sh\n", &first[..], b"between", &second, b"after"].concat();
        let expected =
            vec![(10, String::new(), text), (17 + first.len() as u64, String::new(), b"short".to_vec())];
        assert!(read(&bytes, bytes.len()) == expected);
        assert!(read(&bytes, 7) == expected);
    }

    #[test]
    fn decompresses_members_of_zip_archives() {
        let members = [zip_member("a/.env", b"A=1"), zip_member("B.class", b"B"), zip_member("c", b"C")];
        let bytes = members.concat();
        for chunk in [1, 50, bytes.len()] {
            let found: Vec<_> = read(&bytes, chunk).into_iter().map(|(_, name, text)| (name, text)).collect();
            assert_eq!(found, [("a/.env".to_owned(), b"A=1".to_vec()), ("c".to_owned(), b"C".to_vec())]);
        }
    }

    #[test]
    fn stops_at_the_limit_and_at_damaged_data() {
        let zeros = gzip(&vec![0; 80 << 20]);
        let found = read(&zeros, zeros.len());
        assert!((60 << 20..70 << 20).contains(&found[0].2.len()), "{}", found[0].2.len());
        assert_eq!(read(&[&GZIP_MAGIC[..], &[0; 7], &[0xff; 100]].concat(), 5)[0].2, b"");
    }
}
