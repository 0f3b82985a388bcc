//! Finds and runs the command-line clients of engines.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;

use super::engine_image_name::EngineName;
use super::error::EngineError;
use crate::layout::{self, ArchiveWriteError, BlobOpener, ImageArchive};
use coracle_core::progress::Progress;

/// The number of bytes that are kept of each output stream; the rest is discarded.
const MAX_CLIENT_OUTPUT: u64 = 1 << 20;

/// The command-line client of an engine.
#[derive(Debug)]
pub(super) struct ClientProgram {
    engine: EngineName,
    path: PathBuf,
    /// The global arguments, which come before the arguments of each command.
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
    pub(super) fn find_client(
        engine: EngineName,
        program: &'static str,
        search: &[PathBuf],
    ) -> Result<Self, EngineError> {
        let directories = search.iter().filter(|directory| directory.is_absolute());
        let found = directories.map(|directory| directory.join(program)).find(|path| path.is_file());
        let path = found.ok_or(EngineError::MissingProgram { engine, program, searched: search.len() })?;
        Ok(Self { engine, path, global_arguments: Vec::new() })
    }

    /// Runs the program and returns its output, whatever its exit status is.
    pub(super) fn run_any_status(
        &self,
        operation: &str,
        arguments: &[&str],
    ) -> Result<ProgramOutput, EngineError> {
        let child = self.spawn(operation, arguments, false)?;
        self.wait_with_output(operation, child, None).map(|(finished, _)| finished)
    }

    /// Runs the program and returns its standard output. Fails if the exit status is not 0.
    pub(super) fn run_checked(&self, operation: &str, arguments: &[&str]) -> Result<String, EngineError> {
        let finished = self.run_any_status(operation, arguments)?;
        if finished.status.success() {
            Ok(finished.stdout)
        } else {
            Err(self.exit_error(operation, &finished))
        }
    }

    /// Runs the program with an archive as its standard input. If writing fails, the program gets a
    /// truncated archive, which it rejects.
    pub(super) fn run_with_archive(
        &self,
        operation: &str,
        arguments: &[&str],
        archive: &ImageArchive,
        open: &BlobOpener<'_>,
        progress: &dyn Progress,
    ) -> Result<(), EngineError> {
        let child = self.spawn(operation, arguments, true)?;
        let mut write = |mut stdin: ChildStdin| archive.write(&mut stdin, open);
        let (finished, written) = self.wait_with_output(operation, child, Some(&mut write))?;
        match written {
            Some(Err(ArchiveWriteError::Blob(digest, source))) => Err(match progress.is_cancelled() {
                true => EngineError::Cancelled,
                false => layout::LayoutError::CopyBlob { digest, source }.into(),
            }),
            _ if !finished.status.success() && progress.is_cancelled() => Err(EngineError::Cancelled),
            _ if !finished.status.success() => Err(self.exit_error(operation, &finished)),
            // The program may succeed without reading the archive to its end.
            Some(Err(ArchiveWriteError::Output(_)) | Ok(())) | None => Ok(()),
        }
    }

    /// The error of a program that failed.
    pub(super) fn exit_error(&self, operation: &str, finished: &ProgramOutput) -> EngineError {
        let stderr = finished.stderr.trim();
        let message =
            if stderr.is_empty() { finished.status.to_string() } else { format_on_one_line(stderr) };
        EngineError::Failed { engine: self.engine, operation: operation.into(), message }
    }

    fn spawn(&self, operation: &str, arguments: &[&str], has_stdin: bool) -> Result<Child, EngineError> {
        let mut command = Command::new(&self.path);
        command.args(&self.global_arguments).args(arguments);
        command.stdin(if has_stdin { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| self.run_error(operation, error))
    }

    /// The error of a program that can't be started or waited for.
    fn run_error(&self, operation: &str, source: io::Error) -> EngineError {
        EngineError::NoResponse { engine: self.engine, operation: operation.into(), source }
    }

    /// Writes to the program while its output is read, and waits for its end.
    #[allow(clippy::type_complexity, reason = "one caller writes and needs the result of it")]
    fn wait_with_output(
        &self,
        operation: &str,
        mut child: Child,
        write: Option<&mut dyn FnMut(ChildStdin) -> Result<(), ArchiveWriteError>>,
    ) -> Result<(ProgramOutput, Option<Result<(), ArchiveWriteError>>), EngineError> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        thread::scope(|scope| {
            let stdout = scope.spawn(|| read_output(stdout));
            let stderr = scope.spawn(|| read_output(stderr));
            let written = stdin.zip(write).map(|(stdin, write)| write(stdin));
            let status = child.wait().map_err(|error| self.run_error(operation, error))?;
            let join = |thread: thread::ScopedJoinHandle<'_, io::Result<String>>| {
                let output = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                output.map_err(|error| self.run_error(operation, error))
            };
            Ok((ProgramOutput { status, stdout: join(stdout)?, stderr: join(stderr)? }, written))
        })
    }
}

impl ProgramOutput {
    /// The exit code. `None` if a signal ended the program.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// Reads a stream to its end and returns its first [`MAX_CLIENT_OUTPUT`] bytes.
fn read_output(stream: Option<impl Read>) -> io::Result<String> {
    let mut start = Vec::new();
    if let Some(mut stream) = stream {
        (&mut stream).take(MAX_CLIENT_OUTPUT).read_to_end(&mut start)?;
        io::copy(&mut stream, &mut io::sink())?;
    }
    Ok(String::from_utf8_lossy(&start).into_owned())
}

/// Formats text of an engine for display: on one line, truncated, control characters escaped.
pub(super) fn format_on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(1000).collect();
    coracle_core::path::escape_bytes(text.as_bytes())
}

/// The path as a command-line argument.
pub(super) fn path_argument(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe whose reads are interrupted by a signal, every other time.
    struct InterruptedPipe(bool, io::Repeat);

    impl Read for InterruptedPipe {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 { Err(io::ErrorKind::Interrupted.into()) } else { self.1.read(buffer) }
        }
    }

    #[test]
    fn interrupted_reads_do_not_end_the_output() {
        let pipe = InterruptedPipe(false, io::repeat(b'x')).take(MAX_CLIENT_OUTPUT + 9);
        assert_eq!(read_output(Some(pipe)).unwrap().len() as u64, MAX_CLIENT_OUTPUT);
        assert_eq!(read_output(None::<io::Empty>).unwrap(), "");
    }
}
