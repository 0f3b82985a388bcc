//! containerd, through its command-line client `ctr`. Source: containerd,
//! `cmd/ctr/commands/images`.

use std::path::Path;

use super::client_program::{ClientProgram, path_argument};
use super::container_engine::{ContainerEngine, EngineSettings, ImagePresence};
use super::engine_image_name::EngineName;
use super::error::EngineError;
use super::http::Endpoint;
use super::select_image::PlatformImage;
use crate::layout::{BlobOpener, ImageArchive};
use coracle_core::digest::Digest;
use coracle_core::platform::Platform;
use coracle_core::progress::Progress;
use coracle_core::reference::ImageReference;

const ENGINE: EngineName = EngineName::Containerd;

/// The `ctr` program of a running containerd.
pub(super) struct Containerd<'a> {
    program: ClientProgram,
    progress: &'a dyn Progress,
}

impl<'a> Containerd<'a> {
    /// Finds `ctr`, and checks that containerd listens on its socket.
    pub(super) fn connect(
        settings: &EngineSettings,
        namespace: &str,
        progress: &'a dyn Progress,
    ) -> Result<Self, EngineError> {
        let mut program = ClientProgram::find_client(ENGINE, "ctr", &settings.program_dirs)?;
        let endpoint = path_argument(&settings.containerd_socket);
        let path = endpoint.strip_prefix("unix://").unwrap_or(&endpoint).to_owned();
        // `ctr` would retry for seconds and report less.
        let connected = Endpoint::Socket(path.clone().into()).connect();
        connected.map_err(|source| EngineError::Unreachable {
            engine: ENGINE,
            endpoint: path.clone(),
            source,
        })?;
        program.global_arguments = ["--address", &path, "--namespace", namespace].map(str::to_owned).to_vec();
        Ok(Self { program, progress })
    }

    /// The names of the image or index `digest`.
    fn names_of_digest(&self, digest: Digest) -> Result<Vec<String>, EngineError> {
        let filter = format!("target.digest=={digest}");
        let shown = self.program.run_checked("list images", &["images", "ls", "--quiet", &filter])?;
        Ok(shown.lines().map(str::to_owned).collect())
    }
}

/// The names that the image is to have, each with the digest that it refers to; the tag comes last.
///
/// A kubelet looks for `NAME@DIGEST` if a pod names `NAME:TAG@DIGEST`, where DIGEST is that of the
/// image, or of the index for several platforms.
fn wanted_names(name: &ImageReference, image: &PlatformImage) -> Vec<(String, Digest)> {
    let full = name.full_name();
    let repository = full.rsplit_once(':').map_or(full.as_str(), |(repository, _)| repository);
    let digests = std::iter::once(image.digest).chain(image.indexes.last().map(|index| index.digest));
    let mut names: Vec<_> = digests.map(|digest| (format!("{repository}@{digest}"), digest)).collect();
    names.push((full, image.digest));
    names
}

impl ContainerEngine for Containerd<'_> {
    /// The platform of the snapshotters, which images are unpacked into.
    fn platform(&self) -> Result<Platform, EngineError> {
        let operation = "list its plugins";
        let shown = self.program.run_checked(operation, &["plugins", "ls"])?;
        let rows = shown.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let mut platforms = rows.filter_map(|row| match row.as_slice() {
            ["io.containerd.snapshotter.v1", _, platforms, "ok"] => {
                platforms.split(',').next()?.parse::<Platform>().ok()
            }
            _ => None,
        });
        platforms.next().ok_or_else(|| EngineError::InvalidResponse {
            engine: ENGINE,
            operation: operation.into(),
            why: "it lists no working snapshotter".into(),
        })
    }

    fn find_image(&self, name: &ImageReference, image: &PlatformImage) -> Result<ImagePresence, EngineError> {
        let mut is_named = true;
        for (wanted, digest) in wanted_names(name, image) {
            let known = self.names_of_digest(digest)?;
            if known.is_empty() {
                return Ok(ImagePresence::Layers(0));
            }
            is_named &= known.contains(&wanted);
        }
        // Each document has a name of its own to be tagged from.
        Ok(if is_named { ImagePresence::Named } else { ImagePresence::Untagged(image.digest.to_string()) })
    }

    fn tag_image(&self, _: &str, name: &ImageReference, image: &PlatformImage) -> Result<(), EngineError> {
        let operation = "tag an image";
        for (wanted, digest) in wanted_names(name, image) {
            let known = self.names_of_digest(digest)?;
            if let Some(source) = known.first().filter(|_| !known.contains(&wanted)) {
                self.program.run_checked(operation, &["images", "tag", "--force", source, &wanted])?;
            }
        }
        Ok(())
    }

    fn archive_to_load(
        &self,
        name: &ImageReference,
        image: &PlatformImage,
    ) -> Result<ImageArchive, EngineError> {
        Ok(ImageArchive::for_containerd(&image.graph, name, &image.indexes)?)
    }

    fn load_archive(&self, archive: &ImageArchive, open: &BlobOpener<'_>) -> Result<(), EngineError> {
        self.program.run_with_archive(
            "import an image",
            &["images", "import", "-"],
            archive,
            open,
            self.progress,
        )
    }

    fn save_image(&self, name: &ImageReference, path: &Path) -> Result<(), EngineError> {
        self.program
            .run_checked("export an image", &["images", "export", &path_argument(path), &name.full_name()])
            .map(drop)
    }
}
