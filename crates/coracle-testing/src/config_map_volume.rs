//! A mounted ConfigMap as a kubelet maintains it: a new directory for each version, and a link that
//! is renamed over `..data`. Source: `pkg/volume/util/atomic_writer.go` of Kubernetes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The directory of a volume.
pub struct AtomicWriter {
    directory: PathBuf,
    write_count: u32,
}

impl AtomicWriter {
    /// Creates a writer for `directory`. Files with the name of a link are replaced.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), write_count: 0 }
    }

    /// Replaces all files by these, in one step.
    pub fn write(&mut self, files: &[(&str, &str)]) {
        let path = |name: &str| self.directory.join(name);
        self.write_count += 1;
        let new = format!("..2026_11_24_10_00_0{}.1", self.write_count);
        fs::create_dir(path(&new)).unwrap();
        for (name, text) in files {
            fs::write(path(&new).join(name), text).unwrap();
        }
        let old = fs::read_link(path("..data")).ok();
        symlink(&new, path("..data_tmp")).unwrap();
        fs::rename(path("..data_tmp"), path("..data")).unwrap();
        for (name, _) in files {
            if fs::read_link(path(name)).is_err() {
                let _ = fs::remove_file(path(name));
                symlink(Path::new("..data").join(name), path(name)).unwrap();
            }
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.directory.join(old)).unwrap();
        }
    }
}
