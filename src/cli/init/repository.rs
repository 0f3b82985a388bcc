//! The repository that contains a project: CI reads its files at the repository's root only.

use std::path::{Component, Path, PathBuf};

use super::proposed_names::{self, Forge, GitRemote};
use crate::cli::read_project::read_cargo_metadata;

/// The file that holds all jobs of GitLab.
pub(super) const GITLAB_CI_FILE: &str = ".gitlab-ci.yml";

/// The repository of a project.
pub(super) struct Repository {
    /// Its root, relative to the working directory where possible.
    pub(super) root: PathBuf,
    /// The project's directory, relative to the root, with `/`; empty if it is the root.
    pub(super) project: String,
    pub(super) remote: Option<GitRemote>,
    has_git: bool,
}

impl Repository {
    /// Returns the repository that contains `folder`: the git repository, else the cargo workspace, else `folder`.
    pub(super) fn containing(folder: &Path) -> Self {
        let remote = proposed_names::read_git_remote(folder);
        let alone = |remote| Self { root: folder.to_owned(), project: String::new(), remote, has_git: false };
        let Ok(real) = folder.canonicalize() else { return alone(remote) };
        let git_root = real.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned);
        let has_git = git_root.is_some();
        let root = git_root.or_else(|| workspace_root(&real)).unwrap_or_else(|| real.clone());
        match real.strip_prefix(&root) {
            Ok(below) if below == Path::new("") => Self { has_git, ..alone(remote) },
            // A job can't name a directory that is not UTF-8.
            Ok(below) => match below.to_str() {
                Some(project) => {
                    Self { project: project.to_owned(), root: relative_to_cwd(&root), remote, has_git }
                }
                None => alone(remote),
            },
            Err(_) => alone(remote),
        }
    }

    /// Returns the forge whose CI the repository uses.
    pub(super) fn forge(&self) -> Option<Forge> {
        if self.root.join(".github").is_dir() {
            Some(Forge::GitHub)
        } else if self.root.join(GITLAB_CI_FILE).is_file() {
            Some(Forge::GitLab)
        } else {
            self.remote.as_ref().filter(|_| self.has_git).and_then(GitRemote::forge)
        }
    }

    /// Returns the name of a project below the root among others of the repository, from its path; `None` at the root.
    pub(super) fn project_name(&self) -> Option<String> {
        (!self.project.is_empty()).then(|| proposed_names::to_application_name(&self.project))
    }
}

/// Returns the root of the cargo workspace that `folder` is a member of.
fn workspace_root(folder: &Path) -> Option<PathBuf> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.exists() {
        return None;
    }
    let root = read_cargo_metadata(&manifest)?.workspace_root.canonicalize().ok()?;
    folder.starts_with(&root).then_some(root)
}

/// Returns the absolute `path` relative to the working directory, as `../..` above it.
fn relative_to_cwd(path: &Path) -> PathBuf {
    let Ok(here) = std::env::current_dir().and_then(|here| here.canonicalize()) else {
        return path.to_owned();
    };
    if let Ok(above) = here.strip_prefix(path) {
        let up: PathBuf = above.components().map(|_| Component::ParentDir).collect();
        return if up == Path::new("") { ".".into() } else { up };
    }
    path.strip_prefix(&here).map_or_else(|_| path.to_owned(), Path::to_owned)
}
