//! Cargo's messages with `--message-format=json`, one per line.
//!
//! Source: the Cargo book, "External tools".

use std::io::{self, BufRead, Read as _};
use std::path::PathBuf;

use serde::Deserialize;

use crate::cli::read_project::CargoTarget;

/// The longest line that is read, in bytes. Cargo's lines are much shorter, even with a linker's
/// whole command.
const MAX_LINE: u64 = 1 << 24;

/// A message from cargo.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub(super) enum CargoMessage {
    /// A target was built or was up to date.
    CompilerArtifact(CargoArtifact),
    /// A diagnostic of rustc.
    #[serde(rename = "compiler-message")]
    CompilerMessage {
        /// The diagnostic.
        message: RustcDiagnostic,
    },
    /// The last message, even if another process keeps the pipe open.
    BuildFinished {},
    /// Any other message.
    #[serde(other)]
    Other,
}

/// A diagnostic of rustc. Source: the rustc book, "JSON Output".
#[derive(Deserialize)]
pub(super) struct RustcDiagnostic {
    /// The first line, without the level.
    pub(super) message: String,
    /// The whole text with notes, as shown in a terminal.
    pub(super) rendered: Option<String>,
}

/// An artifact that cargo has built.
#[derive(Deserialize)]
pub(super) struct CargoArtifact {
    /// `path+file:///…#0.1.0` for a local package.
    pub(super) package_id: String,
    pub(super) manifest_path: PathBuf,
    pub(super) target: CargoTarget,
    /// The program; `None` for a library.
    pub(super) executable: Option<PathBuf>,
}

/// Returns the next message; `None` at the end. Other lines, such as those that macros print, are
/// passed to `stray`.
pub(super) fn read_message(
    cargo: &mut impl BufRead,
    mut stray: impl FnMut(&str),
) -> io::Result<Option<CargoMessage>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if cargo.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        match serde_json::from_slice(&line) {
            Ok(message) => return Ok(Some(message)),
            Err(_) => stray(&String::from_utf8_lossy(&line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_programs_among_other_lines() {
        let text = concat!(
            r#"{"reason":"build-script-executed","package_id":"x"}"#,
            "\nprinted by a macro\n{\"its\":\"own\"}\n",
            r#"{"reason":"compiler-artifact","package_id":"path+file:///a#0.1.0","manifest_path":"/a/Cargo.toml","#,
            r#""target":{"kind":["bin"],"name":"app"},"executable":"/a/target/release/app","fresh":true}"#,
            "\n{\"reason\":\"build-finished\",\"success\":true}",
        );
        let (mut bytes, mut strays, mut found) = (text.as_bytes(), String::new(), Vec::new());
        while let Some(message) = read_message(&mut bytes, |line| strays.push_str(line)).unwrap() {
            if let CargoMessage::CompilerArtifact(artifact) = message {
                found.push((artifact.target.name, artifact.executable));
            }
        }
        assert_eq!(found, [("app".to_owned(), Some("/a/target/release/app".into()))]);
        assert_eq!(strays, "printed by a macro\n{\"its\":\"own\"}\n");
    }

    #[test]
    fn limits_line_length() {
        let mut endless = io::BufReader::new(io::repeat(b'x').take(2 * MAX_LINE));
        let mut longest = 0;
        assert!(read_message(&mut endless, |line| longest = longest.max(line.len())).unwrap().is_none());
        assert_eq!(longest as u64, MAX_LINE);
    }
}
