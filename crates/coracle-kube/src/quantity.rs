//! Resource quantities: `50m`, `0.5`, `64Mi`. Source: `apimachinery/pkg/api/resource/quantity.go`.

use std::str::FromStr;

use coracle_core::path::escape_bytes;

/// A non-negative quantity in units of 10⁻⁹, rounded up, as Kubernetes stores it. Larger values than
/// the type holds are the largest one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Quantity {
    nanos: u128,
}

/// The error for a string that is not a quantity.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a quantity", escape_bytes(.0.as_bytes()))]
pub struct ParseQuantityError(String);

/// Nano units in one unit.
const NANOS: u128 = 1_000_000_000;

/// The suffixes of quantities, with their factors in nano units.
const SUFFIXES: [(&str, u128); 16] = [
    ("", NANOS),
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("k", NANOS * 1_000),
    ("M", NANOS * 1_000_000),
    ("G", NANOS * NANOS),
    ("T", NANOS * NANOS * 1_000),
    ("P", NANOS * NANOS * 1_000_000),
    ("E", NANOS * NANOS * NANOS),
    ("Ki", NANOS << 10),
    ("Mi", NANOS << 20),
    ("Gi", NANOS << 30),
    ("Ti", NANOS << 40),
    ("Pi", NANOS << 50),
    ("Ei", NANOS << 60),
];

impl Quantity {
    /// Returns whether the quantity is zero.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Returns whether the quantity is a whole number. Kubernetes requires it of devices and huge
    /// pages, and rounds fractions of bytes up.
    pub fn is_whole(self) -> bool {
        self.nanos.is_multiple_of(NANOS)
    }

    /// Returns whether the quantity is a multiple of `unit`.
    pub fn is_multiple_of(self, unit: Self) -> bool {
        self.nanos.is_multiple_of(unit.nanos)
    }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_nanos(text).map(|nanos| Self { nanos }).ok_or_else(|| ParseQuantityError(text.to_owned()))
    }
}

fn parse_nanos(text: &str) -> Option<u128> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let factor = SUFFIXES.iter().find(|(known, _)| *known == suffix).map(|(_, factor)| *factor);
    let (factor, exponent) = match factor {
        Some(factor) => (factor, 0),
        None => (NANOS, parse_exponent(suffix)?),
    };
    let digits = format!("{whole}{fraction}");
    let mantissa = digits.trim_start_matches('0');
    // No digit after the 38th changes a value that the type holds.
    let kept = mantissa.get(..38).unwrap_or(mantissa);
    let dropped = i64::try_from(mantissa.len() - kept.len()).ok()?;
    let exponent = exponent + dropped - i64::try_from(fraction.len()).ok()?;
    let mantissa: u128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    Some(scaled(mantissa, factor, exponent))
}

/// Parses `e3` and `E-3`.
fn parse_exponent(suffix: &str) -> Option<i64> {
    let digits = suffix.strip_prefix(['e', 'E'])?;
    let number: i64 = digits.parse().ok()?;
    Some(number.clamp(-1_000, 1_000))
}

/// Returns `mantissa * factor * 10^exponent`, rounded up.
fn scaled(mantissa: u128, factor: u128, exponent: i64) -> u128 {
    if mantissa == 0 {
        return 0;
    }
    let power = |exponent: u32| 10_u128.checked_pow(exponent);
    let steps = u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX);
    if exponent >= 0 {
        let larger = power(steps).and_then(|power| mantissa.checked_mul(power));
        return larger.and_then(|larger| larger.checked_mul(factor)).unwrap_or(u128::MAX);
    }
    let Some(divisor) = power(steps) else { return 1 };
    match mantissa.checked_mul(factor) {
        Some(product) => product.div_ceil(divisor),
        None => (mantissa / divisor).saturating_mul(factor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn accepts_numbers_with_suffixes() {
        for text in ["1", "10Gi", "0.5", "500m", "1e3", "1E-3", "2E", ".5Ki", "5.", "+1", "0"] {
            assert!(text.parse::<Quantity>().is_ok(), "{text}");
        }
        for text in ["", "Gi", "10gi", "10 Gi", "-1", "1.2.3", "1e", "1GiB", ".", "1e1.5"] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn compares_values_of_different_suffixes() {
        for (smaller, larger) in [
            ("32m", "64Mi"),
            ("999m", "1"),
            ("64M", "64Mi"),
            ("1e3", "1Ki"),
            ("0.1", "200m"),
            ("1.5Gi", "1537Mi"),
            ("8Ei", "99999999999999999999999999999999999999999999"),
        ] {
            assert!(quantity(smaller) < quantity(larger), "{smaller} {larger}");
        }
        for (one, other) in [("1000m", "1"), ("0.5", "500m"), ("1Ki", "1024"), ("1e-3", "1m"), ("1.0", "1")] {
            assert_eq!(quantity(one), quantity(other));
        }
        assert!(quantity("0").is_zero() && quantity("0.000Gi").is_zero() && !quantity("1n").is_zero());
        assert!(!quantity("1e-30").is_zero(), "rounded up");
        assert!(quantity("1.5Ki").is_whole() && quantity("2000m").is_whole() && !quantity("512m").is_whole());
    }
}
