//! Roots and sysroots: `--root` and `--sysroot`, or `[platform."…"]`.

use std::path::{Path, PathBuf};

use super::validator::{RawValue, Validator, ValueOrigin, split_name_and_path};
use crate::recipe::flag_overrides::RecipeOverrides;
use crate::recipe::recipe_paths::resolvable_from;
use crate::recipe::recipe_settings::{RootOverride, RootOverrideKind};
use crate::recipe::schema::{PlatformTable, RecipeFile, StrictTable};
use coracle_core::fs;
use coracle_core::hint::Hint as _;
use coracle_core::platform::{ParsePlatformError, Platform};

/// The hint if roots and sysroots are combined.
const ROOT_OR_SYSROOT_HINT: &str =
    "a root has the programs too, a sysroot only loader and libraries: use one of both";

impl Validator<'_> {
    /// Parses the flags' roots, or the file's if there are none.
    pub(super) fn parse_root_overrides(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
        recipe_dir: &Path,
    ) -> fs::Result<Vec<RootOverride>> {
        if flags.roots.is_empty() && flags.sysroots.is_empty() {
            return Ok(self.parse_root_overrides_of_file(file));
        }
        self.parse_root_overrides_of_flags(flags, recipe_dir)
    }

    /// Parses `[PLATFORM=]DIR`. The whole value is a directory if one of that name exists.
    fn parse_root_overrides_of_flags(
        &mut self,
        flags: &RecipeOverrides,
        recipe_dir: &Path,
    ) -> fs::Result<Vec<RootOverride>> {
        let whole = flags.roots.iter().map(|text| (RootOverrideKind::Root, "--root", text));
        let libraries = flags.sysroots.iter().map(|text| (RootOverrideKind::Sysroot, "--sysroot", text));
        let mut roots = Vec::new();
        for (kind, flag, text) in whole.chain(libraries) {
            let split = split_name_and_path(text).filter(|_| !Path::new(text).is_dir());
            let (platform, directory) = match split {
                None => (None, PathBuf::from(text)),
                Some((platform, directory)) => {
                    (self.parse_root_platform(&platform, ValueOrigin::Flag(flag)), directory)
                }
            };
            roots.push(RootOverride { kind, platform, directory: resolvable_from(recipe_dir, directory)? });
        }
        if !flags.roots.is_empty() && !flags.sysroots.is_empty() {
            let message = "it cannot be combined with `--root`";
            self.report(&ValueOrigin::Flag("--sysroot"), message.into(), Some(ROOT_OR_SYSROOT_HINT.into()));
        }
        Ok(roots)
    }

    /// Parses each platform's `root` or `sysroot`. All must be of the same kind.
    fn parse_root_overrides_of_file(&mut self, file: &RecipeFile) -> Vec<RootOverride> {
        let mut roots: Vec<RootOverride> = Vec::new();
        for (name, table) in &file.platform {
            let origin = ValueOrigin::File(table.span());
            let platform = self.parse_root_platform(name, origin.clone());
            let StrictTable(PlatformTable { root, sysroot }) = table.get_ref();
            let (kind, directory) = match (root, sysroot) {
                (Some(root), None) => (RootOverrideKind::Root, root),
                (None, Some(sysroot)) => (RootOverrideKind::Sysroot, sysroot),
                (Some(_), Some(sysroot)) => {
                    let message = "`sysroot` cannot be combined with `root`".to_owned();
                    self.report(
                        &ValueOrigin::File(sysroot.span()),
                        message,
                        Some(ROOT_OR_SYSROOT_HINT.into()),
                    );
                    continue;
                }
                // The key may be misspelled, or removed because of its type: that is reported
                // already.
                (None, None) if self.document.is_some_and(|document| !document.problems.is_empty()) => {
                    continue;
                }
                (None, None) => {
                    let message = "this platform has neither `root` nor `sysroot`".to_owned();
                    let hint = "write `sysroot = \"DIR\"` or `root = \"DIR\"`, or remove the table";
                    self.report(&origin, message, Some(hint.into()));
                    continue;
                }
            };
            let directory_origin = ValueOrigin::File(directory.span());
            if directory.get_ref().is_empty() {
                self.report(&directory_origin, "the path of a directory is empty".into(), None);
            } else if roots.first().is_some_and(|first| first.kind != kind) {
                let message = "one platform has a `root`, another a `sysroot`".to_owned();
                self.report(&directory_origin, message, Some(ROOT_OR_SYSROOT_HINT.into()));
            }
            roots.push(RootOverride { kind, platform, directory: directory.get_ref().into() });
        }
        roots
    }

    fn parse_root_platform(&mut self, text: &str, origin: ValueOrigin) -> Option<Platform> {
        let raw = RawValue { value: text.to_owned(), origin };
        self.parse_value(&raw, |error: &ParsePlatformError| error.hint())
    }
}
