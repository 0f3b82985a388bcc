//! Passes progress and cancellation between an [`Observer`] and the functions of `coracle_oci`, which
//! take a callback with a number of bytes and are cancelled by `ControlFlow::Break`.

use std::ops::ControlFlow;

use super::observer::Observer;
use coracle_oci::copy::UploadQueue;

/// Returns `Break` if the build is cancelled.
pub(crate) fn check_cancelled(observer: &dyn Observer) -> ControlFlow<()> {
    break_if(observer.is_cancelled())
}

/// Reports sent bytes to `observer`.
pub(crate) fn upload_progress(observer: &dyn Observer) -> impl Fn(u64) -> ControlFlow<()> + Sync {
    move |bytes| {
        observer.on_uploaded(bytes);
        check_cancelled(observer)
    }
}

/// Reports packed bytes to `observer`. Also cancelled after a failed upload to a registry.
pub(crate) fn pack_progress<'a>(
    observer: &'a dyn Observer,
    uploads: &'a UploadQueue<'_>,
) -> impl Fn(u64) -> ControlFlow<()> + Sync {
    move |bytes| {
        observer.on_packed(bytes);
        break_if(uploads.check_cancelled().is_break() || observer.is_cancelled())
    }
}

fn break_if(is_cancelled: bool) -> ControlFlow<()> {
    if is_cancelled { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
