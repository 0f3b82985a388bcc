//! The bytes of a tar other than file contents: headers, padding, end of archive.
//!
//! Every field of a header is set here, and none comes from the host. Values that do not fit into
//! `ustar` are written to a PAX extended header before it. GNU long names and the ustar prefix are
//! never used. Source: POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Extended Header";
//! image-spec, `layer.md`.

use tar::{EntryType, Header};

use coracle_core::entry::{Entry, EntryNode, Owner};
use coracle_core::path::ImagePath;

/// Headers and contents are padded to blocks of this many bytes.
const TAR_BLOCK: u64 = 512;

/// The end-of-archive marker: exactly two blocks of zeros.
pub(crate) const END_OF_ARCHIVE: [u8; 1024] = [0; 1024];

/// The source of padding.
const ZEROS: [u8; 512] = [0; 512];

/// The size in bytes of the name and link target fields of a ustar header.
const NAME_FIELD_SIZE: usize = 100;

/// The largest size that fits into eleven octal digits, 8 GiB - 1.
const MAX_SIZE: u64 = 0o777_7777_7777;

/// The largest time that fits into eleven octal digits, in the year 2242.
const MAX_TIME: u64 = 0o777_7777_7777;

/// The largest UID or GID that fits into seven octal digits.
const MAX_OWNER: u32 = 0o777_7777;

/// The name of every extended header. Readers that support PAX never show it.
const PAX_HEADER_NAME: &[u8] = b"././@PaxHeader";

/// One member of a tar, without its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TarMember<'a> {
    /// The path relative to the root; ends with `/` for a directory.
    pub(crate) name: &'a [u8],
    pub(crate) kind: EntryType,
    /// The target of a symbolic or hard link; otherwise empty.
    pub(crate) link_target: &'a [u8],
    pub(crate) size: u64,
    pub(crate) owner: Owner,
    pub(crate) mode: u32,
    /// In seconds since 1970.
    pub(crate) modified: u64,
}

impl<'a> TarMember<'a> {
    /// A regular file owned by root, mode `0644`.
    pub(crate) fn file(name: &'a [u8], size: u64) -> Self {
        Self {
            name,
            kind: EntryType::Regular,
            link_target: b"",
            size,
            owner: Owner::ROOT,
            mode: 0o644,
            modified: 0,
        }
    }

    /// A directory owned by root, mode `0755`.
    pub(crate) fn directory(name: &'a [u8]) -> Self {
        Self {
            name,
            kind: EntryType::Directory,
            link_target: b"",
            size: 0,
            owner: Owner::ROOT,
            mode: 0o755,
            modified: 0,
        }
    }

    /// Returns the member's header, preceded by an extended header if it needs one.
    pub(crate) fn encode_header(&self) -> Vec<u8> {
        let records = self.pax_records();
        let mut head = Vec::new();
        if !records.is_empty() {
            let size = records.len() as u64;
            let extended = Self { kind: EntryType::XHeader, ..Self::file(PAX_HEADER_NAME, size) };
            head.extend_from_slice(extended.ustar_header().as_bytes());
            head.extend_from_slice(&records);
            head.extend_from_slice(padding(size));
        }
        head.extend_from_slice(self.ustar_header().as_bytes());
        head
    }

    /// Returns the PAX records that override fields of the header, sorted by key.
    fn pax_records(&self) -> Vec<u8> {
        let mut records = Vec::new();
        if self.owner.gid > MAX_OWNER {
            push_pax_record("gid", self.owner.gid.to_string().as_bytes(), &mut records);
        }
        if self.link_target.len() > NAME_FIELD_SIZE {
            push_pax_record("linkpath", self.link_target, &mut records);
        }
        if self.modified > MAX_TIME {
            push_pax_record("mtime", self.modified.to_string().as_bytes(), &mut records);
        }
        if self.name.len() > NAME_FIELD_SIZE {
            push_pax_record("path", self.name, &mut records);
        }
        if self.size > MAX_SIZE {
            push_pax_record("size", self.size.to_string().as_bytes(), &mut records);
        }
        if self.owner.uid > MAX_OWNER {
            push_pax_record("uid", self.owner.uid.to_string().as_bytes(), &mut records);
        }
        records
    }

    /// Returns the ustar header. A name that is too long is truncated, a number that is too large
    /// is zero: a PAX record overrides them.
    fn ustar_header(&self) -> Header {
        let or_zero = |id: u32| if id > MAX_OWNER { 0 } else { id };
        let mut header = Header::new_ustar();
        if let Some(ustar) = header.as_ustar_mut() {
            copy_bytes(self.name, &mut ustar.name);
            copy_bytes(self.link_target, &mut ustar.linkname);
            ustar.set_device_major(0);
            ustar.set_device_minor(0);
        }
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_uid(or_zero(self.owner.uid).into());
        header.set_gid(or_zero(self.owner.gid).into());
        header.set_size(if self.size > MAX_SIZE { 0 } else { self.size });
        header.set_mtime(if self.modified > MAX_TIME { 0 } else { self.modified });
        header.set_cksum();
        header
    }
}

fn copy_bytes(from: &[u8], to: &mut [u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// Appends `LENGTH KEY=VALUE\n`, where the length includes its own digits.
fn push_pax_record(key: &str, value: &[u8], out: &mut Vec<u8>) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(format!("{length} {key}=").as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Returns the zeros that follow `size` bytes of content.
pub(crate) fn padding(size: u64) -> &'static [u8] {
    let over = size % TAR_BLOCK;
    let padding = usize::try_from((TAR_BLOCK - over) % TAR_BLOCK).unwrap_or_default();
    ZEROS.get(..padding).unwrap_or_default()
}

/// Returns the header of an entry of an image; empty for the root, which every container has.
pub(crate) fn encode_entry_header(path: &ImagePath, entry: &Entry) -> Vec<u8> {
    let mut name = path.relative_bytes().to_vec();
    if name.is_empty() {
        return name;
    }
    let (kind, link, mode): (_, &[u8], _) = match &entry.node {
        EntryNode::Directory => (EntryType::Directory, b"", entry.mode),
        EntryNode::File(_) => (EntryType::Regular, b"", entry.mode),
        EntryNode::Symlink(target) => (EntryType::Symlink, target.as_bytes(), 0o777),
        EntryNode::HardLink(first) => (EntryType::Link, first.relative_bytes(), entry.mode),
    };
    if kind.is_dir() {
        name.push(b'/');
    }
    let (size, owner, modified) = (content_size(entry), entry.owner, entry.modified);
    TarMember { name: &name, kind, link_target: link, size, owner, mode, modified }.encode_header()
}

/// Returns the size of an entry's content, in bytes.
pub(crate) fn content_size(entry: &Entry) -> u64 {
    match &entry.node {
        EntryNode::File(content) => content.size(),
        EntryNode::Directory | EntryNode::Symlink(_) | EntryNode::HardLink(_) => 0,
    }
}

/// Returns the size of the tar of these entries, in bytes, without reading any content.
pub fn tar_size(entries: &[(&ImagePath, &Entry)]) -> u64 {
    let members = entries.iter().map(|(path, entry)| {
        let content = content_size(entry);
        (encode_entry_header(path, entry).len() + padding(content).len()) as u64 + content
    });
    members.sum::<u64>() + END_OF_ARCHIVE.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::content::Content;
    use coracle_core::entry::{EntryReason, LayerKind};
    use coracle_core::path::RawPath;
    use proptest::prelude::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace('\0', "_")
    }

    #[test]
    fn writes_every_header_field() {
        let owner = Owner { uid: 65532, gid: 100 };
        let head = TarMember { owner, mode: 0o755, ..TarMember::file(b"usr/bin/app", 1234) }.encode_header();
        assert_eq!(head.len(), 512);
        assert_eq!(text(&head[..12]), "usr/bin/app_");
        assert_eq!(text(&head[100..124]), "0000755_0177774_0000144_");
        assert_eq!(text(&head[124..148]), "00000002322_00000000000_");
        assert_eq!(text(&head[156..265]), format!("0{}ustar_00", "_".repeat(100)));
        assert_eq!(text(&head[265..345]), format!("{}0000000_0000000_", "_".repeat(64)));
        assert_eq!(text(&head[345..]), "_".repeat(167));
        let sum = head
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) });
        assert_eq!(text(&head[148..156]), format!("{:07o}_", sum.sum::<u32>()));
    }

    #[test]
    fn writes_sorted_pax_records_for_large_values() {
        let owner = Owner { uid: 2_097_152, gid: 4_294_967_295 };
        let (name, link) = ([b'n'; 101], [b'l'; 101]);
        let member = TarMember { owner, link_target: &link, ..TarMember::file(&name, 1 << 33) };
        let head = member.encode_header();
        let records = format!(
            "18 gid=4294967295\n115 linkpath={}\n111 path={}\n19 size=8589934592\n15 uid=2097152\n",
            "l".repeat(101),
            "n".repeat(101)
        );
        assert_eq!(head.len(), 3 * 512);
        assert_eq!(text(&head[..15]), "././@PaxHeader_");
        assert_eq!(text(&head[100..148]), "0000644_0000000_0000000_00000000426_00000000000_");
        assert_eq!(text(&head[512..512 + records.len()]), records);
        assert_eq!(text(&head[1024..1124]), "n".repeat(100));
        assert_eq!(text(&head[1124..1160]), "0000644_0000000_0000000_00000000000_");
        let largest = Owner { uid: MAX_OWNER, gid: MAX_OWNER };
        assert_eq!(
            TarMember { owner: largest, ..TarMember::file(&name[1..], MAX_SIZE) }.encode_header().len(),
            512
        );
    }

    #[test]
    fn writes_times_of_any_size() {
        let head = |modified| TarMember { modified, ..TarMember::file(b"a", 0) }.encode_header();
        assert_eq!(text(&head(86_400)[136..148]), "00000250600_");
        let late = head(MAX_TIME + 1);
        assert_eq!(text(&late[512..532]), "20 mtime=8589934592\n");
        assert_eq!(text(&late[1024 + 136..1024 + 148]), "00000000000_");
    }

    #[test]
    fn record_length_includes_its_own_digits() {
        for size in 1..1200 {
            let mut out = Vec::new();
            push_pax_record("path", &vec![b'x'; size], &mut out);
            assert_eq!(out.len().to_string(), text(&out).split(' ').next().unwrap());
        }
    }

    fn entry(node: EntryNode) -> Entry {
        let (owner, reason) = (Owner { uid: 7, gid: 9 }, EntryReason::ParentOrLink);
        Entry { node, owner, mode: 0o640, modified: 0, reason, layer_kind: LayerKind::Data }
    }

    /// A path of exactly `size` bytes after the leading slash.
    fn path(size: usize) -> ImagePath {
        let names = "abcdefghi/".repeat(size / 10 + 1);
        let mut text = format!("/{}", &names[..size]);
        if text.ends_with('/') {
            text.replace_range(size.., "j");
        }
        text.parse().unwrap()
    }

    fn around(limits: &'static [usize]) -> impl Strategy<Value = usize> {
        prop_oneof![proptest::sample::select(limits), 1_usize..400]
    }

    const LIMITS: &[usize] = &[98, 99, 100, 101, 102, 154, 155, 156, 255, 256, 257];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn tar_crate_reads_the_same_members(
            name in around(LIMITS), target in around(LIMITS), content in proptest::collection::vec(any::<u8>(), 0..1500)
        ) {
            let (path, target) = (path(name), path(target));
            for (node, link) in [
                (EntryNode::Directory, None),
                (EntryNode::Symlink(RawPath::new(target.as_bytes())), Some(target.as_bytes())),
                (EntryNode::HardLink(target.clone()), Some(target.relative_bytes())),
                (EntryNode::File(Content::from_bytes(content.clone())), None),
            ] {
                let entry = entry(node);
                let mut tar = encode_entry_header(&path, &entry);
                if content_size(&entry) > 0 {
                    tar.extend_from_slice(&content);
                    tar.extend_from_slice(padding(content.len() as u64));
                }
                tar.extend_from_slice(&END_OF_ARCHIVE);
                prop_assert_eq!(tar.len() as u64, tar_size(&[(&path, &entry)]));
                let mut archive = tar::Archive::new(tar.as_slice());
                let mut read = archive.entries().unwrap();
                let mut member = read.next().unwrap().unwrap();
                let slash = if member.header().entry_type().is_dir() { "/" } else { "" };
                prop_assert_eq!(text(&member.path_bytes()), format!("{}{slash}", text(path.relative_bytes())));
                let link_name = member.link_name_bytes().map(std::borrow::Cow::into_owned);
                prop_assert_eq!(link_name.as_deref(), link);
                let mut back = Vec::new();
                std::io::Read::read_to_end(&mut member, &mut back).unwrap();
                prop_assert_eq!(back.len() as u64, content_size(&entry));
                prop_assert!(back.is_empty() || back == content);
                prop_assert!(read.next().is_none());
            }
        }
    }
}
