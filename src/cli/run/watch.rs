//! `coracle run --watch`: takes up changes of templates, values and schema as a kubelet would, and of the
//! program with another build.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use coracle_kube::config::ReloadMethod;
use coracle_run::ChangeWatcher;

use super::configuration::{RunConfiguration, WatchedFiles};
use super::events::RunEvent;
use super::session::{PendingWrite, RunSession};
use crate::cli::console_output;
use crate::cli::error::CliError;

/// Watches the files of a run.
pub(super) struct SourceWatcher {
    image_files: BTreeSet<PathBuf>,
    _watcher: ChangeWatcher,
}

impl SourceWatcher {
    /// Watches the files that the current recipe names.
    pub(super) fn start(session: &RunSession<'_>) -> Result<Self, CliError> {
        let subject = &session.subject;
        let files = WatchedFiles::of_recipe(
            &session.prepared.recipe,
            subject.recipe_file(),
            session.args,
            subject.is_built(),
        );
        let all: BTreeSet<PathBuf> = files.configuration.union(&files.image).cloned().collect();
        let events = session.events.clone();
        let watcher = ChangeWatcher::start(&all, &files.template_directories, move |changed| {
            let _ = events.send(RunEvent::Files(changed));
        })?;
        Ok(Self { image_files: files.image, _watcher: watcher })
    }

    /// Returns whether one of the files is part of the image, or the recipe.
    pub(super) fn concerns_image(&self, changed: &BTreeSet<PathBuf>) -> bool {
        !self.image_files.is_disjoint(changed)
    }
}

impl RunSession<'_> {
    /// Builds and renders again, and replaces what has changed. An error leaves everything as it is.
    pub(super) fn take_up_changes(&mut self, changed: &BTreeSet<PathBuf>) -> Result<(), CliError> {
        let noticed = Instant::now();
        let updated = self.prepare_again(changed);
        let (prepared, configuration) = match updated {
            Ok(updated) => updated,
            Err(failure) => {
                console_output::print_error(&failure);
                self.say("goes on with the configuration and the image that it has");
                return Ok(());
            }
        };
        let is_new_image = prepared.parsed.source.digest() != self.prepared.parsed.source.digest();
        let has_new_recipe = prepared.recipe != self.prepared.recipe;
        self.prepared = prepared;
        let old = std::mem::replace(&mut self.configuration, configuration);
        let is_restart = is_new_image || self.needs_restart(&old);
        if is_restart {
            let what = if is_new_image { "the image" } else { "its configuration" };
            self.say(&format!("restarts: {what} has changed"));
            self.before_restart = (0..self.configuration.volumes.len()).collect();
            self.restart();
        } else {
            self.replace_volumes(&old, noticed)?;
        }
        if has_new_recipe {
            self.replace_watcher()?;
        }
        Ok(())
    }

    /// Builds the image if one of its files has changed, and renders the configuration.
    fn prepare_again(
        &self,
        changed: &BTreeSet<PathBuf>,
    ) -> Result<(super::image::PreparedImage, RunConfiguration), CliError> {
        let prepared = match self.concerns_image(changed) {
            true => self.subject.prepare(self.args)?,
            false => self.prepared.reopen(self.subject.reread_recipe(self.args, &self.prepared.recipe)?)?,
        };
        let configuration = RunConfiguration::render(&self.subject, &prepared, self.args)?;
        if configuration.mount_points() != self.configuration.mount_points() {
            return Err(CliError::usage(
                "the mounts and state directories have changed, and those of a running sandbox cannot",
                "end the run and start it again",
            ));
        }
        Ok((prepared, configuration))
    }

    /// Returns whether a change reaches the program only with a new container.
    fn needs_restart(&self, old: &RunConfiguration) -> bool {
        let volumes = self.configuration.volumes.iter().zip(&old.volumes);
        let mut changed = volumes.filter(|(new, old)| new.files != old.files);
        self.configuration.variables != old.variables
            || changed.any(|(new, _)| new.reload == ReloadMethod::Restart)
    }

    fn replace_volumes(&mut self, old: &RunConfiguration, noticed: Instant) -> Result<(), CliError> {
        for (new, old) in self.configuration.volumes.iter().zip(&old.volumes) {
            if new.files == old.files {
                continue;
            }
            let signal = match &new.reload {
                ReloadMethod::Signal(signal) => Some(signal.to_string()),
                ReloadMethod::Watch | ReloadMethod::Restart => None,
            };
            self.written.push(PendingWrite { volume: new.name.clone(), signal, noticed });
            self.backend.write_volume(&new.name, new.files.clone(), false, false)?;
        }
        Ok(())
    }
}
