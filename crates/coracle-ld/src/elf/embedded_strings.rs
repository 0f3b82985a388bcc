//! Searches a file for embedded strings that contain given substrings.
//!
//! The file is read once, in blocks. Only bytes around a match are examined, so the time is about
//! that of reading.

use std::collections::BTreeSet;
use std::ops::Range;

use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHT_PROGBITS, SectionHeader};
use memchr::memmem::Finder;

use super::elf_object::ElfObject;
use super::sections::section_headers_if_valid;
use coracle_core::content::OpenContent;
use coracle_core::fs;

/// Number of bytes to read at once.
const BLOCK_SIZE: usize = 256 * 1024;
/// Maximum length of a string (`PATH_MAX`). Longer ones are skipped. Blocks overlap by twice as
/// much.
const MAX_LENGTH: usize = 4096;
/// Maximum number of distinct strings to return for one file.
pub(super) const MAX_STRINGS: usize = 4096;

/// Returns the strings in `file` that contain one of `parts`. A string is a run of bytes that occur
/// in names and paths.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn strings_containing(file: &OpenContent, parts: &[&str]) -> fs::Result<BTreeSet<Vec<u8>>> {
    find_strings(file, &whole_file_range(file), parts, is_path_byte)
}

/// Like [`strings_containing`], but searches only the data sections of `object`, not code or symbols.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn data_strings_containing(
    file: &OpenContent,
    object: &ElfObject,
    parts: &[&str],
) -> fs::Result<BTreeSet<Vec<u8>>> {
    find_strings(file, &data_ranges(file, object)?, parts, is_path_byte)
}

/// Like [`data_strings_containing`], but a string is a run of printable ASCII bytes, including spaces.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn printable_data_strings_containing(
    file: &OpenContent,
    object: &ElfObject,
    parts: &[&str],
) -> fs::Result<BTreeSet<Vec<u8>>> {
    find_strings(file, &data_ranges(file, object)?, parts, |byte| byte.is_ascii_graphic() || *byte == b' ')
}

/// Returns whether the byte occurs in names and paths.
pub(super) fn is_path_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._+-%@:~=".contains(byte)
}

#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges, here with one")]
pub(super) fn whole_file_range(file: &OpenContent) -> Vec<Range<u64>> {
    vec![0..file.size()]
}

/// Returns the ranges of loaded sections without code, or the whole file if section headers are
/// missing or invalid.
pub(super) fn data_ranges(file: &OpenContent, object: &ElfObject) -> fs::Result<Vec<Range<u64>>> {
    let headers = section_headers_if_valid(file, &object.header)?;
    let has_flag = |header: &SectionHeader, flag: u32| header.sh_flags & u64::from(flag) != 0;
    let is_data = |header: &&SectionHeader| {
        header.sh_type == SHT_PROGBITS && has_flag(header, SHF_ALLOC) && !has_flag(header, SHF_EXECINSTR)
    };
    let ranges = headers.iter().filter(is_data).map(|header| {
        let end = header.sh_offset.saturating_add(header.sh_size).min(file.size());
        header.sh_offset.min(end)..end
    });
    let ranges: Vec<Range<u64>> = ranges.collect();
    let size: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    // Overlapping sections would be read repeatedly.
    Ok(if ranges.is_empty() || size > file.size() { whole_file_range(file) } else { ranges })
}

/// Returns the strings in `ranges` that contain one of `parts`.
fn find_strings(
    file: &OpenContent,
    ranges: &[Range<u64>],
    parts: &[&str],
    is_string_byte: fn(&u8) -> bool,
) -> fs::Result<BTreeSet<Vec<u8>>> {
    let finders: Vec<Finder<'_>> = parts.iter().map(|part| Finder::new(part.as_bytes())).collect();
    let mut strings = BTreeSet::new();
    for_each_block(file, ranges, |bytes, range| {
        for finder in &finders {
            collect_matches(bytes, finder, range.clone(), is_string_byte, &mut strings);
        }
        strings.len() < MAX_STRINGS
    })?;
    Ok(strings)
}

/// Reads `ranges` in overlapping blocks. Calls `visit` with each block, and with the range of the
/// block in which matches must begin so that none is visited twice. Stops if `visit` returns false.
pub(super) fn for_each_block(
    file: &OpenContent,
    ranges: &[Range<u64>],
    mut visit: impl FnMut(&[u8], Range<usize>) -> bool,
) -> fs::Result<()> {
    let mut block = vec![0; BLOCK_SIZE];
    for range in ranges {
        let (mut offset, mut kept) = (range.start, 0_usize);
        loop {
            let left = usize::try_from(range.end.saturating_sub(offset)).unwrap_or(usize::MAX);
            let end = kept.saturating_add(left).min(BLOCK_SIZE);
            let read = file.read_at(block.get_mut(kept..end).unwrap_or_default(), offset)?;
            offset += read as u64;
            let bytes = block.get(..kept + read).unwrap_or_default();
            let is_last = offset >= range.end || read == 0;
            // A string at the end may continue in the next block, which overlaps this one.
            let from = kept.saturating_sub(MAX_LENGTH);
            let end = if is_last { bytes.len() } else { bytes.len().saturating_sub(MAX_LENGTH) };
            if !visit(bytes, from..end) {
                return Ok(());
            }
            if is_last {
                break;
            }
            kept = bytes.len().min(2 * MAX_LENGTH);
            let start = bytes.len() - kept;
            block.copy_within(start..start + kept, 0);
        }
    }
    Ok(())
}

/// Adds the strings in `bytes` around matches of `finder` in `range`. A string with several matches
/// is added once.
pub(super) fn collect_matches(
    bytes: &[u8],
    finder: &Finder<'_>,
    range: Range<usize>,
    is_string_byte: fn(&u8) -> bool,
    strings: &mut BTreeSet<Vec<u8>>,
) {
    let mut past = 0;
    for at in finder.find_iter(bytes).filter(|at| range.contains(at)) {
        if at < past || strings.len() >= MAX_STRINGS {
            continue;
        }
        let (before, after) = bytes.split_at(at);
        let before = before.iter().rev().take(MAX_LENGTH).take_while(|byte| is_string_byte(byte)).count();
        let after = after.iter().take(MAX_LENGTH + 1).take_while(|byte| is_string_byte(byte)).count();
        past = at + after;
        if before + after <= MAX_LENGTH {
            strings.extend(bytes.get(at - before..past).map(<[u8]>::to_vec));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use coracle_core::content::Content;

    fn find(bytes: Vec<u8>, parts: &[&str]) -> Vec<String> {
        let strings = strings_containing(&Content::from_bytes(bytes).open().unwrap(), parts).unwrap();
        strings.into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn finds_whole_strings() {
        let bytes = b"\0libx.so.1\0\x01/usr/bin/env \"/etc/ssl/certs\"libz.so".to_vec();
        assert_eq!(find(bytes.clone(), &[".so"]), ["libx.so.1", "libz.so"]);
        assert_eq!(find(bytes, &["/bin/", "ssl/certs"]), ["/etc/ssl/certs", "/usr/bin/env"]);
    }

    #[test]
    fn finds_strings_across_blocks_once() {
        for at in [
            BLOCK_SIZE - 3,
            BLOCK_SIZE - MAX_LENGTH - 3,
            BLOCK_SIZE - 2 * MAX_LENGTH - 3,
            BLOCK_SIZE - 2 * MAX_LENGTH,
            3 * BLOCK_SIZE - 5 * MAX_LENGTH - 2,
        ] {
            let mut bytes = vec![0; 4 * BLOCK_SIZE];
            bytes[at..at + 9].copy_from_slice(b"libx.so.1");
            assert_eq!(find(bytes, &[".so"]), ["libx.so.1"], "{at}");
        }
    }

    #[test]
    fn limits_length_and_number_of_strings() {
        assert_eq!(find(b".so".repeat(BLOCK_SIZE), &[".so"]), [""; 0]);
        let many: String = (0..2 * MAX_STRINGS).map(|n| format!("lib{n}.so\0")).collect();
        assert_eq!(find(many.into_bytes(), &[".so"]).len(), MAX_STRINGS);
    }

    /// A simple implementation without blocks, for comparison.
    fn strings_containing_naive(bytes: &[u8], part: &str) -> Vec<String> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let runs = text.split('\0').filter(|run| run.len() <= MAX_LENGTH && run.contains(part));
        runs.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
    }

    proptest! {
        #[test]
        fn agrees_with_the_simple_implementation(
            runs in proptest::collection::vec(("[a.so]{0,12}", 0_usize..3 * MAX_LENGTH, 0_usize..2 * MAX_LENGTH), 0..40),
            start in BLOCK_SIZE - 4 * MAX_LENGTH..BLOCK_SIZE,
        ) {
            let mut bytes = vec![0; start];
            for (word, gap, fill) in runs {
                // Strings around the maximum length, and runs of NUL bytes.
                bytes.extend(word.bytes().chain(vec![b'x'; fill.saturating_sub(MAX_LENGTH)]).chain(vec![0; gap]));
            }
            prop_assert_eq!(find(bytes.clone(), &[".so"]), strings_containing_naive(&bytes, ".so"));
        }
    }
}
