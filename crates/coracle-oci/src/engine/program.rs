//! Finds and runs the command-line clients of engines.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;

use super::{Error, Observer};
use crate::layout::{self, Archive, Open, WriteError};

/// The number of bytes that are kept of each output stream; the rest is discarded.
const MAX_OUTPUT: usize = 1 << 20;

/// The command-line client of an engine.
#[derive(Debug)]
pub(super) struct Program {
    engine: &'static str,
    path: PathBuf,
    /// The arguments before those of each command.
    pub(super) always: Vec<String>,
}

/// The exit status and output of a program.
pub(super) struct Finished {
    status: ExitStatus,
    pub(super) stdout: String,
    stderr: String,
}

impl Program {
    /// Finds the program in the directories. Relative ones are skipped, because the working
    /// directory is not trusted.
    pub(super) fn find(
        engine: &'static str,
        program: &'static str,
        search: &[PathBuf],
    ) -> Result<Self, Error> {
        let directories = search.iter().filter(|directory| directory.is_absolute());
        let found = directories.map(|directory| directory.join(program)).find(|path| path.is_file());
        let path = found.ok_or(Error::Program { engine, program, searched: search.len() })?;
        Ok(Self { engine, path, always: Vec::new() })
    }

    /// Runs the program. Any exit status is returned.
    pub(super) fn run(&self, what: &str, arguments: &[&str]) -> Result<Finished, Error> {
        let child = self.start(what, arguments, false)?;
        self.finish(what, child, None).map(|(finished, _)| finished)
    }

    /// Runs the program and returns its standard output. Fails if the exit status is not 0.
    pub(super) fn answer(&self, what: &str, arguments: &[&str]) -> Result<String, Error> {
        let finished = self.run(what, arguments)?;
        if finished.status.success() { Ok(finished.stdout) } else { Err(self.refused(what, &finished)) }
    }

    /// Runs the program with an archive as its standard input. If writing fails, the program gets a
    /// truncated archive, which it rejects.
    pub(super) fn feed(
        &self,
        what: &str,
        arguments: &[&str],
        archive: &Archive,
        open: &Open<'_>,
        observer: &Observer<'_>,
    ) -> Result<(), Error> {
        let child = self.start(what, arguments, true)?;
        let mut write = |mut stdin: ChildStdin| archive.write(&mut stdin, open);
        let (finished, written) = self.finish(what, child, Some(&mut write))?;
        match written {
            Some(Err(WriteError::Blob(digest, source))) => Err(match observer(0) {
                ControlFlow::Break(()) => Error::Interrupted,
                ControlFlow::Continue(()) => layout::Error::Blob { digest, source }.into(),
            }),
            _ if !finished.status.success() && observer(0).is_break() => Err(Error::Interrupted),
            _ if !finished.status.success() => Err(self.refused(what, &finished)),
            // The program may succeed without reading the archive to its end.
            Some(Err(WriteError::Out(_)) | Ok(())) | None => Ok(()),
        }
    }

    /// The error of a program that failed.
    pub(super) fn refused(&self, what: &str, finished: &Finished) -> Error {
        let stderr = finished.stderr.trim();
        let said = if stderr.is_empty() { finished.status.to_string() } else { shown(stderr) };
        Error::Refused { engine: self.engine, what: what.into(), said }
    }

    fn start(&self, what: &str, arguments: &[&str], reads: bool) -> Result<Child, Error> {
        let mut command = Command::new(&self.path);
        command.args(&self.always).args(arguments);
        command.stdin(if reads { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| self.silent(what, error))
    }

    /// The error of a program that can't be started or waited for.
    fn silent(&self, what: &str, source: io::Error) -> Error {
        Error::Silent { engine: self.engine, what: what.into(), source }
    }

    /// Writes to the program while its output is read, and waits for its end.
    #[allow(clippy::type_complexity, reason = "one caller writes and needs the result of it")]
    fn finish(
        &self,
        what: &str,
        mut child: Child,
        write: Option<&mut dyn FnMut(ChildStdin) -> Result<(), WriteError>>,
    ) -> Result<(Finished, Option<Result<(), WriteError>>), Error> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        thread::scope(|scope| {
            let stdout = scope.spawn(|| stdout.map(read_start).unwrap_or_default());
            let stderr = scope.spawn(|| stderr.map(read_start).unwrap_or_default());
            let written = stdin.zip(write).map(|(stdin, write)| write(stdin));
            let status = child.wait().map_err(|error| self.silent(what, error))?;
            let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
            Ok((Finished { status, stdout, stderr }, written))
        })
    }
}

impl Finished {
    /// The exit code. `None` if a signal ended the program.
    pub(super) fn code(&self) -> Option<i32> {
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
pub(super) fn shown(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(1000).collect();
    coracle_core::path::printable(text.as_bytes())
}

/// The path as a command-line argument.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
