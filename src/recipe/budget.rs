//! Size limits of an image: absolute, and compared with the previous image.

use std::fmt;
use std::str::FromStr;

use super::error::SourcePosition;
use coracle_core::byte_size::{ByteSize, multiply_decimal};
use coracle_core::hint::Hint;
use coracle_oci::copy;

/// Limits for the image of each platform: the compressed size of layers, config and manifest.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Budget {
    /// The maximum size.
    pub image: Option<BudgetLimit<ByteSize>>,
    /// The maximum growth compared with the previous image.
    pub growth: Option<BudgetLimit<GrowthLimit>>,
    /// The previous image. `None` for the image that this one replaces.
    pub previous: Option<copy::ImageLocation>,
}

/// A limit, and the setting that it is from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BudgetLimit<T> {
    /// The limit.
    pub value: T,
    /// The setting, for messages: a flag, or a key with its table.
    pub setting: String,
    /// The setting's position in a recipe. `None` for a flag.
    pub position: Option<SourcePosition>,
}

/// A growth limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrowthLimit {
    /// In bytes.
    Size(ByteSize),
    /// In thousandths of a percent.
    Percent(u64),
}

/// An invalid growth limit.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is neither a percentage nor a size with a unit", coracle_core::path::escape_bytes(.0.as_bytes()))]
pub struct ParseGrowthLimitError(String);

impl Hint for ParseGrowthLimitError {
    fn hint(&self) -> Option<String> {
        Some("write it as in `5%` or `200kB`".into())
    }
}

/// 100 %, in thousandths of a percent.
const HUNDRED_PERCENT: u128 = 100_000;

impl GrowthLimit {
    /// Returns the maximum size, in bytes, if the previous size was `before`.
    pub fn max_size(self, before: u64) -> u64 {
        let more = match self {
            Self::Size(size) => size.0,
            Self::Percent(part) => {
                u64::try_from(u128::from(before) * u128::from(part) / HUNDRED_PERCENT).unwrap_or(u64::MAX)
            }
        };
        before.saturating_add(more)
    }
}

impl FromStr for GrowthLimit {
    type Err = ParseGrowthLimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseGrowthLimitError(text.to_owned());
        if let Some(number) = text.strip_suffix('%') {
            return multiply_decimal(number, 1000).map(Self::Percent).ok_or_else(refused);
        }
        // Without a unit, a number could mean bytes or percent.
        let has_unit = !text.ends_with(|c: char| c.is_ascii_digit());
        text.parse().ok().filter(|_| has_unit).map(Self::Size).ok_or_else(refused)
    }
}

impl fmt::Display for GrowthLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => size.fmt(f),
            Self::Percent(part) => {
                let text = format!("{}.{:03}", part / 1000, part % 1000);
                write!(f, "{} %", text.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_percent_and_bytes() {
        for (text, limit, shown) in [
            ("5%", 105_000_000, "5 %"),
            ("0%", 100_000_000, "0 %"),
            ("2.5%", 102_500_000, "2.5 %"),
            ("0.001%", 100_001_000, "0.001 %"),
            ("200kB", 100_200_000, "200.00 kB"),
            ("1MiB", 101_048_576, "1.05 MB"),
        ] {
            let growth: GrowthLimit = text.parse().unwrap();
            assert_eq!((growth.max_size(100_000_000), growth.to_string().as_str()), (limit, shown), "{text}");
        }
        for text in ["", "5", "%", "-1%", "5 %", "5%%", "kB", "five%"] {
            let error = text.parse::<GrowthLimit>().unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` is neither a percentage nor a size with a unit"));
        }
        assert_eq!(GrowthLimit::Percent(u64::MAX).max_size(u64::MAX), u64::MAX);
    }
}
