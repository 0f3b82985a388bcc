//! In what we and the real loader differ.

use super::random_root::{Item, LOADER, Trait, World};
use crate::listing::{Listing, SILENT};

impl World {
    /// What the two say of the first file for which they do not agree.
    pub(super) fn difference(&self) -> Option<String> {
        let case = self.build();
        let listed = self.files.iter().filter(|file| self.has_needs(file));
        listed.into_iter().find_map(|file| {
            let (real, ours) = case.listings(file)?;
            let (real, ours) =
                if self.musl { (without_loader(real), without_loader(ours)) } else { (real, ours) };
            (!agree(&real, &ours, self.has_filters(file)))
                .then(|| format!("{file}\n  really: {real:?}\n  ours:   {ours:?}"))
        })
    }
}

impl World {
    /// Whether something may stand in front of the program, where a loader lists nothing.
    fn has_filters(&self, file: &str) -> bool {
        self.items.iter().any(|item| match item {
            Item::Elf { path, is_program, traits } => {
                let is_filter = |own: &Trait| matches!(own, Trait::Filter(_) | Trait::Auxiliary(_));
                (path == file || *is_program) && traits.iter().any(is_filter)
            }
            _ => false,
        })
    }

    /// Whether a loader lists anything: it takes what has no `DT_NEEDED` for static, whatever else it maps.
    fn has_needs(&self, file: &str) -> bool {
        let without = |item: &Item| match item {
            Item::Elf { path, is_program, traits } => {
                (path == file || *is_program) && !traits.iter().any(|own| matches!(own, Trait::Needed(_)))
            }
            _ => false,
        };
        !self.items.iter().any(without)
    }
}

/// musl lists its loader first in any case, and then not where it is needed by its path.
fn without_loader(mut listing: Listing) -> Listing {
    if let Listing::Maps { paths, .. } = &mut listing {
        paths.retain(|path| path != LOADER);
    }
    listing
}

fn agree(real: &Listing, ours: &Listing, hides: bool) -> bool {
    match (real, ours) {
        (Listing::Maps { paths, missing }, Listing::Maps { paths: own, missing: also }) => {
            // A loader lists what is missing where it would stand.
            let all_in = |some: &[String], others: &[String]| some.iter().all(|name| others.contains(name));
            paths == own && all_in(missing, also) && (hides || all_in(also, missing))
        }
        // glibc crashes on filters that go round in a circle: that is no answer.
        (Listing::Refused(real), _) if real == SILENT => true,
        (Listing::Refused(real), Listing::Refused(ours)) => {
            // Some complaints of the loaders have the name alone, or that which was asked for.
            let path = ours.split_once(": ").map_or(ours.as_str(), |(path, _)| path);
            let name = path.rsplit('/').next().unwrap_or_default();
            let asked = ours.rsplit_once("wanted as ").map_or(name, |(_, asked)| asked);
            path.starts_with("cannot ") || real.contains(name) || real.contains(asked)
        }
        _ => false,
    }
}
