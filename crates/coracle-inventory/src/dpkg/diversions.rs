//! Files that one package installs at another path because a second package replaces them:
//! `dpkg-divert(1)`.

use std::collections::BTreeMap;

use coracle_core::file_system::FileSystem;

use crate::database_file::{lines, read_text};
use crate::error::InventoryError;

const DIVERSIONS: &[u8] = b"/var/lib/dpkg/diversions";

/// The diverted paths.
pub(super) struct Diversions(BTreeMap<Vec<u8>, Diversion>);

struct Diversion {
    to: Vec<u8>,
    /// The package whose file keeps the path; `:` for the administrator.
    by: Vec<u8>,
}

impl Diversions {
    /// Reads the file: three lines for each path.
    pub(super) fn read(file_system: &dyn FileSystem) -> Result<Self, InventoryError> {
        let text = read_text(file_system, DIVERSIONS)?.unwrap_or_default();
        let mut lines = lines(&text);
        let mut diversions = BTreeMap::new();
        while let (Some(path), Some(to), Some(by)) = (lines.next(), lines.next(), lines.next()) {
            diversions.insert(path.to_vec(), Diversion { to: to.to_vec(), by: by.to_vec() });
        }
        Ok(Self(diversions))
    }

    /// Returns where the file that `package` lists as `path` is.
    pub(super) fn path_of<'a>(&'a self, path: &'a [u8], package: &[u8]) -> &'a [u8] {
        match self.0.get(path) {
            Some(diversion) if diversion.by != package => &diversion.to,
            _ => path,
        }
    }
}
