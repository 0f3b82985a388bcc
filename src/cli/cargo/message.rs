//! What cargo says with `--message-format=json`: a line for each thing that it has made.
//!
//! Source: the Cargo book, "External tools".

use std::io::{self, BufRead, Read as _};
use std::path::PathBuf;

use serde::Deserialize;

/// No line of cargo's comes near it, not even a linker's whole command.
const LINE_LIMIT: u64 = 1 << 24;

/// A message of cargo's.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub(super) enum Message {
    /// Something was built, or was there already.
    CompilerArtifact(Artifact),
    /// What rustc says.
    #[serde(rename = "compiler-message")]
    Diagnosed {
        /// It.
        message: Diagnostic,
    },
    /// Nothing more comes, whoever else holds the pipe.
    BuildFinished {},
    /// What concerns nobody here.
    #[serde(other)]
    Other,
}

/// What rustc says. Source: the rustc book, "JSON Output".
#[derive(Deserialize)]
pub(super) struct Diagnostic {
    /// Its first line, without a label.
    pub(super) message: String,
    /// All of it with its notes, as it is shown.
    pub(super) rendered: Option<String>,
}

/// What cargo has built.
#[derive(Deserialize)]
pub(super) struct Artifact {
    /// `path+file:///…#0.1.0` for what is no dependency from elsewhere.
    pub(super) package_id: String,
    pub(super) manifest_path: PathBuf,
    pub(super) target: Target,
    /// The program; nothing for a library.
    pub(super) executable: Option<PathBuf>,
}

/// What of a package was built.
#[derive(Deserialize)]
pub(super) struct Target {
    pub(super) kind: Vec<String>,
    pub(super) name: String,
}

/// The next line that is a message; others are handed to `stray`: macros may print, too.
pub(super) fn next(cargo: &mut impl BufRead, mut stray: impl FnMut(&str)) -> io::Result<Option<Message>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if cargo.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line)? == 0 {
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
    fn programs_are_found_among_everything_else() {
        let text = concat!(
            r#"{"reason":"build-script-executed","package_id":"x"}"#,
            "\nprinted by a macro\n{\"its\":\"own\"}\n",
            r#"{"reason":"compiler-artifact","package_id":"path+file:///a#0.1.0","manifest_path":"/a/Cargo.toml","#,
            r#""target":{"kind":["bin"],"name":"app"},"executable":"/a/target/release/app","fresh":true}"#,
            "\n{\"reason\":\"build-finished\",\"success\":true}",
        );
        let (mut bytes, mut strays, mut found) = (text.as_bytes(), String::new(), Vec::new());
        while let Some(message) = next(&mut bytes, |line| strays.push_str(line)).unwrap() {
            if let Message::CompilerArtifact(artifact) = message {
                found.push((artifact.target.name, artifact.executable));
            }
        }
        assert_eq!(found, [("app".to_owned(), Some("/a/target/release/app".into()))]);
        assert_eq!(strays, "printed by a macro\n{\"its\":\"own\"}\n");
    }

    #[test]
    fn a_line_without_end_takes_no_more_than_its_limit() {
        let mut endless = io::BufReader::new(io::repeat(b'x').take(2 * LINE_LIMIT));
        let mut longest = 0;
        assert!(next(&mut endless, |line| longest = longest.max(line.len())).unwrap().is_none());
        assert_eq!(longest as u64, LINE_LIMIT);
    }
}
