//! Image names of engines: `docker-daemon:NAME[:TAG]`, `containers-storage:NAME[:TAG]`,
//! `containerd:[NAMESPACE@]NAME[:TAG]`.

use std::fmt;
use std::str::FromStr;

use coracle_core::hint::Hint;
use coracle_core::reference::ImageReference;

/// A container engine.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum EngineKind {
    /// The Docker daemon.
    Docker,
    /// The storage of Podman, Buildah and CRI-O.
    Podman,
    /// containerd, whose images belong to namespaces; Kubernetes uses `k8s.io`.
    Containerd {
        /// The namespace. `None` for the configured one.
        namespace: Option<String>,
    },
}

/// The name of an engine for display.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineName {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// containerd.
    Containerd,
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
            Self::Containerd => "containerd",
        })
    }
}

/// The name of an image in an engine.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct EngineImageName {
    /// The engine.
    pub engine: EngineKind,
    /// The name in the engine.
    pub name: ImageReference,
}

/// The error for a text that is not the name of an image in an engine.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct ParseEngineImageNameError {
    why: String,
    hint: String,
}

impl Hint for ParseEngineImageNameError {
    fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}

/// The transport prefixes: the first two are skopeo's, the last one is our own.
const TRANSPORTS: [&str; 3] = ["docker-daemon:", "containers-storage:", "containerd:"];

/// Returns whether `text` starts with the transport of an engine.
pub fn has_engine_transport(text: &str) -> bool {
    TRANSPORTS.iter().any(|transport| text.starts_with(transport))
}

impl EngineKind {
    /// The name for display.
    pub fn name(&self) -> EngineName {
        match self {
            Self::Docker => EngineName::Docker,
            Self::Podman => EngineName::Podman,
            Self::Containerd { .. } => EngineName::Containerd,
        }
    }

    /// The transport prefix, with its colon.
    fn transport(&self) -> &'static str {
        match self {
            Self::Docker => "docker-daemon:",
            Self::Podman => "containers-storage:",
            Self::Containerd { .. } => "containerd:",
        }
    }
}

impl FromStr for EngineImageName {
    type Err = ParseEngineImageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |why: String, hint: &str| ParseEngineImageNameError { why, hint: hint.into() };
        let (transport, rest) = text.split_once(':').unwrap_or((text, ""));
        let (kind, name) = match transport {
            "docker-daemon" => (EngineKind::Docker, rest),
            "containers-storage" if rest.starts_with('[') => {
                return Err(refused(
                    "a storage specifier `[…]` is not supported".into(),
                    "remove `[…]`; set CONTAINERS_STORAGE_CONF to select the storage of Podman",
                ));
            }
            "containers-storage" => (EngineKind::Podman, rest),
            "containerd" => match rest.split_once('@') {
                Some((namespace, name)) if is_namespace(namespace) && !name.starts_with("sha256:") => {
                    (EngineKind::Containerd { namespace: Some(namespace.into()) }, name)
                }
                Some((namespace, name)) if !name.starts_with("sha256:") => {
                    return Err(refused(
                        format!("`{namespace}` is not a valid namespace"),
                        "a namespace has letters and digits, with `-`, `_` or `.` between them, such as `k8s.io`",
                    ));
                }
                _ => (EngineKind::Containerd { namespace: None }, rest),
            },
            _ => {
                return Err(refused(
                    format!("`{transport}:` is not the transport of an engine"),
                    "write `docker-daemon:NAME`, `containers-storage:NAME` or `containerd:NAME`",
                ));
            }
        };
        if name.contains('@') {
            return Err(refused(
                "an image in an engine can't be selected by digest".into(),
                "use a tag: `NAME[:TAG]`",
            ));
        }
        let name = name
            .parse::<ImageReference>()
            .map_err(|error| refused(error.to_string(), &error.hint().unwrap_or_default()))?;
        Ok(Self { engine: kind, name })
    }
}

/// Returns whether `text` is a valid namespace. Source: containerd's `pkg/identifiers`.
fn is_namespace(text: &str) -> bool {
    let words = text.split(['.', '_', '-']);
    text.len() <= 76
        && words.into_iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()))
}

impl fmt::Display for EngineImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.engine.transport())?;
        if let EngineKind::Containerd { namespace: Some(namespace) } = &self.engine {
            write!(f, "{namespace}@")?;
        }
        self.name.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_round_trips() {
        for text in [
            "docker-daemon:shop:1.2",
            "containers-storage:localhost/shop:1.2",
            "containerd:ghcr.io/acme/shop:1.2",
            "containerd:k8s.io@ghcr.io/acme/shop:1.2",
        ] {
            assert_eq!(text.parse::<EngineImageName>().unwrap().to_string(), text);
        }
        assert_eq!("docker-daemon:shop".parse::<EngineImageName>().unwrap().name.tag(), "latest");
    }

    #[test]
    fn rejects_invalid_names() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (text, why) in [
            ("docker-daemon:", "is not an image name"),
            ("docker-daemon:Shop", "is not an image name"),
            ("containers-storage:[overlay@/x+/y]shop", "a storage specifier"),
            ("containerd:-x@shop", "`-x` is not a valid namespace"),
            ("containerd:@shop", "`` is not a valid namespace"),
            (&format!("containerd:shop@{digest}"), "by digest"),
            (&format!("docker-daemon:shop@{digest}"), "by digest"),
        ] {
            let error = text.parse::<EngineImageName>().unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }
}
