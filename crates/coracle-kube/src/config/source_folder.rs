//! Lists the files of a mount that are in a folder, with the folders in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::configuration::MountFileSource;
use super::source_files::{VerbatimOrTemplate, read_source};
use coracle_core::fs::{Context as _, Error, Result};

/// The most files of a folder; the cluster cannot store an object with that many keys.
const MAX_FILES: usize = 10_000;

/// Lists a directory: the files of a mount, values files, and the schema. Files with the extension
/// `.j2` are templates. Values and schema are searched for at the top; everything in folders is a
/// file of the mount, except what a template includes.
///
/// # Errors
/// Fails if a directory cannot be read, contains a pipe, socket or device, a link to a folder above
/// it, or too many files.
pub fn read_config_dir(directory: &Path) -> Result<ConfigDir> {
    let mut found = ConfigDir::default();
    for SourceFile { path, name } in list_files(directory)? {
        match name.as_str() {
            "values.toml" | "values.yaml" | "values.yml" | "values.json" => found.values.push(path),
            "schema.json" | "values.schema.json" => found.schema = Some(path),
            _ => found.files.push(mount_file(SourceFile { path, name }, "", false)),
        }
    }
    let included = included_files(&found.files);
    found.files.retain(|file| !file.path.contains('/') || !included.contains(&file.source));
    Ok(found)
}

/// Returns every file in `folder` and the folders in it, each at its path below `to` in the mount;
/// `to` is empty for the mount itself.
///
/// # Errors
/// Fails like [`read_config_dir`].
pub fn read_folder(folder: &Path, to: &str, is_verbatim: bool) -> Result<Vec<MountFileSource>> {
    Ok(list_files(folder)?.into_iter().map(|file| mount_file(file, to, is_verbatim)).collect())
}

/// The files of a directory, by role.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ConfigDir {
    /// The files of the mount.
    pub files: Vec<MountFileSource>,
    /// Values files, such as `values.toml`.
    pub values: Vec<PathBuf>,
    /// The schema, such as `schema.json`.
    pub schema: Option<PathBuf>,
}

/// Returns the sources that templates among `files` include.
pub fn included_files(files: &[MountFileSource]) -> BTreeSet<PathBuf> {
    let mut included = BTreeSet::new();
    for file in files {
        // Rendering reports templates that cannot be read.
        let Ok(VerbatimOrTemplate::Template(template)) = read_source(file) else { continue };
        let directory = file.source.parent().unwrap_or(Path::new(""));
        included.extend(template.read_includes().into_keys().map(|name| directory.join(name)));
    }
    included
}

/// A file below a folder.
struct SourceFile {
    path: PathBuf,
    /// The path relative to the folder.
    name: String,
}

fn mount_file(file: SourceFile, to: &str, is_verbatim: bool) -> MountFileSource {
    let directory = file.name.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut mounted = MountFileSource::from_path(file.path, None, is_verbatim);
    for parent in [directory, to].into_iter().filter(|parent| !parent.is_empty()) {
        mounted.path = format!("{parent}/{}", mounted.path);
    }
    mounted
}

fn list_files(folder: &Path) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    list_folder(folder, "", &mut Vec::new(), &mut files)?;
    Ok(files)
}

/// Adds the files of `directory`; `above` has the directories that it is in, without links.
fn list_folder(
    directory: &Path,
    prefix: &str,
    above: &mut Vec<PathBuf>,
    files: &mut Vec<SourceFile>,
) -> Result<()> {
    let cannot_mount =
        |path: &Path, why: &str| Error::new("mount", path, std::io::Error::other(why.to_owned()));
    let real = std::fs::canonicalize(directory).context("list", directory)?;
    if above.contains(&real) {
        return Err(cannot_mount(directory, "it is a link to a folder that it is in"));
    }
    above.push(real);
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .context("list", directory)?;
    entries.sort();
    for path in entries {
        // A dangling link is an error: a file is missing.
        let metadata = std::fs::metadata(&path).context("read", &path)?;
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(cannot_mount(&path, "its name is not UTF-8"));
        };
        let name = format!("{prefix}{name}");
        if metadata.is_dir() {
            // In a mounted ConfigMap, these have the files a second time.
            if !name.starts_with("..") {
                list_folder(&path, &format!("{name}/"), above, files)?;
            }
        } else if !metadata.is_file() {
            return Err(cannot_mount(&path, "it is a pipe, a socket or a device"));
        } else if files.len() == MAX_FILES {
            return Err(cannot_mount(directory, "a mount has at most 10000 files"));
        } else {
            files.push(SourceFile { path, name });
        }
    }
    above.pop();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn paths(files: &[MountFileSource]) -> Vec<&str> {
        files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn folders_of_a_folder_are_folders_of_the_mount() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for (name, text) in [
            ("nginx.conf.j2", "{% include 'parts/head.j2' %}include conf.d/*.conf;"),
            ("parts/head.j2", "{% include 'parts/deep/tail.j2' %}"),
            ("parts/deep/tail.j2", ""),
            ("conf.d/site.conf.j2", ""),
            ("conf.d/values.toml", ""),
            ("values.toml", ""),
            ("..2026_11_23.1/nginx.conf", ""),
        ] {
            fs::create_dir_all(at.join(name).parent().unwrap()).unwrap();
            fs::write(at.join(name), text).unwrap();
        }
        fs::create_dir(at.join("empty")).unwrap();
        let found = read_config_dir(at).unwrap();
        assert_eq!(paths(&found.files), ["conf.d/site.conf", "conf.d/values.toml", "nginx.conf"]);
        assert_eq!(found.values, [at.join("values.toml")]);
        let listed = read_folder(&at.join("conf.d"), "etc/conf.d", false).unwrap();
        assert_eq!(paths(&listed), ["etc/conf.d/site.conf", "etc/conf.d/values.toml"]);
        let verbatim = read_folder(&at.join("conf.d"), "", true).unwrap();
        assert_eq!(paths(&verbatim), ["site.conf.j2", "values.toml"]);
    }

    #[test]
    fn links_that_lead_around_in_a_circle_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        std::os::unix::fs::symlink("..", folder.path().join("a/b")).unwrap();
        let error = read_config_dir(folder.path()).unwrap_err().to_string();
        assert!(error.contains("a/b"), "{error}");
    }
}
