//! A mounted ConfigMap as a kubelet maintains it: a new directory for each version, and a link that
//! is renamed over `..data`. Source: `pkg/volume/util/atomic_writer.go` of Kubernetes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The directory of a volume.
pub struct AtomicWriter {
    directory: PathBuf,
    times: u32,
}

impl AtomicWriter {
    /// Writes to `directory`; what stands in the way of a file's link goes.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), times: 0 }
    }

    /// Puts these files in place of those before.
    pub fn write(&mut self, files: &[(&str, &str)]) {
        let at = |name: &str| self.directory.join(name);
        self.times += 1;
        let new = format!("..2026_11_24_10_00_0{}.1", self.times);
        fs::create_dir(at(&new)).unwrap();
        for (name, text) in files {
            fs::write(at(&new).join(name), text).unwrap();
        }
        let old = fs::read_link(at("..data")).ok();
        symlink(&new, at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        for (name, _) in files {
            if fs::read_link(at(name)).is_err() {
                let _ = fs::remove_file(at(name));
                symlink(Path::new("..data").join(name), at(name)).unwrap();
            }
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.directory.join(old)).unwrap();
        }
    }
}
