//! Preloaded libraries. Source: `handle_preload_list` and `dl_main`, `elf/rtld.c`; `load_preload`,
//! `ldso/dynlink.c`.

use super::Environment;
use coracle_core::fs;
use coracle_core::path::ImagePath;
use coracle_core::file_system::{self, End, Tree};

/// The system-wide list of preloaded libraries.
const FILE: &[u8] = b"/etc/ld.so.preload";
/// Maximum size of the file, which usually has a line or two.
const MAX_FILE: u64 = 1 << 20;

/// Returns the names in `LD_PRELOAD`, then those in the file, in order.
pub(super) fn names(
    tree: &dyn Tree,
    environment: &Environment,
    reads_file: bool,
) -> fs::Result<Vec<Vec<u8>>> {
    let mut names = split(&environment.preload, b" :");
    if reads_file && environment.preload_file {
        names.extend(split(&without_comments(file(tree)?), b": \t\n"));
    }
    Ok(names)
}

fn file(tree: &dyn Tree) -> fs::Result<Vec<u8>> {
    let End::File(_, file) = file_system::walk(tree, &ImagePath::root(), FILE)?.end else { return Ok(Vec::new()) };
    let size = usize::try_from(file.content.size().min(MAX_FILE)).unwrap_or_default();
    file.content.open()?.bytes_at(0, size)
}

/// Blanks comments as the loader does. It searches each further `#` from the start of the file, but
/// only within as many bytes as remained after the previous comment.
fn without_comments(mut text: Vec<u8>) -> Vec<u8> {
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

fn split(list: &[u8], separators: &[u8]) -> Vec<Vec<u8>> {
    let names = list.split(|byte| separators.contains(byte));
    names.filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::file_system::memory::MemoryTree;

    #[test]
    fn returns_the_environment_before_the_file() {
        let mut tree = MemoryTree::default();
        tree.add_file("/etc/ld.so.preload", b"/lib/c.so d.so # e.so\n\n#f.so\ng.so:h.so\n");
        let mut environment = Environment { preload: b"a.so:b.so  x.so".to_vec(), ..Environment::default() };
        let read = |environment: &Environment| names(&tree, environment, true).unwrap().join(&b' ');
        assert_eq!(read(&environment), b"a.so b.so x.so");
        environment.preload_file = true;
        // The second comment is too far into the file for the loader to find it.
        assert_eq!(read(&environment), b"a.so b.so x.so /lib/c.so d.so #f.so g.so h.so");
        assert_eq!(names(&tree, &environment, false).unwrap().len(), 3);
    }
}
