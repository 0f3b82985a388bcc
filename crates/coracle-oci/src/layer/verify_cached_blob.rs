//! Checks that a blob from a cache is one that this program could have written: the tar with the
//! expected diff ID, in blocks of the expected size, with the headers of the encoder. Only the
//! choices inside compressed blocks are not checked, because that would mean compressing again.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

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
        let block_size = settings.block_size as u64;
        let (mut reader, mut hasher, mut left) =
            (BufReader::new(blob), DigestHasher::default(), self.unpacked_size);
        let mut header = Vec::new();
        let mut header_of = 0;
        while left > 0 {
            if progress.is_cancelled() {
                return Err(Cancelled.into());
            }
            let size = left.min(block_size);
            if size != header_of {
                (header, header_of) = (encoded_header(settings, self.compression.codec, size)?, size);
            }
            if !unpack_block_into(&mut reader, self.compression.codec, &header, size, &mut hasher)? {
                return Ok(false);
            }
            left -= size;
        }
        Ok(reader.fill_buf()?.is_empty() && hasher.finish() == self.diff_id.digest())
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
        Codec::Gzip => unpack_exactly(GzDecoder::new(framed), size, hasher)?,
        Codec::Zstd => {
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

    /// Returns `tar` packed as a layer would be.
    fn packed(tar: &[u8], compression: Compression) -> Vec<u8> {
        let settings = EncoderSettings::new(compression, tar.len() as u64);
        let mut encoder = settings.encoder().unwrap();
        let mut blob = Vec::new();
        for block in tar.chunks(settings.block_size) {
            let mut out = vec![0; encoder.max_encoded_size(block.len())];
            let size = encoder.encode(block, &mut out).unwrap();
            blob.extend_from_slice(&out[..size]);
        }
        blob
    }

    fn is_accepted(tar: &[u8], compression: Compression, blob: &[u8]) -> bool {
        let diff_id = DiffId::new(Digest::compute(tar));
        let expected = ExpectedBlob { compression, unpacked_size: tar.len() as u64, diff_id };
        expected.matches(blob, &()).unwrap()
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
