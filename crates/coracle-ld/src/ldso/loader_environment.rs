//! Inputs of a search besides files: environment variables and the level of the CPU. They are never
//! read from the host.

/// The environment that a loader runs in.
#[derive(Clone, Default, Debug)]
pub struct LoaderEnvironment {
    /// `LD_LIBRARY_PATH`, unsplit.
    pub library_path: Vec<u8>,
    /// `LD_PRELOAD`, unsplit.
    pub preload: Vec<u8>,
    /// Whether to read `/etc/ld.so.preload`.
    pub reads_preload_file: bool,
    /// The CPU features for which libraries are selected.
    pub hwcaps: HwcapsSelection,
    /// The value of `$PLATFORM`. `None` for the machine's default.
    pub platform: Option<Vec<u8>>,
}

/// Which CPU-specific libraries are selected: below `glibc-hwcaps` and, for glibc up to 2.36, in
/// directories named after CPU features.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Hash)]
pub enum HwcapsSelection {
    /// All that the loader supports: the best available one wins.
    #[default]
    All,
    /// None: only the baseline libraries, which run on every CPU.
    None,
    /// This level and the lower ones.
    UpTo(Vec<u8>),
}

impl HwcapsSelection {
    /// Returns the names in `known` (best first) that may be selected.
    pub(super) fn selected<'a>(&self, known: &'a [Vec<u8>]) -> &'a [Vec<u8>] {
        known.get(self.best_index(known)..).unwrap_or_default()
    }

    /// Returns the names in `known` (best first) below the best selected one.
    pub(super) fn lower<'a>(&self, known: &'a [Vec<u8>]) -> &'a [Vec<u8>] {
        known.get(self.best_index(known) + 1..).unwrap_or_default()
    }

    /// Returns the index of the best selected name in `known`; its length if none is selected.
    fn best_index(&self, known: &[Vec<u8>]) -> usize {
        match self {
            Self::All => 0,
            Self::None => known.len(),
            Self::UpTo(name) => known.iter().position(|hwcap| hwcap == name).unwrap_or(known.len()),
        }
    }
}
