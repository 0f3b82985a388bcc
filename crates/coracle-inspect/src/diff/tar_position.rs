//! What is at an offset of a layer's tar or of its compressed blob.

use coracle_core::path::ImagePath;
use coracle_oci::layout::LayerMember;

/// The size of a tar's blocks, in bytes.
const BLOCK: u64 = 512;

/// The fields of a header and where each of them ends. Source: POSIX `pax`, "ustar Interchange
/// Format".
const FIELDS: [(u64, &str); 16] = [
    (100, "name"),
    (108, "mode"),
    (116, "user ID"),
    (124, "group ID"),
    (136, "size"),
    (148, "mtime"),
    (156, "checksum"),
    (157, "type"),
    (257, "link target"),
    (265, "format"),
    (297, "user name"),
    (329, "group name"),
    (337, "device numbers"),
    (345, "device numbers"),
    (500, "name prefix"),
    (512, "padding"),
];

/// Returns the member at `offset` of a tar and which part of it is there.
pub(super) fn part_of_tar(members: &[LayerMember], offset: u64) -> (Option<&ImagePath>, String) {
    let after = members.partition_point(|member| member.header.header_position <= offset);
    let member = after.checked_sub(1).and_then(|index| members.get(index));
    let Some(member) = member else { return (None, "the start of the tar".into()) };
    let header = &member.header;
    let end = header.position + header.size;
    let part = if offset < header.position.saturating_sub(BLOCK) {
        "the extended header".to_owned()
    } else if offset < header.position {
        let at = offset + BLOCK - header.position;
        let field = FIELDS.iter().find(|(end, _)| at < *end).map_or("header", |(_, field)| field);
        format!("the {field} in the header")
    } else if offset < end {
        format!("byte {} of the content", offset - header.position)
    } else if offset < end.next_multiple_of(BLOCK) {
        "the padding after the content".to_owned()
    } else {
        return (None, "the end of the tar".into());
    };
    (Some(&member.path), part)
}

/// Returns what is at `offset` of a compressed blob of this media type.
pub(super) fn part_of_blob(media_type: &str, offset: u64) -> String {
    let field = match offset {
        0..=1 => "the magic number",
        2 => "the compression method",
        3 => "the flags of the gzip header",
        4..=7 => "the mtime in the gzip header",
        8 => "the level in the gzip header",
        9 => "the operating system in the gzip header",
        _ => "the compressed data: another compressor, or another level",
    };
    match media_type.ends_with("gzip") || offset > 9 {
        true => field.to_owned(),
        false => "the header of the compressed data".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_a_gzip_header_are_named() {
        for (offset, part) in
            [(4, "the mtime in the gzip header"), (9, "the operating system in the gzip header")]
        {
            assert_eq!(part_of_blob("application/vnd.oci.image.layer.v1.tar+gzip", offset), part);
        }
        assert!(part_of_blob("x+zstd", 3).starts_with("the header"));
        assert!(part_of_blob("x+zstd", 30).starts_with("the compressed data"));
        assert_eq!(part_of_tar(&[], 0).1, "the start of the tar");
    }
}
