//! The environment of a loader: variables, preloaded libraries and the level of the CPU. It is never
//! read from the host.
//!
//! Source of preloads: `handle_preload_list` and `dl_main`, `elf/rtld.c`; `load_preload`,
//! `ldso/dynlink.c`.

use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::ImagePath;

/// The system-wide list of preloaded libraries.
const LD_SO_PRELOAD: &[u8] = b"/etc/ld.so.preload";
/// Maximum size of `/etc/ld.so.preload`, which usually has a line or two.
const MAX_PRELOAD_FILE_SIZE: u64 = 1 << 20;

/// The environment that a loader runs in.
#[derive(Clone, Default, Debug)]
pub struct LoaderEnvironment {
    /// `LD_LIBRARY_PATH`, unsplit.
    pub library_path: Vec<u8>,
    /// `LD_PRELOAD`, unsplit.
    pub preload: Vec<u8>,
    /// `LD_AUDIT`, unsplit.
    pub audit: Vec<u8>,
    /// `true` if to read `/etc/ld.so.preload`.
    pub reads_preload_file: bool,
    /// The CPU features for which libraries are selected.
    pub hwcaps: HwcapsSelection,
    /// The value of `$PLATFORM`. `None` for the machine's default.
    pub platform: Option<Vec<u8>>,
}

impl LoaderEnvironment {
    /// Returns the names of the preloaded libraries in order: those in `LD_PRELOAD`, then those in
    /// `/etc/ld.so.preload`, which only glibc reads.
    pub(super) fn preload_names(
        &self,
        file_system: &dyn FileSystem,
        is_glibc: bool,
    ) -> fs::Result<Vec<Vec<u8>>> {
        let mut names = split_names(&self.preload, b" :");
        if is_glibc && self.reads_preload_file {
            names.extend(split_names(&blank_comments(read_preload_file(file_system)?), b": \t\n"));
        }
        Ok(names)
    }
}

/// Which CPU-specific libraries are selected: below `glibc-hwcaps` and, for glibc up to 2.36, in
/// directories named after CPU features.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Hash)]
pub enum HwcapsSelection {
    /// All levels that the loader supports: the best available library is selected.
    #[default]
    All,
    /// No level: only the baseline libraries are selected, which run on every CPU.
    None,
    /// This level and the lower levels.
    UpTo(Vec<u8>),
}

impl HwcapsSelection {
    /// Returns the names in `known` (best first) that may be selected.
    pub(super) fn selected_names<'a>(&self, known: &'a [Vec<u8>]) -> &'a [Vec<u8>] {
        known.get(self.best_index(known)..).unwrap_or_default()
    }

    /// Returns the names in `known` (best first) below the best selected name.
    pub(super) fn lower_names<'a>(&self, known: &'a [Vec<u8>]) -> &'a [Vec<u8>] {
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

fn read_preload_file(tree: &dyn FileSystem) -> fs::Result<Vec<u8>> {
    let ResolutionEnd::File(_, file) =
        file_system::resolve_path(tree, &ImagePath::root(), LD_SO_PRELOAD)?.end
    else {
        return Ok(Vec::new());
    };
    file.content.read_whole(LD_SO_PRELOAD, MAX_PRELOAD_FILE_SIZE)
}

/// Blanks comments as the loader does. It searches each further `#` from the start of the file, but
/// only within as many bytes as remained after the previous comment.
fn blank_comments(mut text: Vec<u8>) -> Vec<u8> {
    let mut left = text.len();
    while let Some(start) = text.iter().take(left).position(|&byte| byte == b'#') {
        left -= start;
        for byte in text.iter_mut().skip(start).take(left).take_while(|byte| **byte != b'\n') {
            *byte = b' ';
            left -= 1;
        }
    }
    text
}

fn split_names(list: &[u8], separators: &[u8]) -> Vec<Vec<u8>> {
    let names = list.split(|byte| separators.contains(byte));
    names.filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::file_system::MemoryFs;

    #[test]
    fn returns_the_environment_before_the_file() {
        let mut tree = MemoryFs::default();
        tree.add_file("/etc/ld.so.preload", b"/lib/c.so d.so # e.so\n\n#f.so\ng.so:h.so\n");
        let mut environment =
            LoaderEnvironment { preload: b"a.so:b.so  x.so".to_vec(), ..LoaderEnvironment::default() };
        let read =
            |environment: &LoaderEnvironment| environment.preload_names(&tree, true).unwrap().join(&b' ');
        assert_eq!(read(&environment), b"a.so b.so x.so");
        environment.reads_preload_file = true;
        // The second comment is too far into the file for the loader to find it.
        assert_eq!(read(&environment), b"a.so b.so x.so /lib/c.so d.so #f.so g.so h.so");
        assert_eq!(environment.preload_names(&tree, false).unwrap().len(), 3);
    }
}
