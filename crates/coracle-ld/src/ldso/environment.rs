//! What decides a search besides files: what a shell would pass, and what a CPU can do. Never read from the host.

/// The environment of a loader.
#[derive(Clone, Default, Debug)]
pub struct Environment {
    /// `LD_LIBRARY_PATH`, unsplit.
    pub library_path: Vec<u8>,
    /// `LD_PRELOAD`, unsplit.
    pub preload: Vec<u8>,
    /// Whether `/etc/ld.so.preload` counts.
    pub preload_file: bool,
    /// Which variants for newer CPUs are chosen.
    pub hwcaps: Hwcaps,
    /// What `$PLATFORM` stands for, when not what the machine's name is.
    pub platform: Option<Vec<u8>>,
}

/// Which variants a CPU can run, below `glibc-hwcaps` and, for glibc up to 2.36, in directories called as its features.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub enum Hwcaps {
    /// All that the loader knows: the best that is there is chosen.
    #[default]
    All,
    /// None: every CPU runs the base.
    None,
    /// This one and what the loader holds for lesser.
    UpTo(Vec<u8>),
}

impl Hwcaps {
    /// Those of `known` (best first) that can be chosen.
    pub(super) fn of<'a>(&self, known: &'a [Vec<u8>]) -> &'a [Vec<u8>] {
        known.get(self.best(known)..).unwrap_or_default()
    }

    /// Those of `known` that lesser CPUs choose.
    pub(super) fn lesser<'a>(&self, known: &'a [Vec<u8>]) -> &'a [Vec<u8>] {
        known.get(self.best(known) + 1..).unwrap_or_default()
    }

    fn best(&self, known: &[Vec<u8>]) -> usize {
        match self {
            Self::All => 0,
            Self::None => known.len(),
            Self::UpTo(name) => known.iter().position(|hwcap| hwcap == name).unwrap_or(known.len()),
        }
    }
}
