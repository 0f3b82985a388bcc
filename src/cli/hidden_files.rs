//! The files of a stored image that mounts hide.

use coracle::Recipe;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_kube::check::FilesHiddenByMount;
use coracle_kube::contract::{CONTRACT_LABEL, Contract};
use coracle_oci::layout::{ImageEntry, ImageEntryKind, ImageFiles, ParsedImage, ParsedPlatform};
use serde_json::Value;

use super::error::CliError;

/// The most files that a message lists.
const MAX_LISTED: usize = 3;
/// The layer of included files, which the programs may do without.
const DATA_LAYER: &str = "data";

/// The merged layers of an image.
#[derive(Default, Debug)]
pub(super) struct ImageListing(pub(super) ImageFiles);

impl FilesHiddenByMount for ImageListing {
    fn hidden_by(&self, path: &ImagePath, is_file: bool) -> Vec<ImagePath> {
        let path = self.0.resolve_links(path);
        let hidden = self.0.at_and_below(&path);
        let hidden = hidden.filter(|(found, entry)| !entry.is_directory() && (!is_file || **found == path));
        hidden.map(|(found, _)| found.clone()).collect()
    }
}

/// Checks the mounts of `recipe` against the files of a stored image. Returns warnings about files that
/// the programs may not need. An image with the contract of the recipe, `expected`, is not read again,
/// because its build has checked these mounts.
///
/// # Errors
/// Fails if a mount would hide files that the programs need, or if a layer cannot be read.
pub(super) fn check_mounts(
    stored: &ParsedImage,
    recipe: &Recipe,
    expected: &Contract,
) -> Result<Vec<Note>, CliError> {
    let config = &recipe.config;
    let read_only = config.mounts.iter().map(|mount| &mount.path);
    let read_only =
        read_only.chain(config.secrets.iter().map(|secret| &secret.path)).map(|path| (path, true));
    let state = config.writable_directories.iter().map(|directory| (&directory.path, false));
    let mounts: Vec<(&ImagePath, bool)> = read_only.chain(state).collect();
    let label = expected.to_label().map_err(coracle::Error::from)?;
    let mut notes = Vec::new();
    for image in &stored.images {
        if mounts.is_empty() || image.label(CONTRACT_LABEL) == Some(label.as_str()) {
            continue;
        }
        let listing = ImageListing(stored.read_files(image).map_err(coracle::Error::from)?);
        for (mount, is_read_only) in &mounts {
            let hidden = listing.hidden_by(mount, false);
            let (needed, others): (Vec<_>, Vec<_>) =
                hidden.into_iter().partition(|path| *is_read_only || listing.is_needed(path, image));
            let location = &stored.source.location;
            if !needed.is_empty() {
                return Err(CliError::usage(
                    format!("the mount at `{mount}` would hide files of `{location}`: {}", list_of(&needed)),
                    "choose another mount path, such as `/etc/NAME` or `/var/lib/NAME`",
                ));
            }
            if !others.is_empty() {
                let files = list_of(&others);
                notes.push(Note::Warning(format!(
                    "the mount at `{mount}` would hide files of `{location}`: {files}"
                )));
            }
        }
    }
    Ok(notes)
}

/// Returns the first paths, and the number of others.
fn list_of(paths: &[ImagePath]) -> String {
    let names: Vec<String> = paths.iter().take(MAX_LISTED).map(|path| format!("`{path}`")).collect();
    let more = paths.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.join(", ") + &more
}

impl ImageListing {
    /// Returns whether programs need the file at `path`: it is in a layer of programs or libraries. Layers that
    /// Coracle has not packed have no kind; their executables and libraries are needed.
    fn is_needed(&self, path: &ImagePath, image: &ParsedPlatform) -> bool {
        let target = self.0.resolve_links(path);
        let Some(ImageEntry { node: ImageEntryKind::File(extent), mode, .. }) = self.0.get(&target) else {
            return false;
        };
        match layer_kind(image, extent.layer) {
            Some(kind) => kind != DATA_LAYER,
            None => {
                let is_library =
                    target.file_name().is_some_and(|name| name.windows(3).any(|part| part == b".so"));
                mode & 0o111 != 0 || is_library
            }
        }
    }
}

/// Returns the kind of a layer that Coracle has packed, from the history of the image.
fn layer_kind(image: &ParsedPlatform, layer: usize) -> Option<&str> {
    let history = image.config.get("history")?.as_array()?;
    let mut of_layers = history.iter().filter(|step| step.get("empty_layer") != Some(&Value::Bool(true)));
    let step = of_layers.nth(layer)?;
    (step.get("created_by")?.as_str()? == "coracle").then(|| step.get("comment")?.as_str()).flatten()
}
