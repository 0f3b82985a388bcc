//! Layers that were compressed before.
//!
//! A layer's blob follows from its shape (encoder, settings, headers of the tar) and its diff ID, so it lies at
//! `layers/SHAPE/DIFF_ID-DIGEST`. Files are read and hashed only where the shape is known: to look for what can't be
//! there would cost every first build a second pass. Who packs a shape holds its lock, so that others who want the same
//! layer wait for it and don't compress it again.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Cache;
use super::directory::{LAYERS, try_lock};
use coracle_core::digest::{DiffId, Digest};
use coracle_core::fs::{self, Context};
use coracle_core::content_scanner::ContentScanner;
use crate::layer::output::Output;
use crate::layer::{self, Compression, Error, Layer, Observer, tar};
use coracle_core::path::ImagePath;
use coracle_core::entry::{Entry, Stratum};

/// The file that is locked, in the directory of a shape.
pub(super) const LOCK: &str = "lock";
/// A blob that is not complete yet.
const PART: &str = "part";
/// How often a directory may vanish before it is held to be impossible.
const ATTEMPTS: usize = 100;
/// How long to wait before a lock is tried again.
const PAUSE: Duration = Duration::from_millis(5);

impl Cache {
    /// Packs as [`layer::pack`] does, and takes the blob from here where it was packed before.
    ///
    /// # Errors
    /// Those of [`layer::pack`]; what goes wrong in the cache is no error.
    pub fn pack(
        &self,
        entries: &[(&ImagePath, &Entry)],
        stratum: Stratum,
        compression: Compression,
        out: &Path,
        observer: &Observer<'_>,
        scanner: &dyn ContentScanner,
    ) -> Result<Layer, Error> {
        let Some(shelf) = self.shelf(layer::shape(entries, compression), observer)? else {
            return layer::pack(entries, stratum, compression, out, observer, scanner);
        };
        if !shelf.blobs().is_empty() {
            let diff_id = layer::diff_id(entries, &|_| observer(0), scanner)?;
            if let Some((digest, size)) = shelf.take(diff_id, out)? {
                let unpacked = tar::size(entries);
                let media_type = compression.media_type();
                if observer(unpacked).is_break() {
                    return Err(Error::Interrupted);
                }
                return Ok(Layer { digest, diff_id, size, unpacked, media_type, stratum });
            }
        }
        let layer = layer::pack(entries, stratum, compression, out, observer, scanner)?;
        shelf.keep(&layer, out);
        Ok(layer)
    }

    /// Whether a layer of this shape was packed here.
    pub fn knows(&self, shape: Digest) -> bool {
        let names = fs::list(&self.directory().join(LAYERS).join(shape.hex())).unwrap_or_default();
        names.iter().any(|name| name.contains(&b'-'))
    }

    /// The place of a shape, once nobody else is there; nothing where the cache can't be used.
    fn shelf(&self, shape: Digest, observer: &Observer<'_>) -> Result<Option<Shelf<'_>>, Error> {
        let directory = self.directory().join(LAYERS).join(shape.hex());
        let mut pruned = 0;
        loop {
            let made = fs::create_private(&directory).context("create", &directory);
            match made.and_then(|()| try_lock(&directory.join(LOCK))) {
                Ok(Some(lock)) => return Ok(Some(Shelf { cache: self, directory, _lock: lock })),
                Ok(None) => {}
                // It was pruned after it was made; or it never can be, and then this has an end.
                Err(error) if error.kind() == io::ErrorKind::NotFound && pruned < ATTEMPTS => pruned += 1,
                Err(error) => {
                    self.failed(error);
                    return Ok(None);
                }
            }
            if let ControlFlow::Break(()) = observer(0) {
                return Err(Error::Interrupted);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// The blobs of one shape, and the right to change them.
struct Shelf<'a> {
    cache: &'a Cache,
    directory: PathBuf,
    _lock: File,
}

impl Shelf<'_> {
    /// Diff ID, digest and path of each blob.
    fn blobs(&self) -> Vec<(DiffId, Digest, PathBuf)> {
        let names = fs::list(&self.directory).unwrap_or_default();
        let parse = |hex: &str| format!("sha256:{hex}").parse::<Digest>().ok();
        let blob = |name: Vec<u8>| {
            let name = String::from_utf8(name).ok()?;
            let (diff_id, digest) = name.split_once('-')?;
            Some((DiffId::new(parse(diff_id)?), parse(digest)?, self.directory.join(&name)))
        };
        names.into_iter().filter_map(blob).collect()
    }

    /// Copies the blob of `diff_id` to a new file at `out`; its digest and size. A blob that is not what its name says
    /// goes.
    fn take(&self, diff_id: DiffId, out: &Path) -> Result<Option<(Digest, u64)>, Error> {
        for (_, digest, path) in self.blobs().into_iter().filter(|(found, ..)| *found == diff_id) {
            let mut output = Output::create(out)?;
            let copied = match File::open(&path) {
                Ok(mut file) => output.copy(&mut file)?,
                Err(error) => Err(error),
            };
            if copied.is_ok() && output.digest() == digest {
                self.cache.touch(&path);
                return Ok(Some(output.finish()));
            }
            output.discard();
            let removed = copied
                .context("read", &path)
                .and_then(|()| std::fs::remove_file(&path).context("remove", &path));
            if let Err(error) = removed {
                self.cache.failed(error);
            }
        }
        Ok(None)
    }

    /// Keeps a copy of the blob at `from`: a second name of it would share its fate.
    fn keep(&self, layer: &Layer, from: &Path) {
        let part = self.directory.join(PART);
        let to = self.directory.join(format!("{}-{}", layer.diff_id.hex(), layer.digest.hex()));
        let kept = std::fs::copy(from, &part)
            .context("write", &part)
            .and_then(|_| std::fs::rename(&part, &to).context("create", &to));
        match kept {
            Ok(()) => self.cache.has_grown.store(true, Ordering::Relaxed),
            Err(error) => {
                let _ = std::fs::remove_file(&part);
                self.cache.failed(error);
            }
        }
    }
}
