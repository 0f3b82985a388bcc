//! Docker, through the API of its daemon. Source: Docker Engine API, "Image" and "System"; Moby,
//! `image/tarexport/load.go`.
//!
//! The graph drivers of Docker identify a layer by the chain of layers up to it, and read only
//! layers with a new chain from an archive. So the lowest layers that the new image shares with the
//! image of the same name are not sent. The containerd image store of newer daemons needs all
//! layers.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::client_program::format_on_one_line;
use super::container_engine::{ContainerEngine, EngineSettings, ImagePresence};
use super::engine_image_name::EngineName;
use super::error::EngineError;
use super::http::{self, Endpoint, HttpResponse, WriteBody};
use super::select_image::PlatformImage;
use crate::layout::{self, ArchiveWriteError, BlobOpener, ImageArchive};
use coracle_core::fs::Context as _;
use coracle_core::json;
use coracle_core::platform::Platform;
use coracle_core::progress::Progress;
use coracle_core::reference::ImageReference;

const ENGINE: EngineName = EngineName::Docker;

/// The maximum size of a response, in bytes, including the progress messages of a load.
const MAX_DOCKER_RESPONSE: u64 = 8 << 20;

/// The graph drivers, which identify layers by their chain.
const GRAPH_DRIVERS: [&str; 4] = ["overlay2", "vfs", "fuse-overlayfs", "aufs"];

/// A Docker daemon.
pub(super) struct Docker<'a> {
    endpoint: Endpoint,
    address: String,
    timeout: Duration,
    progress: &'a dyn Progress,
}

impl<'a> Docker<'a> {
    /// Finds the first endpoint that accepts connections.
    pub(super) fn connect(
        settings: &EngineSettings,
        progress: &'a dyn Progress,
    ) -> Result<Self, EngineError> {
        let mut last = None;
        for shown in &settings.docker_endpoints {
            let endpoint = parse_endpoint(shown)?;
            let connected = endpoint.connect();
            let docker = Self { endpoint, address: shown.clone(), timeout: settings.timeout, progress };
            match connected {
                Ok(_) => return Ok(docker),
                // Report the last endpoint that exists, or else the first endpoint.
                Err(error) if error.kind() == ErrorKind::NotFound && last.is_some() => {}
                Err(error) => last = Some(docker.connect_error(error)),
            }
        }
        Err(last.unwrap_or(EngineError::InvalidEndpoint {
            endpoint: String::new(),
            why: "no endpoint is configured",
        }))
    }

    /// The error of a failed connection.
    fn connect_error(&self, source: io::Error) -> EngineError {
        EngineError::Unreachable { engine: ENGINE, endpoint: self.address.clone(), source }
    }

    /// The error of a failed request: cancelled, an invalid response, or no response.
    fn request_error(&self, operation: &str, source: io::Error) -> EngineError {
        if self.progress.is_cancelled() {
            return EngineError::Cancelled;
        }
        match source.kind() {
            ErrorKind::InvalidData => EngineError::InvalidResponse {
                engine: ENGINE,
                operation: operation.into(),
                why: source.to_string(),
            },
            _ => EngineError::NoResponse { engine: ENGINE, operation: operation.into(), source },
        }
    }

    /// Sends a request, with `content` as its body.
    fn send_request(
        &self,
        operation: &str,
        request: &str,
        content: Option<(u64, Box<WriteBody<'_>>)>,
    ) -> Result<HttpResponse<'a>, EngineError> {
        let stream = self.endpoint.connect().map_err(|error| self.connect_error(error))?;
        let timeout = if content.is_some() { self.timeout.saturating_mul(20) } else { self.timeout };
        http::send_request(stream, request, content, timeout, self.progress)
            .map_err(|error| self.request_error(operation, error))
    }

    /// Sends a request and parses the JSON of the response. `None` if the status is 404.
    fn request_json(&self, operation: &str, request: &str) -> Result<Option<Value>, EngineError> {
        let response = self.send_request(operation, request, None)?;
        let status = response.status;
        let mut bytes = Vec::new();
        let mut body = response.body.take(MAX_DOCKER_RESPONSE);
        body.read_to_end(&mut bytes).map_err(|error| self.request_error(operation, error))?;
        let invalid =
            |why: String| EngineError::InvalidResponse { engine: ENGINE, operation: operation.into(), why };
        let json = json::parse(&bytes);
        match status {
            404 => Ok(None),
            200 | 201 if bytes.is_empty() => Ok(Some(Value::Null)),
            200 | 201 => json.map(Some).map_err(|error| invalid(format!("it is not JSON: {error}"))),
            _ => Err(status_error(operation, status, json.ok().as_ref())),
        }
    }

    /// Inspects an image. `None` if there is no such image.
    fn inspect_image(&self, name: &str) -> Result<Option<Value>, EngineError> {
        self.request_json("inspect an image", &format!("GET /images/{name}/json"))
    }
}

/// Parses an endpoint in the form of `DOCKER_HOST`.
fn parse_endpoint(text: &str) -> Result<Endpoint, EngineError> {
    let refused = |why| Err(EngineError::InvalidEndpoint { endpoint: format_on_one_line(text), why });
    match text.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Ok(Endpoint::Socket(path.into())),
        Some(("tcp" | "http", address)) if !address.is_empty() => {
            let address = address.trim_end_matches('/');
            let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            Ok(Endpoint::Tcp(if has_port { address.into() } else { format!("{address}:2375") }))
        }
        Some(("ssh" | "https" | "npipe" | "fd", _)) => {
            refused("only Unix sockets and TCP without TLS are supported")
        }
        _ => refused("not a valid endpoint"),
    }
}

/// The error of a response with an error status.
fn status_error(operation: &str, status: u16, json: Option<&Value>) -> EngineError {
    let message = json.and_then(|json| json.get("message")).and_then(Value::as_str);
    let message = message.map_or_else(|| format!("status {status}"), format_on_one_line);
    EngineError::Failed { engine: ENGINE, operation: operation.into(), message }
}

impl ContainerEngine for Docker<'_> {
    fn platform(&self) -> Result<Platform, EngineError> {
        let operation = "report its version";
        let version = self.request_json(operation, "GET /version")?.unwrap_or_default();
        let field = |key: &str| version.get(key).and_then(Value::as_str).map(str::to_owned);
        match (field("Os"), field("Arch")) {
            (Some(os), Some(architecture)) => Ok(Platform { os, architecture, variant: None }),
            _ => Err(EngineError::InvalidResponse {
                engine: ENGINE,
                operation: operation.into(),
                why: "it does not contain a platform".into(),
            }),
        }
    }

    fn find_image(&self, name: &ImageReference, image: &PlatformImage) -> Result<ImagePresence, EngineError> {
        // The ID is the manifest digest in the containerd image store, else the config digest.
        let ids = [image.image_id.to_string(), image.digest.to_string()];
        let is_same = |known: &Value| {
            known.get("Id").and_then(Value::as_str).is_some_and(|id| ids.iter().any(|own| own == id))
        };
        let known = self.inspect_image(&name.full_name())?;
        if known.as_ref().is_some_and(is_same) {
            return Ok(ImagePresence::Named);
        }
        for id in &ids {
            if self.inspect_image(id)?.as_ref().is_some_and(is_same) {
                return Ok(ImagePresence::Untagged(id.clone()));
            }
        }
        Ok(ImagePresence::Layers(known.map_or(0, |known| shared_layer_count(&known, image))))
    }

    fn tag_image(&self, known: &str, name: &ImageReference, _: &PlatformImage) -> Result<(), EngineError> {
        let full = name.full_name();
        let (repository, tag) = full.rsplit_once(':').unwrap_or((&full, "latest"));
        let request = format!("POST /images/{known}/tag?repo={repository}&tag={tag}");
        let operation = "tag an image";
        self.request_json(operation, &request)?.map(drop).ok_or_else(|| status_error(operation, 404, None))
    }

    fn load_archive(&self, archive: &ImageArchive, open: &BlobOpener<'_>) -> Result<(), EngineError> {
        let operation = "load an image";
        let failed = RefCell::new(None);
        let content: Box<WriteBody<'_>> = Box::new(|out| {
            archive.write(out, open).map_err(|error| match error {
                ArchiveWriteError::Output(error) => error,
                ArchiveWriteError::Blob(digest, source) => {
                    failed.replace(Some(layout::LayoutError::CopyBlob { digest, source }));
                    io::Error::other("a blob of the image can't be read")
                }
            })
        });
        let response =
            self.send_request(operation, "POST /images/load?quiet=1", Some((archive.size(), content)));
        match (response, failed.take()) {
            (Err(EngineError::Cancelled), _) => Err(EngineError::Cancelled),
            (_, Some(error)) => Err(error.into()),
            (response, None) => self.check_load_messages(operation, response?),
        }
    }

    fn save_image(&self, name: &ImageReference, path: &Path) -> Result<(), EngineError> {
        let operation = "save an image";
        let response =
            self.send_request(operation, &format!("GET /images/{}/get", name.full_name()), None)?;
        if response.status != 200 {
            let mut bytes = Vec::new();
            let _ = response.body.take(MAX_DOCKER_RESPONSE).read_to_end(&mut bytes);
            return Err(status_error(operation, response.status, json::parse(&bytes).ok().as_ref()));
        }
        let mut file = File::create(path).context("create", path)?;
        let mut body = response.body;
        io::copy(&mut body, &mut file).map(drop).map_err(|error| self.request_error(operation, error))
    }
}

impl Docker<'_> {
    /// Fails if the progress messages of a load report an error, which the daemon does even after a
    /// status of 200.
    fn check_load_messages(&self, operation: &str, response: HttpResponse<'_>) -> Result<(), EngineError> {
        let status = response.status;
        let mut reader = BufReader::new(response.body.take(MAX_DOCKER_RESPONSE));
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).map_err(|error| self.request_error(operation, error))? > 0 {
            let json = json::parse(&line).ok();
            let error = json.as_ref().and_then(|json| json.get("error")).and_then(Value::as_str);
            if let Some(message) = error {
                return Err(EngineError::Failed {
                    engine: ENGINE,
                    operation: operation.into(),
                    message: format_on_one_line(message),
                });
            }
            if status != 200 {
                return Err(status_error(operation, status, json.as_ref()));
            }
            line.clear();
        }
        if reader.get_ref().limit() == 0 {
            // The rest is unknown, so the load may have failed.
            let why = format!("it has more than {MAX_DOCKER_RESPONSE} bytes of progress messages");
            return Err(EngineError::InvalidResponse { engine: ENGINE, operation: operation.into(), why });
        }
        if status == 200 { Ok(()) } else { Err(status_error(operation, status, None)) }
    }
}

/// The number of lowest layers that the existing image `known` shares with `image`. 0 if the
/// storage needs all layers.
fn shared_layer_count(known: &Value, image: &PlatformImage) -> usize {
    let storage = known.pointer("/GraphDriver/Name").and_then(Value::as_str).unwrap_or_default();
    if !GRAPH_DRIVERS.contains(&storage) || image.diff_ids.len() != image.layers.len() {
        return 0;
    }
    let existing = known.pointer("/RootFS/Layers").and_then(Value::as_array);
    let existing = existing.into_iter().flatten().map(Value::as_str);
    existing.zip(&image.diff_ids).take_while(|(existing, own)| *existing == Some(own.as_str())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_endpoints() {
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
            assert_eq!(parse_endpoint(text).ok(), expected, "{text}");
        }
    }
}
