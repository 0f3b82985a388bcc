//! Compares our listing with the real loader's.

use super::random_root::{ElfFeature, LOADER, RandomRoot, RootEntry};
use crate::listing::{Listing, SILENT};

impl RandomRoot {
    /// Returns both listings of the first file for which they differ.
    pub(super) fn difference(&self) -> Option<String> {
        let case = self.build();
        let listed = self.files.iter().filter(|file| self.has_needs(file));
        listed.into_iter().find_map(|file| {
            let (real, ours) = case.listings(file)?;
            let (real, ours) =
                if self.musl { (without_loader(real), without_loader(ours)) } else { (real, ours) };
            (!are_equivalent(&real, &ours, self.has_filters(file)))
                .then(|| format!("{file}\n  really: {real:?}\n  ours:   {ours:?}"))
        })
    }
}

impl RandomRoot {
    /// Returns whether a filter may move an object before the program: the loader does not list those.
    fn has_filters(&self, file: &str) -> bool {
        self.entries.iter().any(|entry| match entry {
            RootEntry::Elf { path, is_program, features } => {
                let is_filter =
                    |own: &ElfFeature| matches!(own, ElfFeature::Filter(_) | ElfFeature::Auxiliary(_));
                (path == file || *is_program) && features.iter().any(is_filter)
            }
            _ => false,
        })
    }

    /// Returns whether the loader lists libraries: without `DT_NEEDED` it reports a static program.
    fn has_needs(&self, file: &str) -> bool {
        let without = |entry: &RootEntry| match entry {
            RootEntry::Elf { path, is_program, features } => {
                (path == file || *is_program)
                    && !features.iter().any(|own| matches!(own, ElfFeature::Needed(_)))
            }
            _ => false,
        };
        !self.entries.iter().any(without)
    }
}

/// Removes the loader from a listing: musl always lists it first, not where it is needed.
fn without_loader(mut listing: Listing) -> Listing {
    if let Listing::Maps { paths, .. } = &mut listing {
        paths.retain(|path| path != LOADER);
    }
    listing
}

fn are_equivalent(real: &Listing, ours: &Listing, hides: bool) -> bool {
    match (real, ours) {
        (Listing::Maps { paths, missing }, Listing::Maps { paths: own, missing: also }) => {
            // A loader lists a missing name at its position in the search order.
            let all_in = |some: &[String], others: &[String]| some.iter().all(|name| others.contains(name));
            paths == own && all_in(missing, also) && (hides || all_in(also, missing))
        }
        // glibc crashes on circular filters, so there is nothing to compare.
        (Listing::Refused(real), _) if real == SILENT => true,
        (Listing::Refused(real), Listing::Refused(ours)) => {
            // Some messages of the loaders have only the file name, or the requested name.
            let path = ours.split_once(": ").map_or(ours.as_str(), |(path, _)| path);
            let name = path.rsplit('/').next().unwrap_or_default();
            let asked = ours.rsplit_once("wanted as ").map_or(name, |(_, asked)| asked);
            path.starts_with("cannot ") || real.contains(name) || real.contains(asked)
        }
        _ => false,
    }
}
