//! glibc's search for a file in the directories of a search path and in the cache. Source: `open_path`,
//! `elf/dl-load.c`.

use super::candidate::{CandidateOutcome, MismatchPolicy, SearchContext};
use super::glibc::GlibcLoader;
use super::legacy_hwcaps::{LegacyHwcaps, join_directory};
use super::search::{Dependent, FoundLibrary, SearchLocation, SearchRule, SearchTrace};
use coracle_core::fs;
use coracle_core::path::RawPath;

impl GlibcLoader {
    /// Finds `name` for `dependent`. A file for another machine is skipped; any other rejected file
    /// ends the search.
    pub(super) fn find_library(
        &self,
        search: &SearchContext<'_>,
        name: &[u8],
        dependent: &Dependent,
    ) -> fs::Result<Result<FoundLibrary, SearchTrace>> {
        let no_defaults = dependent.no_default_directories;
        let mut trace = SearchTrace::default();
        // The rule whose remaining directories are skipped.
        let mut skipped_rule = None;
        for location in self.search_path(dependent) {
            trace.searched.push(location.clone());
            if skipped_rule.as_ref() == Some(&location.rule) {
                continue;
            }
            let paths = match location.rule {
                SearchRule::Cache => self.find_in_cache(name, no_defaults),
                _ => self.candidate_paths(search, &location.raw_path, name)?,
            };
            for path in paths {
                // The error of the last path tried, the plain one, decides whether to continue.
                skipped_rule = None;
                match Self::try_file(search, &path, &location, dependent)? {
                    CandidateOutcome::Absent => {}
                    CandidateOutcome::Loop => skipped_rule = Some(location.rule.clone()),
                    CandidateOutcome::Accepted(candidate) => {
                        return Ok(Ok(FoundLibrary {
                            candidate: *candidate,
                            rule: location.rule,
                            origin: location.origin,
                            trace,
                        }));
                    }
                    CandidateOutcome::Rejected { rejection, is_fatal } => {
                        trace.rejected.push((path, rejection));
                        if is_fatal {
                            trace.is_fatal = true;
                            return Ok(Err(trace));
                        }
                    }
                }
            }
        }
        Ok(Err(trace))
    }

    /// Tries one file (`open_path`).
    ///
    /// An error in a directory that does not exist does not end its path list. After a miss glibc
    /// checks whether the directory exists. For `/` it checks an empty path, so `/` counts as
    /// missing from then on.
    fn try_file(
        search: &SearchContext<'_>,
        path: &RawPath,
        location: &SearchLocation,
        dependent: &Dependent,
    ) -> fs::Result<CandidateOutcome> {
        let is_root = location.raw_path.as_bytes() == b"/" && path.dirname() == location.raw_path;
        let root = &dependent.chain().last().unwrap_or(dependent).root_exists;
        if is_root && root.get() == Some(false) {
            return Ok(CandidateOutcome::Absent);
        }
        let outcome = search.try_path(path, MismatchPolicy::Skip)?;
        if is_root
            && root.get().is_none()
            && !matches!(outcome, CandidateOutcome::Rejected { is_fatal: true, .. })
        {
            root.set(Some(matches!(outcome, CandidateOutcome::Accepted(_))));
        }
        // glibc assumes that a relative directory exists (`fillin_rpath`).
        let is_absolute = location.raw_path.as_bytes().starts_with(b"/");
        Ok(match outcome {
            CandidateOutcome::Loop if is_root && root.get() == Some(false) => CandidateOutcome::Absent,
            CandidateOutcome::Loop if is_absolute && !search.is_directory(&location.raw_path)? => {
                CandidateOutcome::Absent
            }
            outcome => outcome,
        })
    }

    /// Returns the paths to try in one directory: CPU-specific ones first, the plain one last.
    fn candidate_paths(
        &self,
        search: &SearchContext<'_>,
        directory: &RawPath,
        name: &[u8],
    ) -> fs::Result<Vec<RawPath>> {
        let variant = |hwcap: &Vec<u8>| [b"glibc-hwcaps/", hwcap.as_slice(), b"/", name].concat();
        let mut paths: Vec<RawPath> =
            self.selected_hwcaps.iter().map(|hwcap| join_directory(directory, &variant(hwcap))).collect();
        if let Some(legacy) = &self.legacy_hwcaps {
            paths.extend(
                legacy
                    .existing_subdirectories(search, directory)?
                    .iter()
                    .map(|directory| join_directory(directory, name)),
            );
        }
        paths.push(join_directory(directory, name));
        Ok(paths)
    }

    /// Returns the cache's path for `name`. With `DF_1_NODEFLIB`, paths that start with a default
    /// directory are ignored.
    fn find_in_cache(&self, name: &[u8], no_defaults: bool) -> Vec<RawPath> {
        let is_default = |path: &RawPath| {
            let directories = &self.constants.default_directories;
            directories.iter().any(|directory| path.as_bytes().starts_with(directory))
        };
        let path = self.cache.lookup(
            name,
            &self.selected_hwcaps,
            self.legacy_hwcaps.as_ref().map_or(0, LegacyHwcaps::supported_mask),
        );
        path.filter(|path| !(no_defaults && is_default(path))).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Machine;
    use crate::ldso::candidate::AcceptedObjects;
    use crate::ldso::loader_environment::{HwcapsSelection, LoaderEnvironment};
    use coracle_core::content::Content;
    use coracle_core::file_system::MemoryFs;
    use coracle_core::path::ImagePath;

    const MACHINE: Machine = Machine { is_64: true, is_little_endian: true, e_machine: 62, e_flags: 0 };

    /// Returns the paths that a loader with these strings in its file tries for `l` in `/r`.
    fn candidate_paths_of(strings: &str, hwcaps: HwcapsSelection) -> Vec<String> {
        let tree = MemoryFs::from_text("/r/tls/haswell/\n/r/x86_64/\n/r/sse2/");
        let environment = LoaderEnvironment { hwcaps, ..LoaderEnvironment::default() };
        let loader = Content::from_bytes(strings).open().unwrap();
        let glibc = GlibcLoader::read(&tree, &loader, MACHINE, &environment).unwrap();
        let (start, taken) = (ImagePath::root(), AcceptedObjects::default());
        let search = SearchContext { tree: &tree, start: &start, machine: MACHINE, accepted: &taken };
        let paths = glibc.candidate_paths(&search, &RawPath::new("/r"), b"l").unwrap();
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn searches_cpu_directories_up_to_2_36() {
        let names = "x86-64-v3:x86-64-v2";
        let (three, two) = ("/r/glibc-hwcaps/x86-64-v3/l", "/r/glibc-hwcaps/x86-64-v2/l");
        let old = ["/r/tls/haswell/l", "/r/tls/l", "/r/x86_64/l", "/r/l"];
        // `x86_64` is the platform and a feature at this level.
        let base = ["/r/tls/l", "/r/x86_64/l", "/r/x86_64/l", "/r/l"];
        let release = |number: u32| format!("{names}\0 release version 2.{number}.\n");
        assert_eq!(candidate_paths_of("", HwcapsSelection::All), old);
        assert_eq!(candidate_paths_of("", HwcapsSelection::None), base);
        assert_eq!(
            candidate_paths_of(&release(36), HwcapsSelection::All),
            [&[three, two][..], &old].concat()
        );
        assert_eq!(
            candidate_paths_of(&release(36), HwcapsSelection::UpTo(b"x86-64-v2".into())),
            [&[two][..], &base].concat()
        );
        assert_eq!(candidate_paths_of(&release(37), HwcapsSelection::All), [three, two, "/r/l"]);
        assert_eq!(candidate_paths_of(&release(42), HwcapsSelection::None), ["/r/l"]);
    }
}
