//! Where an image goes, as `skopeo` writes it: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Error, layout};
use coracle_core::fs::{self, Found};
use crate::image::{Descriptor, Root};
use coracle_core::reference::is_tag;

/// A place for an image, and the tag to give it there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    /// Which kind of place.
    pub kind: Kind,
    /// The directory or the file.
    pub path: PathBuf,
    /// Instead of the tags of the image's names.
    pub tag: Option<String>,
}

/// The kinds of places.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// An image layout, a directory.
    Layout,
    /// An image layout in a tar, which holds Docker's `manifest.json` too where that can say it.
    OciArchive,
    /// The same file; refused where `manifest.json` can't say it.
    DockerArchive,
}

/// A string that is no destination.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseDestinationError {
    /// A path, maybe with a tag.
    #[error("`{0}` does not say what to write there")]
    NoTransport(String),
    /// Some other kind of place.
    #[error("`{transport}:` is not a destination that can be written")]
    Transport {
        /// What stands before the first colon.
        transport: String,
    },
    /// A transport alone.
    #[error("`{0}` names no path")]
    NoPath(String),
    /// A name where a tag is wanted, or nonsense.
    #[error("`{tag}` in `{text}` is not a tag")]
    Tag {
        /// What follows the path.
        tag: String,
        /// All of it.
        text: String,
    },
}

impl ParseDestinationError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            Self::NoTransport(path) => format!("write `oci:{path}` for an image layout, a directory"),
            Self::Transport { .. } => {
                "write `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`".into()
            }
            Self::NoPath(text) => format!("write a path after it, such as `{text}./image`"),
            Self::Tag { .. } => {
                "a tag has letters, digits, `.`, `_` and `-`; a path can't hold a colon, and a whole name is \
                 given with `--tag NAME:TAG`"
                    .into()
            }
        }
    }
}

impl FromStr for Destination {
    type Err = ParseDestinationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let Some((transport, rest)) = text.split_once(':').filter(|(transport, _)| word(transport)) else {
            return Err(ParseDestinationError::NoTransport(text.into()));
        };
        let kind = match transport {
            "oci" => Kind::Layout,
            "oci-archive" => Kind::OciArchive,
            "docker-archive" => Kind::DockerArchive,
            _ => return Err(ParseDestinationError::Transport { transport: transport.into() }),
        };
        let (path, tag) = rest.split_once(':').map_or((rest, None), |(path, tag)| (path, Some(tag)));
        if path.is_empty() {
            return Err(ParseDestinationError::NoPath(text.into()));
        }
        match tag {
            Some(tag) if !is_tag(tag) => {
                Err(ParseDestinationError::Tag { tag: tag.into(), text: text.into() })
            }
            _ => Ok(Self { kind, path: path.into(), tag: tag.map(Into::into) }),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.kind {
            Kind::Layout => "oci",
            Kind::OciArchive => "oci-archive",
            Kind::DockerArchive => "docker-archive",
        };
        write!(f, "{transport}:{}", self.path.display())?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))
    }
}

impl Destination {
    /// An image layout at `path`.
    pub fn layout(path: impl Into<PathBuf>) -> Self {
        Self { kind: Kind::Layout, path: path.into(), tag: None }
    }

    /// The directory or file itself, links followed where they lead somewhere.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub fn place(&self) -> fs::Result<PathBuf> {
        target(&self.path)
    }

    /// Whether it can take an image, as far as can be told before there is one.
    ///
    /// # Errors
    /// When something stands there that must not be replaced.
    pub fn check(&self) -> Result<(), Error> {
        match self.kind {
            Kind::Layout => layout::check(&self.path),
            Kind::OciArchive | Kind::DockerArchive => check_file(&self.path),
        }
    }

    /// Whether it has a blob already, so that nobody need bring it.
    pub fn has_blob(&self, named: &Descriptor) -> bool {
        self.kind == Kind::Layout && target(&self.path).is_ok_and(|path| layout::has_blob(&path, named))
    }

    /// Whether it can take this image.
    ///
    /// # Errors
    /// When its format has no words for several platforms.
    pub fn check_root(&self, root: &Root) -> Result<(), Error> {
        match self.kind {
            Kind::DockerArchive if root.images().len() > 1 => {
                Err(Error::SeveralPlatforms { path: self.path.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// A file that is replaced, links followed, or one that is not there yet.
fn check_file(path: &Path) -> Result<(), Error> {
    let refuse = |why| Err(Error::NotFile { path: path.to_owned(), why });
    if let Some(file) = file_above(path)? {
        return refuse(format!("`{}` is no directory", file.display()));
    }
    match fs::look(&target(path)?)? {
        None if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
            refuse("a path that ends in `/` is a directory's".into())
        }
        None | Some(Found::File(_)) => Ok(()),
        Some(Found::Directory) => refuse("it is a directory".into()),
        Some(Found::Special(what)) => refuse(format!("it is a {what}")),
        Some(Found::Link(_)) => refuse("it is a link that leads nowhere".into()),
    }
}

/// What stands above `path` in place of a directory.
pub(super) fn file_above(path: &Path) -> fs::Result<Option<PathBuf>> {
    let absolute = fs::absolute(path)?;
    let nearest =
        absolute.ancestors().skip(1).find_map(|above| Some((above, std::fs::metadata(above).ok()?)));
    Ok(nearest.filter(|(_, metadata)| !metadata.is_dir()).map(|(above, _)| above.to_owned()))
}

/// The file that `path` stands for, links followed where they lead somewhere.
pub(super) fn target(path: &Path) -> fs::Result<PathBuf> {
    if let Ok(target) = std::fs::canonicalize(path) {
        return Ok(target);
    }
    let path = fs::absolute(path)?;
    let parent = path.parent().and_then(|parent| std::fs::canonicalize(parent).ok());
    Ok(parent.zip(path.file_name()).map(|(parent, name)| parent.join(name)).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_print_as_they_parse() {
        for text in ["oci:./x", "oci:x:v1.2", "oci-archive:/a/b.tar", "docker-archive:b.tar:latest"] {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for (text, message, hint) in [
            ("x", "`x` does not say what to write there", "write `oci:x` for"),
            ("./x:1", "`./x:1` does not say what to write there", "write `oci:./x:1` for"),
            ("docker://x/y", "`docker:` is not a destination that can be written", "write `oci:DIR"),
            ("oci:", "`oci:` names no path", "write a path after it, such as `oci:./image`"),
            ("oci:x:", "`` in `oci:x:` is not a tag", "a tag has"),
            ("oci:x:a/b:1", "`a/b:1` in `oci:x:a/b:1` is not a tag", "a tag has"),
        ] {
            let error = text.parse::<Destination>().unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(error.hint().starts_with(hint), "{}", error.hint());
        }
    }

    #[test]
    #[cfg(unix)]
    fn an_archive_replaces_files_alone() {
        let directory = tempfile::tempdir().unwrap();
        let check = |path: &Path| {
            let destination = Destination { kind: Kind::OciArchive, path: path.into(), tag: None };
            destination
                .check()
                .map_err(|error| error.to_string().replace(&path.display().to_string(), "PATH"))
        };
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        for path in [at("file"), at("link"), at("new"), at("new/new")] {
            assert_eq!(check(&path), Ok(()), "{}", path.display());
        }
        for (path, what) in [
            (directory.path().into(), "directory"),
            (at("dangling"), "link that leads nowhere"),
            ("/dev/null".into(), "character device"),
        ] {
            assert_eq!(check(&path), Err(format!("cannot write an archive to `PATH`: it is a {what}")));
        }
    }
}
