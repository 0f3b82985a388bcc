//! The paths of an image in the format of mtree(5), which tools compare with a directory.

use std::fmt::Write as _;

use crate::image_contents::{ImageContents, ImagePathEntry};
use coracle_oci::layout::ImageEntryKind;

/// Returns the paths of an image as lines of mtree(5).
pub fn to_mtree(contents: &ImageContents) -> String {
    let mut text = String::from("#mtree v2.0\n. type=dir\n");
    for entry in contents.entries() {
        let _ = writeln!(text, "{}", mtree_line(&entry));
    }
    text
}

fn mtree_line(found: &ImagePathEntry<'_>) -> String {
    let entry = found.entry;
    let (uid, gid) = entry.owner;
    let time = found.member.map_or(0, |member| member.header.modified);
    let common = format!("mode={:04o} uid={uid} gid={gid} time={time}.0", entry.mode);
    let path = format!(".{}", encode(found.path.as_bytes()));
    match &entry.node {
        ImageEntryKind::Directory => format!("{path} type=dir {common}"),
        ImageEntryKind::Special => format!("{path} type=char {common}"),
        ImageEntryKind::Link(target) => format!("{path} type=link {common} link={}", encode(target)),
        ImageEntryKind::File(extent) => {
            let digest = found.member.and_then(|member| member.digest);
            let digest = digest.map(|digest| format!(" sha256digest={}", digest.hex())).unwrap_or_default();
            format!("{path} type=file {common} size={}{digest}", extent.size)
        }
    }
}

/// Encodes a path as vis(3) with `VIS_OCTAL` does: everything except graphic ASCII is octal.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\\' | b'#' | b'*' | b'?' | b'[' | b'=' => {
                let _ = write!(text, "\\{byte:03o}");
            }
            b'!'..=b'~' => text.push(char::from(*byte)),
            byte => {
                let _ = write!(text, "\\{byte:03o}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_as_vis_does() {
        assert_eq!(encode(b"/a b\\c#\x1b[2J\xff"), "/a\\040b\\134c\\043\\033\\1332J\\377");
    }
}
