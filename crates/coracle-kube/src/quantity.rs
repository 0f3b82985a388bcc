//! Kubernetes resource quantities: `10Gi`, `50m`, `1e3`.
//!
//! Source: `apimachinery/pkg/api/resource/quantity.go`.

/// The error for a string that is not a quantity.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a quantity", coracle_core::path::escape_bytes(.0.as_bytes()))]
pub struct ParseQuantityError(String);

/// Binary and decimal suffixes.
const SUFFIXES: [&str; 15] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "n", "u", "m", "k", "M", "G", "T", "P"];

/// Checks that `text` is a non-negative quantity.
///
/// # Errors
/// Fails if it is not.
pub fn validate_quantity(text: &str) -> Result<(), ParseQuantityError> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let is_number = number.bytes().any(|byte| byte.is_ascii_digit()) && number.matches('.').count() <= 1;
    let exponent =
        suffix.strip_prefix(['e', 'E']).map(|digits| digits.strip_prefix(['+', '-']).unwrap_or(digits));
    let is_exponent =
        exponent.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    if is_number && (SUFFIXES.contains(&suffix) || suffix == "E" || is_exponent) {
        Ok(())
    } else {
        Err(ParseQuantityError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_numbers_with_suffixes() {
        for text in ["1", "10Gi", "0.5", "500m", "1e3", "1E-3", "2E", ".5Ki", "5."] {
            assert!(validate_quantity(text).is_ok(), "{text}");
        }
        for text in ["", "Gi", "10gi", "10 Gi", "-1", "1.2.3", "1e", "1GiB", "."] {
            assert!(validate_quantity(text).is_err(), "{text}");
        }
    }
}
