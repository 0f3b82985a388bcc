//! Commands that other programs often start by name.

use std::collections::BTreeSet;

/// Commands that programs start to process a file format, reach a remote host, show a document or
/// send a message.
const HELPER_COMMANDS: &str = "
    agent aplay aspell brotli bunzip2 bzcat bzip2 compress cpio curl dirmngr dot dvips ffmpeg ffprobe
    fusermount3 gnuplot gpg gpg- gpgconf gpgsm gpgtar gpgv groff grotty gunzip gzip html2text keyboxd
    lame latex less lesspipe lpr lsof lualatex lz4 lzcat lzip lzma lzop magick manconv nroff openssl
    pdflatex pdftoppm pdftops pdftotext pigz pinentry preconv ps2pdf psselect rclone rsvg-convert rsync
    scdaemon scp sendmail sftp sox ssh ssh-agent sshfs svn tofrodos troff uncompress unlzma unxz unzip
    wget xdg-open xelatex xz xzcat zcat zsoelim zstd zstdcat";

/// Programs that start commands whose names are not whole words in the program's text: the end of
/// the program's name, and the commands.
const COMMANDS_OF_PROGRAMS: &[(&str, &str)] = &[
    ("gcc", "as ld"),
    ("g++", "as ld"),
    ("cpp", "as ld"),
    ("clang", "ld"),
    ("man", "col grotty groff nroff tbl troff"),
    ("im6.q", "gs rsvg-convert"),
    ("magick", "gs rsvg-convert"),
    ("groff", "grops grotty troff"),
];

/// The names of [`HELPER_COMMANDS`], for many lookups.
pub(super) struct HelperCommands(BTreeSet<&'static [u8]>);

impl HelperCommands {
    pub(super) fn new() -> Self {
        Self(HELPER_COMMANDS.split_whitespace().map(str::as_bytes).collect())
    }

    /// Returns whether `word` is a helper command, or ends with the name of a compressor: linkers
    /// merge a string with the end of a longer string.
    pub(super) fn matches_word(&self, word: &[u8]) -> bool {
        let is_name = word.last().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        is_name && (self.0.contains(word) || COMPRESSORS.iter().any(|name| word.ends_with(name)))
    }

    /// Returns the helper commands that are among `words` or at their ends.
    pub(super) fn commands_in(&self, words: &BTreeSet<Vec<u8>>) -> impl Iterator<Item = &'static [u8]> {
        let is_named = |helper: &&&'static [u8]| {
            let is_end = || words.iter().any(|word| word.ends_with(helper));
            words.contains(**helper) || COMPRESSORS.contains(*helper) && is_end()
        };
        self.0.iter().filter(is_named).copied().collect::<Vec<_>>().into_iter()
    }
}

/// Helper commands that compress or uncompress files.
const COMPRESSORS: [&[u8]; 7] = [b"bzip2", b"compress", b"gzip", b"lzip", b"lzma", b"lzop", b"zstd"];

/// Returns the commands that the program called `name` starts. A version at the end of the name is
/// ignored, as in `gcc-12`.
pub(super) fn commands_of_program(name: &[u8]) -> impl Iterator<Item = &'static str> {
    let end =
        name.iter().rposition(|byte| !byte.is_ascii_digit() && *byte != b'.').map_or(0, |last| last + 1);
    let name = name.get(..end).unwrap_or_default();
    let name = name.strip_suffix(b"-").unwrap_or(name);
    let is_name = move |program: &str| {
        name.strip_suffix(program.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"-"))
    };
    let found = COMMANDS_OF_PROGRAMS.iter().filter(move |(program, _)| is_name(program));
    found.flat_map(|(_, commands)| commands.split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_commands_of_programs() {
        for (name, commands) in
            [("x86_64-linux-gnu-gcc-12", vec!["as", "ld"]), ("clang-14.0", vec!["ld"]), ("human", vec![])]
        {
            assert_eq!(commands_of_program(name.as_bytes()).collect::<Vec<_>>(), commands, "{name}");
        }
        let helpers = HelperCommands::new();
        for (word, is_named) in [("xz", true), ("x", false), ("unzstd", true), ("unxz1", false)] {
            assert_eq!(helpers.matches_word(word.as_bytes()), is_named, "{word}");
        }
        let words = [b"unzstd".to_vec(), b"xz".to_vec()].into();
        let mut named: Vec<&[u8]> = helpers.commands_in(&words).collect();
        named.sort_unstable();
        assert_eq!(named, [b"xz".as_slice(), b"zstd"]);
    }
}
