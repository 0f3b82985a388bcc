//! Which rules apply to a file of an image.

use coracle_core::entry::{Entry, EntryReason, LayerKind};
use coracle_core::path::ImagePath;

use super::config_file_names;

/// Which rules apply to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScanScope {
    /// An included file: all rules except passwords in assignments.
    Included,
    /// An included file that looks like configuration: all rules.
    IncludedConfig,
    /// A file of a ConfigMap: as `Included`, but not compared with files of the configuration.
    ConfigMap,
    /// A program or one of its own libraries: only tokens, keys and secret values.
    Program,
}

impl ScanScope {
    /// Returns the scope for a file of an image; `None` if it is a file of the distribution.
    pub(super) fn for_entry(path: &ImagePath, entry: &Entry) -> Option<Self> {
        match &entry.reason {
            EntryReason::Included(_)
                if path.file_name().is_some_and(config_file_names::is_config_file_name) =>
            {
                Some(Self::IncludedConfig)
            }
            EntryReason::Included(_) => Some(Self::Included),
            EntryReason::Program => Some(Self::Program),
            // Libraries that are packed with the program are the user's own, as the program is.
            EntryReason::Needed { .. } | EntryReason::Dlopened { .. }
                if entry.layer_kind == LayerKind::Program =>
            {
                Some(Self::Program)
            }
            _ => None,
        }
    }
}
