//! Stored compressed layers.
//!
//! A layer's blob is determined by its cache key (encoder, settings, tar headers) and diff ID, so
//! it is stored as `layers/KEY/DIFF_ID-DIGEST`. The diff ID is computed only if there are blobs for
//! the key; otherwise every first build would read its files twice. Packing holds the lock of the
//! key, so that concurrent builds compress a layer once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::build_cache::{BuildCache, LAYERS_DIR};
use super::lock_file::{LOCK_FILE, wait_for_lock};
use crate::layer::hashing_file_writer::HashingFileWriter;
use crate::layer::verify_cached_blob::ExpectedBlob;
use crate::layer::{self, Layer, LayerError, PackRequest, tar_header};
use coracle_core::content_scanner::ContentScanner;
use coracle_core::digest::{DiffId, Digest};
use coracle_core::fs::{self, Context, FinalLink};
use coracle_core::progress::{CancelOnly, Cancelled, Progress};

impl BuildCache {
    /// Packs a layer like [`layer::pack_layer`], but copies the stored blob if the cache has it.
    ///
    /// # Errors
    /// See [`layer::pack_layer`]. Errors of the cache itself are not returned, see
    /// [`BuildCache::take_warning`].
    pub fn pack_layer(
        &self,
        request: &PackRequest<'_>,
        out: &Path,
        scanner: &mut dyn ContentScanner,
    ) -> Result<Layer, LayerError> {
        let PackRequest { entries, kind, compression, progress } = *request;
        let cache_key = layer::layer_cache_key(entries, compression);
        let Some(locked) = self.wait_for_layers_lock(cache_key, progress)? else {
            return layer::pack_layer(request, out, scanner);
        };
        if !locked.blobs().is_empty() {
            let diff_id = layer::compute_diff_id(entries, &CancelOnly(progress), scanner)?;
            let unpacked_size = tar_header::tar_size(entries);
            let expected = ExpectedBlob { compression, unpacked_size, diff_id };
            if let Some((digest, size)) = locked.copy_blob_to(&expected, out, &CancelOnly(progress))? {
                let media_type = compression.media_type();
                progress.advance(unpacked_size);
                if progress.is_cancelled() {
                    return Err(LayerError::Cancelled);
                }
                return Ok(Layer { digest, diff_id, size, unpacked_size, media_type, kind });
            }
        }
        let layer = layer::pack_layer(request, out, scanner)?;
        locked.store_blob(&layer, out);
        Ok(layer)
    }

    /// Returns whether a layer with this cache key is stored.
    pub fn has_layers_with_key(&self, cache_key: Digest) -> bool {
        let names = fs::list_directory(&self.version_directory().join(LAYERS_DIR).join(cache_key.hex()))
            .unwrap_or_default();
        names.iter().any(|name| name.contains(&b'-'))
    }

    /// Waits for the lock on the directory of `cache_key`. Returns `None` if the cache is
    /// unusable.
    fn wait_for_layers_lock(
        &self,
        cache_key: Digest,
        progress: &dyn Progress,
    ) -> Result<Option<LockedLayers<'_>>, LayerError> {
        let directory = self.version_directory().join(LAYERS_DIR).join(cache_key.hex());
        match wait_for_lock(&directory.join(LOCK_FILE), progress) {
            Ok(Ok(lock)) => Ok(Some(LockedLayers { cache: self, directory, _lock: lock })),
            Ok(Err(Cancelled)) => Err(LayerError::Cancelled),
            Err(error) => {
                self.record_error(error);
                Ok(None)
            }
        }
    }
}

/// The locked directory of one cache key.
struct LockedLayers<'a> {
    cache: &'a BuildCache,
    directory: PathBuf,
    _lock: File,
}

impl LockedLayers<'_> {
    /// Returns diff ID, digest and path of each blob.
    fn blobs(&self) -> Vec<(DiffId, Digest, PathBuf)> {
        let names = fs::list_directory(&self.directory).unwrap_or_default();
        let parse = |hex: &str| format!("sha256:{hex}").parse::<Digest>().ok();
        let blob = |name: Vec<u8>| {
            let name = String::from_utf8(name).ok()?;
            let (diff_id, digest) = name.split_once('-')?;
            Some((DiffId::new(parse(diff_id)?), parse(digest)?, self.directory.join(&name)))
        };
        names.into_iter().filter_map(blob).collect()
    }

    /// Copies the blob of the expected diff ID to a new file at `out`. Returns its digest and size, or
    /// `None` if there is none. Blobs with other contents than expected are removed: the cache may
    /// have been written by other jobs of a CI system.
    fn copy_blob_to(
        &self,
        expected: &ExpectedBlob,
        out: &Path,
        progress: &dyn Progress,
    ) -> Result<Option<(Digest, u64)>, LayerError> {
        for (_, digest, path) in self.blobs().into_iter().filter(|(found, ..)| *found == expected.diff_id) {
            let mut output = HashingFileWriter::create(out)?;
            let copied = match fs::open_regular_file(&path, FinalLink::Refuse) {
                Ok(mut file) => output.copy_from(&mut file)?.context("read", &path),
                Err(error) => Err(error),
            };
            let is_same = copied.is_ok() && output.digest() == digest;
            let copy = File::open(out).context("open", out)?;
            if is_same && expected.matches(copy, progress).map_err(|Cancelled| LayerError::Cancelled)? {
                self.cache.mark_used(&path);
                return Ok(Some(output.finish()));
            }
            output.discard();
            let removed = copied.and_then(|()| std::fs::remove_file(&path).context("remove", &path));
            if let Err(error) = removed {
                self.cache.record_error(error);
            }
        }
        Ok(None)
    }

    /// Stores a copy of the blob at `from`. A hard link would change with the original.
    fn store_blob(&self, layer: &Layer, from: &Path) {
        let to = self.directory.join(format!("{}-{}", layer.diff_id.hex(), layer.digest.hex()));
        let stored = tempfile::NamedTempFile::new_in(&self.directory).and_then(|mut part| {
            std::io::copy(&mut File::open(from)?, part.as_file_mut())?;
            Ok(part.persist(&to)?)
        });
        match stored {
            Ok(_) => self.cache.has_additions.store(true, Ordering::Relaxed),
            Err(error) => self.cache.record_error(fs::Error::new("write", &to, error)),
        }
    }
}
