//! Words in a file: what a compiler put there as text, found by a part that they have in common.
//!
//! The file is read once from front to back in blocks, and only what is around a hit is looked at closer, so it costs
//! what reading costs.

use std::collections::BTreeSet;

use memchr::memmem::Finder;

use crate::content::Reader;
use crate::fs;

/// Bytes that are read at once.
const BLOCK: usize = 256 * 1024;
/// The longest word that is looked at, `PATH_MAX`; blocks overlap by it.
const MAX_WORD: usize = 4096;
/// Different words of one file: nobody reads more.
const MAX_WORDS: usize = 4096;

/// The words of `file` with one of `parts` in them, each once: runs of bytes that names and paths are made of.
///
/// # Errors
/// When the file can't be read.
pub fn words_with(file: &Reader, parts: &[&str]) -> fs::Result<BTreeSet<Vec<u8>>> {
    runs_with(file, parts, |byte| byte.is_ascii_alphanumeric() || b"/._+-%@:~=".contains(byte))
}

/// As [`words_with`], with all that can be printed around the parts.
///
/// # Errors
/// When the file can't be read.
pub fn texts_with(file: &Reader, parts: &[&str]) -> fs::Result<BTreeSet<Vec<u8>>> {
    runs_with(file, parts, |byte| byte.is_ascii_graphic() || *byte == b' ')
}

fn runs_with(file: &Reader, parts: &[&str], is_part: fn(&u8) -> bool) -> fs::Result<BTreeSet<Vec<u8>>> {
    let finders: Vec<Finder<'_>> = parts.iter().map(|part| Finder::new(part.as_bytes())).collect();
    let mut words = BTreeSet::new();
    let mut block = vec![0; BLOCK];
    let (mut offset, mut kept) = (0, 0);
    loop {
        let read = file.read_at(block.get_mut(kept..).unwrap_or_default(), offset)?;
        offset += read as u64;
        let bytes = block.get(..kept + read).unwrap_or_default();
        let is_last = offset >= file.size() || read == 0;
        // A word at the end may go on in the next block, which starts in front of it.
        let (from, end) = (
            kept.saturating_sub(MAX_WORD),
            if is_last { bytes.len() } else { bytes.len().saturating_sub(MAX_WORD) },
        );
        for finder in &finders {
            let hits = finder.find_iter(bytes).filter(|at| (from..end).contains(at));
            words.extend(hits.map(|at| around(bytes, at, is_part).to_vec()));
        }
        if is_last || words.len() > MAX_WORDS {
            return Ok(words);
        }
        kept = bytes.len().min(2 * MAX_WORD);
        let start = bytes.len() - kept;
        block.copy_within(start..start + kept, 0);
    }
}

fn around(bytes: &[u8], at: usize, is_part: fn(&u8) -> bool) -> &[u8] {
    let (before, after) = bytes.split_at(at);
    let before = before.iter().rev().take(MAX_WORD).take_while(|byte| is_part(byte)).count();
    let after = after.iter().take(MAX_WORD).take_while(|byte| is_part(byte)).count();
    bytes.get(at - before..at + after).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Content;

    fn words(bytes: Vec<u8>, parts: &[&str]) -> Vec<String> {
        let words = words_with(&Content::bytes(bytes).open().unwrap(), parts).unwrap();
        words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn words_are_found_whole() {
        let bytes = b"\0libx.so.1\0\x01/usr/bin/env \"/etc/ssl/certs\"libz.so".to_vec();
        assert_eq!(words(bytes.clone(), &[".so"]), ["libx.so.1", "libz.so"]);
        assert_eq!(words(bytes, &["/bin/", "ssl/certs"]), ["/etc/ssl/certs", "/usr/bin/env"]);
    }

    #[test]
    fn words_across_blocks_are_found_once() {
        for at in [
            BLOCK - 3,
            BLOCK - MAX_WORD - 3,
            BLOCK - 2 * MAX_WORD - 3,
            BLOCK - 2 * MAX_WORD,
            3 * BLOCK - 5 * MAX_WORD - 2,
        ] {
            let mut bytes = vec![0; 4 * BLOCK];
            bytes[at..at + 9].copy_from_slice(b"libx.so.1");
            assert_eq!(words(bytes, &[".so"]), ["libx.so.1"], "{at}");
        }
    }
}
