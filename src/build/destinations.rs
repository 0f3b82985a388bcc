//! Where an image goes, seen from its recipe.

use super::Error;
use crate::fs;
use crate::recipe::Recipe;
use crate::store::Destination;

/// At least one destination; the image is packed beside the first.
pub(super) struct Destinations {
    pub(super) first: Destination,
    others: Vec<Destination>,
}

impl Destinations {
    /// Those that the recipe names, or `NAME.oci` in the working directory.
    pub(super) fn of(recipe: &Recipe) -> Self {
        let mut named = recipe.destinations.iter().cloned();
        match named.next() {
            Some(first) => Self { first, others: named.collect() },
            None => Self { first: default(recipe), others: Vec::new() },
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Destination> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// An image in a directory that it includes would hold itself as it was before, and grow with every build.
    pub(super) fn check_includes(&self, recipe: &Recipe) -> Result<(), Error> {
        for include in &recipe.includes {
            let Ok(folder) = std::fs::canonicalize(recipe.locate(&include.from)) else { continue };
            for destination in self.iter() {
                if destination.place()?.starts_with(&folder) {
                    let include = fs::absolute(&recipe.locate(&include.from))?;
                    return Err(Error::Itself { destination: destination.clone(), include });
                }
            }
        }
        Ok(())
    }
}

/// `oci:NAME.oci`, where NAME is the last part of the image's name, else the program's file name.
fn default(recipe: &Recipe) -> Destination {
    let program = recipe.programs.first().and_then(|program| program.from.file_name());
    let name = match recipe.names.first() {
        Some(reference) => reference.base_name().into(),
        None => program.unwrap_or_default().to_os_string(),
    };
    let mut file = name;
    file.push(".oci");
    Destination::layout(file)
}
