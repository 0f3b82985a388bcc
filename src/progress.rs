//! The observer of a build, as the progress of one of its operations.

use crate::observer::Observer;
use coracle_core::progress::Progress;
use coracle_oci::copy::UploadQueue;

/// Counts packed bytes. A failed upload cancels packing, too.
pub(crate) struct PackProgress<'a> {
    pub(crate) observer: &'a dyn Observer,
    pub(crate) upload_queue: &'a UploadQueue<'a>,
}

impl Progress for PackProgress<'_> {
    fn advance(&self, bytes: u64) {
        self.observer.on_packed(bytes);
    }

    fn is_cancelled(&self) -> bool {
        self.upload_queue.is_cancelled() || self.observer.is_cancelled()
    }
}

/// Counts bytes sent to registries and engines.
pub(crate) struct UploadProgress<'a>(pub(crate) &'a dyn Observer);

impl Progress for UploadProgress<'_> {
    fn advance(&self, bytes: u64) {
        self.0.on_uploaded(bytes);
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
