//! Patterns of files that an included directory leaves out, with the rules of `.gitignore`.
//!
//! Source: gitignore(5), "PATTERN FORMAT". The last pattern that matches decides. What is below an excluded directory is
//! never looked at, so that no pattern can bring it back.

use std::hash::{Hash, Hasher};
use std::path::Path;
use std::str::FromStr;

use coracle_core::path::escape_bytes;
use globset::{GlobBuilder, GlobMatcher};

/// A pattern in the syntax of `.gitignore`.
#[derive(Clone, Debug)]
pub struct ExcludePattern {
    text: String,
    matcher: GlobMatcher,
    /// `true` if it brings files back (`!`).
    is_negated: bool,
    /// `true` if it matches directories only (a trailing `/`).
    is_directory_only: bool,
}

/// The error for a text that is not a pattern.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{}` is not a valid exclude pattern: {reason}", escape_bytes(.text.as_bytes()))]
pub struct ParseExcludePatternError {
    text: String,
    reason: String,
}

impl ParseExcludePatternError {
    /// Returns what to write.
    pub fn hint(&self) -> Option<String> {
        Some("write it as in `.gitignore`: `*.pyc`, `/docs/`, `**/tests/`, `!keep`; `\\` before a character takes it literally".into())
    }
}

impl FromStr for ExcludePattern {
    type Err = ParseExcludePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason: String| ParseExcludePatternError { text: text.to_owned(), reason };
        let pattern = without_trailing_spaces(text);
        if pattern.starts_with('#') {
            return Err(error("`#` starts a comment; write `\\#`".into()));
        }
        let (is_negated, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let (is_directory_only, pattern) = match pattern.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let is_anchored = pattern.contains('/');
        let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
        if pattern.is_empty() {
            return Err(error("it is empty".into()));
        }
        let mut glob = with_literal_braces(pattern);
        if !is_anchored {
            glob.insert_str(0, "**/");
        }
        let matcher = GlobBuilder::new(&glob)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|problem| error(problem.kind().to_string()))?
            .compile_matcher();
        Ok(Self { text: text.to_owned(), matcher, is_negated, is_directory_only })
    }
}

/// Returns whether `patterns` leave out the file or directory at `path`, which is relative to the included directory. The
/// directories above it are not excluded.
pub(super) fn is_excluded(patterns: &[ExcludePattern], path: &Path, is_directory: bool) -> bool {
    let matches = |pattern: &&ExcludePattern| {
        (is_directory || !pattern.is_directory_only) && pattern.matcher.is_match(path)
    };
    patterns.iter().rfind(matches).is_some_and(|pattern| !pattern.is_negated)
}

/// Returns whether `patterns` leave out the file or directory at `path`, or a directory above it.
pub fn excludes(patterns: &[ExcludePattern], path: &Path, is_directory: bool) -> bool {
    let mut above = path.ancestors().skip(1).filter(|directory| !directory.as_os_str().is_empty());
    above.any(|directory| is_excluded(patterns, directory, true)) || is_excluded(patterns, path, is_directory)
}

/// Removes trailing spaces, except one after a backslash.
fn without_trailing_spaces(text: &str) -> &str {
    let trimmed = text.trim_end_matches(' ');
    let backslashes = trimmed.bytes().rev().take_while(|byte| *byte == b'\\').count();
    let end = if backslashes % 2 == 1 { trimmed.len() + 1 } else { trimmed.len() };
    text.get(..end).unwrap_or(text)
}

/// Escapes braces outside of `[…]`: they are alternatives for `globset`, and characters for git.
fn with_literal_braces(pattern: &str) -> String {
    let (mut glob, mut is_escaped, mut in_class) = (String::new(), false, false);
    for character in pattern.chars() {
        match character {
            '{' | '}' if !is_escaped && !in_class => glob.push('\\'),
            '[' if !is_escaped => in_class = true,
            ']' if !is_escaped => in_class = false,
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
        glob.push(character);
    }
    glob
}

impl ExcludePattern {
    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for ExcludePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ExcludePattern {}

impl Hash for ExcludePattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a path is left out, with the directories above it. A directory ends with `/`.
    fn leaves_out(patterns: &[&str], path: &str) -> bool {
        let patterns: Vec<ExcludePattern> = patterns.iter().map(|text| text.parse().unwrap()).collect();
        let is_directory = path.ends_with('/');
        excludes(&patterns, Path::new(path.trim_end_matches('/')), is_directory)
    }

    /// The same question, answered by git.
    fn git_leaves_out(patterns: &[&str], path: &str) -> Option<bool> {
        let folder = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let mut git = std::process::Command::new("git");
            git.arg("-C").arg(folder.path()).args(["-c", "core.excludesFile=/dev/null"]).args(args);
            git.output().ok()
        };
        git(&["init", "--quiet"])?;
        std::fs::write(folder.path().join(".gitignore"), patterns.join("\n") + "\n").unwrap();
        let file = folder.path().join(path);
        match path.ends_with('/') {
            true => std::fs::create_dir_all(&file).unwrap(),
            false => {
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(&file, "").unwrap();
            }
        }
        let path = path.trim_end_matches('/');
        git(&["check-ignore", "--quiet", "--no-index", path]).map(|output| output.status.success())
    }

    #[test]
    fn patterns_mean_what_they_mean_in_gitignore() {
        for (patterns, path, expected) in [
            (&["*.pyc"][..], "a/b/c.pyc", true),
            (&["**/*.pyc"], "c.pyc", true),
            (&["*.pyc", "!keep.pyc"], "a/keep.pyc", false),
            (&["!keep.pyc", "*.pyc"], "a/keep.pyc", true),
            (&["bitcode/"], "lib/bitcode/x", true),
            (&["bitcode/"], "lib/bitcode", false),
            (&["/bitcode"], "lib/bitcode", false),
            (&["/bitcode"], "bitcode/x", true),
            (&["lib/bitcode"], "a/lib/bitcode", false),
            (&["lib/bitcode"], "lib/bitcode/x", true),
            (&["lib/*"], "lib/a/b", true),
            (&["a/**/b"], "a/b", true),
            (&["a/**/b"], "a/x/y/b", true),
            (&["a/**"], "a/", false),
            (&["a/**"], "a/x", true),
            (&["a/", "!a/keep"], "a/keep", true),
            (&["a/*", "!a/keep"], "a/keep", false),
            (&["x{1,2}"], "x1", false),
            (&["x{1,2}"], "x{1,2}", true),
            (&["[!a]"], "b", true),
            (&["[!a]"], "a", false),
            (&["\\!x"], "!x", true),
            (&["\\#x"], "#x", true),
            (&["a?c"], "a/c", false),
            (&["*"], "a", true),
            (&["x "], "x", true),
            (&["x\\ "], "x ", true),
            (&["tests"], "a/tests/b", true),
            (&["*.PYC"], "a.pyc", false),
        ] {
            assert_eq!(leaves_out(patterns, path), expected, "{patterns:?} {path}");
            if let Some(git) = git_leaves_out(patterns, path) {
                assert_eq!(git, expected, "git: {patterns:?} {path}");
            }
        }
    }

    #[test]
    fn rejects_texts_that_match_nothing() {
        for text in ["", "/", "!", "# all", "[a"] {
            assert!(text.parse::<ExcludePattern>().is_err(), "{text}");
        }
    }
}
