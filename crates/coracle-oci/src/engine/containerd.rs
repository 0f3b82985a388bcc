//! containerd, through its command-line client `ctr`. Source: containerd,
//! `cmd/ctr/commands/images`.

use std::path::Path;

use super::choose::Chosen;
use super::http::Endpoint;
use super::program::{Program, text};
use super::{Engine, Error, Has, Observer, Settings};
use coracle_core::platform::Platform;
use coracle_core::reference::Reference;
use crate::layout::{Archive, Open};

const ENGINE: &str = "containerd";

/// The `ctr` program of a running containerd.
pub(super) struct Containerd<'a> {
    program: Program,
    observer: &'a Observer<'a>,
}

impl<'a> Containerd<'a> {
    /// Finds `ctr`, and checks that containerd listens on its socket.
    pub(super) fn find(
        settings: &Settings,
        namespace: &str,
        observer: &'a Observer<'a>,
    ) -> Result<Self, Error> {
        let mut program = Program::find(ENGINE, "ctr", &settings.search)?;
        let endpoint = text(&settings.containerd);
        let path = endpoint.strip_prefix("unix://").unwrap_or(&endpoint).to_owned();
        // `ctr` would retry for seconds and report less.
        let connected = Endpoint::Socket(path.clone().into()).connect();
        connected.map_err(|source| Error::Connect { engine: ENGINE, endpoint: path.clone(), source })?;
        program.always = ["--address", &path, "--namespace", namespace].map(str::to_owned).to_vec();
        Ok(Self { program, observer })
    }

    /// The names and digests of the images that match a filter.
    fn images(&self, filter: &str) -> Result<Vec<(String, String)>, Error> {
        let shown = self.program.answer("list images", &["images", "ls", filter])?;
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
        let shown = self.program.answer(what, &["plugins", "ls"])?;
        let rows = shown.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let mut platforms = rows.filter_map(|row| match row.as_slice() {
            ["io.containerd.snapshotter.v1", _, platforms, "ok"] => {
                platforms.split(',').next()?.parse::<Platform>().ok()
            }
            _ => None,
        });
        platforms.next().ok_or_else(|| Error::Answer {
            engine: ENGINE,
            what: what.into(),
            why: "it lists no working snapshotter".into(),
        })
    }

    fn ask(&self, name: &Reference, image: &Chosen) -> Result<Has, Error> {
        let full = name.full_name();
        let digest = image.digest.to_string();
        if self.images(&format!("name=={full}"))?.iter().any(|(_, known)| *known == digest) {
            return Ok(Has::Named);
        }
        let others = self.images(&format!("target.digest=={digest}"))?;
        Ok(others.into_iter().next().map_or(Has::Layers(0), |(known, _)| Has::Unnamed(known)))
    }

    fn name(&self, known: &str, name: &Reference) -> Result<(), Error> {
        self.program.answer("tag an image", &["images", "tag", "--force", known, &name.full_name()]).map(drop)
    }

    fn send(&self, archive: &Archive, open: &Open<'_>) -> Result<(), Error> {
        self.program.feed("import an image", &["images", "import", "-"], archive, open, self.observer)
    }

    fn save(&self, name: &Reference, path: &Path) -> Result<(), Error> {
        self.program
            .answer("export an image", &["images", "export", &text(path), &name.full_name()])
            .map(drop)
    }
}
