//! Passwords in command lines of programs.

use super::bytes_around_offset::{BytesAroundOffset, first_bytes};
use super::char_sets::CharSet;
use super::finding::RuleMatch;
use super::passwords::is_random_password;

/// Programs whose flags take passwords, and the flag. `%` takes `USER%PASSWORD`, `:` `USER:PASSWORD`.
const PASSWORD_FLAGS: &[(&str, &str, u8)] = &[
    ("curl", "-u", b':'),
    ("curl", "--user", b':'),
    ("curl", "--proxy-user", b':'),
    ("mysql", "-p", 0),
    ("mysqldump", "-p", 0),
    ("mysqladmin", "-p", 0),
    ("mariadb", "-p", 0),
    ("mongo", "-p", 0),
    ("mongosh", "-p", 0),
    ("mongodump", "-p", 0),
    ("sshpass", "-p", 0),
    ("redis-cli", "-a", 0),
    ("docker", "-p", 0),
    ("podman", "-p", 0),
    ("helm", "--password", 0),
    ("smbclient", "-U", b'%'),
    ("ldapsearch", "-w", 0),
    ("lftp", "-u", b','),
    ("wget", "--password", 0),
];

/// The programs whose command lines are searched.
pub(super) fn programs_with_passwords() -> impl Iterator<Item = &'static str> {
    let mut programs: Vec<&str> = PASSWORD_FLAGS.iter().map(|(program, ..)| *program).collect();
    programs.dedup();
    programs.into_iter()
}

/// Finds a password in the command line of the program at the offset.
pub(super) fn find_command_line_password(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    if window.previous_byte().is_some_and(|byte| CharSet::BASE64URL.contains(byte)) {
        return None;
    }
    let line = first_bytes(window.rest, MAX_COMMAND_LINE).split(|byte| b"\n|;".contains(byte)).next()?;
    let words: Vec<&[u8]> = line
        .split(|byte| b" \t\r".contains(byte))
        .map(|word| word.strip_suffix(b"\\").unwrap_or(word))
        .filter(|word| !word.is_empty())
        .collect();
    let program = words.first()?;
    let flags = PASSWORD_FLAGS.iter().filter(|(name, ..)| name.as_bytes() == *program);
    let passwords = flags.flat_map(|(_, flag, separator)| {
        let values = words.iter().enumerate().filter_map(|(index, word)| {
            let attached = word.strip_prefix(flag.as_bytes())?;
            let value = if attached.is_empty() { words.get(index + 1).copied()? } else { attached };
            let value = value.strip_prefix(b"=").unwrap_or(value);
            let value = value.split(|byte| b"'\"".contains(byte)).max_by_key(|part| part.len())?;
            let after = value.iter().position(|byte| byte == separator).map_or(0, |at| at + 1);
            (*separator == 0 || after > 0).then(|| value.get(after..)).flatten()
        });
        values.collect::<Vec<_>>()
    });
    let mut passwords = passwords;
    passwords
        .any(is_random_password)
        .then(|| RuleMatch::new_error("password", "a password in a command line"))
}

const MAX_COMMAND_LINE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_passwords_in_command_lines_and_fields() {
        for (text, expected) in [
            ("curl -s -u ada:x7Kp2q9ZtL https://acme.dev", true),
            ("mysql -uroot -px7Kp2q9ZtL shop", true),
            ("sshpass -p 'x7Kp2q9ZtL' ssh ada@acme.dev", true),
            ("curl -u user:password https://acme.dev", false),
            ("mysql -u root -p shop", false),
        ] {
            assert_eq!(
                find_command_line_password(&BytesAroundOffset::new(text.as_bytes(), 0)).is_some(),
                expected,
                "{text}"
            );
        }
    }
}
