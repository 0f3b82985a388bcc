//! Unpacked images. The files of each layer are unpacked once; the roots of images are hard links
//! to them, made once for each image and its mount points.
//!
//! Files are named by their position in the layer, so that no path of an image is followed while it
//! is unpacked. A root is made in a private directory and renamed into place.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use coracle_core::digest::{Digest, HashingReader};
use coracle_core::fs::Context as _;
use coracle_core::path::ImagePath;
use coracle_oci::layout::{ParsedImage, ParsedPlatform};

use super::root_builder::RootBuilder;
use crate::RunError;

/// How long an unused root is kept.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);
/// A directory with unpacked images, which several processes may use.
#[derive(Clone, Debug)]
pub struct RootfsStore {
    directory: PathBuf,
    /// `true` if this process may give files to other users.
    pub(super) can_change_owner: bool,
}

/// The unpacked root of an image. It is not removed while this value exists.
#[derive(Debug)]
pub struct Rootfs {
    /// The root directory.
    pub path: PathBuf,
    /// The number of files that belong to root although the image has another owner.
    pub foreign_files: usize,
    _lock: File,
}

impl RootfsStore {
    /// Opens the store, creating it if needed.
    ///
    /// # Errors
    /// Fails if its directories cannot be created.
    pub fn open(directory: PathBuf) -> Result<Self, RunError> {
        for part in ["layers", "roots", "locks"] {
            let part = directory.join(part);
            coracle_core::fs::create_private_dir_all(&part).context("create", &part)?;
        }
        // Users of the container need to reach the root, but must not list the store.
        for part in [directory.clone(), directory.join("roots")] {
            fs::set_permissions(&part, Permissions::from_mode(0o711)).context("set the mode of", &part)?;
        }
        Ok(Self { directory, can_change_owner: nix::unistd::geteuid().is_root() })
    }

    /// Returns the root of the image for one platform, with directories at `mount_points`. It is
    /// unpacked if it is not in the store yet.
    ///
    /// # Errors
    /// Fails if a layer is missing or does not have its diff ID, or if a path is not possible.
    pub fn unpack(
        &self,
        image: &ParsedImage,
        platform: &ParsedPlatform,
        mount_points: &[ImagePath],
    ) -> Result<Rootfs, RunError> {
        let diff_ids = diff_ids(image, platform)?;
        let key = root_key(&diff_ids, mount_points);
        let lock = self.lock(&key)?;
        let path = self.directory.join("roots").join(&key);
        let note = path.join("foreign-files");
        if path.is_dir() {
            // Its time says when it was used last.
            let _ = File::open(&path).and_then(|file| file.set_modified(now()));
            let foreign_files = fs::read_to_string(&note).ok().and_then(|text| text.parse().ok());
            let foreign_files = foreign_files.unwrap_or_default();
            return Ok(Rootfs { path: path.join("rootfs"), foreign_files, _lock: lock });
        }
        let files = image.read_files(platform).map_err(RunError::Image)?;
        for (layer, diff_id) in platform.layers.iter().zip(&diff_ids) {
            let target = self.layer_path(diff_id);
            if !target.is_dir() {
                let open = || image.source.open_tar(layer).map_err(|error| RunError::layer(*diff_id, error));
                self.unpack_layer(*diff_id, open()?, &target)?;
            }
        }
        let made = self.private_directory()?;
        let root = made.path().join("rootfs");
        let foreign_files = RootBuilder { store: self, files: &files, diff_ids: &diff_ids, root: &root }
            .build(mount_points)?;
        fs::write(made.path().join("foreign-files"), foreign_files.to_string()).context("write", &note)?;
        fs::set_permissions(made.path(), Permissions::from_mode(0o711))
            .context("set the mode of", made.path())?;
        let made = made.keep();
        if let Err(error) = fs::rename(&made, &path) {
            fs::remove_dir_all(&made).context("remove", &made)?;
            // Another process has made it in the meantime.
            if !path.is_dir() {
                return Err(coracle_core::fs::Error::new("create", &path, error).into());
            }
        }
        Ok(Rootfs { path: path.join("rootfs"), foreign_files, _lock: lock })
    }

    /// Removes the roots, layers and layouts that no run has used for two weeks. Those in use stay.
    pub fn prune(&self) {
        let limit = now().checked_sub(KEPT).unwrap_or(SystemTime::UNIX_EPOCH);
        let is_old = |path: &Path| {
            fs::metadata(path).and_then(|found| found.modified()).is_ok_and(|time| time < limit)
        };
        for part in ["roots", "layers", "layouts"] {
            let entries = fs::read_dir(self.directory.join(part)).into_iter().flatten().flatten();
            for entry in entries.filter(|entry| is_old(&entry.path())) {
                let lock = self.directory.join("locks").join(entry.file_name());
                let is_free = |lock: &File| lock.try_lock().is_ok();
                let file = File::options().create(true).append(true).mode(0o600).open(&lock);
                if file.is_ok_and(|file| is_free(&file)) {
                    // The next run tries again.
                    let _ = fs::remove_dir_all(entry.path());
                    let _ = fs::remove_file(lock);
                }
            }
        }
    }

    /// Locks the root of this key against its removal.
    fn lock(&self, key: &str) -> Result<File, RunError> {
        let path = self.directory.join("locks").join(key);
        let file =
            File::options().create(true).append(true).mode(0o600).open(&path).context("open", &path)?;
        file.lock_shared().context("lock", &path)?;
        Ok(file)
    }

    pub(super) fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.directory.join("layers").join(diff_id.hex())
    }

    fn private_directory(&self) -> Result<tempfile::TempDir, RunError> {
        let directory = self.directory.join("layers");
        Ok(tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&directory)
            .context("create a directory in", &directory)?)
    }

    /// Unpacks the regular files of a layer to `target`, each named by its position in the tar.
    fn unpack_layer(&self, diff_id: Digest, tar: Box<dyn io::Read>, target: &Path) -> Result<(), RunError> {
        let made = self.private_directory()?;
        let mut hashed = HashingReader::new(tar);
        let unpacked = unpack_files(&mut hashed, made.path(), self.can_change_owner);
        unpacked
            .and_then(|()| io::copy(&mut hashed, &mut io::sink()).map(drop))
            .map_err(|error| RunError::layer(diff_id, error))?;
        let found = hashed.finish();
        if found != diff_id {
            let why =
                io::Error::new(io::ErrorKind::InvalidData, format!("its content has the digest `{found}`"));
            return Err(RunError::layer(diff_id, why));
        }
        let made = made.keep();
        if fs::rename(&made, target).is_err() {
            fs::remove_dir_all(&made).context("remove", &made)?;
        }
        Ok(())
    }
}

fn unpack_files(tar: &mut dyn io::Read, target: &Path, can_change_owner: bool) -> io::Result<()> {
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let header = entry.header();
        let kind = header.entry_type();
        if !kind.is_file() && !kind.is_contiguous() {
            continue;
        }
        let (mode, owner) = (header.mode()?, (header.uid()?, header.gid()?));
        let path = target.join(entry.raw_file_position().to_string());
        let mut file = File::options().create_new(true).write(true).open(&path)?;
        io::copy(&mut entry.by_ref(), &mut file)?;
        if can_change_owner && owner != (0, 0) {
            let id = |number: u64| {
                u32::try_from(number).map_err(|_| io::Error::other("an owner is not a user ID"))
            };
            lchown(&path, Some(id(owner.0)?), Some(id(owner.1)?))?;
        }
        // Set-ID bits have no effect on a program that may gain no privileges.
        file.set_permissions(Permissions::from_mode(mode & 0o777))?;
    }
    Ok(())
}

/// Returns the time, which decides only what is removed from the store.
#[allow(clippy::disallowed_methods, reason = "it reaches no bytes of an image")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns the digests of the layers' tars, as many as there are layers.
fn diff_ids(image: &ParsedImage, platform: &ParsedPlatform) -> Result<Vec<Digest>, RunError> {
    let listed = platform.config.pointer("/rootfs/diff_ids").and_then(|ids| ids.as_array());
    let listed: Option<Vec<Digest>> =
        listed.into_iter().flatten().map(|id| id.as_str()?.parse().ok()).collect();
    listed
        .filter(|listed| listed.len() == platform.layers.len())
        .ok_or_else(|| RunError::DiffIds(image.source.location.clone()))
}

/// Returns the name of a root, which depends on everything that is in it.
fn root_key(diff_ids: &[Digest], mount_points: &[ImagePath]) -> String {
    let mount_points: BTreeSet<String> = mount_points.iter().map(ToString::to_string).collect();
    let mut text = String::from("2\n");
    for line in diff_ids.iter().map(ToString::to_string).chain(mount_points) {
        text.push_str(&line);
        text.push('\n');
    }
    Digest::compute(text.as_bytes()).hex()
}
