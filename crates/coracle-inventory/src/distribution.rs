//! The distribution of a file system, from `os-release(5)`.

use coracle_core::file_system::FileSystem;

use crate::database_file::{lines, read_text};
use crate::error::InventoryError;

/// The files with the distribution, in order of precedence.
const OS_RELEASE_FILES: [&[u8]; 2] = [b"/etc/os-release", b"/usr/lib/os-release"];
/// The fields that are kept.
const FIELDS: [&str; 6] = ["PRETTY_NAME", "NAME", "VERSION_ID", "VERSION_CODENAME", "ID", "ID_LIKE"];

/// What a file system says about its distribution.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Distribution {
    /// The identifier, such as `debian`. `linux` if there is none, as `os-release(5)` says.
    pub id: String,
    /// Identifiers of related distributions.
    pub id_like: Vec<String>,
    /// The name.
    pub name: Option<String>,
    /// The name with the version, for people.
    pub pretty_name: Option<String>,
    /// The version, such as `12`. `None` for rolling releases.
    pub version_id: Option<String>,
    /// The code name of the version.
    pub codename: Option<String>,
}

impl Distribution {
    /// Reads the distribution of `file_system`. `None` if it has no `os-release`.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn read(file_system: &dyn FileSystem) -> Result<Option<Self>, InventoryError> {
        for path in OS_RELEASE_FILES {
            if let Some(text) = read_text(file_system, path)? {
                return Ok(Some(Self::parse(&text)));
            }
        }
        Ok(None)
    }

    /// Parses the text of an `os-release` file. Unknown fields are ignored.
    pub fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let field = |name: &str| {
            let values = lines(text.as_bytes()).filter_map(|line| {
                let (key, value) = std::str::from_utf8(line).ok()?.trim().split_once('=')?;
                (key == name).then(|| unquote(value))
            });
            values.last().filter(|value| !value.is_empty())
        };
        Self {
            id: field("ID").unwrap_or_else(|| "linux".into()),
            id_like: field("ID_LIKE")
                .iter()
                .flat_map(|ids| ids.split_whitespace())
                .map(str::to_owned)
                .collect(),
            name: field("NAME"),
            pretty_name: field("PRETTY_NAME"),
            version_id: field("VERSION_ID"),
            codename: field("VERSION_CODENAME"),
        }
    }

    /// Returns an `os-release` file with the fields of this value.
    pub fn to_os_release(&self) -> String {
        let id_like = Some(self.id_like.join(" ")).filter(|ids| !ids.is_empty());
        let id = Some(self.id.clone());
        let values = [&self.pretty_name, &self.name, &self.version_id, &self.codename, &id, &id_like];
        let lines = FIELDS.iter().zip(values).filter_map(|(name, value)| {
            let value = value.as_ref()?;
            let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            Some(if is_plain {
                format!("{name}={value}\n")
            } else {
                format!("{name}=\"{}\"\n", quote(value))
            })
        });
        lines.collect()
    }

    /// Returns whether packages of `ids` are those of this distribution or of one that it derives from.
    pub fn is_like(&self, id: &str) -> bool {
        self.id == id || self.id_like.iter().any(|like| like == id)
    }
}

/// Removes quotes and backslashes, as a shell does.
fn unquote(value: &str) -> String {
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    let mut chars = inner.chars();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        if c == '\\' { plain.extend(chars.next()) } else { plain.push(c) }
    }
    plain
}

/// Escapes what a shell would interpret inside double quotes.
fn quote(value: &str) -> String {
    let mut quoted = String::new();
    for c in value.chars().filter(|c| !c.is_control()) {
        if "\"\\$`".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_writes_quoted_values() {
        let text = "PRETTY_NAME=\"A \\\"B\\\" \\$1\"\nID=alpine\nVERSION_ID=3.20.1\nNAME='Alpine Linux'\nID_LIKE=\"x y\"\nHOME_URL=u\n";
        let distribution = Distribution::parse(text.as_bytes());
        assert_eq!(distribution.pretty_name.as_deref(), Some("A \"B\" $1"));
        assert_eq!(distribution.id_like, ["x", "y"]);
        let written = distribution.to_os_release();
        assert_eq!(
            written,
            "PRETTY_NAME=\"A \\\"B\\\" \\$1\"\nNAME=\"Alpine Linux\"\nVERSION_ID=3.20.1\nID=alpine\nID_LIKE=\"x y\"\n"
        );
        assert_eq!(Distribution::parse(written.as_bytes()), distribution);
        assert_eq!(Distribution::parse(b"").id, "linux");
        assert_eq!(Distribution::parse(b"ID=\"a\nID=\xff\"=\n").id, "\u{fffd}\"=");
    }
}
