//! Podman, through its command-line client. Its storage is shared with Buildah and CRI-O. Source:
//! podman-load(1), podman-image-exists(1).

use std::path::Path;

use super::client_program::{ClientProgram, path_argument};
use super::container_engine::{ContainerEngine, EngineSettings, ImagePresence};
use super::engine_image_name::EngineName;
use super::error::EngineError;
use super::select_image::PlatformImage;
use crate::layout::{BlobOpener, ImageArchive};
use coracle_core::platform::Platform;
use coracle_core::progress::Progress;
use coracle_core::reference::ImageReference;

const ENGINE: EngineName = EngineName::Podman;

/// The `podman` program.
pub(super) struct Podman<'a> {
    program: ClientProgram,
    progress: &'a dyn Progress,
}

impl<'a> Podman<'a> {
    /// Finds `podman`.
    pub(super) fn connect(
        settings: &EngineSettings,
        progress: &'a dyn Progress,
    ) -> Result<Self, EngineError> {
        Ok(Self { program: ClientProgram::find_client(ENGINE, "podman", &settings.program_dirs)?, progress })
    }

    /// The digests of the manifest and the config of an image. `None` if there is no such image.
    fn inspect_image(&self, name: &str) -> Result<Option<(String, String)>, EngineError> {
        let operation = "inspect an image";
        let exists = self.program.run_any_status(operation, &["image", "exists", name])?;
        match exists.exit_code() {
            Some(0) => {}
            Some(1) => return Ok(None),
            _ => return Err(self.program.exit_error(operation, &exists)),
        }
        let shown = self
            .program
            .run_checked(operation, &["image", "inspect", "--format", "{{.Digest}} {{.Id}}", name])?;
        let (digest, id) = shown.trim().split_once(' ').unwrap_or_default();
        Ok(Some((digest.into(), format!("sha256:{id}"))))
    }
}

impl ContainerEngine for Podman<'_> {
    fn platform(&self) -> Result<Platform, EngineError> {
        let operation = "report its platform";
        let shown =
            self.program.run_checked(operation, &["info", "--format", "{{.Host.OS}}/{{.Host.Arch}}"])?;
        shown.trim().parse().map_err(|error: coracle_core::platform::ParsePlatformError| {
            EngineError::InvalidResponse {
                engine: ENGINE,
                operation: operation.into(),
                why: error.to_string(),
            }
        })
    }

    fn find_image(&self, name: &ImageReference, image: &PlatformImage) -> Result<ImagePresence, EngineError> {
        let own = (image.digest.to_string(), image.image_id.to_string());
        if self.inspect_image(&name.full_name())?.is_some_and(|known| known == own) {
            return Ok(ImagePresence::Named);
        }
        let id = image.image_id.hex();
        // The same config with other compressed layers has another manifest digest.
        let has = self.inspect_image(&id)?.is_some_and(|known| known == own);
        Ok(if has { ImagePresence::Untagged(id) } else { ImagePresence::Layers(0) })
    }

    fn tag_image(&self, known: &str, name: &ImageReference, _: &PlatformImage) -> Result<(), EngineError> {
        self.program.run_checked("tag an image", &["tag", known, &name.full_name()]).map(drop)
    }

    fn load_archive(&self, archive: &ImageArchive, open: &BlobOpener<'_>) -> Result<(), EngineError> {
        self.program.run_with_archive("load an image", &["load", "--quiet"], archive, open, self.progress)
    }

    fn save_image(&self, name: &ImageReference, path: &Path) -> Result<(), EngineError> {
        let arguments = [
            "save",
            "--quiet",
            "--format",
            "oci-archive",
            "--output",
            &path_argument(path),
            &name.full_name(),
        ];
        self.program.run_checked("save an image", &arguments).map(drop)
    }
}
