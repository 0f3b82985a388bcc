//! The commands of a page, in their order, with what the page says they print.

use std::fs;
use std::path::{Path, PathBuf};

/// A command as it stands on a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// The line of its start, from 1.
    pub(crate) line: usize,
    /// Several lines where they end in a backslash.
    pub(crate) text: String,
    /// The output that the page shows, without a line feed at the end.
    pub(crate) output: String,
}

/// README.md and every page in docs/, by their paths in the repository.
pub(crate) fn all() -> Vec<PathBuf> {
    let pages = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> =
        pages.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.push(root().join("README.md"));
    pages.sort();
    pages.iter().map(|path| path.strip_prefix(root()).unwrap().to_owned()).collect()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The commands of a page.
pub(crate) fn commands(page: &str) -> Vec<Command> {
    blocks(page).into_iter().flat_map(|(line, lines)| block(line, &lines)).collect()
}

/// The blocks of a page that hold commands: fences of a shell, and indented ones that begin with a command.
fn blocks(page: &str) -> Vec<(usize, Vec<&str>)> {
    let mut found: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut inside = Inside::Text;
    for (number, line) in page.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        let indented = line.strip_prefix("    ");
        inside = match (inside, fence, indented) {
            (Inside::Fence(_), Some(_), _) => Inside::Text,
            (Inside::Fence(runs), None, _) => Inside::Fence(runs),
            (_, Some(language), _) => {
                let runs = ["sh", "console", "bash", "shell"].contains(&language);
                if runs {
                    found.push((number + 2, Vec::new()));
                }
                Inside::Fence(runs)
            }
            (Inside::Block(runs), _, Some(_)) => Inside::Block(runs),
            // An empty line may be part of what is printed; else what follows shows by itself whether it is a command.
            (Inside::Block(true), _, None) if line.is_empty() && has_prompt(&found) => Inside::Block(true),
            (Inside::Text, _, Some(line)) => {
                if is_command(line) {
                    found.push((number + 1, Vec::new()));
                }
                Inside::Block(is_command(line))
            }
            _ => Inside::Text,
        };
        match inside {
            Inside::Fence(true) if fence.is_none() => found.last_mut().unwrap().1.push(line),
            Inside::Block(true) => found.last_mut().unwrap().1.push(indented.unwrap_or_default()),
            _ => {}
        }
    }
    found
}

/// Where a line of a page is; `true` where commands are.
#[derive(Clone, Copy)]
enum Inside {
    Text,
    Fence(bool),
    Block(bool),
}

fn has_prompt(blocks: &[(usize, Vec<&str>)]) -> bool {
    blocks.last().is_some_and(|(_, lines)| lines.iter().any(|line| line.starts_with("$ ")))
}

/// A prompt, a variable that is set, or the bare name of a program: no path, no key, nothing that ends in a colon.
fn is_command(line: &str) -> bool {
    let first = line.split(' ').next().unwrap_or_default();
    let is_variable = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let is_program = first.bytes().all(|byte| byte.is_ascii_lowercase() || b"0123456789-+.".contains(&byte));
    first == "$"
        || first.split_once('=').is_some_and(|(name, _)| !name.is_empty() && is_variable(name))
        || is_program && first.starts_with(|letter: char| letter.is_ascii_lowercase())
        || is_script(first)
}

/// A program of this project, by its path.
fn is_script(path: &str) -> bool {
    path.contains('/') && fs::read(root().join(path)).is_ok_and(|file| file.starts_with(b"#!"))
}

/// Where there are prompts, what follows a command is what it prints; else every line is a command.
fn block(first: usize, lines: &[&str]) -> Vec<Command> {
    let prompts = lines.iter().any(|line| line.starts_with("$ "));
    let mut found: Vec<Command> = Vec::new();
    let mut goes_on = false;
    for (at, line) in lines.iter().enumerate() {
        let command = line.strip_prefix("$ ").or((!prompts && !line.is_empty()).then_some(*line));
        match (command, found.last_mut()) {
            (_, Some(last)) if goes_on => last.text = format!("{}\n{line}", last.text),
            (Some(text), _) => {
                found.push(Command { line: first + at, text: text.into(), output: String::new() });
            }
            (None, Some(last)) => last.output = format!("{}{line}\n", last.output),
            (None, None) => {}
        }
        goes_on = line.ends_with('\\');
    }
    for command in &mut found {
        command.output.truncate(command.output.trim_end().len());
    }
    found
}

#[test]
fn separates_commands_from_output() {
    let page = "Text\n\n    a b   # c\n\n    cd d\n\n    error: x\n      y\n\n```console\n$ e \\\n    f\ng\n…\n$ h\n```\n```toml\nno = 1\n```\n\n    kind: Pod\n    x y\n";
    let command = |line, text: &str, output: &str| Command { line, text: text.into(), output: output.into() };
    assert_eq!(
        commands(page),
        [
            command(3, "a b   # c", ""),
            command(5, "cd d", ""),
            command(11, "e \\\n    f", "g\n…"),
            command(15, "h", "")
        ]
    );
}
