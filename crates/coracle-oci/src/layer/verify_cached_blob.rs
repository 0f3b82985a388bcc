//! Checks that a blob from a cache is one that this program could have written: the tar with the
//! expected diff ID, in blocks of the expected size, with the headers of the encoder. Only the
//! choices inside compressed blocks are not checked, because that would mean compressing again.

use std::io::{self, BufRead, BufReader, Read};

use libdeflater::Decompressor;

use super::compression::{Codec, Compression};
use super::encoder::EncoderSettings;
use coracle_core::digest::{DiffId, DigestHasher};
use coracle_core::progress::{Cancelled, Progress};

/// The size of the header of a gzip member without a name, a comment or other fields.
const GZIP_HEADER_SIZE: usize = 10;

/// The maximum size of the header of a Zstandard frame. Source: RFC 8878, 3.1.1.1.
const MAX_ZSTD_HEADER_SIZE: usize = 18;

/// The properties that the blob of a layer must have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpectedBlob {
    pub(crate) compression: Compression,
    /// The size of the tar in bytes.
    pub(crate) unpacked_size: u64,
    pub(crate) diff_id: DiffId,
}

impl ExpectedBlob {
    /// Returns whether `blob` has the expected tar, blocks and headers, and nothing else.
    pub(crate) fn matches(&self, blob: impl Read, progress: &dyn Progress) -> Result<bool, Cancelled> {
        match self.check_blocks(blob, progress) {
            Err(error) if Cancelled::is_cause_of(&error) => Err(Cancelled),
            // A blob that cannot be unpacked does not match.
            Err(_) => Ok(false),
            Ok(matches) => Ok(matches),
        }
    }

    fn check_blocks(&self, blob: impl Read, progress: &dyn Progress) -> io::Result<bool> {
        let settings = EncoderSettings::new(self.compression, self.unpacked_size);
        let codec = self.compression.codec;
        let block_size = settings.block_size as u64;
        let (mut reader, mut hasher, mut left) =
            (BufReader::new(blob), DigestHasher::default(), self.unpacked_size);
        let mut members = GzipMembers::new(settings)?;
        let mut header = Vec::new();
        let mut header_of = 0;
        while left > 0 {
            if progress.is_cancelled() {
                return Err(Cancelled.into());
            }
            let size = left.min(block_size);
            if size != header_of {
                (header, header_of) = (encoded_header(settings, codec, size)?, size);
            }
            left -= size;
            let is_as_written = match codec {
                Codec::Gzip => members.unpack_next(&mut reader, &header, size, left == 0, &mut hasher)?,
                _ => unpack_block_into(&mut reader, codec, &header, size, &mut hasher)?,
            };
            if !is_as_written {
                return Ok(false);
            }
        }
        Ok(reader.fill_buf()?.is_empty() && hasher.finish() == self.diff_id.digest())
    }
}

/// Reads the members of a gzip file. libdeflate unpacks a member several times faster than decoders of streams, but
/// needs the whole member.
struct GzipMembers {
    decompressor: Decompressor,
    /// The bytes that were read and belong to no member yet.
    read: Vec<u8>,
    unpacked: Vec<u8>,
    max_member_size: usize,
}

impl GzipMembers {
    fn new(settings: EncoderSettings) -> io::Result<Self> {
        let mut encoder = settings.encoder().map_err(io::Error::other)?;
        let max_member_size = encoder.max_encoded_size(settings.block_size);
        Ok(Self {
            decompressor: Decompressor::new(),
            read: Vec::new(),
            unpacked: Vec::new(),
            max_member_size,
        })
    }

    /// Unpacks the next member, of `size` bytes, into `hasher`. Returns false if the member has another header or
    /// size, or bytes that no member of the encoder has.
    fn unpack_next(
        &mut self,
        reader: &mut impl Read,
        header: &[u8],
        size: u64,
        is_last: bool,
        hasher: &mut DigestHasher,
    ) -> io::Result<bool> {
        let Some(end) = self.find_end(reader, header, size, is_last)? else { return Ok(false) };
        let (member, _) = self.read.split_at(end);
        let Some(body) = member.strip_prefix(header) else { return Ok(false) };
        self.unpacked.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
        let unpacked = self.decompressor.gzip_decompress(member, &mut self.unpacked);
        // libdeflate ignores what is behind the checksum and the size. Where these are only at the end, there is nothing.
        let checksum = libdeflater::crc32(&self.unpacked).to_le_bytes();
        let footer = [checksum, u32::try_from(size).map_err(io::Error::other)?.to_le_bytes()].concat();
        let is_at_end = memchr::memmem::find(body, &footer).is_some_and(|at| at + footer.len() == body.len());
        let is_as_written = unpacked == Ok(self.unpacked.len()) && is_at_end;
        hasher.update(&self.unpacked);
        self.read.drain(..end);
        Ok(is_as_written)
    }

    /// Returns the size of the next member, of which all bytes are read: the next one starts after the unpacked
    /// size. Returns `None` if there is no end where one must be. If these bytes are in a member by chance, the member
    /// cannot be unpacked.
    fn find_end(
        &mut self,
        reader: &mut impl Read,
        header: &[u8],
        size: u64,
        is_last: bool,
    ) -> io::Result<Option<usize>> {
        let unpacked_size = u32::try_from(size).map_err(io::Error::other)?.to_le_bytes();
        let border = [&unpacked_size[..], header].concat();
        let finder = memchr::memmem::Finder::new(&border);
        let mut searched = 0;
        loop {
            let found = self.read.get(searched..).and_then(|rest| finder.find(rest));
            if let Some(at) = found.filter(|_| !is_last) {
                return Ok(Some(searched + at + unpacked_size.len()));
            }
            if self.read.len() > self.max_member_size + border.len() {
                return Ok(None);
            }
            searched = self.read.len().saturating_sub(border.len() - 1);
            let chunk_size = self.max_member_size as u64 / 4;
            if reader.by_ref().take(chunk_size).read_to_end(&mut self.read)? == 0 {
                return Ok(is_last.then_some(self.read.len()));
            }
        }
    }
}

/// Returns the header that the encoder writes for a block of `size` bytes. It does not depend on the
/// content.
fn encoded_header(settings: EncoderSettings, codec: Codec, size: u64) -> io::Result<Vec<u8>> {
    let length = match codec {
        Codec::None => return Ok(Vec::new()),
        Codec::Gzip => GZIP_HEADER_SIZE,
        Codec::Zstd => MAX_ZSTD_HEADER_SIZE,
    };
    let zeros = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    let mut encoder = settings.encoder().map_err(io::Error::other)?;
    let mut block = vec![0; encoder.max_encoded_size(zeros.len())];
    let encoded = encoder.encode(&zeros, &mut block).map_err(io::Error::other)?;
    block.truncate(encoded.min(length));
    if codec == Codec::Zstd {
        block.truncate(zstd_header_size(&block));
    }
    Ok(block)
}

/// Returns the size of a Zstandard frame's header. Source: RFC 8878, 3.1.1.1.1.
fn zstd_header_size(frame: &[u8]) -> usize {
    const MAGIC_AND_DESCRIPTOR: usize = 5;
    let descriptor = frame.get(MAGIC_AND_DESCRIPTOR - 1).copied().unwrap_or_default();
    let is_single_segment = descriptor & 0x20 != 0;
    let dictionary_id = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or_default();
    let content_size = match descriptor >> 6 {
        0 => usize::from(is_single_segment),
        flag => 1 << flag,
    };
    MAGIC_AND_DESCRIPTOR + usize::from(!is_single_segment) + dictionary_id + content_size
}

/// Unpacks one block of `size` bytes into `hasher`. Returns false if the block has another header
/// or size.
fn unpack_block_into(
    reader: &mut impl BufRead,
    codec: Codec,
    header: &[u8],
    size: u64,
    hasher: &mut DigestHasher,
) -> io::Result<bool> {
    let mut found = vec![0; header.len()];
    reader.read_exact(&mut found)?;
    if found != header {
        return Ok(false);
    }
    let framed = header.chain(reader);
    Ok(match codec {
        Codec::None => io::copy(&mut framed.take(size), hasher)? == size,
        Codec::Gzip | Codec::Zstd => {
            let decoder = zstd::Decoder::with_buffer(framed)?.single_frame();
            unpack_exactly(decoder, size, hasher)?
        }
    })
}

/// Copies at most `size` bytes. Returns whether `reader` has exactly as many.
fn unpack_exactly(reader: impl Read, size: u64, hasher: &mut DigestHasher) -> io::Result<bool> {
    let mut limited = reader.take(size.saturating_add(1));
    Ok(io::copy(&mut limited, hasher)? == size)
}

#[cfg(test)]
mod tests {
    use coracle_core::digest::Digest;

    use super::*;

    /// Returns the blocks of `tar` packed as a layer would be.
    fn blocks(tar: &[u8], compression: Compression) -> Vec<Vec<u8>> {
        let settings = EncoderSettings::new(compression, tar.len() as u64);
        let mut encoder = settings.encoder().unwrap();
        let pack = |block: &[u8]| {
            let mut out = vec![0; encoder.max_encoded_size(block.len())];
            let size = encoder.encode(block, &mut out).unwrap();
            out.truncate(size);
            out
        };
        tar.chunks(settings.block_size).map(pack).collect()
    }

    fn packed(tar: &[u8], compression: Compression) -> Vec<u8> {
        blocks(tar, compression).concat()
    }

    fn is_accepted(tar: &[u8], compression: Compression, blob: &[u8]) -> bool {
        let diff_id = DiffId::new(Digest::compute(tar));
        let expected = ExpectedBlob { compression, unpacked_size: tar.len() as u64, diff_id };
        expected.matches(blob, &()).unwrap()
    }

    /// Returns `tar` packed, with bytes after the first block.
    fn with_bytes_after_block(tar: &[u8], compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut blocks = blocks(tar, compression);
        blocks[0].extend_from_slice(bytes);
        blocks.concat()
    }

    /// Returns the last eight bytes of the first block.
    fn blob_footer(tar: &[u8], compression: Compression) -> Vec<u8> {
        let first = blocks(tar, compression).swap_remove(0);
        first[first.len() - 8..].to_vec()
    }

    fn compressions() -> impl Iterator<Item = Compression> {
        Codec::ALL.into_iter().flat_map(|codec| {
            let level = (codec != Codec::None).then_some(1);
            [None, level].map(|level| Compression { codec, level })
        })
    }

    #[test]
    fn accepts_what_is_packed_here() {
        for size in [1, 255, 256, 70_000, 1 << 20, (1 << 20) + 1, 4 << 20, (9 << 20) + 5] {
            let tar: Vec<u8> = (0..size).map(|index| u8::try_from(index / 7 % 256).unwrap()).collect();
            for compression in compressions() {
                assert!(is_accepted(&tar, compression, &packed(&tar, compression)), "{size} {compression}");
            }
        }
    }

    #[test]
    fn refuses_other_content_and_other_frames() {
        let tar: Vec<u8> = (0..3 << 20).map(|index| u8::try_from(index / 11 % 256).unwrap()).collect();
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        for compression in compressions() {
            let blob = packed(&tar, compression);
            let mut other = tar.clone();
            other[5] ^= 1;
            let codec = if compression.codec == Codec::Gzip { Codec::Zstd } else { Codec::Gzip };
            for (what, changed) in [
                ("other content", packed(&other, compression)),
                ("another codec", packed(&tar, Compression { codec, level: None })),
                ("bytes behind it", [&blob[..], b"\0"].concat()),
                ("a frame behind it", [&blob[..], &packed(b"", compression), &skippable].concat()),
                ("a frame before it", [&skippable, &blob[..]].concat()),
                ("bytes between blocks", with_bytes_after_block(&tar, compression, b"\0")),
                (
                    "a footer between blocks",
                    with_bytes_after_block(&tar, compression, &blob_footer(&tar, compression)),
                ),
                ("no end", blob[..blob.len() - 1].to_vec()),
                ("nothing", Vec::new()),
            ] {
                assert!(!is_accepted(&tar, compression, &changed), "{compression}: {what}");
            }
        }
    }

    #[test]
    fn refuses_blocks_of_another_size_and_other_headers() {
        let tar = vec![7; 3 << 20];
        for codec in [Codec::Gzip, Codec::Zstd] {
            let compression = Compression { codec, level: None };
            let other_blocks: Vec<u8> =
                tar.chunks(1 << 19).flat_map(|block| packed(block, compression)).collect();
            assert!(!is_accepted(&tar, compression, &other_blocks), "{codec}");
        }
        let mut named = packed(&tar, Compression::default());
        named[4] = 1;
        assert!(!is_accepted(&tar, Compression::default(), &named), "a time in the header");
        let level = Compression { codec: Codec::Gzip, level: Some(12) };
        assert!(!is_accepted(&tar, level, &packed(&tar, Compression::default())), "another effort");
    }
}
