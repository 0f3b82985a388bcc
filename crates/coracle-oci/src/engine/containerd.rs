//! containerd, through `ctr`, which comes with it. Source: containerd, `cmd/ctr/commands/images`.

use std::path::Path;

use super::choose::Chosen;
use super::http::Endpoint;
use super::program::{Program, text};
use super::{Engine, Error, Has, Observer, Settings};
use coracle_core::platform::Platform;
use coracle_core::reference::Reference;
use crate::layout::{Archive, Open};

const ENGINE: &str = "containerd";

pub(super) struct Containerd<'a> {
    program: Program,
    observer: &'a Observer<'a>,
}

impl<'a> Containerd<'a> {
    /// The containerd that listens, with the program to talk to it.
    pub(super) fn find(
        settings: &Settings,
        namespace: &str,
        observer: &'a Observer<'a>,
    ) -> Result<Self, Error> {
        let mut program = Program::find(ENGINE, "ctr", &settings.search)?;
        let endpoint = text(&settings.containerd);
        let path = endpoint.strip_prefix("unix://").unwrap_or(&endpoint).to_owned();
        // `ctr` would wait for some seconds, and tell less.
        let connected = Endpoint::Socket(path.clone().into()).connect();
        connected.map_err(|source| Error::Connect { engine: ENGINE, endpoint: path.clone(), source })?;
        program.always = ["--address", &path, "--namespace", namespace].map(str::to_owned).to_vec();
        Ok(Self { program, observer })
    }

    /// The names of images that a filter finds, each with its digest.
    fn images(&self, filter: &str) -> Result<Vec<(String, String)>, Error> {
        let shown = self.program.answer("list images", &["images", "ls", filter])?;
        let rows = shown.lines().skip(1).filter_map(|row| {
            let mut words = row.split_whitespace();
            Some((words.next()?.to_owned(), words.nth(1)?.to_owned()))
        });
        Ok(rows.collect())
    }
}

impl Engine for Containerd<'_> {
    /// What its snapshots are for, which is what images are unpacked into.
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
            why: "it has no storage for images".into(),
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
        self.program
            .answer("name an image", &["images", "tag", "--force", known, &name.full_name()])
            .map(drop)
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
