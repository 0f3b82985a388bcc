//! The format of a text file, by its name: how comments look, and which values can be passwords.

use super::bytes_around_offset::first_bytes;
use super::config_file_names::is_config_file_name;
use super::data::config_file_names::EXAMPLE_ENDINGS;
use super::data::text_formats::{EXAMPLE_WORDS, PASSWORD_FIELD_FILES, PUBLISHED_DIRECTORIES, TEXT_FORMATS};

/// The format of a text file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TextFormat {
    /// A line for each value: `NAME=VALUE`, `NAME: VALUE` or `NAME VALUE`.
    Lines,
    /// The only value on a command line or of a variable.
    Value,
    Yaml,
    Json,
    Toml,
    Xml,
    /// Shell scripts: comments after `#`, values without quotes.
    Shell,
    /// Source code with comments after `#`.
    HashCode,
    /// Source code with comments after `//`.
    SlashCode,
    /// Source code with comments after `--`.
    Sql,
    /// Documentation, or text that people read.
    Prose,
    Unknown,
}

/// What the name of a file says about its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TextTraits {
    pub(super) format: TextFormat,
    /// `true` if the file is probably configuration: any password counts, not only random ones.
    pub(super) is_config: bool,
    /// `true` if the last field of each line is a password.
    pub(super) has_password_fields: bool,
    /// `true` if it is an example or a part of a published package. Its passwords are no
    /// secrets, but keys and tokens can be.
    pub(super) is_public: bool,
}

impl TextTraits {
    /// A value of the image config.
    pub(super) const VALUE: Self =
        Self { format: TextFormat::Value, is_config: true, has_password_fields: false, is_public: false };

    /// Returns the kind of the file at `path`, whose components are separated by slashes.
    pub(super) fn of_file(path: &[u8]) -> Self {
        let lower = path.to_ascii_lowercase();
        let mut components = lower.rsplit(|byte| *byte == b'/');
        let name = components.next().unwrap_or_default();
        let ends = |ending: &&str| name.ends_with(ending.as_bytes());
        let is_example = EXAMPLE_ENDINGS.iter().any(ends);
        let mut formats = TEXT_FORMATS.iter();
        let format = match formats.find(|(_, endings)| endings.iter().any(ends)) {
            Some((format, _)) => *format,
            None if name.starts_with(b".env") || is_config_file_name(name) => TextFormat::Lines,
            None if name.starts_with(b"dockerfile") => TextFormat::Shell,
            None => TextFormat::Unknown,
        };
        let is_public = is_example
            || has_example_word(name)
            || lower.starts_with(b"/usr/lib/")
            || components
                .any(|directory| PUBLISHED_DIRECTORIES.iter().any(|known| directory == known.as_bytes()));
        Self {
            format,
            is_config: !is_example && is_config_file_name(name),
            has_password_fields: PASSWORD_FIELD_FILES.iter().any(|known| name == known.as_bytes()),
            is_public,
        }
    }
}

impl TextTraits {
    /// Recognizes scripts and binary files by their first bytes.
    pub(super) fn inspect_first_bytes(&mut self, bytes: &[u8]) {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let has = |word: &[u8]| memchr::memmem::find(line, word).is_some();
        if self.format != TextFormat::Unknown {
            return;
        }
        if line.starts_with(b"#!") {
            self.format = if has(b"sh") { TextFormat::Shell } else { TextFormat::HashCode };
        } else if line.starts_with(b"<?php") {
            self.format = TextFormat::SlashCode;
        } else if first_bytes(bytes, BINARY_START).contains(&0) {
            // Text in binary files is that of a program.
            self.is_public = true;
        }
    }
}

/// The number of bytes in which a binary file has a NUL.
const BINARY_START: usize = 4096;

/// Returns whether one of the words of a name, in lower case, says that it is an example.
fn has_example_word(name: &[u8]) -> bool {
    let mut words = name.split(|byte| !byte.is_ascii_alphabetic());
    words.any(|word| EXAMPLE_WORDS.iter().any(|known| known.as_bytes() == word))
}

impl TextFormat {
    /// Returns whether values are written with quotes, so that other text is an expression.
    pub(super) fn is_code(self) -> bool {
        matches!(self, Self::HashCode | Self::SlashCode | Self::Sql)
    }

    /// Returns whether logins of programs can be in such a file, and are not only examples.
    pub(super) fn has_logins(self) -> bool {
        !matches!(self, Self::HashCode | Self::SlashCode | Self::Sql | Self::Prose)
    }

    /// Returns whether a `line`, or its part before a value, is a comment.
    pub(super) fn is_comment(self, line: &[u8]) -> bool {
        let line = line.trim_ascii_start();
        let marks: &[&[u8]] = match self {
            Self::Lines => &[b"#", b";", b"!", b"-- "],
            Self::Yaml | Self::Toml | Self::Shell | Self::HashCode => &[b"#", b"// ", b"/*", b"* "],
            Self::Json | Self::SlashCode => &[b"//", b"/*", b"* ", b"# "],
            Self::Sql => &[b"--", b"/*", b"# "],
            Self::Xml => &[b"<!--"],
            Self::Unknown => &[b"# ", b"// ", b"; ", b"-- ", b"* ", b"<!--"],
            Self::Value | Self::Prose => &[],
        };
        marks.iter().any(|mark| line.starts_with(mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_formats_by_name() {
        for (name, format, is_config) in [
            (".env", TextFormat::Lines, true),
            (".env.production", TextFormat::Lines, true),
            (".npmrc", TextFormat::Lines, true),
            ("app.yml", TextFormat::Yaml, false),
            ("application.yml", TextFormat::Yaml, true),
            ("settings.py", TextFormat::HashCode, true),
            ("index.js", TextFormat::SlashCode, false),
            ("README.md", TextFormat::Prose, false),
            ("app.ini.example", TextFormat::Unknown, false),
            ("Dockerfile.prod", TextFormat::Shell, false),
            ("kubeconfig", TextFormat::Yaml, true),
            ("data", TextFormat::Unknown, false),
        ] {
            let kind = TextTraits::of_file(name.as_bytes());
            assert_eq!((kind.format, kind.is_config), (format, is_config), "{name}");
        }
    }

    #[test]
    fn comment_marks_belong_to_the_format() {
        for (format, line, expected) in [
            (TextFormat::Lines, "//registry.npmjs.org/:_authToken", false),
            (TextFormat::Lines, "  # password", true),
            (TextFormat::Lines, "; password", true),
            (TextFormat::SlashCode, "// password", true),
            (TextFormat::SlashCode, "#password", false),
            (TextFormat::Yaml, "# password", true),
            (TextFormat::Yaml, "; password", false),
            (TextFormat::Xml, "<!-- password", true),
            (TextFormat::Value, "# password", false),
        ] {
            assert_eq!(format.is_comment(line.as_bytes()), expected, "{line}");
        }
    }
}
