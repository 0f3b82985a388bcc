//! The files of a configuration directory, such as `config/`: values, schema, and files to mount.

use std::path::{Path, PathBuf};

use coracle_core::fs::Context as _;

use super::configuration::MountFile;
use crate::template::Delimiters;

/// Lists a directory with the files of a mount, and perhaps their values and schema. Files with the extension `.j2` are templates. Ignores
/// subdirectories, which contain included templates.
///
/// # Errors
/// Fails if the directory cannot be read, or contains a pipe, socket or device.
pub fn read_config_dir(directory: &Path) -> coracle_core::fs::Result<ConfigDir> {
    let mut found = ConfigDir::default();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .context("list", directory)?;
    entries.sort();
    for path in entries {
        // A dangling link is an error: a file is missing.
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
            _ => found.files.push(mount_file(path, None, false)),
        }
    }
    Ok(found)
}

/// The files of a directory, by role.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ConfigDir {
    /// The files of the mount.
    pub files: Vec<MountFile>,
    /// Values files, such as `values.toml`.
    pub values: Vec<PathBuf>,
    /// The schema, such as `schema.json`.
    pub schema: Option<PathBuf>,
}

/// Returns a file of a mount. The default `key` is the file name, without `.j2` for a template.
pub fn mount_file(source: PathBuf, key: Option<String>, verbatim: bool) -> MountFile {
    let name = source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let template_key = name.strip_suffix(".j2").map(str::to_owned);
    let delimiters = (template_key.is_some() && !verbatim).then(Delimiters::default);
    let key = key.unwrap_or_else(|| if verbatim { name } else { template_key.unwrap_or(name) });
    MountFile { source, key, delimiters }
}
