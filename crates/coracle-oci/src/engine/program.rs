//! The programs of engines: found, run, and held to their word.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;

use super::{Error, Observer};
use crate::layout::{self, Archive, Open, WriteError};

/// Bytes that are kept of what a program says; the rest is read and let go.
const MAX_SAID: usize = 1 << 20;

/// A program of an engine.
#[derive(Debug)]
pub(super) struct Program {
    engine: &'static str,
    path: PathBuf,
    /// What each of its commands begins with.
    pub(super) always: Vec<String>,
}

/// What a program has left.
pub(super) struct Finished {
    status: ExitStatus,
    pub(super) stdout: String,
    stderr: String,
}

impl Program {
    /// The program in the first of the directories that has it; relative ones may be anybody's.
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

    /// Runs it to its end, whatever that is.
    pub(super) fn run(&self, what: &str, arguments: &[&str]) -> Result<Finished, Error> {
        let child = self.start(what, arguments, false)?;
        self.finish(what, child, None).map(|(finished, _)| finished)
    }

    /// Runs it; it has to succeed, and what it prints is its answer.
    pub(super) fn answer(&self, what: &str, arguments: &[&str]) -> Result<String, Error> {
        let finished = self.run(what, arguments)?;
        if finished.status.success() { Ok(finished.stdout) } else { Err(self.refused(what, &finished)) }
    }

    /// Lets it read an archive. When that can't be written to its end, the program gets a part of it, which it refuses
    /// by itself, and tidies up.
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
            // It did not want to read on, and is content all the same.
            Some(Err(WriteError::Out(_)) | Ok(())) | None => Ok(()),
        }
    }

    pub(super) fn refused(&self, what: &str, finished: &Finished) -> Error {
        let said = finished.stderr.trim();
        let said = if said.is_empty() { format!("{}", finished.status) } else { shown(said) };
        Error::Refused { engine: self.engine, what: what.into(), said }
    }

    fn start(&self, what: &str, arguments: &[&str], reads: bool) -> Result<Child, Error> {
        let mut command = Command::new(&self.path);
        command.args(&self.always).args(arguments);
        command.stdin(if reads { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| self.silent(what, error))
    }

    fn silent(&self, what: &str, source: io::Error) -> Error {
        Error::Silent { engine: self.engine, what: what.into(), source }
    }

    /// Writes to the program while what it says is read, and waits for its end.
    #[allow(clippy::type_complexity, reason = "one caller writes, and wants to know how that went")]
    fn finish(
        &self,
        what: &str,
        mut child: Child,
        write: Option<&mut dyn FnMut(ChildStdin) -> Result<(), WriteError>>,
    ) -> Result<(Finished, Option<Result<(), WriteError>>), Error> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        thread::scope(|scope| {
            let stdout = scope.spawn(|| stdout.map(said).unwrap_or_default());
            let stderr = scope.spawn(|| stderr.map(said).unwrap_or_default());
            let written = stdin.zip(write).map(|(stdin, write)| write(stdin));
            let status = child.wait().map_err(|error| self.silent(what, error))?;
            let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
            Ok((Finished { status, stdout, stderr }, written))
        })
    }
}

impl Finished {
    /// Its exit code, where it has one.
    pub(super) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// The first of what a program says.
fn said(mut from: impl Read) -> String {
    let (mut text, mut chunk) = (Vec::new(), [0; 8192]);
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        let room = MAX_SAID.saturating_sub(text.len()).min(read);
        text.extend_from_slice(chunk.get(..room).unwrap_or_default());
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What an engine says, before it is shown: on one line, without what moves a terminal, and not too much of it.
pub(super) fn shown(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(1000).collect();
    coracle_core::path::printable(text.as_bytes())
}

/// The path as text, for a command line.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
