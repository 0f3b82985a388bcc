//! The records of earlier runs: a file in the cache directory for each recipe.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use coracle_core::digest::Digest;
use coracle_core::fs::{self, Context as _};
use coracle_core::note::Note;
use coracle_trace::Trace;
use serde::{Deserialize, Serialize};

use super::recipe_file::RecipeFile;
use super::recorded_command::RecordedCommand;
use crate::cli::args::RecordArgs;
use crate::cli::error::CliError;
use crate::cli::{cache, console_output};

/// The version of the file. Files of other versions are discarded.
const VERSION: u32 = 1;

/// The sum of all recorded runs.
pub(super) struct RunHistory {
    /// `None` if runs are not kept.
    file: Option<PathBuf>,
    pub(super) runs: usize,
    pub(super) trace: Trace,
}

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct HistoryFile {
    version: u32,
    runs: usize,
    trace: Trace,
}

impl RunHistory {
    /// Reads what was recorded for the recipe, or without a recipe for the program in this
    /// directory.
    pub(super) fn open(
        args: &RecordArgs,
        recipe_file: &RecipeFile,
        command: &RecordedCommand,
    ) -> Result<Self, CliError> {
        let directory = args.cache.cache_dir.clone().or_else(cache::default_directory);
        let Some(directory) = directory.filter(|_| !args.cache.no_cache) else {
            return Ok(Self { file: None, runs: 0, trace: Trace::default() });
        };
        let path = match recipe_file.document() {
            Some(_) => recipe_file.path().canonicalize().context("read", recipe_file.path())?,
            None => command.start_directory.join(recipe_file.path()),
        };
        let mut key = fs::path_to_bytes(&path);
        if recipe_file.document().is_none() {
            key.push(0);
            key.extend(fs::path_to_bytes(&command.program));
        }
        let name = Digest::compute(&key).to_string().replace(':', "-");
        let file = directory.join("recorded-runs").join(format!("{name}.json"));
        let earlier = if args.forget { None } else { read(&file)? };
        let HistoryFile { runs, trace, .. } =
            earlier.unwrap_or(HistoryFile { version: VERSION, runs: 0, trace: Trace::default() });
        Ok(Self { file: Some(file), runs, trace })
    }

    /// Adds a run, and writes the file.
    pub(super) fn add_run(&mut self, trace: Trace) -> Result<(), CliError> {
        self.trace.merge(trace);
        self.runs += 1;
        let Some(file) = &self.file else { return Ok(()) };
        let content = HistoryFile { version: VERSION, runs: self.runs, trace: self.trace.clone() };
        let bytes = coracle_core::json::to_bytes(&content)
            .map_err(|error| CliError::internal(&format!("cannot write the recorded runs: {error}")))?;
        let parent = file.parent().unwrap_or(file);
        fs::create_private_dir_all(parent).context("create", parent)?;
        let mut temporary = tempfile::NamedTempFile::new_in(parent).context("write", file)?;
        temporary.write_all(&bytes).context("write", file)?;
        temporary.persist(file).map_err(|error| error.error).context("write", file)?;
        Ok(())
    }
}

/// Reads the file. `None` if there is none; one that cannot be used is discarded with a warning.
fn read(file: &Path) -> Result<Option<HistoryFile>, CliError> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fs::Error::new("read", file, error).into()),
    };
    match serde_json::from_slice::<HistoryFile>(&bytes) {
        Ok(content) if content.version == VERSION => Ok(Some(content)),
        _ => {
            let warning = format!(
                "`{}` is damaged or of another version of Coracle; earlier runs are discarded",
                file.display()
            );
            console_output::print_notes(&[Note::Warning(warning)], false);
            Ok(None)
        }
    }
}
