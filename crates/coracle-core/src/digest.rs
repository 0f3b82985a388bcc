//! SHA-256 digests in the notation of the OCI image specification.
//!
//! [`Digest`] identifies stored bytes (a blob). [`DiffId`] identifies a layer before compression.
//! They are separate types so that they cannot be confused. Source: image-spec, `descriptor.md` and
//! `config.md`.

use std::fmt;
use std::io;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The digest of a blob: `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// The digest of a layer's uncompressed tar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiffId(Digest);

/// The error for a string that is not a digest.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits")]
pub struct ParseDigestError(String);

/// An incremental SHA-256 hasher.
#[derive(Clone, Default)]
pub struct DigestHasher(Sha256);

impl DigestHasher {
    /// Appends `bytes` to the hashed data.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of the data so far.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// Hashes everything that is written.
impl io::Write for DigestHasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that hashes the bytes read through it.
pub struct HashingReader<R> {
    reader: R,
    hasher: DigestHasher,
}

impl<R> HashingReader<R> {
    /// Wraps `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, hasher: DigestHasher::default() }
    }

    /// The wrapped reader.
    pub fn inner(&self) -> &R {
        &self.reader
    }

    /// Returns the digest of the bytes read so far.
    pub fn finish(self) -> Digest {
        self.hasher.finish()
    }
}

impl<R: io::Read> io::Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

impl Digest {
    /// Computes the digest of `bytes`.
    pub fn compute(bytes: &[u8]) -> Self {
        let mut hasher = DigestHasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The first eight bytes as a big-endian number.
    pub fn leading_u64(&self) -> u64 {
        self.0.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    /// The 64 hexadecimal digits: the blob's file name in `blobs/sha256/`.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl DiffId {
    /// Wraps the digest of an uncompressed layer.
    pub fn new(digest: Digest) -> Self {
        Self(digest)
    }

    /// The digest of the uncompressed tar.
    pub fn digest(&self) -> Digest {
        self.0
    }

    /// The 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.hex()
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseDigestError(text.to_owned());
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64).ok_or_else(error)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = parse_hex_pair(pair).ok_or_else(error)?;
        }
        Ok(Self(bytes))
    }
}

/// Parses two hexadecimal digits.
fn parse_hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn prints_and_parses_digests() {
        assert_eq!(Digest::compute(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse::<Digest>().unwrap(), Digest::compute(b""));
    }

    #[test]
    fn rejects_invalid_digests() {
        for text in
            ["", "sha256:", "sha512:00", &EMPTY.to_uppercase(), &EMPTY[..70], "sha256:../../etc/passwd"]
        {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
