//! A folder as a mount: every file in it but values and schema.

use std::path::{Path, PathBuf};

use super::File;
use crate::template::Delimiters;

/// The files of a folder, as mounts take them: every file in it but values and schema; a name that ends in `.j2` is a
/// template. Folders in it are passed over: what templates include is there.
///
/// # Errors
/// When the folder can't be read, or something in it is no file.
pub fn folder(folder: &Path) -> coracle_core::fs::Result<Folder> {
    use coracle_core::fs::Context;
    let mut found = Folder::default();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .context("list", folder)?;
    entries.sort();
    for path in entries {
        // A link that leads nowhere is a file that is missed.
        let metadata = std::fs::metadata(&path).context("read", &path)?;
        if metadata.is_dir() {
            continue;
        }
        if !metadata.is_file() {
            let special = std::io::Error::other("it is a pipe, a socket or a device");
            return Err(coracle_core::fs::Error::new("mount", &path, special));
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match name.as_str() {
            "values.toml" | "values.yaml" | "values.yml" | "values.json" => found.values.push(path),
            "schema.json" | "values.schema.json" => found.schema = Some(path),
            _ => found.files.push(file(path, None, false)),
        }
    }
    Ok(found)
}

/// What a folder holds.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Folder {
    /// Files of the mount.
    pub files: Vec<File>,
    /// `values.toml` and the like.
    pub values: Vec<PathBuf>,
    /// `schema.json`.
    pub schema: Option<PathBuf>,
}

/// A file of a mount: its key is its name, without `.j2`, unless somebody says another.
pub fn file(from: PathBuf, key: Option<String>, verbatim: bool) -> File {
    let name = from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = name.strip_suffix(".j2").map(str::to_owned);
    let delimiters = (plain.is_some() && !verbatim).then(Delimiters::default);
    let key = key.unwrap_or_else(|| if verbatim { name } else { plain.unwrap_or(name) });
    File { from, key, delimiters }
}
