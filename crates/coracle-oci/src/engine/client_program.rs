//! Finds and runs the command-line clients of engines.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;

use super::error::EngineError;
use super::image_name::EngineName;
use crate::layout::{self, ArchiveWriteError, BlobOpener, ImageArchive};
use coracle_core::progress::Progress;

/// The number of bytes that are kept of each output stream; the rest is discarded.
const MAX_OUTPUT: usize = 1 << 20;

/// The command-line client of an engine.
#[derive(Debug)]
pub(super) struct ClientProgram {
    engine: EngineName,
    path: PathBuf,
    /// The arguments before those of each command.
    pub(super) global_arguments: Vec<String>,
}

/// The exit status and output of a program.
pub(super) struct ProgramOutput {
    status: ExitStatus,
    pub(super) stdout: String,
    stderr: String,
}

impl ClientProgram {
    /// Finds the program in the directories. Relative ones are skipped, because the working
    /// directory is not trusted.
    pub(super) fn find(
        engine: EngineName,
        program: &'static str,
        search: &[PathBuf],
    ) -> Result<Self, EngineError> {
        let directories = search.iter().filter(|directory| directory.is_absolute());
        let found = directories.map(|directory| directory.join(program)).find(|path| path.is_file());
        let path = found.ok_or(EngineError::MissingProgram { engine, program, searched: search.len() })?;
        Ok(Self { engine, path, global_arguments: Vec::new() })
    }

    /// Runs the program. Any exit status is returned.
    pub(super) fn run_any_status(
        &self,
        what: &str,
        arguments: &[&str],
    ) -> Result<ProgramOutput, EngineError> {
        let child = self.start(what, arguments, false)?;
        self.wait_with_output(what, child, None).map(|(finished, _)| finished)
    }

    /// Runs the program and returns its standard output. Fails if the exit status is not 0.
    pub(super) fn run_checked(&self, what: &str, arguments: &[&str]) -> Result<String, EngineError> {
        let finished = self.run_any_status(what, arguments)?;
        if finished.status.success() { Ok(finished.stdout) } else { Err(self.exit_error(what, &finished)) }
    }

    /// Runs the program with an archive as its standard input. If writing fails, the program gets a
    /// truncated archive, which it rejects.
    pub(super) fn run_with_archive(
        &self,
        what: &str,
        arguments: &[&str],
        archive: &ImageArchive,
        open: &BlobOpener<'_>,
        progress: &dyn Progress,
    ) -> Result<(), EngineError> {
        let child = self.start(what, arguments, true)?;
        let mut write = |mut stdin: ChildStdin| archive.write(&mut stdin, open);
        let (finished, written) = self.wait_with_output(what, child, Some(&mut write))?;
        match written {
            Some(Err(ArchiveWriteError::Blob(digest, source))) => Err(match progress.is_cancelled() {
                true => EngineError::Cancelled,
                false => layout::LayoutError::CopyBlob { digest, source }.into(),
            }),
            _ if !finished.status.success() && progress.is_cancelled() => Err(EngineError::Cancelled),
            _ if !finished.status.success() => Err(self.exit_error(what, &finished)),
            // The program may succeed without reading the archive to its end.
            Some(Err(ArchiveWriteError::Output(_)) | Ok(())) | None => Ok(()),
        }
    }

    /// The error of a program that failed.
    pub(super) fn exit_error(&self, what: &str, finished: &ProgramOutput) -> EngineError {
        let stderr = finished.stderr.trim();
        let message = if stderr.is_empty() { finished.status.to_string() } else { one_line(stderr) };
        EngineError::Refused { engine: self.engine, what: what.into(), message }
    }

    fn start(&self, what: &str, arguments: &[&str], reads: bool) -> Result<Child, EngineError> {
        let mut command = Command::new(&self.path);
        command.args(&self.global_arguments).args(arguments);
        command.stdin(if reads { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| self.run_error(what, error))
    }

    /// The error of a program that can't be started or waited for.
    fn run_error(&self, what: &str, source: io::Error) -> EngineError {
        EngineError::NoResponse { engine: self.engine, what: what.into(), source }
    }

    /// Writes to the program while its output is read, and waits for its end.
    #[allow(clippy::type_complexity, reason = "one caller writes and needs the result of it")]
    fn wait_with_output(
        &self,
        what: &str,
        mut child: Child,
        write: Option<&mut dyn FnMut(ChildStdin) -> Result<(), ArchiveWriteError>>,
    ) -> Result<(ProgramOutput, Option<Result<(), ArchiveWriteError>>), EngineError> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        thread::scope(|scope| {
            let stdout = scope.spawn(|| stdout.map(read_start).unwrap_or_default());
            let stderr = scope.spawn(|| stderr.map(read_start).unwrap_or_default());
            let written = stdin.zip(write).map(|(stdin, write)| write(stdin));
            let status = child.wait().map_err(|error| self.run_error(what, error))?;
            let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
            Ok((ProgramOutput { status, stdout, stderr }, written))
        })
    }
}

impl ProgramOutput {
    /// The exit code. `None` if a signal ended the program.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// Reads a stream to its end and returns its start.
fn read_start(mut from: impl Read) -> String {
    let (mut text, mut chunk) = (Vec::new(), [0; 8192]);
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        let room = MAX_OUTPUT.saturating_sub(text.len()).min(read);
        text.extend_from_slice(chunk.get(..room).unwrap_or_default());
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Text of an engine for display: on one line, truncated, control characters escaped.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(1000).collect();
    coracle_core::path::escape_bytes(text.as_bytes())
}

/// The path as a command-line argument.
pub(super) fn path_argument(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
