//! Checksums that package databases record for files.

use std::fmt;

/// The checksum of a file, as its package records it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Checksum {
    /// The algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// The digest in lower-case hexadecimal digits.
    pub hex: String,
}

/// The algorithm of a [`Checksum`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ChecksumAlgorithm {
    /// MD5, the algorithm of dpkg.
    Md5,
    /// SHA-1, the algorithm of apk.
    Sha1,
    /// SHA-256, the algorithm of RPM.
    Sha256,
}

impl ChecksumAlgorithm {
    /// The length of a digest in hexadecimal digits.
    pub(crate) fn hex_length(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
        }
    }
}

impl Checksum {
    /// Parses hexadecimal digits; `None` if `hex` has another length or other characters.
    pub fn parse(algorithm: ChecksumAlgorithm, hex: &[u8]) -> Option<Self> {
        let is_valid = hex.len() == algorithm.hex_length() && hex.iter().all(u8::is_ascii_hexdigit);
        let hex = is_valid.then(|| String::from_utf8_lossy(hex).to_ascii_lowercase())?;
        Some(Self { algorithm, hex })
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex)
    }
}
