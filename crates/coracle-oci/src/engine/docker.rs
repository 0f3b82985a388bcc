//! Docker, over the API of its daemon. Source: Docker Engine API, "Image" and "System"; Moby, `image/tarexport/load.go`.
//!
//! The daemon takes a layer from an archive only where it lacks the chain of layers up to it, so the lowest layers that the
//! image of the same name shares with the new one are left out. The storage of containerd, which newer daemons can have,
//! wants all of them.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::choose::Chosen;
use super::http::{self, Answer, Endpoint, Writer};
use super::program::shown;
use super::{Engine, Error, Has, Observer, Settings};
use coracle_core::fs::Context as _;
use coracle_core::platform::Platform;
use coracle_core::reference::Reference;
use crate::layout::{self, Archive, Open, WriteError};

const ENGINE: &str = "Docker";

/// Bytes of an answer; that about an image has some thousand.
const MAX_ANSWER: u64 = 8 << 20;

/// Bytes of all that is said while an image is taken in.
const MAX_SAID: u64 = 64 << 20;

/// How storages that know layers by their chain are called.
const CHAINED: [&str; 4] = ["overlay2", "vfs", "fuse-overlayfs", "aufs"];

pub(super) struct Docker<'a> {
    endpoint: Endpoint,
    shown: String,
    patience: Duration,
    observer: &'a Observer<'a>,
}

impl<'a> Docker<'a> {
    /// The daemon at the first endpoint where one is.
    pub(super) fn find(settings: &Settings, observer: &'a Observer<'a>) -> Result<Self, Error> {
        let mut last = None;
        for shown in &settings.docker {
            let endpoint = endpoint(shown)?;
            let connected = endpoint.connect();
            let docker = Self { endpoint, shown: shown.clone(), patience: settings.patience, observer };
            match connected {
                Ok(_) => return Ok(docker),
                // What says most is where something is; else the first, which is the usual place.
                Err(error) if error.kind() == ErrorKind::NotFound && last.is_some() => {}
                Err(error) => last = Some(docker.unreachable(error)),
            }
        }
        Err(last.unwrap_or(Error::Endpoint { endpoint: String::new(), why: "no place is named" }))
    }

    fn unreachable(&self, source: io::Error) -> Error {
        Error::Connect { engine: ENGINE, endpoint: self.shown.clone(), source }
    }

    fn silent(&self, what: &str, source: io::Error) -> Error {
        if (self.observer)(0).is_break() {
            return Error::Interrupted;
        }
        match source.kind() {
            ErrorKind::InvalidData => {
                Error::Answer { engine: ENGINE, what: what.into(), why: source.to_string() }
            }
            _ => Error::Silent { engine: ENGINE, what: what.into(), source },
        }
    }

    fn call(
        &self,
        what: &str,
        request: &str,
        content: Option<(u64, Box<Writer<'_>>)>,
    ) -> Result<Answer<'a>, Error> {
        let stream = self.endpoint.connect().map_err(|error| self.unreachable(error))?;
        let patience = if content.is_some() { self.patience.saturating_mul(20) } else { self.patience };
        http::ask(stream, request, content, patience, self.observer).map_err(|error| self.silent(what, error))
    }

    /// The JSON of an answer; nothing where there is no such thing.
    fn json(&self, what: &str, request: &str) -> Result<Option<Value>, Error> {
        let answer = self.call(what, request, None)?;
        let status = answer.status;
        let mut bytes = Vec::new();
        let mut body = answer.body.take(MAX_ANSWER);
        body.read_to_end(&mut bytes).map_err(|error| self.silent(what, error))?;
        let wrong = |why: String| Error::Answer { engine: ENGINE, what: what.into(), why };
        let json: Result<Value, _> = serde_json::from_slice(&bytes);
        match status {
            404 => Ok(None),
            200 | 201 if bytes.is_empty() => Ok(Some(Value::Null)),
            200 | 201 => json.map(Some).map_err(|error| wrong(format!("it is no JSON: {error}"))),
            _ => Err(refused(what, status, json.ok().as_ref())),
        }
    }

    fn image(&self, name: &str) -> Result<Option<Value>, Error> {
        self.json("show an image", &format!("GET /images/{name}/json"))
    }
}

/// What `DOCKER_HOST` can say.
fn endpoint(text: &str) -> Result<Endpoint, Error> {
    let refused = |why| Err(Error::Endpoint { endpoint: shown(text), why });
    match text.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Ok(Endpoint::Socket(path.into())),
        Some(("tcp" | "http", address)) if !address.is_empty() => {
            let address = address.trim_end_matches('/');
            let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            Ok(Endpoint::Tcp(if has_port { address.into() } else { format!("{address}:2375") }))
        }
        Some(("ssh" | "https" | "npipe" | "fd", _)) => {
            refused("only sockets and TCP without TLS are known here")
        }
        _ => refused("it is no address"),
    }
}

fn refused(what: &str, status: u16, json: Option<&Value>) -> Error {
    let said = json.and_then(|json| json.get("message")).and_then(Value::as_str);
    let said = said.map_or_else(|| format!("status {status}"), shown);
    Error::Refused { engine: ENGINE, what: what.into(), said }
}

impl Engine for Docker<'_> {
    fn platform(&self) -> Result<Platform, Error> {
        let what = "tell its version";
        let version = self.json(what, "GET /version")?.unwrap_or_default();
        let word = |key: &str| version.get(key).and_then(Value::as_str).map(str::to_owned);
        match (word("Os"), word("Arch")) {
            (Some(os), Some(architecture)) => Ok(Platform { os, architecture, variant: None }),
            _ => Err(Error::Answer { engine: ENGINE, what: what.into(), why: "it names no platform".into() }),
        }
    }

    fn ask(&self, name: &Reference, image: &Chosen) -> Result<Has, Error> {
        // The storage of containerd goes by manifests, the other by configs.
        let ids = [image.id.to_string(), image.digest.to_string()];
        let is_it = |known: &Value| {
            known.get("Id").and_then(Value::as_str).is_some_and(|id| ids.iter().any(|own| own == id))
        };
        let known = self.image(&name.full_name())?;
        if known.as_ref().is_some_and(is_it) {
            return Ok(Has::Named);
        }
        for id in &ids {
            if self.image(id)?.as_ref().is_some_and(is_it) {
                return Ok(Has::Unnamed(id.clone()));
            }
        }
        Ok(Has::Layers(known.map_or(0, |known| shared(&known, image))))
    }

    fn name(&self, known: &str, name: &Reference) -> Result<(), Error> {
        let full = name.full_name();
        let (repository, tag) = full.rsplit_once(':').unwrap_or((&full, "latest"));
        let request = format!("POST /images/{known}/tag?repo={repository}&tag={tag}");
        let what = "name an image";
        self.json(what, &request)?.map(drop).ok_or_else(|| refused(what, 404, None))
    }

    fn send(&self, archive: &Archive, open: &Open<'_>) -> Result<(), Error> {
        let what = "load an image";
        let failed = RefCell::new(None);
        let content: Box<Writer<'_>> = Box::new(|out| {
            archive.write(out, open).map_err(|error| match error {
                WriteError::Out(error) => error,
                WriteError::Blob(digest, source) => {
                    failed.replace(Some(layout::Error::Blob { digest, source }));
                    io::Error::other("the image can't be read")
                }
            })
        });
        let answer = self.call(what, "POST /images/load?quiet=1", Some((archive.size(), content)));
        match (answer, failed.take()) {
            (Err(Error::Interrupted), _) => Err(Error::Interrupted),
            (_, Some(error)) => Err(error.into()),
            (answer, None) => self.took(what, answer?),
        }
    }

    fn save(&self, name: &Reference, path: &Path) -> Result<(), Error> {
        let what = "save an image";
        let answer = self.call(what, &format!("GET /images/{}/get", name.full_name()), None)?;
        if answer.status != 200 {
            let mut bytes = Vec::new();
            let _ = answer.body.take(MAX_ANSWER).read_to_end(&mut bytes);
            return Err(refused(what, answer.status, serde_json::from_slice(&bytes).ok().as_ref()));
        }
        let mut file = File::create(path).context("create", path)?;
        let mut body = answer.body;
        io::copy(&mut body, &mut file).map(drop).map_err(|error| self.silent(what, error))
    }
}

impl Docker<'_> {
    /// Reads what the daemon says while it takes an image in: an error comes in the middle, after a status that is good.
    fn took(&self, what: &str, answer: Answer<'_>) -> Result<(), Error> {
        let status = answer.status;
        let mut reader = BufReader::new(answer.body.take(MAX_SAID));
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut one = (&mut reader).take(MAX_ANSWER);
            if one.read_until(b'\n', &mut line).map_err(|error| self.silent(what, error))? == 0 {
                break;
            }
            let json: Option<Value> = serde_json::from_slice(&line).ok();
            let error = json.as_ref().and_then(|json| json.get("error")).and_then(Value::as_str);
            if let Some(said) = error {
                return Err(Error::Refused { engine: ENGINE, what: what.into(), said: shown(said) });
            }
            if status != 200 {
                return Err(refused(what, status, json.as_ref()));
            }
        }
        if status == 200 { Ok(()) } else { Err(refused(what, status, None)) }
    }
}

/// How many of the lowest layers an image that is there shares with `image`, where that is of use.
fn shared(known: &Value, image: &Chosen) -> usize {
    let storage = known.pointer("/GraphDriver/Name").and_then(Value::as_str).unwrap_or_default();
    if !CHAINED.contains(&storage) || image.diff_ids.len() != image.layers.len() {
        return 0;
    }
    let there = known.pointer("/RootFS/Layers").and_then(Value::as_array);
    let there = there.into_iter().flatten().map(Value::as_str);
    there.zip(&image.diff_ids).take_while(|(there, own)| *there == Some(own.as_str())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_docker_may_listen() {
        for (text, expected) in [
            ("unix:///run/d.sock", Some(Endpoint::Socket("/run/d.sock".into()))),
            ("tcp://127.0.0.1:2375", Some(Endpoint::Tcp("127.0.0.1:2375".into()))),
            ("tcp://[::1]:99/", Some(Endpoint::Tcp("[::1]:99".into()))),
            ("http://docker", Some(Endpoint::Tcp("docker:2375".into()))),
            ("ssh://host", None),
            ("unix://run/d.sock", None),
            ("/run/d.sock", None),
            ("", None),
        ] {
            assert_eq!(endpoint(text).ok(), expected, "{text}");
        }
    }
}
