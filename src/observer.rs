//! The observer of a build: receives its progress, and can cancel it.

use super::image_plan::Plan;
use coracle_core::progress::Progress;
use coracle_oci::copy::UploadQueue;

/// Observes the progress of a build, and can cancel it. By default, methods do nothing.
pub trait Observer: Sync {
    /// Called with the plan of each platform before packing.
    fn on_planned(&self, _plans: &[Plan]) {}
    /// Called after `bytes` more bytes were packed.
    fn on_packed(&self, _bytes: u64) {}
    /// Called when `bytes` more bytes are to be sent to registries or engines.
    fn on_upload_queued(&self, _bytes: u64) {}
    /// Called after `bytes` more bytes were sent.
    fn on_uploaded(&self, _bytes: u64) {}
    /// Returns whether the build is cancelled. Called often, from several threads. Once it returns true,
    /// the build ends soon with [`crate::Error::Cancelled`].
    fn is_cancelled(&self) -> bool {
        false
    }
    /// Called when the image is packed and its blobs are uploaded, or it is up to date, before it
    /// is written to its destinations and named. Parallel builds block here until it is their turn,
    /// so that the order of writes to a shared image layout is always the same.
    fn before_publish(&self) -> PublishDecision {
        PublishDecision::Publish
    }
}

/// Whether an image that is ready is published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublishDecision {
    /// Publish it.
    Publish,
    /// Publish it unless its inputs have changed since it was packed.
    PublishIfUnchanged,
    /// Cancel the build.
    Cancel,
}

/// The no-op observer.
impl Observer for () {}

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
