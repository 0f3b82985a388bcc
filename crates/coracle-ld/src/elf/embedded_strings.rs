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
use coracle_core::content::ContentReader;
use coracle_core::fs;

/// Number of bytes to read at once.
const BLOCK_SIZE: usize = 256 * 1024;
/// Maximum length of a string (`PATH_MAX`). Longer ones are skipped. Blocks overlap by twice as
/// much.
const MAX_LENGTH: usize = 4096;
/// Maximum number of distinct strings to return for one file.
const MAX_STRINGS: usize = 4096;

/// Returns the strings in `file` that contain one of `parts`. A string is a run of bytes that occur
/// in names and paths.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn strings_containing(file: &ContentReader, parts: &[&str]) -> fs::Result<BTreeSet<Vec<u8>>> {
    find_strings(file, &whole_file(file), parts, is_path_byte)
}

/// Like [`strings_containing`], but searches only the data sections of `object`, not code or symbols.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn data_strings_containing(
    file: &ContentReader,
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
    file: &ContentReader,
    object: &ElfObject,
    parts: &[&str],
) -> fs::Result<BTreeSet<Vec<u8>>> {
    find_strings(file, &data_ranges(file, object)?, parts, |byte| byte.is_ascii_graphic() || *byte == b' ')
}

/// The first components of the absolute paths that are found.
const PATH_STARTS: [&[u8]; 10] =
    [b"usr/", b"etc/", b"var/", b"opt/", b"srv/", b"bin/", b"sbin/", b"lib/", b"lib64/", b"libexec/"];
/// Maximum length of a path in data, in bytes. Longer ones are cut off.
const MAX_PATH_LENGTH: usize = 512;

/// Returns whether a word is searched for.
pub type WordFilter<'a> = dyn Fn(&[u8]) -> bool + 'a;

/// What to search for in the data sections of an object, in one pass.
#[derive(Clone, Copy, Default)]
pub struct DataQuery<'a> {
    /// Texts that are only looked for.
    pub texts: &'a [&'a str],
    /// Parts of strings: the whole strings are returned.
    pub parts: &'a [&'a str],
    /// How absolute paths are separated from other text. `None` if no paths are searched for.
    pub paths: Option<PathText>,
    /// Returns whether a word is returned: the start of a string that ends with NUL, such as `gzip` of
    /// `gzip -d`. `None` if no words are searched for, which takes longer than all else.
    pub is_wanted_word: Option<&'a WordFilter<'a>>,
}

/// What was found in data sections, each at most 4096 times.
#[derive(Clone, Default, Debug)]
pub struct DataMatches {
    /// Those of the texts that occur.
    pub texts: BTreeSet<String>,
    /// Runs of path bytes with one of the parts.
    pub strings: BTreeSet<Vec<u8>>,
    /// Absolute paths, each with all path bytes that follow.
    pub paths: BTreeSet<Vec<u8>>,
    /// The wanted words.
    pub words: BTreeSet<Vec<u8>>,
}

/// Searches the data sections of `object`.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn search_data(
    file: &ContentReader,
    object: &ElfObject,
    query: &DataQuery<'_>,
) -> fs::Result<DataMatches> {
    search_ranges(file, &data_ranges(file, object)?, query)
}

fn search_ranges(
    file: &ContentReader,
    ranges: &[Range<u64>],
    query: &DataQuery<'_>,
) -> fs::Result<DataMatches> {
    let finders = |parts: &[&str]| -> Vec<Finder<'static>> {
        parts.iter().map(|part| Finder::new(part.as_bytes()).into_owned()).collect()
    };
    let (texts, parts) = (finders(query.texts), finders(query.parts));
    let mut found = DataMatches::default();
    for_each_block(file, ranges, |bytes, range| {
        for (text, finder) in query.texts.iter().zip(&texts) {
            if !found.texts.contains(*text) && finder.find(bytes).is_some() {
                found.texts.insert((*text).to_owned());
            }
        }
        for finder in &parts {
            collect_matches(bytes, finder, range.clone(), is_path_byte, &mut found.strings);
        }
        if let Some(text) = query.paths {
            collect_paths(bytes, range.clone(), text, &mut found.paths);
        }
        if let Some(is_wanted) = query.is_wanted_word {
            collect_words(bytes, range, is_wanted, &mut found.words);
        }
        true
    })?;
    Ok(found)
}

/// Maximum length of a word in data, in bytes.
const MAX_WORD_LENGTH: usize = 64;

/// Adds the wanted first words of the strings in `bytes` that end with NUL.
fn collect_words(
    bytes: &[u8],
    range: Range<usize>,
    is_wanted: &dyn Fn(&[u8]) -> bool,
    words: &mut BTreeSet<Vec<u8>>,
) {
    let mut start = 0;
    for end in memchr::memchr_iter(0, bytes) {
        let string = bytes.get(start..end).unwrap_or_default();
        let is_seen_elsewhere = !range.contains(&start);
        start = end + 1;
        if string.len() < 2 || is_seen_elsewhere || words.len() >= MAX_STRINGS {
            continue;
        }
        let head = string.get(..=MAX_WORD_LENGTH).unwrap_or(string);
        let word = head.split(|byte| *byte == b' ').next().unwrap_or_default();
        if word.len() <= MAX_WORD_LENGTH && is_wanted(word) {
            words.insert(word.to_vec());
        }
    }
}

/// Adds the absolute paths that start in `range`.
fn collect_paths(bytes: &[u8], range: Range<usize>, text: PathText, paths: &mut BTreeSet<Vec<u8>>) {
    for at in memchr::memchr_iter(b'/', bytes) {
        let Some((before, rest)) = bytes.split_at_checked(at) else { continue };
        let after = rest.get(1..).unwrap_or_default();
        let may_start = after.first().is_some_and(|byte| b"uevosbl".contains(byte));
        if may_start
            && range.contains(&at)
            && paths.len() < MAX_STRINGS
            && PATH_STARTS.iter().any(|start| after.starts_with(start))
            && is_start_of_path(before, text)
        {
            let length = rest.iter().take(MAX_PATH_LENGTH).take_while(|byte| is_path_byte(byte)).count();
            paths.extend(rest.get(..length).map(<[u8]>::to_vec));
        }
    }
}

/// How paths are separated from other text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathText {
    /// Literals of C, which end with NUL.
    Terminated,
    /// Literals of Rust and Go: a path may follow another literal directly.
    Concatenated,
    /// A text file, such as a script.
    Script,
}

/// Returns the absolute paths in a text file, such as a script.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn absolute_paths_in_text(file: &ContentReader) -> fs::Result<BTreeSet<Vec<u8>>> {
    let query = DataQuery { paths: Some(PathText::Script), ..DataQuery::default() };
    Ok(search_ranges(file, &whole_file(file), &query)?.paths)
}

/// Returns whether an absolute path may start after `before`.
fn is_start_of_path(before: &[u8], text: PathText) -> bool {
    let is_in_path =
        before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"/._+-".contains(byte));
    match text {
        PathText::Script => !is_in_path,
        // Options of `configure`, as in `PYTHON=/usr/bin/python3`, are about the build.
        _ if before.ends_with(b"=") => false,
        PathText::Terminated => !is_in_path,
        // `/bin` in `/usr/bin` is no path of its own.
        PathText::Concatenated => {
            !is_in_path || !before.ends_with(b"/usr") && !before.ends_with(b"/usr/local")
        }
    }
}

/// Returns whether the byte occurs in names and paths.
fn is_path_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._+-%@:~=".contains(byte)
}

#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges, here with one")]
fn whole_file(file: &ContentReader) -> Vec<Range<u64>> {
    vec![0..file.size()]
}

/// Returns the ranges of loaded sections without code, or the whole file if section headers are
/// missing or invalid.
fn data_ranges(file: &ContentReader, object: &ElfObject) -> fs::Result<Vec<Range<u64>>> {
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
    Ok(if ranges.is_empty() || size > file.size() { whole_file(file) } else { ranges })
}

/// Returns the strings in `ranges` that contain one of `parts`.
fn find_strings(
    file: &ContentReader,
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

/// Reads `ranges` in overlapping blocks. Calls `visit` with each block and with the part of it in
/// which matches begin that no other call sees. Ends if `visit` returns false.
fn for_each_block(
    file: &ContentReader,
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
fn collect_matches(
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

    #[test]
    fn finds_absolute_paths_with_what_follows() {
        let bytes =
            b"\0/usr/share/a\0PATH=/bin/x:/opt/y z/home/u NulError/usr/bin/head-c3/etc/fstab".to_vec();
        let file = Content::from_bytes(bytes).open().unwrap();
        let find = |paths| {
            let query = DataQuery { paths: Some(paths), ..DataQuery::default() };
            let found = search_ranges(&file, &whole_file(&file), &query).unwrap();
            found.paths.into_iter().map(|path| String::from_utf8(path).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(find(PathText::Terminated), ["/opt/y", "/usr/share/a"]);
        assert_eq!(find(PathText::Script), ["/bin/x:/opt/y", "/opt/y", "/usr/share/a"]);
        let concatenated = ["/etc/fstab", "/opt/y", "/usr/bin/head-c3/etc/fstab", "/usr/share/a"];
        assert_eq!(find(PathText::Concatenated), concatenated);
    }

    #[test]
    fn finds_words_and_texts() {
        let file = Content::from_bytes(b"\0gzip\0xz -d %s\0two words\n\0a\0SSL_CERT_FILEx\0".to_vec())
            .open()
            .unwrap();
        let is_wanted_word = |word: &[u8]| word != b"two";
        let query = DataQuery {
            texts: &["SSL_CERT_FILE", "zoneinfo"],
            is_wanted_word: Some(&is_wanted_word),
            ..DataQuery::default()
        };
        let found = search_ranges(&file, &whole_file(&file), &query).unwrap();
        let words: Vec<String> =
            found.words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect();
        assert_eq!(words, ["SSL_CERT_FILEx", "gzip", "xz"]);
        assert_eq!(found.texts.into_iter().collect::<Vec<_>>(), ["SSL_CERT_FILE"]);
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
