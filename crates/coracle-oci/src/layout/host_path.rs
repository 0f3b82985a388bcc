//! Paths of destinations on the host.

use std::path::{Path, PathBuf};

use coracle_core::fs;

/// Returns the nearest existing ancestor of `path` if it is not a directory.
pub(super) fn file_in_parents(path: &Path) -> fs::Result<Option<PathBuf>> {
    let absolute = fs::absolute_path(path)?;
    let nearest =
        absolute.ancestors().skip(1).find_map(|above| Some((above, std::fs::metadata(above).ok()?)));
    Ok(nearest.filter(|(_, metadata)| !metadata.is_dir()).map(|(above, _)| above.to_owned()))
}

/// Returns the absolute path of `path`, with links resolved if it or its parent exists.
pub(super) fn resolve_path(path: &Path) -> fs::Result<PathBuf> {
    if let Ok(target) = std::fs::canonicalize(path) {
        return Ok(target);
    }
    let path = fs::absolute_path(path)?;
    let parent = path.parent().and_then(|parent| std::fs::canonicalize(parent).ok());
    Ok(parent.zip(path.file_name()).map(|(parent, name)| parent.join(name)).unwrap_or(path))
}
