//! What all templates of a chart depend on.

use crate::config::ReloadMethod;
use crate::manifests::application::Application;
use crate::manifests::{metadata, name_rules};

/// What all templates of a chart depend on.
pub(super) struct ChartContext<'a> {
    pub(super) application: &'a Application<'a>,
    /// Directories of files whose change restarts the pods.
    pub(super) restart_directories: Vec<String>,
}

impl<'a> ChartContext<'a> {
    pub(super) fn new(application: &'a Application<'a>) -> Self {
        Self { application, restart_directories: restart_directories(application) }
    }

    /// Returns whether objects have a version label.
    pub(super) fn has_version_label(&self) -> bool {
        metadata::object_labels(self.application).get("app.kubernetes.io/version").is_some()
    }
}

/// Returns the directories of public files whose change restarts the pods.
fn restart_directories(application: &Application<'_>) -> Vec<String> {
    let public = application.rendered_mounts.iter().filter(|mount| {
        mount.reload == ReloadMethod::Restart
            && (mount.files.is_empty() || mount.files.iter().any(|file| !file.is_secret))
    });
    public.map(|mount| name_rules::path_label(&mount.path)).collect()
}
