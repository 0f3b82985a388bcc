//! Parses the PAX records of a tar, which override fields of the next header. Source: POSIX `pax`,
//! "pax Extended Header".

use std::io;

use super::read_failure::invalid_data;

/// Values from PAX records and GNU long names, which override values in the next header.
#[derive(Default)]
pub(super) struct HeaderOverrides {
    pub(super) name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) modified: Option<i64>,
    pub(super) user_name: Option<Vec<u8>>,
    pub(super) group_name: Option<Vec<u8>>,
    /// All other records.
    pub(super) others: Vec<u8>,
}

impl HeaderOverrides {
    /// Parses a sequence of `LENGTH NAME=VALUE\n`.
    pub(super) fn parse_pax_records(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(PaxRecord { name, value, rest }) = PaxRecord::parse_first(bytes) {
            match name {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(parse_number(value)?),
                b"uid" => self.uid = Some(parse_number(value)?),
                b"gid" => self.gid = Some(parse_number(value)?),
                b"mtime" => self.modified = parse_seconds(value),
                b"uname" => self.user_name = Some(value.to_vec()),
                b"gname" => self.group_name = Some(value.to_vec()),
                _ => self.others.extend([name, b"=", value, b"\n"].concat()),
            }
            bytes = rest;
        }
        Ok(())
    }
}

/// A PAX record, and the bytes after it.
struct PaxRecord<'a> {
    name: &'a [u8],
    value: &'a [u8],
    rest: &'a [u8],
}

impl<'a> PaxRecord<'a> {
    fn parse_first(bytes: &'a [u8]) -> Option<Self> {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(bytes.get(..space)?).ok()?.parse().ok()?;
        let record = bytes.get(space + 1..length.checked_sub(1)?)?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        Some(Self {
            name: record.get(..equals)?,
            value: record.get(equals + 1..)?,
            rest: bytes.get(length..)?,
        })
    }
}

fn parse_number(value: &[u8]) -> io::Result<u64> {
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| invalid_data("a size, UID or GID is not a number"))
}

/// Returns the whole seconds of a time; `None` if it is damaged.
fn parse_seconds(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.split('.').next()?.parse().ok()
}
