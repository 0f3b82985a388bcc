//! `--secret-file KEY=FILE`: the content of keys of Secrets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use coracle::recipe::Recipe;
use coracle_core::fs;

use crate::cli::error::{CliError, CliExit};

/// The files of `--secret-file`, by key.
pub(super) struct SecretFiles {
    pub(super) files: BTreeMap<String, PathBuf>,
}

impl SecretFiles {
    /// Parses the values of the flag.
    pub(super) fn parse(texts: &[OsString]) -> Result<Self, CliError> {
        let mut files = BTreeMap::new();
        for text in texts {
            let shown = text.to_string_lossy();
            let bytes = text.as_encoded_bytes();
            let split = bytes.iter().position(|byte| *byte == b'=').filter(|at| *at > 0);
            let Some((key, file)) = split.and_then(|at| bytes.split_at_checked(at)) else {
                return Err(CliError::usage(
                    format!("`--secret-file`: `{shown}` has no `=`"),
                    "write the key and the file with its content: `--secret-file password=./password`",
                ));
            };
            let file = fs::path_from_bytes(file.get(1..).unwrap_or_default());
            files.insert(String::from_utf8_lossy(key).into_owned(), file);
        }
        Ok(Self { files })
    }

    /// Returns the files whose key is not one of a mounted Secret, but a value of templates, as for
    /// `--set-file`.
    pub(super) fn values_of_templates(&self, recipe: &Recipe) -> Vec<OsString> {
        let is_mounted = |key: &str| {
            recipe.config.secrets.iter().any(|secret| secret.files.iter().any(|known| known.key == key))
        };
        let values = self.files.iter().filter(|(key, _)| !is_mounted(key));
        values
            .map(|(key, file)| {
                let mut text = OsString::from(format!("{key}="));
                text.push(file);
                text
            })
            .collect()
    }
}

/// Returns the error that names every missing key.
pub(super) fn missing_secrets(missing: &[String], secrets: &SecretFiles) -> CliError {
    let keys: Vec<&str> = missing.iter().filter_map(|text| text.split('`').nth(1)).collect();
    let flags: Vec<String> = keys.iter().map(|key| format!("--secret-file {key}=FILE")).collect();
    let given: Vec<String> = secrets.files.keys().map(|key| format!("`{key}`")).collect();
    let given = if given.is_empty() { String::new() } else { format!("\ngiven are {}", given.join(", ")) };
    CliError {
        exit: CliExit::Usage,
        message: format!("no file is given for the keys of Secrets: {}{given}", missing.join(", ")),
        hint: Some(format!("name the files: `{}`", flags.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn secret_files_have_a_key_and_a_file() {
        let parsed = SecretFiles::parse(&["password=a=b".into()]).unwrap();
        assert_eq!(parsed.files["password"], Path::new("a=b"));
        for wrong in ["password", "=file"] {
            assert_eq!(SecretFiles::parse(&[wrong.into()]).err().unwrap().exit, CliExit::Usage, "{wrong}");
        }
    }

    #[test]
    fn every_missing_secret_is_named_with_its_flag() {
        let secrets = SecretFiles::parse(&["user=f".into()]).unwrap();
        let error = missing_secrets(&["`password` for `/run/secrets`".into()], &secrets);
        assert!(error.message.contains("`password` for `/run/secrets`") && error.message.contains("`user`"));
        assert_eq!(error.hint.unwrap(), "name the files: `--secret-file password=FILE`");
    }
}
