//! Podman, through its command-line client. Its storage is shared with Buildah and CRI-O. Source:
//! podman-load(1), podman-image-exists(1).

use std::path::Path;

use super::choose::Chosen;
use super::program::{Program, text};
use super::{Engine, Error, Has, Observer, Settings};
use coracle_core::platform::Platform;
use coracle_core::reference::Reference;
use crate::layout::{Archive, Open};

const ENGINE: &str = "Podman";

/// The `podman` program.
pub(super) struct Podman<'a> {
    program: Program,
    observer: &'a Observer<'a>,
}

impl<'a> Podman<'a> {
    /// Finds `podman`.
    pub(super) fn find(settings: &Settings, observer: &'a Observer<'a>) -> Result<Self, Error> {
        Ok(Self { program: Program::find(ENGINE, "podman", &settings.search)?, observer })
    }

    /// The digests of the manifest and the config of an image. `None` if there is no such image.
    fn image(&self, name: &str) -> Result<Option<(String, String)>, Error> {
        let what = "inspect an image";
        let exists = self.program.run(what, &["image", "exists", name])?;
        match exists.code() {
            Some(0) => {}
            Some(1) => return Ok(None),
            _ => return Err(self.program.refused(what, &exists)),
        }
        let shown =
            self.program.answer(what, &["image", "inspect", "--format", "{{.Digest}} {{.Id}}", name])?;
        let (digest, id) = shown.trim().split_once(' ').unwrap_or_default();
        Ok(Some((digest.into(), format!("sha256:{id}"))))
    }
}

impl Engine for Podman<'_> {
    fn platform(&self) -> Result<Platform, Error> {
        let what = "report its platform";
        let shown = self.program.answer(what, &["info", "--format", "{{.Host.OS}}/{{.Host.Arch}}"])?;
        shown.trim().parse().map_err(|error: coracle_core::platform::ParsePlatformError| Error::Answer {
            engine: ENGINE,
            what: what.into(),
            why: error.to_string(),
        })
    }

    fn ask(&self, name: &Reference, image: &Chosen) -> Result<Has, Error> {
        let own = (image.digest.to_string(), image.id.to_string());
        if self.image(&name.full_name())?.is_some_and(|known| known == own) {
            return Ok(Has::Named);
        }
        let id = image.id.hex();
        // The same config with other compressed layers has another manifest digest.
        let has = self.image(&id)?.is_some_and(|known| known == own);
        Ok(if has { Has::Unnamed(id) } else { Has::Layers(0) })
    }

    fn name(&self, known: &str, name: &Reference) -> Result<(), Error> {
        self.program.answer("tag an image", &["tag", known, &name.full_name()]).map(drop)
    }

    fn send(&self, archive: &Archive, open: &Open<'_>) -> Result<(), Error> {
        self.program.feed("load an image", &["load", "--quiet"], archive, open, self.observer)
    }

    fn save(&self, name: &Reference, path: &Path) -> Result<(), Error> {
        let arguments =
            ["save", "--quiet", "--format", "oci-archive", "--output", &text(path), &name.full_name()];
        self.program.answer("save an image", &arguments).map(drop)
    }
}
