//! `coracle run --check-reload`: whether the program opens its files after they have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use coracle_kube::config::ReloadMethod;
use coracle_run::OpenedFile;

use super::configuration::RunConfiguration;
use crate::cli::console_output;
use crate::cli::error::{CliError, CliExit};

/// How long a program has: longer than the period of a probe, which may make it read its files.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The check, and what the program has opened.
pub(super) struct ReloadCheck {
    /// The volumes that are replaced, with the signal that follows.
    volumes: Vec<(String, Option<String>)>,
    /// The files of these volumes, and the time after which each was opened.
    opened: BTreeMap<String, Option<Duration>>,
    deadline: Option<Instant>,
}

impl ReloadCheck {
    /// Fails if no mount is reloaded while the program runs.
    pub(super) fn new(configuration: &RunConfiguration) -> Result<Self, CliError> {
        let reloaded = configuration.volumes.iter().filter(|volume| volume.reload != ReloadMethod::Restart);
        let (mut volumes, mut opened) = (Vec::new(), BTreeMap::new());
        for volume in reloaded {
            let signal = match &volume.reload {
                ReloadMethod::Signal(signal) => Some(signal.to_string()),
                ReloadMethod::Watch | ReloadMethod::Restart => None,
            };
            volumes.push((volume.name.clone(), signal));
            opened.extend(volume.files.iter().map(|file| (file.path.clone(), None)));
        }
        if opened.is_empty() {
            return Err(CliError::usage(
                "`--check-reload`: no configuration is reloaded while the program runs",
                "set `reload = \"watch\"` or `reload = \"signal:SIGHUP\"` in `[[config]]` of the recipe",
            ));
        }
        Ok(Self { volumes, opened, deadline: None })
    }

    /// Starts the check, once. Returns the volumes to replace.
    pub(super) fn begin(&mut self) -> Vec<(String, Option<String>)> {
        if self.deadline.is_some() {
            return Vec::new();
        }
        self.deadline = Some(Instant::now() + TIMEOUT);
        self.volumes.clone()
    }

    /// When the check ends; `None` before it begins.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Adds a file that was opened. Returns whether all were.
    pub(super) fn add(&mut self, file: &OpenedFile) -> bool {
        self.opened.insert(file.path.clone(), Some(Duration::from_micros(file.microseconds)));
        self.opened.values().all(Option::is_some)
    }

    /// Prints the result, and returns the exit code. Fails if the program has ended by itself.
    pub(super) fn result(&self, was_stopped: bool, code: i32) -> Result<i32, CliError> {
        if !was_stopped {
            return Err(CliError::failed(format!(
                "the program ended with exit code {code} before its files were checked"
            )));
        }
        for (path, time) in &self.opened {
            match time {
                Some(time) => console_output::print_data(&format!(
                    "{path}: opened {} ms after the change\n",
                    time.as_millis()
                ))?,
                None => console_output::print_data(&format!(
                    "{path}: not opened within {} s\n",
                    TIMEOUT.as_secs()
                ))?,
            }
        }
        let missing: BTreeSet<&String> =
            self.opened.iter().filter(|(_, time)| time.is_none()).map(|(path, _)| path).collect();
        if missing.is_empty() {
            return Ok(CliExit::Success as i32);
        }
        Err(CliError {
            exit: CliExit::Findings,
            message: format!(
                "the program does not open {} after a change",
                missing.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
            ),
            hint: Some(
                "watch the directory for `..data`, because a kubelet replaces a link and never writes a file; or set \
                 `reload = \"restart\"`"
                    .into(),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::configuration::RunVolume;

    fn configuration(reload: ReloadMethod) -> RunConfiguration {
        let file = |path: &str| coracle_run::VolumeFile { path: path.into(), bytes: Vec::new(), mode: 0o644 };
        let volume = RunVolume {
            path: "/etc/shop".parse().unwrap(),
            name: "etc-shop".into(),
            reload,
            files: vec![file("a"), file("b")],
        };
        RunConfiguration { volumes: vec![volume], variables: Vec::new(), state: Vec::new() }
    }

    #[test]
    fn every_file_has_to_be_opened() {
        let mut check = ReloadCheck::new(&configuration(ReloadMethod::Watch)).unwrap();
        assert_eq!(check.begin(), [("etc-shop".to_owned(), None)]);
        assert!(check.begin().is_empty() && check.deadline().is_some());
        let opened = |path: &str| OpenedFile { path: path.into(), microseconds: 1500 };
        assert!(!check.add(&opened("a")));
        assert_eq!(check.result(true, 0).unwrap_err().exit, CliExit::Findings);
        assert!(check.add(&opened("b")));
        assert_eq!(check.result(true, 0).unwrap(), 0);
        assert_eq!(check.result(false, 3).unwrap_err().exit, CliExit::Failed);
    }

    #[test]
    fn a_configuration_for_restarts_cannot_be_checked() {
        let error = ReloadCheck::new(&configuration(ReloadMethod::Restart)).err().unwrap();
        assert_eq!(error.exit, CliExit::Usage);
    }
}
