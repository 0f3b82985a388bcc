//! The limits of Kubernetes and the container runtime, for generated objects and for checked ones:
//! keys, sizes, mount paths and resource quantities.
//!
//! Source: `IsConfigMapKey`, `ValidateConfigMap`, `ValidateSecret`, `ValidateAnnotationsSize`, the
//! kubelet's AtomicWriter, and `apimachinery/pkg/api/resource/quantity.go`.

/// The largest ConfigMap or Secret, in bytes (`core.MaxSecretSize`, `ValidateConfigMap`).
pub const MAX_OBJECT_BYTES: usize = 1 << 20;
/// The largest total size of an object's annotations, in bytes (`TotalAnnotationSizeLimitB`).
pub(crate) const MAX_ANNOTATION_BYTES: usize = 262_144;
/// The annotation in which client-side `kubectl apply` stores the object.
pub(crate) const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The longest key of a ConfigMap or Secret, in bytes.
const MAX_KEY_BYTES: usize = 253;

/// Returns why `key` is not a valid key of a ConfigMap or Secret; `None` if it is valid.
pub(crate) fn invalid_key_reason(key: &str) -> Option<&'static str> {
    let is_key_character = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    if key.is_empty() {
        Some("it is empty")
    } else if key.len() > MAX_KEY_BYTES {
        Some("it is longer than 253 bytes")
    } else if key == "." || key.starts_with("..") {
        Some("the kubelet reserves such names")
    } else if !key.chars().all(is_key_character) {
        Some("it has characters other than letters, digits, `-`, `_` and `.`")
    } else {
        None
    }
}

/// Which mount paths a reserved directory rules out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReservedPaths {
    Nothing,
    Itself,
    ItselfAndBelow,
}

/// A directory that the container runtime needs: with a mount there the container does not start,
/// or loses devices or kernel interfaces.
struct ReservedDirectory {
    path: &'static str,
    /// For mounts in a recipe.
    in_recipe: ReservedPaths,
    /// For mounts in manifests that are checked. They are less strict: a volume at `/dev/shm`, below
    /// `/sys` or at `/run` is common and works, if it is what the author wants.
    in_manifest: ReservedPaths,
}

const RESERVED_DIRECTORIES: [ReservedDirectory; 6] = {
    use ReservedPaths::{Itself, ItselfAndBelow, Nothing};
    [
        ReservedDirectory { path: "/", in_recipe: Itself, in_manifest: Itself },
        ReservedDirectory { path: "/etc", in_recipe: Itself, in_manifest: Itself },
        ReservedDirectory { path: "/dev", in_recipe: ItselfAndBelow, in_manifest: Itself },
        ReservedDirectory { path: "/proc", in_recipe: ItselfAndBelow, in_manifest: ItselfAndBelow },
        ReservedDirectory { path: "/sys", in_recipe: ItselfAndBelow, in_manifest: Itself },
        ReservedDirectory { path: "/run", in_recipe: Itself, in_manifest: Nothing },
    ]
};

/// Returns whether a recipe must not mount anything at `path`.
pub(crate) fn is_reserved_in_recipe(path: &str) -> bool {
    RESERVED_DIRECTORIES.iter().any(|reserved| reserved.includes(path, reserved.in_recipe))
}

/// Returns whether a manifest must not mount anything at `path`.
pub(crate) fn is_reserved_in_manifest(path: &str) -> bool {
    RESERVED_DIRECTORIES.iter().any(|reserved| reserved.includes(path, reserved.in_manifest))
}

impl ReservedDirectory {
    fn includes(&self, path: &str, reserved: ReservedPaths) -> bool {
        let is_below = || path.strip_prefix(self.path).is_some_and(|rest| rest.starts_with('/'));
        match reserved {
            ReservedPaths::Nothing => false,
            ReservedPaths::Itself => path == self.path,
            ReservedPaths::ItselfAndBelow => path == self.path || is_below(),
        }
    }
}

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
    fn reserves_more_directories_in_recipes_than_in_manifests() {
        for (path, recipe, manifest) in [
            ("/", true, true),
            ("/etc", true, true),
            ("/etc/shop", false, false),
            ("/dev", true, true),
            ("/dev/shm", true, false),
            ("/devices", false, false),
            ("/proc/sys", true, true),
            ("/sys", true, true),
            ("/sys/fs", true, false),
            ("/run", true, false),
            ("/run/shop", false, false),
        ] {
            assert_eq!(
                (is_reserved_in_recipe(path), is_reserved_in_manifest(path)),
                (recipe, manifest),
                "{path}"
            );
        }
    }

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
