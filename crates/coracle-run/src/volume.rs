//! The files of a mounted ConfigMap, Secret or projected volume.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A file of a volume.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VolumeFile {
    /// The path below the mount, with `/` between its components.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
    /// The permission bits, before those that `fsGroup` adds.
    pub mode: u32,
}

impl VolumeFile {
    /// Returns the name of the link in the mounted directory: the first component of the path.
    pub fn top_name(&self) -> &str {
        self.path.split('/').next().unwrap_or(&self.path)
    }

    /// Returns whether the path stays below the mount and has no name that a kubelet reserves.
    pub fn has_valid_path(&self) -> bool {
        let is_valid = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
        self.path.split('/').all(is_valid) && !self.path.starts_with("..")
    }
}

/// Returns the files by path; of two with the same path, the later one, as in a projected volume.
pub(crate) fn files_by_path(files: &[VolumeFile]) -> BTreeMap<&str, &VolumeFile> {
    files.iter().map(|file| (file.path.as_str(), file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> VolumeFile {
        VolumeFile { path: path.into(), bytes: Vec::new(), mode: 0o644 }
    }

    #[test]
    fn paths_stay_below_the_mount() {
        for (path, is_valid) in [
            ("app.conf", true),
            ("conf.d/app.conf", true),
            (".hidden", true),
            ("a..b", true),
            ("", false),
            ("/etc/passwd", false),
            ("a//b", false),
            ("a/../b", false),
            ("..data", false),
            ("a/", false),
        ] {
            assert_eq!(file(path).has_valid_path(), is_valid, "{path}");
        }
        assert_eq!(file("conf.d/app.conf").top_name(), "conf.d");
    }

    #[test]
    fn of_two_files_with_one_path_the_later_is_mounted() {
        let later = VolumeFile { bytes: b"2".to_vec(), ..file("a") };
        assert_eq!(files_by_path(&[file("a"), later.clone()]).get("a"), Some(&&later));
    }
}
