//! An image at an engine: `docker-daemon:NAME[:TAG]`, `containers-storage:NAME[:TAG]`, `containerd:[NAMESPACE@]NAME[:TAG]`.

use std::fmt;
use std::str::FromStr;

use coracle_core::reference::Reference;

/// The engines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The daemon of Docker.
    Docker,
    /// The storage that Podman, Buildah and CRI-O share.
    Podman,
    /// containerd, which keeps images apart by namespaces; `k8s.io` is what a kubelet sees.
    Containerd {
        /// The namespace, if one was written.
        namespace: Option<String>,
    },
}

/// A name at an engine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// Which engine.
    pub kind: Kind,
    /// The name there.
    pub name: Reference,
}

/// A text that names no image at an engine.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct ParseNamedError {
    why: String,
    hint: String,
}

impl ParseNamedError {
    /// What to write instead.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// The transports, as skopeo and its kin have them but for the last, which has none there.
const TRANSPORTS: [&str; 3] = ["docker-daemon:", "containers-storage:", "containerd:"];

/// Whether `text` is about an engine.
pub fn is_place(text: &str) -> bool {
    TRANSPORTS.iter().any(|transport| text.starts_with(transport))
}

impl Kind {
    /// What its users call it.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
            Self::Containerd { .. } => "containerd",
        }
    }

    fn transport(&self) -> &'static str {
        match self {
            Self::Docker => "docker-daemon:",
            Self::Podman => "containers-storage:",
            Self::Containerd { .. } => "containerd:",
        }
    }
}

impl FromStr for Named {
    type Err = ParseNamedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |why: String, hint: &str| ParseNamedError { why, hint: hint.into() };
        let (transport, rest) = text.split_once(':').unwrap_or((text, ""));
        let (kind, name) = match transport {
            "docker-daemon" => (Kind::Docker, rest),
            "containers-storage" if rest.starts_with('[') => {
                return Err(refused(
                    "a storage can't be named here".into(),
                    "leave `[…]` out; Podman's own settings say where its storage is (CONTAINERS_STORAGE_CONF)",
                ));
            }
            "containers-storage" => (Kind::Podman, rest),
            "containerd" => match rest.split_once('@') {
                Some((namespace, name)) if is_namespace(namespace) && !name.starts_with("sha256:") => {
                    (Kind::Containerd { namespace: Some(namespace.into()) }, name)
                }
                Some((namespace, name)) if !name.starts_with("sha256:") => {
                    return Err(refused(
                        format!("`{namespace}` is no namespace"),
                        "a namespace has letters and digits, with `-`, `_` or `.` between them, such as `k8s.io`",
                    ));
                }
                _ => (Kind::Containerd { namespace: None }, rest),
            },
            _ => {
                return Err(refused(
                    format!("`{transport}:` is no engine"),
                    "write `docker-daemon:NAME`, `containers-storage:NAME` or `containerd:NAME`",
                ));
            }
        };
        if name.contains('@') {
            return Err(refused(
                "a digest is what an image has, it can't be given".into(),
                "name it by a tag: `NAME[:TAG]`",
            ));
        }
        let name = name.parse::<Reference>().map_err(|error| refused(error.to_string(), &error.hint()))?;
        Ok(Self { kind, name })
    }
}

/// Source: containerd's `pkg/identifiers`.
fn is_namespace(text: &str) -> bool {
    let words = text.split(['.', '_', '-']);
    text.len() <= 76
        && words.into_iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()))
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.transport())?;
        if let Kind::Containerd { namespace: Some(namespace) } = &self.kind {
            write!(f, "{namespace}@")?;
        }
        self.name.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_print_as_they_parse() {
        for text in [
            "docker-daemon:shop:1.2",
            "containers-storage:localhost/shop:1.2",
            "containerd:ghcr.io/acme/shop:1.2",
            "containerd:k8s.io@ghcr.io/acme/shop:1.2",
        ] {
            assert_eq!(text.parse::<Named>().unwrap().to_string(), text);
        }
        assert_eq!("docker-daemon:shop".parse::<Named>().unwrap().name.tag(), "latest");
    }

    #[test]
    fn what_is_none() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (text, why) in [
            ("docker-daemon:", "is not an image name"),
            ("docker-daemon:Shop", "is not an image name"),
            ("containers-storage:[overlay@/x+/y]shop", "a storage can't be named"),
            ("containerd:-x@shop", "`-x` is no namespace"),
            ("containerd:@shop", "`` is no namespace"),
            (&format!("containerd:shop@{digest}"), "a digest"),
            (&format!("docker-daemon:shop@{digest}"), "a digest"),
        ] {
            let error = text.parse::<Named>().unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }
}
