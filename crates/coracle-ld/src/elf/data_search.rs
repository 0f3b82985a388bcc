//! Searches the data of an object for several things in one pass: texts, strings, absolute paths, words.
//!
//! Reading the data takes most of the time, so that one search for everything costs little more than one for
//! a single text.

use std::collections::BTreeSet;
use std::ops::Range;

use memchr::memmem::Finder;

use super::elf_object::ElfObject;
use super::embedded_strings::{
    MAX_STRINGS, collect_matches, data_ranges, for_each_block, is_path_byte, whole_file_range,
};
use coracle_core::content::OpenContent;
use coracle_core::fs;

/// The first components of the absolute paths that are found.
const PATH_STARTS: [&[u8]; 10] =
    [b"usr/", b"etc/", b"var/", b"opt/", b"srv/", b"bin/", b"sbin/", b"lib/", b"lib64/", b"libexec/"];
/// Maximum length of a path in data, in bytes. Longer ones are cut off.
const MAX_PATH_LENGTH: usize = 512;

/// A function that returns whether a word is searched for.
pub type WordFilter<'a> = dyn Fn(&[u8]) -> bool + 'a;

/// A search of the data sections of an object.
#[derive(Clone, Copy, Default)]
pub struct DataQuery<'a> {
    /// Texts to look for. The result says which of them occur.
    pub texts: &'a [&'a str],
    /// Parts of strings: the whole strings are returned.
    pub parts: &'a [&'a str],
    /// How absolute paths are separated from other text. `None` if no paths are searched for.
    pub paths: Option<PathLiteralForm>,
    /// Returns whether a word is returned: the start of a string that ends with NUL, such as `gzip` of
    /// `gzip -d`. `None` if no words are searched for, which takes longer than all else.
    pub is_wanted_word: Option<&'a WordFilter<'a>>,
}

/// The results of a search, at most 4096 of each kind.
#[derive(Clone, Default, Debug)]
pub struct DataMatches {
    /// The texts of the query that occur in the data.
    pub texts: BTreeSet<String>,
    /// Strings of path bytes that contain one of the query's parts.
    pub strings: BTreeSet<Vec<u8>>,
    /// Absolute paths, each with all path bytes that follow.
    pub paths: BTreeSet<Vec<u8>>,
    /// The wanted words that occur in the data.
    pub words: BTreeSet<Vec<u8>>,
}

/// Searches the data sections of `object`.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn search_data(file: &OpenContent, object: &ElfObject, query: &DataQuery<'_>) -> fs::Result<DataMatches> {
    search_ranges(file, &data_ranges(file, object)?, query)
}

fn search_ranges(
    file: &OpenContent,
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
fn collect_paths(bytes: &[u8], range: Range<usize>, text: PathLiteralForm, paths: &mut BTreeSet<Vec<u8>>) {
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
pub enum PathLiteralForm {
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
pub fn absolute_paths_in_text(file: &OpenContent) -> fs::Result<BTreeSet<Vec<u8>>> {
    let query = DataQuery { paths: Some(PathLiteralForm::Script), ..DataQuery::default() };
    Ok(search_ranges(file, &whole_file_range(file), &query)?.paths)
}

/// Returns whether an absolute path may start after `before`.
fn is_start_of_path(before: &[u8], text: PathLiteralForm) -> bool {
    let is_in_path =
        before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"/._+-".contains(byte));
    match text {
        PathLiteralForm::Script => !is_in_path,
        // Options of `configure`, as in `PYTHON=/usr/bin/python3`, are about the build.
        _ if before.ends_with(b"=") => false,
        PathLiteralForm::Terminated => !is_in_path,
        // `/bin` in `/usr/bin` is no path of its own.
        PathLiteralForm::Concatenated => {
            !is_in_path || !before.ends_with(b"/usr") && !before.ends_with(b"/usr/local")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::content::Content;

    #[test]
    fn finds_absolute_paths_with_what_follows() {
        let bytes =
            b"\0/usr/share/a\0PATH=/bin/x:/opt/y z/home/u NulError/usr/bin/head-c3/etc/fstab".to_vec();
        let file = Content::from_bytes(bytes).open().unwrap();
        let find = |paths| {
            let query = DataQuery { paths: Some(paths), ..DataQuery::default() };
            let found = search_ranges(&file, &whole_file_range(&file), &query).unwrap();
            found.paths.into_iter().map(|path| String::from_utf8(path).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(find(PathLiteralForm::Terminated), ["/opt/y", "/usr/share/a"]);
        assert_eq!(find(PathLiteralForm::Script), ["/bin/x:/opt/y", "/opt/y", "/usr/share/a"]);
        let concatenated = ["/etc/fstab", "/opt/y", "/usr/bin/head-c3/etc/fstab", "/usr/share/a"];
        assert_eq!(find(PathLiteralForm::Concatenated), concatenated);
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
        let found = search_ranges(&file, &whole_file_range(&file), &query).unwrap();
        let words: Vec<String> =
            found.words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect();
        assert_eq!(words, ["SSL_CERT_FILEx", "gzip", "xz"]);
        assert_eq!(found.texts.into_iter().collect::<Vec<_>>(), ["SSL_CERT_FILE"]);
    }
}
