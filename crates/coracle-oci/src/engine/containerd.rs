//! containerd, through its command-line client `ctr`. Source: containerd,
//! `cmd/ctr/commands/images`.

use std::path::Path;

use super::client_program::{ClientProgram, path_argument};
use super::container_engine::{ContainerEngine, EngineSettings, ImagePresence};
use super::error::EngineError;
use super::http::Endpoint;
use super::image_name::EngineName;
use super::select_image::PlatformImage;
use crate::layout::{BlobOpener, ImageArchive};
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
        let mut program = ClientProgram::find(ENGINE, "ctr", &settings.program_dirs)?;
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

    /// The names and digests of the images that match a filter.
    fn list_images(&self, filter: &str) -> Result<Vec<(String, String)>, EngineError> {
        let shown = self.program.run_checked("list images", &["images", "ls", filter])?;
        let rows = shown.lines().skip(1).filter_map(|row| {
            let mut columns = row.split_whitespace();
            Some((columns.next()?.to_owned(), columns.nth(1)?.to_owned()))
        });
        Ok(rows.collect())
    }
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
        let full = name.full_name();
        let digest = image.digest.to_string();
        if self.list_images(&format!("name=={full}"))?.iter().any(|(_, known)| *known == digest) {
            return Ok(ImagePresence::Named);
        }
        let others = self.list_images(&format!("target.digest=={digest}"))?;
        Ok(others
            .into_iter()
            .next()
            .map_or(ImagePresence::Layers(0), |(known, _)| ImagePresence::Untagged(known)))
    }

    fn tag_image(&self, known: &str, name: &ImageReference) -> Result<(), EngineError> {
        self.program
            .run_checked("tag an image", &["images", "tag", "--force", known, &name.full_name()])
            .map(drop)
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
