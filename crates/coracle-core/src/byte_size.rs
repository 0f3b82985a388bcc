//! Sizes in bytes: parsed from `500kB`, `1.5MB` or `2GiB`, displayed as `1.50 MB`.

use std::fmt;
use std::str::FromStr;

use crate::hint::Hint;

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ByteSize(pub u64);

/// The error for a string that is not a size.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a size", crate::path::escape_bytes(.0.as_bytes()))]
pub struct ParseByteSizeError(String);

impl Hint for ParseByteSizeError {
    fn hint(&self) -> Option<String> {
        Some("write it as in `500MB` or `2GiB`".into())
    }
}

/// The units and their size in bytes.
const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("B", 1),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1000 * 1000),
    ("GB", 1000 * 1000 * 1000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl FromStr for ByteSize {
    type Err = ParseByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = UNITS.into_iter().find(|(name, _)| *name == unit).map(|(_, bytes)| bytes);
        let size = unit.and_then(|unit| multiply_decimal(number, unit));
        size.map(Self).ok_or_else(|| ParseByteSizeError(text.to_owned()))
    }
}

/// Parses the decimal `number`, with at most nine fractional digits, and multiplies it by `unit`,
/// rounding down. `None` if `number` is malformed or the product does not fit.
pub fn multiply_decimal(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let unit = u128::from(unit);
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = fraction.parse::<u128>().ok()?.checked_mul(unit)? / divisor;
    u64::try_from(whole.parse::<u128>().ok()?.checked_mul(unit)?.checked_add(fraction)?).ok()
}

impl fmt::Display for ByteSize {
    /// Uses the largest decimal unit that the size reaches, with two fractional digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GB", 1_000_000_000_u64), ("MB", 1_000_000), ("kB", 1000)];
        let text = match units.into_iter().find(|(_, bytes)| self.0 >= *bytes) {
            None => format!("{} B", self.0),
            Some((unit, bytes)) => {
                let hundredths = (u128::from(self.0) * 100 + u128::from(bytes) / 2) / u128::from(bytes);
                format!("{}.{:02} {unit}", hundredths / 100, hundredths % 100)
            }
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_sizes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("5GB", Some(5_000_000_000)),
            ("2MiB", Some(2 << 20)),
            ("1kB", Some(1000)),
            ("1.5MB", Some(1_500_000)),
            ("0.5KiB", Some(512)),
            ("1.2345kB", Some(1234)),
            ("", None),
            ("GB", None),
            ("1 GB", None),
            (".5MB", None),
            ("5.MB", None),
            ("1.2.3MB", None),
            ("-1", None),
            ("99999999999GB", None),
            ("99999999999999999999999999999999999999999GB", None),
        ] {
            assert_eq!(text.parse::<ByteSize>().ok().map(|size| size.0), expected, "{text}");
        }
    }

    #[test]
    fn displays_sizes_in_the_largest_unit() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (7_904_999, "7.90 MB"),
            (7_905_000, "7.91 MB"),
            (12_000_000_000, "12.00 GB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), expected);
        }
        assert_eq!(format!("{:>9}", ByteSize(1000)), "  1.00 kB");
    }
}
