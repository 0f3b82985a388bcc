//! Image locations on disk, in the syntax of skopeo: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`,
//! `docker-archive:FILE[:TAG]`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::reference::is_tag;

/// A layout or archive, and the tag of an image in it.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct DiskLocation {
    /// The format.
    pub format: DiskFormat,
    /// The directory of a layout, or the file of an archive.
    pub path: PathBuf,
    /// The tag, which replaces the tags of the image's names.
    pub tag: Option<String>,
}

/// The formats in which images are stored on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Hash)]
pub enum DiskFormat {
    /// An image layout: a directory.
    Layout,
    /// An image layout in a tar. Also contains Docker's `manifest.json` if there is only one
    /// platform.
    OciArchive,
    /// An OCI archive that also names the image by its digest. Writing it fails if `manifest.json`
    /// cannot describe the image.
    DockerArchive,
}

/// An invalid image location.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseDiskLocationError {
    /// The text has no transport, only a path.
    #[error("`{0}` has no transport such as `oci:`")]
    NoTransport(String),
    /// The transport is not supported.
    #[error("`{transport}:` is not a supported destination")]
    UnknownTransport {
        /// The text before the first colon.
        transport: String,
    },
    /// The text has a transport but no path.
    #[error("`{0}` is not an image location: it has no path")]
    NoPath(String),
    /// The text after the path is not a tag.
    #[error("`{tag}` in `{text}` is not a valid tag")]
    InvalidTag {
        /// The text after the path.
        tag: String,
        /// The whole argument.
        text: String,
    },
}

impl Hint for ParseDiskLocationError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoTransport(text) => missing_transport_hint(text),
            Self::UnknownTransport { .. } => {
                "write `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]` or `docker://NAME[:TAG]`"
                    .into()
            }
            Self::NoPath(text) => format!("add a path, such as `{text}./image`"),
            Self::InvalidTag { .. } => {
                "a tag consists of letters, digits, `.`, `_` and `-`, and the path cannot contain a colon; pass \
                 a full image name with `--tag NAME:TAG`"
                    .into()
            }
        })
    }
}

/// Returns a hint about the transport that `text` probably lacks. `docker build -o` has the form `type=T,dest=FILE`.
fn missing_transport_hint(text: &str) -> String {
    let field = |name: &str| text.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let path = field("dest").unwrap_or(text);
    let is_archive = [".tar", ".tar.gz", ".tgz"].iter().any(|end| path.ends_with(end));
    let has_registry = |name: &str| {
        name.split_once('/').is_some_and(|(host, _)| !host.starts_with('.') && host.contains(['.', ':']))
    };
    match (field("type"), field("name")) {
        (Some("registry" | "image"), Some(name)) => format!("write `docker://{name}` for a registry"),
        (Some("docker"), _) if path != text => format!("write `docker-archive:{path}` for an archive"),
        (Some("docker"), _) => "write `docker-daemon:NAME[:TAG]` for an engine, or pass `--load`".into(),
        (Some("registry" | "image"), None) => {
            "write `docker://NAME[:TAG]` for a registry, or pass `--push`".into()
        }
        _ if path == "-" => "an image cannot be written to stdout: write `oci-archive:FILE`".into(),
        _ if is_archive => format!("write `oci-archive:{path}` or `docker-archive:{path}` for an archive"),
        _ if has_registry(path) => format!("write `docker://{path}` for a registry"),
        _ => format!("write `oci:{path}` for an image layout (a directory)"),
    }
}

impl FromStr for DiskLocation {
    type Err = ParseDiskLocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_transport = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let Some((transport, rest)) = text.split_once(':').filter(|(transport, _)| is_transport(transport))
        else {
            return Err(ParseDiskLocationError::NoTransport(text.into()));
        };
        let kind = match transport {
            "oci" => DiskFormat::Layout,
            "oci-archive" => DiskFormat::OciArchive,
            "docker-archive" => DiskFormat::DockerArchive,
            _ => return Err(ParseDiskLocationError::UnknownTransport { transport: transport.into() }),
        };
        let (path, tag) = rest.split_once(':').map_or((rest, None), |(path, tag)| (path, Some(tag)));
        if path.is_empty() {
            return Err(ParseDiskLocationError::NoPath(text.into()));
        }
        match tag {
            Some(tag) if !is_tag(tag) => {
                Err(ParseDiskLocationError::InvalidTag { tag: tag.into(), text: text.into() })
            }
            _ => Ok(Self { format: kind, path: path.into(), tag: tag.map(Into::into) }),
        }
    }
}

impl fmt::Display for DiskLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.format {
            DiskFormat::Layout => "oci",
            DiskFormat::OciArchive => "oci-archive",
            DiskFormat::DockerArchive => "docker-archive",
        };
        write!(f, "{transport}:{}", self.path.display())?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))
    }
}

impl DiskLocation {
    /// Creates the destination of an image layout at `path`, without a tag.
    pub fn layout(path: impl Into<PathBuf>) -> Self {
        Self { format: DiskFormat::Layout, path: path.into(), tag: None }
    }

    /// Returns the absolute path of the directory or file. Links to its parent are resolved.
    ///
    /// # Errors
    /// Fails if the working directory does not exist.
    pub fn resolved_path(&self) -> fs::Result<PathBuf> {
        resolve_path(&self.path)
    }
}

/// Returns the nearest existing ancestor of `path` if it is not a directory.
pub(super) fn non_directory_ancestor(path: &Path) -> fs::Result<Option<PathBuf>> {
    let absolute = fs::absolute_path(path)?;
    let nearest =
        absolute.ancestors().skip(1).find_map(|above| Some((above, std::fs::metadata(above).ok()?)));
    Ok(nearest.filter(|(_, metadata)| !metadata.is_dir()).map(|(above, _)| above.to_owned()))
}

/// Returns the absolute path of `path`. Links are resolved if its parent exists, except at its end.
pub(super) fn resolve_path(path: &Path) -> fs::Result<PathBuf> {
    if path.file_name().is_none()
        && let Ok(directory) = std::fs::canonicalize(path)
    {
        return Ok(directory);
    }
    let path = fs::absolute_path(path)?;
    let parent = path.parent().and_then(|parent| std::fs::canonicalize(parent).ok());
    Ok(parent.zip(path.file_name()).map(|(parent, name)| parent.join(name)).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_round_trips() {
        for text in ["oci:./x", "oci:x:v1.2", "oci-archive:/a/b.tar", "docker-archive:b.tar:latest"] {
            assert_eq!(text.parse::<DiskLocation>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn rejects_invalid_destinations_with_a_hint() {
        for (text, message, hint) in [
            ("x", "`x` has no transport such as `oci:`", "write `oci:x` for"),
            ("./x:1", "`./x:1` has no transport such as `oci:`", "write `oci:./x:1` for"),
            (
                "x.tar",
                "`x.tar` has no transport such as `oci:`",
                "write `oci-archive:x.tar` or `docker-archive:x.tar`",
            ),
            ("-", "`-` has no transport such as `oci:`", "an image cannot be written to stdout"),
            (
                "ghcr.io/a/b:1",
                "`ghcr.io/a/b:1` has no transport such as `oci:`",
                "write `docker://ghcr.io/a/b:1` for",
            ),
            (
                "type=oci,dest=x.tar",
                "`type=oci,dest=x.tar` has no transport such as `oci:`",
                "write `oci-archive:x.tar` or",
            ),
            (
                "type=docker,dest=x.tar",
                "`type=docker,dest=x.tar` has no transport such as `oci:`",
                "write `docker-archive:x.tar`",
            ),
            (
                "type=local,dest=out",
                "`type=local,dest=out` has no transport such as `oci:`",
                "write `oci:out` for",
            ),
            (
                "type=registry,name=a.b/c",
                "`type=registry,name=a.b/c` has no transport such as `oci:`",
                "write `docker://a.b/c`",
            ),
            (
                "type=docker",
                "`type=docker` has no transport such as `oci:`",
                "write `docker-daemon:NAME[:TAG]`",
            ),
            ("docker://x/y", "`docker:` is not a supported destination", "write `oci:DIR"),
            ("oci:", "`oci:` is not an image location: it has no path", "add a path, such as `oci:./image`"),
            ("oci:x:", "`` in `oci:x:` is not a valid tag", "a tag consists of"),
            ("oci:x:a/b:1", "`a/b:1` in `oci:x:a/b:1` is not a valid tag", "a tag consists of"),
        ] {
            let error = text.parse::<DiskLocation>().unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(error.hint().unwrap().starts_with(hint), "{:?}", error.hint());
        }
    }
}
