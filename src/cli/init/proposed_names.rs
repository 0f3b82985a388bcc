//! The names that `init` proposes: the application's, which Kubernetes objects and files have, and the
//! image's, from the git remote of the sources.

use std::path::Path;
use std::process::{Command, Stdio};

use coracle_core::reference::ImageReference;

/// The prefix of names that would not start with a letter.
const FALLBACK_NAME: &str = "app";

/// The most characters of an application's name.
const MAX_LENGTH: usize = 52;

/// Returns a name like `text`: lower-case letters, digits and single hyphens; it starts with a
/// letter.
pub(super) fn to_application_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name = format!("{FALLBACK_NAME}-{name}");
    }
    name.truncate(MAX_LENGTH);
    name.trim_end_matches('-').into()
}

/// Returns a name for the program file `file`, without an extension such as `.sh`.
pub(super) fn application_name_of_file(file: &str) -> String {
    let is_ending = |ending: &str| !ending.is_empty() && ending.chars().all(|c| c.is_ascii_alphabetic());
    match file.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && is_ending(ending) => to_application_name(stem),
        _ => to_application_name(file),
    }
}

/// A service that hosts the sources and runs CI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Forge {
    GitHub,
    GitLab,
}

/// The host of a repository, and its path there.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct GitRemote {
    host: String,
    path: String,
}

/// Returns the remote `origin` of the repository that contains `folder`. `None` without git.
pub(super) fn read_git_remote(folder: &Path) -> Option<GitRemote> {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["remote", "get-url", "origin"]);
    let output = git.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    parse_git_url(std::str::from_utf8(&output.stdout).ok().filter(|_| output.status.success())?.trim())
}

/// Parses both forms of git URLs: `SCHEME://[USER@]HOST[:PORT]/PATH` and `[USER@]HOST:PATH`.
fn parse_git_url(url: &str) -> Option<GitRemote> {
    let (host, path) = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?,
        None => url.split_once(':')?,
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).to_ascii_lowercase();
    Some(GitRemote { host, path }).filter(|remote| !remote.host.is_empty() && !remote.path.is_empty())
}

impl GitRemote {
    pub(super) fn forge(&self) -> Option<Forge> {
        let has_host_part = |name: &str| self.host.split('.').any(|part| part == name);
        if has_host_part("github") {
            Some(Forge::GitHub)
        } else if has_host_part("gitlab") {
            Some(Forge::GitLab)
        } else {
            None
        }
    }

    /// Returns the image's name in the forge's own registry; `None` if that is not known.
    pub(super) fn image_name(&self) -> Option<String> {
        let registry = match self.host.as_str() {
            "github.com" => "ghcr.io",
            "gitlab.com" => "registry.gitlab.com",
            _ => return None,
        };
        let name = format!("{registry}/{}", self.path);
        name.parse::<ImageReference>().is_ok().then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_valid_name_for_every_file() {
        for (file, expected) in [
            ("app", "app"),
            ("My_App", "my-app"),
            ("run.sh", "run"),
            ("app-1.2", "app-1-2"),
            (".hidden", "hidden"),
            ("a b..c--d_", "a-b-c-d"),
            ("ø", "app"),
            ("7z", "app-7z"),
            ("-1", "app-1"),
        ] {
            assert_eq!(application_name_of_file(file), expected, "{file}");
            assert_eq!(coracle_kube::manifests::name_rules::check_application_name(expected), Ok(()));
        }
        let long = to_application_name(&format!("{}-b", "a".repeat(MAX_LENGTH - 1)));
        assert_eq!(long, "a".repeat(MAX_LENGTH - 1));
        for long in ["a".repeat(MAX_LENGTH + 20), "7".repeat(MAX_LENGTH)] {
            assert_eq!(to_application_name(&long).len(), MAX_LENGTH);
            assert_eq!(
                coracle_kube::manifests::name_rules::check_application_name(&to_application_name(&long)),
                Ok(())
            );
        }
    }

    #[test]
    fn parses_remotes() {
        for (url, forge, image) in [
            ("git@github.com:Acme/Shop.git", Some(Forge::GitHub), Some("ghcr.io/acme/shop")),
            ("https://user:token@github.com/acme/shop", Some(Forge::GitHub), Some("ghcr.io/acme/shop")),
            (
                "ssh://git@gitlab.com:22/acme/team/shop.git/",
                Some(Forge::GitLab),
                Some("registry.gitlab.com/acme/team/shop"),
            ),
            ("https://gitlab.acme.example/acme/shop.git", Some(Forge::GitLab), None),
            ("https://notgithub.example/acme/shop.git", None, None),
            ("git@github.com:acme/my shop.git", Some(Forge::GitHub), None),
        ] {
            let remote = parse_git_url(url).unwrap();
            assert_eq!((remote.forge(), remote.image_name().as_deref()), (forge, image), "{url}");
        }
        for url in ["", "/srv/shop.git", "../shop", "file:///srv/shop.git", "https://github.com"] {
            assert_eq!(parse_git_url(url), None, "{url}");
        }
    }
}
