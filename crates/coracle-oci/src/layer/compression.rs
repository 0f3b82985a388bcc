//! How a layer is compressed: codec and level. Source: image-spec, `layer.md`, "Layer Media
//! Types".

use std::fmt;
use std::io::{self, BufReader, Read};
use std::str::FromStr;

use coracle_core::hint::Hint;
use flate2::read::MultiGzDecoder;

/// A codec and its level, written as `zstd:19`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Compression {
    /// The codec.
    pub codec: Codec,
    /// The level; `None` chooses a level from the size of the tar alone.
    pub level: Option<u8>,
}

/// The compression of a layer's tar.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Codec {
    /// gzip (RFC 1952), which every engine supports.
    #[default]
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// No compression.
    None,
}

/// An invalid compression argument.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a valid compression: {why}", coracle_core::path::escape_bytes(.text.as_bytes()))]
pub struct ParseCompressionError {
    text: String,
    why: String,
}

impl Hint for ParseCompressionError {
    fn hint(&self) -> Option<String> {
        Some("write `gzip`, `zstd` or `none`, optionally with a level: `gzip:9`, `zstd:19`".into())
    }
}

impl Codec {
    /// All codecs.
    pub const ALL: [Self; 3] = [Self::Gzip, Self::Zstd, Self::None];

    /// Returns the media type of a layer with this codec.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
            Self::None => "application/vnd.oci.image.layer.v1.tar",
        }
    }

    /// Returns a reader that decompresses `reader`, including all gzip members and zstd frames.
    pub(crate) fn decompress<'a>(self, reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        self.decompress_buffered(BufReader::new(reader))
    }

    /// Like [`Self::decompress`], but reads blocks of the size of the buffer of `reader`.
    pub(crate) fn decompress_buffered<'a, R: Read + 'a>(
        self,
        reader: BufReader<R>,
    ) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::None => Box::new(reader),
            Self::Gzip => Box::new(MultiGzDecoder::new(reader)),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(reader)?),
        })
    }

    /// Returns the highest level; `None` for a codec without levels.
    fn max_level(self) -> Option<u8> {
        match self {
            Self::Gzip => Some(12),
            Self::Zstd => Some(22),
            Self::None => None,
        }
    }
}

impl Compression {
    /// Returns the media type of a layer with this compression.
    pub fn media_type(self) -> &'static str {
        self.codec.media_type()
    }
}

impl FromStr for Compression {
    type Err = ParseCompressionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |why: String| ParseCompressionError { text: text.into(), why };
        let (codec, level) = text.split_once(':').map_or((text, None), |(codec, level)| (codec, Some(level)));
        let codec = match codec {
            "gzip" => Codec::Gzip,
            "zstd" => Codec::Zstd,
            "none" => Codec::None,
            _ => return Err(error("the codec is unknown".into())),
        };
        let Some(level) = level else { return Ok(Self { codec, level: None }) };
        let Some(strongest) = codec.max_level() else { return Err(error("this codec has no levels".into())) };
        let digits = level.bytes().all(|byte| byte.is_ascii_digit());
        match level.parse().ok().filter(|level| digits && (1..=strongest).contains(level)) {
            Some(level) => Ok(Self { codec, level: Some(level) }),
            None => Err(error(format!("the level must be a number from 1 to {strongest}"))),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::None => "none",
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            None => self.codec.fmt(f),
            Some(level) => write!(f, "{}:{level}", self.codec),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_codec_and_level() {
        for text in ["gzip", "zstd", "none", "gzip:1", "gzip:12", "zstd:22"] {
            assert_eq!(text.parse::<Compression>().unwrap().to_string(), text);
        }
        for (text, part) in [
            ("", "unknown"),
            ("GZIP", "unknown"),
            ("xz", "unknown"),
            ("gzip:", "1 to 12"),
            ("gzip:0", "1 to 12"),
            ("gzip:13", "1 to 12"),
            ("gzip:+9", "1 to 12"),
            ("zstd:23", "1 to 22"),
            ("none:1", "no levels"),
        ] {
            assert!(text.parse::<Compression>().unwrap_err().to_string().contains(part), "{text}");
        }
    }
}
