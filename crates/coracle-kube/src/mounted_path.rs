//! The path of a file in a mount, and the key that has its content in a ConfigMap or Secret.
//!
//! A key has only letters, digits, `-`, `_` and `.`. A path with other characters, such as the `/` of
//! a folder, is encoded: `conf.d/site.conf` has the key `conf.d_-site.conf`, and `items` of the volume
//! put it at its path. The encoding is reversible, so two paths never have the same key.

use coracle_core::path::ImagePath;

use crate::kubernetes_limits::invalid_key_reason;

/// Returns the key of the file at `path`. `/` is written `_-`, and any other byte that keys cannot have
/// as `_.` and two upper-case hexadecimal digits. So is a `_` that would be read as one of these.
pub(crate) fn object_key(path: &str) -> String {
    let mut key = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        match byte {
            b'/' => key.push_str("_-"),
            b'_' if !starts_like_escape(after) => key.push('_'),
            b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => key.push(char::from(*byte)),
            _ => key.push_str(&format!("_.{byte:02X}")),
        }
        rest = after;
    }
    key
}

/// Returns whether `_` and these bytes are the encoding of another byte.
fn starts_like_escape(after: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
    match after {
        [b'-', ..] => true,
        [b'.', high, low, ..] => is_digit(high) && is_digit(low),
        _ => false,
    }
}

/// Returns why no file can be mounted at `path`, relative to its mount; `None` if one can.
///
/// Source: `validateLocalNonReservedPath` of the API, `validatePath` of the kubelet's AtomicWriter.
pub(crate) fn invalid_path_reason(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("it is empty")
    } else if path.starts_with('/') {
        Some("it must be relative to the mount")
    } else if path.split('/').any(|name| ["", ".", ".."].contains(&name)) {
        Some("it has an empty part, `.` or `..`")
    } else if path.starts_with("..") {
        Some("the kubelet reserves names that start with `..`")
    } else if path.chars().any(char::is_control) {
        Some("it has control characters")
    } else {
        // The encoding leaves only the length.
        invalid_key_reason(&object_key(path))
            .map(|_| "its key in the ConfigMap or Secret is longer than 253 bytes")
    }
}

/// Returns the path in the container of the file at `path` of the mount.
pub fn path_in_mount(mount: &ImagePath, path: &str) -> ImagePath {
    let names = path.split('/').filter(|name| !["", ".", ".."].contains(name));
    mount.join_components(names.map(str::as_bytes))
}

/// Returns whether a mount at `inner` hides the file at `path` of the mount at `outer`. The kubelet
/// makes a directory for `inner` in the volume of `outer`, in place of the link to the volume's own
/// folder, which is at the top.
pub(crate) fn hides_file(inner: &ImagePath, outer: &ImagePath, path: &str) -> bool {
    let top = inner.strip_prefix(outer).and_then(|mut names| names.next());
    top.is_some_and(|top| path.split('/').next().is_some_and(|name| name.as_bytes() == top))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reverse of [`object_key`].
    fn path_of_key(key: &str) -> Vec<u8> {
        let mut path = Vec::new();
        let mut rest = key.as_bytes();
        while let [byte, after @ ..] = rest {
            rest = after;
            match (byte, after) {
                (b'_', [b'-', after @ ..]) => {
                    path.push(b'/');
                    rest = after;
                }
                (b'_', [b'.', high, low, after @ ..]) if starts_like_escape(&[b'.', *high, *low]) => {
                    let digits = String::from_utf8(vec![*high, *low]).unwrap();
                    path.push(u8::from_str_radix(&digits, 16).unwrap());
                    rest = after;
                }
                _ => path.push(*byte),
            }
        }
        path
    }

    #[test]
    fn keys_are_valid_and_have_one_path() {
        for (path, expected) in [
            ("nginx.conf", "nginx.conf"),
            ("fastcgi_params", "fastcgi_params"),
            ("__init__.py", "__init__.py"),
            (".env", ".env"),
            ("conf.d/site.conf", "conf.d_-site.conf"),
            ("conf.d_-site.conf", "conf.d_.5F-site.conf"),
            ("a_/b", "a__-b"),
            ("a/_-b", "a_-_.5F-b"),
            ("a b", "a_.20b"),
            ("a_.20b", "a_.5F.20b"),
            ("a_.2", "a_.2"),
            ("ä.conf", "_.C3_.A4.conf"),
            ("a/.htpasswd", "a_-.htpasswd"),
            ("a/..b", "a_-..b"),
        ] {
            assert_eq!(invalid_path_reason(path), None, "{path}");
            assert_eq!(object_key(path), expected);
            assert_eq!(invalid_key_reason(expected), None, "{expected}");
            assert_eq!(path_of_key(expected), path.as_bytes());
        }
    }

    #[test]
    fn every_path_has_a_key_of_its_own() {
        let parts = ["a", "_", "-", ".", "/", "2", "F", "%", "5"];
        let mut paths = vec![String::new()];
        for _ in 0..5 {
            paths = paths.iter().flat_map(|path| parts.map(|part| format!("{path}{part}"))).collect();
        }
        for path in paths {
            assert_eq!(path_of_key(&object_key(&path)), path.as_bytes(), "{path}");
        }
    }

    #[test]
    fn rejects_paths_that_a_kubelet_cannot_write() {
        let long = format!("{}/a", "b".repeat(252));
        for (path, part) in [
            ("", "empty"),
            ("/a", "relative"),
            ("a//b", "empty part"),
            ("a/", "empty part"),
            ("./a", "`.`"),
            ("a/../b", "`..`"),
            ("..data", "reserves"),
            ("..a/b", "reserves"),
            ("a\nb", "control"),
            (&long, "253 bytes"),
        ] {
            assert!(invalid_path_reason(path).unwrap().contains(part), "{path}");
        }
    }
}
