//! Preloaded libraries. Source: `handle_preload_list` and `dl_main`, `elf/rtld.c`; `load_preload`,
//! `ldso/dynlink.c`.

use super::loader_environment::LoaderEnvironment;
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::ImagePath;

/// The system-wide list of preloaded libraries.
const LD_SO_PRELOAD: &[u8] = b"/etc/ld.so.preload";
/// Maximum size of the file, which usually has a line or two.
const MAX_PRELOAD_FILE_SIZE: u64 = 1 << 20;

/// Returns the names in `LD_PRELOAD`, then those in the file, in order.
pub(super) fn preload_names(
    tree: &dyn FileSystem,
    environment: &LoaderEnvironment,
    reads_file: bool,
) -> fs::Result<Vec<Vec<u8>>> {
    let mut names = split_names(&environment.preload, b" :");
    if reads_file && environment.reads_preload_file {
        names.extend(split_names(&blank_comments(read_preload_file(tree)?), b": \t\n"));
    }
    Ok(names)
}

fn read_preload_file(tree: &dyn FileSystem) -> fs::Result<Vec<u8>> {
    let ResolutionEnd::File(_, file) =
        file_system::resolve_path(tree, &ImagePath::root(), LD_SO_PRELOAD)?.end
    else {
        return Ok(Vec::new());
    };
    let size = usize::try_from(file.content.size().min(MAX_PRELOAD_FILE_SIZE)).unwrap_or_default();
    file.content.open()?.read_bytes_at(0, size)
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
            |environment: &LoaderEnvironment| preload_names(&tree, environment, true).unwrap().join(&b' ');
        assert_eq!(read(&environment), b"a.so b.so x.so");
        environment.reads_preload_file = true;
        // The second comment is too far into the file for the loader to find it.
        assert_eq!(read(&environment), b"a.so b.so x.so /lib/c.so d.so #f.so g.so h.so");
        assert_eq!(preload_names(&tree, &environment, false).unwrap().len(), 3);
    }
}
