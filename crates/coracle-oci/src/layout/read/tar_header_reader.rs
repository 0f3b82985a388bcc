//! Reads the headers of an untrusted tar in order. Contents are read between them, or skipped.
//!
//! Long names are read from PAX records and GNU long names, up to a limit. Source: POSIX `pax`,
//! "ustar Interchange Format"; GNU tar, "Basic Tar Format".

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};

use super::pax_records::HeaderOverrides;
use super::read_failure::invalid_data;
use coracle_core::digest::Digest;

/// The block size of a tar, in bytes.
const BLOCK: u64 = 512;
/// The maximum size of a long name, or of the records before an entry, in bytes.
const MAX_RECORDS: u64 = 1 << 20;

/// A member of a tar, without its content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TarHeader {
    /// The name, exactly as in the tar.
    pub name: Vec<u8>,
    /// The type.
    pub kind: TarMemberKind,
    /// The target of a link; otherwise empty.
    pub link: Vec<u8>,
    /// The offset of the member's first header in the tar: of a long name or of PAX records, if it
    /// has any.
    pub header_position: u64,
    /// The offset of the content in the tar.
    pub position: u64,
    /// The size of the content, in bytes.
    pub size: u64,
    /// Permission bits, at most `0o7777`.
    pub mode: u32,
    /// UID and GID.
    pub owner: (u32, u32),
    /// The time of the last modification, in seconds since 1970.
    pub modified: i64,
    /// The names of the user and the group; often empty.
    pub owner_names: (Vec<u8>, Vec<u8>),
    /// The digest of the PAX records that have no field here, such as extended attributes; `None`
    /// if there are none.
    pub other_records: Option<Digest>,
}

/// The type of a tar member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TarMemberKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A hard link.
    HardLink,
    /// A device.
    Device,
    /// A named pipe.
    Fifo,
    /// A type that this crate does not know. Its content is skipped.
    Other,
}

impl From<tar::EntryType> for TarMemberKind {
    fn from(kind: tar::EntryType) -> Self {
        match kind {
            kind if kind.is_dir() => Self::Directory,
            kind if kind.is_file() || kind.is_contiguous() => Self::File,
            kind if kind.is_symlink() => Self::Symlink,
            kind if kind.is_hard_link() => Self::HardLink,
            kind if kind.is_character_special() || kind.is_block_special() => Self::Device,
            kind if kind.is_fifo() => Self::Fifo,
            _ => Self::Other,
        }
    }
}

/// A reader that can skip bytes.
pub(super) trait SkipBytes: Read {
    /// Skips the next `count` bytes.
    fn skip(&mut self, count: u64) -> io::Result<()>;
}

impl SkipBytes for File {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let count = i64::try_from(count).map_err(|_| invalid_data("a size is out of range"))?;
        self.seek(SeekFrom::Current(count)).map(drop)
    }
}

/// A reader without seeking: bytes are skipped by reading them.
pub(super) struct UnseekableReader<R>(pub(super) R);

impl<R: Read> Read for UnseekableReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> SkipBytes for UnseekableReader<R> {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.0).take(count), &mut io::sink())?;
        if skipped == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Reads headers until the end of the tar.
pub(super) struct TarHeaderReader<R> {
    reader: R,
    position: u64,
    /// The offset of the next header: content before it that was not read is skipped.
    next_position: u64,
}

impl<R: SkipBytes> TarHeaderReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, position: 0, next_position: 0 }
    }

    /// Returns the reader, positioned after the end of the tar.
    pub(super) fn into_inner(self) -> R {
        self.reader
    }

    /// Returns the next member; `None` at the end.
    pub(super) fn next_header(&mut self) -> io::Result<Option<TarHeader>> {
        self.skip(self.next_position.saturating_sub(self.position))?;
        let header_position = self.position;
        let mut records = HeaderOverrides::default();
        loop {
            let Some(header) = self.read_header_block()? else { return Ok(None) };
            let kind = header.entry_type();
            let size = header.entry_size()?;
            match kind {
                _ if kind.is_gnu_longname() => records.name = Some(truncate_at_nul(self.read_content(size)?)),
                _ if kind.is_gnu_longlink() => records.link = Some(truncate_at_nul(self.read_content(size)?)),
                _ if kind.is_pax_local_extensions() => {
                    records.parse_pax_records(&self.read_content(size)?)?;
                }
                _ if kind.is_pax_global_extensions() => drop(self.read_content(size)?),
                _ if kind.is_gnu_sparse() => {
                    return Err(invalid_data("it contains a sparse file, which is not supported"));
                }
                _ => return self.read_member(&header, records, header_position).map(Some),
            }
        }
    }

    /// Returns a reader of the content of the last member, as far as it was not read yet.
    pub(super) fn content(&mut self, member: &TarHeader) -> MemberContent<'_, R> {
        let left = (member.position + member.size).saturating_sub(self.position);
        MemberContent { headers: self, left }
    }

    fn read_member(
        &mut self,
        header: &tar::Header,
        records: HeaderOverrides,
        header_position: u64,
    ) -> io::Result<TarHeader> {
        let kind = header.entry_type();
        // Links, directories and devices have no content, whatever their size field says.
        let has_content = kind.is_file() || kind.is_contiguous() || !never_has_content(kind);
        let size = records.size.map_or_else(|| header.entry_size(), Ok)?;
        let size = if has_content { size } else { 0 };
        let old = header.as_old();
        let id = |record: Option<u64>, field: &[u8], own: io::Result<u64>| {
            let id = if is_empty_field(field) { record.unwrap_or(0) } else { record.map_or(own, Ok)? };
            u32::try_from(id).map_err(|_| invalid_data("a UID or GID is out of range"))
        };
        let owner = (id(records.uid, &old.uid, header.uid())?, id(records.gid, &old.gid, header.gid())?);
        let mode = if is_empty_field(&old.mode) { 0 } else { header.mode()? & 0o7777 };
        let position = self.position;
        self.next_position =
            position.checked_add(padded_size(size)?).ok_or_else(|| invalid_data("a size is out of range"))?;
        let names = (header.username_bytes(), header.groupname_bytes());
        Ok(TarHeader {
            mode,
            owner,
            name: records.name.unwrap_or_else(|| header.path_bytes().into_owned()),
            kind: kind.into(),
            link: records.link.or_else(|| header.link_name_bytes().map(Into::into)).unwrap_or_default(),
            header_position,
            position,
            size,
            modified: records.modified.unwrap_or_else(|| modification_time(&old.mtime)),
            owner_names: (
                records.user_name.unwrap_or_else(|| names.0.unwrap_or_default().to_vec()),
                records.group_name.unwrap_or_else(|| names.1.unwrap_or_default().to_vec()),
            ),
            other_records: (!records.others.is_empty()).then(|| Digest::compute(&records.others)),
        })
    }

    /// Reads a header block; `None` at a block of zeros or at the end of the file.
    fn read_header_block(&mut self) -> io::Result<Option<tar::Header>> {
        let mut header = tar::Header::new_old();
        let bytes = header.as_mut_bytes();
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(invalid_data("it ends in the middle of a header")),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.position += BLOCK;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if header.cksum().ok() != Some(checksum(header.as_bytes())) {
            return Err(invalid_data("a header has a wrong checksum, so it is not a tar archive"));
        }
        Ok(Some(header))
    }

    fn read_content(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MAX_RECORDS {
            return Err(invalid_data("a name or an extended header is too long"));
        }
        let mut bytes = Vec::new();
        (&mut self.reader).take(size).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += size;
        self.skip(padded_size(size)? - size)?;
        Ok(bytes)
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        self.position =
            self.position.checked_add(count).ok_or_else(|| invalid_data("a size is out of range"))?;
        self.reader.skip(count)
    }
}

/// The rest of the content of one member.
pub(super) struct MemberContent<'a, R> {
    headers: &'a mut TarHeaderReader<R>,
    left: u64,
}

impl<R: SkipBytes> Read for MemberContent<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.headers.reader.read(buffer.get_mut(..most).unwrap_or_default())?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.headers.position += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// Returns the time in a header: octal, or binary if the first bit is set. 0 if it is damaged: a
/// time never keeps an image from being read.
fn modification_time(field: &[u8; 12]) -> i64 {
    if let [0x80, rest @ ..] = field {
        return rest.iter().fold(0_i64, |value, byte| value.wrapping_shl(8) | i64::from(*byte));
    }
    let digits: Vec<u8> = field.iter().copied().filter(|byte| !matches!(byte, 0 | b' ')).collect();
    std::str::from_utf8(&digits).ok().and_then(|text| i64::from_str_radix(text, 8).ok()).unwrap_or_default()
}

/// Returns whether a numeric field is empty.
fn is_empty_field(field: &[u8]) -> bool {
    field.iter().all(|byte| [0, b' '].contains(byte))
}

fn truncate_at_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
    bytes
}

/// Returns whether members of this type never have content.
fn never_has_content(kind: tar::EntryType) -> bool {
    kind.is_dir()
        || kind.is_symlink()
        || kind.is_hard_link()
        || kind.is_character_special()
        || kind.is_block_special()
        || kind.is_fifo()
}

/// Returns the sum of all bytes, with the checksum field counted as spaces.
fn checksum(header: &[u8; 512]) -> u32 {
    header
        .iter()
        .enumerate()
        .map(|(at, byte)| u32::from(if (148..156).contains(&at) { b' ' } else { *byte }))
        .sum()
}

fn padded_size(size: u64) -> io::Result<u64> {
    size.checked_next_multiple_of(BLOCK).ok_or_else(|| invalid_data("a size is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bytes: &[u8]) -> Result<Vec<String>, String> {
        let mut headers = TarHeaderReader::new(UnseekableReader(bytes));
        let mut found = Vec::new();
        while let Some(header) = headers.next_header().map_err(|error| error.to_string())? {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            found.push(format!("{} {} {}", text(&header.name), text(&header.link), header.size));
        }
        Ok(found)
    }

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            builder.append_data(&mut header, name, b"abc".as_slice()).unwrap();
        }
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        builder.append_link(&mut link, "l", "y".repeat(120)).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn reads_long_names() {
        let long = "x".repeat(300);
        let expected = vec!["a  3".to_owned(), format!("{long}  3"), format!("l {} 0", "y".repeat(120))];
        assert_eq!(names(&archive(&["a", &long])), Ok(expected));
        let pax = crate::layer::tar_header::TarMember::file(long.as_bytes(), 9 << 30).encode_header();
        assert!(names(&pax).is_err(), "its content is missing");
        let pax = crate::layer::tar_header::TarMember::file(long.as_bytes(), 0).encode_header();
        assert_eq!(names(&pax), Ok(vec![format!("{long}  0")]));
    }

    #[test]
    fn rejects_truncated_and_invalid_archives() {
        let whole = archive(&["a", &"x".repeat(300)]);
        assert_eq!(names(b""), Ok(vec![]));
        for end in [1, 511, 513, 1023, 1500, 2100] {
            assert!(names(&whole[..end]).is_err(), "{end}");
        }
        assert_eq!(names(&[7; 512]).unwrap_err(), names(&[b'x'; 600]).unwrap_err());
        let mut endless = tar::Header::new_gnu();
        endless.set_entry_type(tar::EntryType::GNULongName);
        endless.set_size(u64::from(u32::MAX));
        endless.set_cksum();
        assert_eq!(names(endless.as_bytes()), Err("a name or an extended header is too long".into()));
        endless.set_entry_type(tar::EntryType::Regular);
        endless.as_mut_bytes()[124..136].copy_from_slice(&[0xff; 12]);
        endless.set_cksum();
        assert!(names(endless.as_bytes()).is_err());
    }
}
