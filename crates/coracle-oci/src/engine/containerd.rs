//! containerd, through its command-line client `ctr`. Source: containerd,
//! `cmd/ctr/commands/images`.

use std::path::Path;

use super::client_program::{ClientProgram, path_argument};
use super::http::Endpoint;
use super::select_image::PlatformImage;
use super::{Engine, EngineProgress, EngineSettings, Error, Presence};
use crate::layout::{BlobOpener, ImageArchive};
use coracle_core::platform::Platform;
use coracle_core::reference::ImageReference;

const ENGINE: &str = "containerd";

/// The `ctr` program of a running containerd.
pub(super) struct Containerd<'a> {
    program: ClientProgram,
    observer: &'a EngineProgress<'a>,
}

impl<'a> Containerd<'a> {
    /// Finds `ctr`, and checks that containerd listens on its socket.
    pub(super) fn find(
        settings: &EngineSettings,
        namespace: &str,
        observer: &'a EngineProgress<'a>,
    ) -> Result<Self, Error> {
        let mut program = ClientProgram::find(ENGINE, "ctr", &settings.program_dirs)?;
        let endpoint = path_argument(&settings.containerd_socket);
        let path = endpoint.strip_prefix("unix://").unwrap_or(&endpoint).to_owned();
        // `ctr` would retry for seconds and report less.
        let connected = Endpoint::Socket(path.clone().into()).connect();
        connected.map_err(|source| Error::Unreachable { engine: ENGINE, endpoint: path.clone(), source })?;
        program.global_arguments = ["--address", &path, "--namespace", namespace].map(str::to_owned).to_vec();
        Ok(Self { program, observer })
    }

    /// The names and digests of the images that match a filter.
    fn list_images(&self, filter: &str) -> Result<Vec<(String, String)>, Error> {
        let shown = self.program.run_checked("list images", &["images", "ls", filter])?;
        let rows = shown.lines().skip(1).filter_map(|row| {
            let mut columns = row.split_whitespace();
            Some((columns.next()?.to_owned(), columns.nth(1)?.to_owned()))
        });
        Ok(rows.collect())
    }
}

impl Engine for Containerd<'_> {
    /// The platform of the snapshotters, which images are unpacked into.
    fn platform(&self) -> Result<Platform, Error> {
        let what = "list its plugins";
        let shown = self.program.run_checked(what, &["plugins", "ls"])?;
        let rows = shown.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let mut platforms = rows.filter_map(|row| match row.as_slice() {
            ["io.containerd.snapshotter.v1", _, platforms, "ok"] => {
                platforms.split(',').next()?.parse::<Platform>().ok()
            }
            _ => None,
        });
        platforms.next().ok_or_else(|| Error::InvalidResponse {
            engine: ENGINE,
            what: what.into(),
            why: "it lists no working snapshotter".into(),
        })
    }

    fn find_image(&self, name: &ImageReference, image: &PlatformImage) -> Result<Presence, Error> {
        let full = name.full_name();
        let digest = image.digest.to_string();
        if self.list_images(&format!("name=={full}"))?.iter().any(|(_, known)| *known == digest) {
            return Ok(Presence::Named);
        }
        let others = self.list_images(&format!("target.digest=={digest}"))?;
        Ok(others.into_iter().next().map_or(Presence::Layers(0), |(known, _)| Presence::Untagged(known)))
    }

    fn tag(&self, known: &str, name: &ImageReference) -> Result<(), Error> {
        self.program
            .run_checked("tag an image", &["images", "tag", "--force", known, &name.full_name()])
            .map(drop)
    }

    fn load(&self, archive: &ImageArchive, open: &BlobOpener<'_>) -> Result<(), Error> {
        self.program.run_with_archive(
            "import an image",
            &["images", "import", "-"],
            archive,
            open,
            self.observer,
        )
    }

    fn save(&self, name: &ImageReference, path: &Path) -> Result<(), Error> {
        self.program
            .run_checked("export an image", &["images", "export", &path_argument(path), &name.full_name()])
            .map(drop)
    }
}
