//! The format of a text file, by its name: how comments look, and which values can be passwords.

use super::config_file_names::is_config_file_name;
use super::data::config_file_names::EXAMPLE_ENDINGS;
use super::data::text_formats::{PASSWORD_FIELD_FILES, TEXT_FORMATS};

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
pub(super) struct TextKind {
    pub(super) format: TextFormat,
    /// Whether the file is probably configuration: any password counts, not only random ones.
    pub(super) is_config: bool,
    /// Whether the last field of each line is a password.
    pub(super) has_password_fields: bool,
}

impl TextKind {
    /// A value of the image config.
    pub(super) const VALUE: Self =
        Self { format: TextFormat::Value, is_config: true, has_password_fields: false };

    /// Returns the kind of a file with this name.
    pub(super) fn of_file(name: &[u8]) -> Self {
        let lower = name.to_ascii_lowercase();
        let ends = |ending: &&str| lower.ends_with(ending.as_bytes());
        // An example has the format of the file that it is an example of.
        let is_example = EXAMPLE_ENDINGS.iter().any(ends);
        let format = TEXT_FORMATS.iter().find(|(_, endings)| endings.iter().any(ends));
        let is_dot_env = lower.starts_with(b".env");
        Self {
            format: format.map_or(if is_dot_env { TextFormat::Lines } else { TextFormat::Unknown }, |(format, _)| *format),
            is_config: !is_example && is_config_file_name(name),
            has_password_fields: PASSWORD_FIELD_FILES.iter().any(|known| lower == known.as_bytes()),
        }
    }
}

impl TextFormat {
    /// Returns whether values are written with quotes, so that other text is an expression.
    pub(super) fn is_code(self) -> bool {
        matches!(self, Self::HashCode | Self::SlashCode | Self::Sql)
    }

    /// Returns whether a `line`, or its part before a value, is a comment.
    pub(super) fn is_comment(self, line: &[u8]) -> bool {
        let line = line.trim_ascii_start();
        let marks: &[&[u8]] = match self {
            Self::Lines => &[b"#", b";", b"!", b"-- "],
            Self::Yaml | Self::Toml | Self::HashCode => &[b"#", b"// ", b"/*", b"* "],
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
            ("data", TextFormat::Unknown, false),
        ] {
            let kind = TextKind::of_file(name.as_bytes());
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
