//! Roots and sysroots: `--root` and `--sysroot`, or `[platform."…"]`.

use std::path::{Path, PathBuf};

use super::super::schema::{self, Table};
use super::super::{Overrides, Root, RootKind, from_folder};
use super::{Check, Origin, Word};
use coracle_core::fs;
use coracle_core::platform::{ParsePlatformError, Platform};

/// The hint if roots and sysroots are combined.
const ONE_KIND: &str = "a root has the programs too, a sysroot only loader and libraries: use one of both";

impl Check<'_> {
    /// Parses the flags' roots, or the file's if there are none.
    pub(super) fn roots(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
        folder: &Path,
    ) -> fs::Result<Vec<Root>> {
        if flags.roots.is_empty() && flags.sysroots.is_empty() {
            return Ok(self.roots_of_file(file));
        }
        self.roots_of_flags(flags, folder)
    }

    /// Parses `[PLATFORM=]DIR`. The whole value is a directory if one of that name exists.
    fn roots_of_flags(&mut self, flags: &Overrides, folder: &Path) -> fs::Result<Vec<Root>> {
        let whole = flags.roots.iter().map(|text| (RootKind::Whole, "--root", text));
        let libraries = flags.sysroots.iter().map(|text| (RootKind::Libraries, "--sysroot", text));
        let mut roots = Vec::new();
        for (kind, flag, text) in whole.chain(libraries) {
            let split =
                text.to_str().filter(|_| !Path::new(text).is_dir()).and_then(|text| text.split_once('='));
            let (platform, directory) = match split {
                None => (None, PathBuf::from(text)),
                Some((platform, directory)) => {
                    (self.platform(platform, Origin::Flag(flag)), PathBuf::from(directory))
                }
            };
            roots.push(Root { kind, platform, directory: from_folder(folder, directory)? });
        }
        if !flags.roots.is_empty() && !flags.sysroots.is_empty() {
            let message = "it cannot be combined with `--root`";
            self.problem(&Origin::Flag("--sysroot"), message.into(), Some(ONE_KIND.into()));
        }
        Ok(roots)
    }

    /// Parses each platform's `root` or `sysroot`. All must be of the same kind.
    fn roots_of_file(&mut self, file: &schema::File) -> Vec<Root> {
        let mut roots: Vec<Root> = Vec::new();
        for (name, table) in &file.platform {
            let origin = Origin::File(table.span());
            let platform = self.platform(name, origin.clone());
            let Table(schema::Platform { root, sysroot }) = table.get_ref();
            let (kind, directory) = match (root, sysroot) {
                (Some(root), None) => (RootKind::Whole, root),
                (None, Some(sysroot)) => (RootKind::Libraries, sysroot),
                (Some(_), Some(sysroot)) => {
                    let message = "`sysroot` cannot be combined with `root`".to_owned();
                    self.problem(&Origin::File(sysroot.span()), message, Some(ONE_KIND.into()));
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
                    self.problem(&origin, message, Some(hint.into()));
                    continue;
                }
            };
            let at = Origin::File(directory.span());
            if directory.get_ref().is_empty() {
                self.problem(&at, "the path of a directory is empty".into(), None);
            } else if roots.first().is_some_and(|first| first.kind != kind) {
                let message = "one platform has a `root`, another a `sysroot`".to_owned();
                self.problem(&at, message, Some(ONE_KIND.into()));
            }
            roots.push(Root { kind, platform, directory: directory.get_ref().into() });
        }
        roots
    }

    fn platform(&mut self, text: &str, origin: Origin) -> Option<Platform> {
        let word = Word { value: text.to_owned(), origin };
        self.parsed(&word, |error: &ParsePlatformError| Some(error.hint()))
    }
}
