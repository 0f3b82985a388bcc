//! Reads Kubernetes manifests from files, directories and stdin.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use coracle_core::fs::Context as _;
use coracle_kube::check::ManifestFile;

use crate::cli::error::CliError;

/// The most bytes of one input; more than a chart with all its custom resource definitions.
const MAX_MANIFEST_SIZE: u64 = 64 << 20;

/// Reads the manifests in files, in directories (`.yaml`, `.yml` and `.json`, at any depth) and in
/// stdin (`-`).
pub(in crate::cli) fn read_manifests(paths: &[PathBuf]) -> Result<Vec<ManifestFile>, CliError> {
    let mut manifests = Vec::new();
    for path in paths {
        if path.is_dir() {
            let files = find_manifest_files(path)?;
            if files.is_empty() {
                return Err(CliError::usage(
                    format!(
                        "`{}` contains no manifests: no file name ends in `.yaml`, `.yml` or `.json`",
                        path.display()
                    ),
                    "name another directory, or the files themselves",
                ));
            }
            for file in files {
                manifests.push(read_manifest(&file)?);
            }
        } else {
            manifests.push(read_manifest(path)?);
        }
    }
    Ok(manifests)
}

fn read_manifest(path: &Path) -> Result<ManifestFile, CliError> {
    let mut bytes = Vec::new();
    let (name, reader): (String, Box<dyn std::io::Read>) = if path == Path::new("-") {
        ("stdin".into(), Box::new(std::io::stdin().lock()))
    } else {
        let file = std::fs::File::open(path).context("read", path)?;
        (path.display().to_string(), Box::new(file))
    };
    reader.take(MAX_MANIFEST_SIZE + 1).read_to_end(&mut bytes).context("read", path)?;
    let refused =
        |why: String| CliError::failed_with_hint(format!("`{name}` {why}"), "name YAML or JSON files");
    if bytes.len() as u64 > MAX_MANIFEST_SIZE {
        return Err(refused(format!("has more than {MAX_MANIFEST_SIZE} bytes, the limit for manifests")));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8".into()))?;
    Ok(ManifestFile { name, text })
}

/// Returns the manifest files below a directory, sorted. Symbolic links to directories are not
/// followed.
fn find_manifest_files(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        for entry in entries.context("list", &folder)? {
            let path = entry.path();
            let is_manifest =
                path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(path);
            } else if is_manifest && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
