//! Stored compressed layers.
//!
//! A layer's blob is determined by its cache key (encoder, settings, tar headers) and diff ID, so
//! it is stored as `layers/KEY/DIFF_ID-DIGEST`. The diff ID is computed only if there are blobs for
//! the key; otherwise every first build would read its files twice. Packing holds the lock of the
//! key, so that concurrent builds compress a layer once.

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

/// The lock file in the directory of a cache key.
pub(super) const LOCK: &str = "lock";
/// File name of an unfinished blob.
const PART: &str = "part";
/// Maximum number of retries if the directory is pruned while it is opened.
const ATTEMPTS: usize = 100;
/// Interval between attempts to take a lock.
const PAUSE: Duration = Duration::from_millis(5);

impl Cache {
    /// Packs a layer like [`layer::pack`], but copies the stored blob if there is one.
    ///
    /// # Errors
    /// See [`layer::pack`]. Errors of the cache itself are not returned, see [`Cache::note`].
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

    /// Whether a layer with this cache key is stored.
    pub fn knows(&self, cache_key: Digest) -> bool {
        let names = fs::list(&self.directory().join(LAYERS).join(cache_key.hex())).unwrap_or_default();
        names.iter().any(|name| name.contains(&b'-'))
    }

    /// Waits for the lock on the directory of `cache_key`. Returns `None` if the cache is
    /// unusable.
    fn shelf(&self, cache_key: Digest, observer: &Observer<'_>) -> Result<Option<Shelf<'_>>, Error> {
        let directory = self.directory().join(LAYERS).join(cache_key.hex());
        let mut pruned = 0;
        loop {
            let made = fs::create_private(&directory).context("create", &directory);
            match made.and_then(|()| try_lock(&directory.join(LOCK))) {
                Ok(Some(lock)) => return Ok(Some(Shelf { cache: self, directory, _lock: lock })),
                Ok(None) => {}
                // The directory was pruned after it was created. The number of retries is limited.
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

/// The locked directory of one cache key.
struct Shelf<'a> {
    cache: &'a Cache,
    directory: PathBuf,
    _lock: File,
}

impl Shelf<'_> {
    /// Returns diff ID, digest and path of each blob.
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

    /// Copies the blob of `diff_id` to a new file at `out`. Returns its digest and size, or `None`
    /// if there is none. Damaged blobs are removed.
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

    /// Stores a copy of the blob at `from`. A hard link would change with the original.
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
