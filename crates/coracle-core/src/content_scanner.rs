//! The interface between the packer of layers, which reads every file, and a scanner of their
//! contents.
//!
//! Files are read once: the packer passes each block to the scanner before it compresses it. The
//! traits are here because packer (coracle-oci) and scanner (coracle-scan) do not depend on each
//! other.

use crate::entry::Entry;
use crate::path::ImagePath;

/// Chooses the files to scan, and keeps the findings of their scans.
pub trait ContentScanner {
    /// Starts the scan of the file at `path`; `None` if its contents need no scan. One file is
    /// scanned at a time.
    fn start_scan(&mut self, path: &ImagePath, entry: &Entry) -> Option<Box<dyn ContentScan + '_>>;
}

/// The scan of one file.
pub trait ContentScan {
    /// Scans the next bytes of the file. Blocks come in order and without gaps; their sizes may
    /// differ.
    fn update(&mut self, bytes: &[u8]);

    /// Ends the scan after the last byte.
    fn finish(self: Box<Self>);
}

/// A scanner that scans no file.
#[derive(Clone, Copy, Default, Debug)]
pub struct NoScanner;

impl ContentScanner for NoScanner {
    fn start_scan(&mut self, _path: &ImagePath, _entry: &Entry) -> Option<Box<dyn ContentScan + '_>> {
        None
    }
}
