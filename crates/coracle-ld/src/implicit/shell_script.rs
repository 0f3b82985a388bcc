//! The commands that a shell script starts. Only words at the start of a command are found; a script
//! may build other names at run time.

use std::collections::{BTreeMap, BTreeSet};

/// Maximum size of a script that is read, in bytes.
pub(super) const MAX_SCRIPT_SIZE: usize = 1 << 20;

/// Words of the shell after which another command starts.
const KEYWORDS: [&str; 12] =
    ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "exec", "command"];
/// Commands that start the command in their arguments.
const STARTERS: [&str; 6] = ["nohup", "env", "xargs", "nice", "setsid", "sudo"];
/// Reserved words and commands that shells execute themselves. Source: POSIX.1-2017, 2.4 and 2.14; the
/// list of bash.
const BUILTINS: [&str; 63] = [
    "fi",
    "done",
    "esac",
    "for",
    "case",
    "in",
    "function",
    "select",
    "}",
    "[[",
    "]]",
    "break",
    ":",
    "continue",
    ".",
    "eval",
    "exit",
    "export",
    "readonly",
    "return",
    "set",
    "shift",
    "times",
    "trap",
    "unset",
    "source",
    "cd",
    "echo",
    "printf",
    "read",
    "test",
    "[",
    "true",
    "false",
    "type",
    "ulimit",
    "umask",
    "unalias",
    "alias",
    "wait",
    "bg",
    "fg",
    "jobs",
    "kill",
    "getopts",
    "hash",
    "pwd",
    "local",
    "declare",
    "typeset",
    "let",
    "shopt",
    "builtin",
    "enable",
    "pushd",
    "popd",
    "dirs",
    "disown",
    "help",
    "history",
    "mapfile",
    "readarray",
    "caller",
];

/// Returns the words of `script` that start a command and are not executed by the shell itself: names and
/// paths, without variables.
pub(super) fn command_words(script: &str) -> BTreeSet<String> {
    let (mut words, mut functions) = (BTreeSet::new(), BTreeSet::new());
    let mut values = AssignedPaths::default();
    for command in CommandParser::new(script) {
        values.add_assignments(&command);
        match command.as_slice() {
            [name, parentheses, body @ ..] if parentheses == "()" => {
                functions.insert(name.clone());
                words.extend(started_words(body, &values));
            }
            command => words.extend(started_words(command, &values)),
        }
    }
    words.retain(|word| !functions.contains(word));
    words
}

/// Returns the words of a command that name the programs it starts: the first word that is no
/// keyword, assignment or redirection, and the word after a command such as `xargs`.
fn started_words(command: &[String], variables: &AssignedPaths) -> Vec<String> {
    let mut started = Vec::new();
    for word in command {
        let is_skipped = word.starts_with(['-', '<', '>']) || word.contains('=') || word.is_empty();
        if KEYWORDS.contains(&word.as_str()) || is_skipped {
            continue;
        }
        let is_name = |word: &String| {
            word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._+-[".contains(&byte))
        };
        let is_command = |word: &String| is_name(word) && !BUILTINS.contains(&word.as_str());
        started.extend(variables.expand(word).into_iter().filter(is_command));
        // The file that is read as a part of the script.
        if matches!(word.as_str(), "." | "source") {
            continue;
        }
        if !STARTERS.contains(&word.as_str()) {
            break;
        }
    }
    started
}

/// The absolute paths that variables have been assigned so far.
#[derive(Default)]
struct AssignedPaths(BTreeMap<String, BTreeSet<String>>);

impl AssignedPaths {
    /// Adds the assignments at the start of a command.
    fn add_assignments(&mut self, command: &[String]) {
        let skipped = ["", "export", "readonly", "local", "then", "else", "do", "{"];
        for word in command.iter().skip_while(|word| skipped.contains(&word.as_str())) {
            let Some((name, value)) = word.split_once('=') else { return };
            let is_path = |value: &String| value.starts_with('/') && !value.contains('$');
            let values: Vec<String> = self.expand(value).into_iter().filter(is_path).collect();
            let known = self.0.entry(name.to_owned()).or_default();
            known.extend(values.into_iter().take(MAX_VALUES.saturating_sub(known.len())));
        }
    }

    /// Replaces the variable at the start of `word`, as in `$bin/x` and `${bin}/x`, by each of its values. If
    /// they are unknown, `./x`: scripts compute the directory that they are in.
    fn expand(&self, word: &str) -> Vec<String> {
        let Some(rest) = word.strip_prefix('$') else { return vec![word.to_owned()] };
        let (name, rest) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, rest)) => (name, rest),
            None => rest
                .split_at(rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())),
        };
        match self.0.get(name).filter(|values| !values.is_empty()) {
            Some(values) => values.iter().map(|value| format!("{value}{rest}")).collect(),
            None if rest.starts_with('/') => vec![format!(".{rest}")],
            None => vec![word.to_owned()],
        }
    }
}

/// The simple commands of a script, each as its words. Words with variables have a `$`. Commands in
/// `$(…)` and backticks are commands of their own.
struct CommandParser<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    /// The commands in substitutions of the command that is being read.
    nested: Vec<Vec<String>>,
    /// The delimiters of here-documents that start after this line.
    heredocs: Vec<String>,
    /// The number of open subshells.
    subshells: usize,
}

/// Maximum number of values of one variable.
const MAX_VALUES: usize = 8;
/// Maximum depth of nested command substitutions.
const MAX_DEPTH: usize = 16;

impl<'a> CommandParser<'a> {
    fn new(script: &'a str) -> Self {
        Self { rest: script.chars().peekable(), nested: Vec::new(), heredocs: Vec::new(), subshells: 0 }
    }

    /// Reads a command up to a separator, or up to `end`. Returns its words, and whether `end` was read.
    fn read_command(&mut self, end: Option<char>, depth: usize) -> (Vec<String>, bool) {
        let (mut words, mut word) = (Vec::new(), String::new());
        while let Some(c) = self.rest.next() {
            if Some(c) == end {
                words.push(word);
                return (words, true);
            }
            match c {
                '\\' => word.extend(self.rest.next().filter(|c| *c != '\n')),
                '\'' => word.extend(self.rest.by_ref().take_while(|c| *c != '\'')),
                '"' => self.read_double_quotes(&mut word, depth),
                '`' => self.read_nested('`', depth, &mut word),
                '$' if self.rest.peek() == Some(&'(') => {
                    self.rest.next();
                    self.read_nested(')', depth, &mut word);
                }
                '$' => word.push('$'),
                '#' if word.is_empty() => {
                    self.rest.by_ref().find(|c| *c == '\n');
                    self.skip_heredocs();
                    return (words, false);
                }
                '(' if self.rest.peek() == Some(&')') => {
                    self.rest.next();
                    words.extend([std::mem::take(&mut word), "()".to_owned()]);
                }
                '<' if self.rest.peek() == Some(&'<') => self.read_heredoc_delimiter(),
                '\n' => {
                    words.push(word);
                    self.skip_heredocs();
                    return (words, false);
                }
                '(' => {
                    self.subshells += 1;
                    words.push(word);
                    return (words, false);
                }
                // Without a subshell, it ends a pattern of `case`.
                ')' if self.subshells == 0 => return (Vec::new(), false),
                ')' => {
                    self.subshells -= 1;
                    words.push(word);
                    return (words, false);
                }
                // A redirection such as `2>&1`.
                '&' if word.ends_with(['>', '<']) || self.rest.peek() == Some(&'>') => word.push('&'),
                ';' | '|' | '&' => {
                    words.push(word);
                    return (words, false);
                }
                c if c.is_whitespace() => words.push(std::mem::take(&mut word)),
                c => word.push(c),
            }
        }
        words.push(word);
        (words, true)
    }

    fn read_double_quotes(&mut self, word: &mut String, depth: usize) {
        while let Some(c) = self.rest.next() {
            match c {
                '"' => return,
                '\\' => word.extend(self.rest.next()),
                '`' => self.read_nested('`', depth, word),
                '$' if self.rest.peek() == Some(&'(') => {
                    self.rest.next();
                    self.read_nested(')', depth, word);
                }
                c => word.push(c),
            }
        }
    }

    /// Reads the commands of a substitution up to `end`; the word gets a `$` for its value.
    fn read_nested(&mut self, end: char, depth: usize, word: &mut String) {
        word.push('$');
        if depth >= MAX_DEPTH {
            return;
        }
        loop {
            let (command, is_end) = self.read_command(Some(end), depth + 1);
            self.nested.push(command);
            if is_end {
                return;
            }
        }
    }

    fn read_heredoc_delimiter(&mut self) {
        self.rest.next();
        let is_part = |c: &char| !c.is_whitespace() && !";|&)<".contains(*c);
        while self.rest.next_if(|c| *c == '-' || *c == ' ').is_some() {}
        let mut delimiter = String::new();
        while let Some(c) = self.rest.next_if(is_part) {
            delimiter.push(c);
        }
        let delimiter = delimiter.trim_matches(['"', '\'', '\\']);
        if !delimiter.is_empty() {
            self.heredocs.push(delimiter.to_owned());
        }
    }

    fn skip_heredocs(&mut self) {
        for delimiter in std::mem::take(&mut self.heredocs) {
            loop {
                let line: String = self.rest.by_ref().take_while(|c| *c != '\n').collect();
                if line.trim() == delimiter || self.rest.peek().is_none() {
                    break;
                }
            }
        }
    }
}

impl Iterator for CommandParser<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        if let Some(command) = self.nested.pop() {
            return Some(command);
        }
        self.rest.peek()?;
        Some(self.read_command(None, 0).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_commands() {
        for (script, expected) in [
            ("#!/bin/sh\necho a | /usr/bin/awk '{print}'", vec!["/usr/bin/awk"]),
            ("if grep -q x f; then sed -i s/a/b/ f; fi", vec!["grep", "sed"]),
            ("A=1 B=$(date +%s) exec nginx -g x", vec!["date", "nginx"]),
            ("log() { logger \"$1\"; }\nlog hello\n# curl x\n$CMD arg", vec!["logger"]),
            ("cat <<EOF\nrm -rf /\nEOF\nls", vec!["cat", "ls"]),
            ("x=`hostname`\n[ -f a ] && exec \"$@\"", vec!["hostname"]),
            ("find . | xargs -0 gzip", vec!["find", "gzip", "xargs"]),
            ("usage=\"Usage: $0 [FILE]...\n  write dot\n\"\nprintf '%s\n  display' x | tr a b", vec!["tr"]),
            ("x=\"$(sed s/a/b/ \"$(which y)\")\" # wc", vec!["sed", "which"]),
            ("case $1 in\n a) sort;;\nesac", vec!["sort"]),
            (
                "bin=/usr/lib/x/bin\n$bin/initdb -D d\nexec ${bin}/y",
                vec!["/usr/lib/x/bin/initdb", "/usr/lib/x/bin/y"],
            ),
            (
                "if x; then\n  bin=\"/usr/bin\"; r=\"$bin/resolveip\"\nfi\ny=`\"$r\" h 2>&1`",
                vec!["/usr/bin/resolveip", "x"],
            ),
            ("d=$(dirname \"$0\")\n. \"$d/env\"\n$d/x", vec!["./env", "./x", "dirname"]),
            ("$( $( $(", vec![]),
        ] {
            assert_eq!(command_words(script).into_iter().collect::<Vec<_>>(), expected, "{script}");
        }
    }
}
