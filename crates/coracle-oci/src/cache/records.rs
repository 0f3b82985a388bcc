//! Records of builds: byte strings by key, each prefixed with its digest.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::build_cache::BuildCache;
use super::directory::RECORDS_DIR;
use coracle_core::digest::Digest;
use coracle_core::fs;

/// Maximum size of a record in bytes.
const MAX_RECORD_SIZE: u64 = 256 << 20;

impl BuildCache {
    /// Returns the record of `key`; `None` if there is none or it is damaged.
    pub fn read_record(&self, key: Digest) -> Option<Vec<u8>> {
        let path = self.record_path(key);
        let mut bytes = Vec::new();
        std::fs::File::open(&path).ok()?.take(MAX_RECORD_SIZE).read_to_end(&mut bytes).ok()?;
        let (digest, record) = bytes.split_at_checked(64)?;
        if digest != Digest::compute(record).hex().as_bytes() {
            return None;
        }
        self.mark_used(&path);
        Some(record.to_vec())
    }

    /// Stores `record` under `key` and replaces an earlier one.
    pub fn write_record(&self, key: Digest, record: &[u8]) {
        let path = self.record_path(key);
        let written = tempfile::NamedTempFile::new_in(self.version_directory()).and_then(|mut file| {
            file.write_all(Digest::compute(record).hex().as_bytes())?;
            file.write_all(record)?;
            Ok(file.persist(&path)?)
        });
        match written {
            Ok(_) => self.has_additions.store(true, Ordering::Relaxed),
            Err(error) => self.record_error(fs::Error::new("write", &path, error)),
        }
    }

    /// Removes the record of `key`.
    pub fn remove_record(&self, key: Digest) {
        let path = self.record_path(key);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                self.record_error(fs::Error::new("remove", &path, error));
            }
            _ => {}
        }
    }

    fn record_path(&self, key: Digest) -> PathBuf {
        self.version_directory().join(RECORDS_DIR).join(key.hex())
    }
}
