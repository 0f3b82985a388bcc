//! Converts clap's errors to our form. Words of other tools get advice from a table; a similar name is
//! suggested only if it is a misspelling.

mod foreign_build_flags;
mod foreign_commands;
mod foreign_run_flags;
mod foreign_tool_flags;

use std::ffi::OsString;
use std::path::Path;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use coracle_core::hint::most_similar;

use super::error::{CliError, CliExit};
use foreign_build_flags::BUILD_FLAGS;
use foreign_commands::COMMANDS;
use foreign_run_flags::RUN_FLAGS;
use foreign_tool_flags::OTHER_FLAGS;

/// Words that users of other tools type, with advice on Coracle's equivalent.
struct ForeignWord {
    /// The command in whose place or after which it is typed, such as `build` or `config render`; empty for
    /// all.
    commands: &'static [&'static str],
    /// The words, separated by spaces.
    words: &'static str,
    advice: &'static str,
}

/// The command that a command line has selected.
struct SelectedCommand {
    /// The command's name as typed, such as `cargo coracle build`.
    name: String,
    /// The command's name without the program's name, such as `build`.
    path: String,
    command: Command,
}

impl SelectedCommand {
    /// Finds the innermost command of `args`, whose first element is the program.
    fn find(mut command: Command, args: &[OsString]) -> Self {
        command.build();
        let mut names = vec![command.get_bin_name().unwrap_or(command.get_name()).to_owned()];
        let mut words = args.iter().skip(1).filter_map(|arg| arg.to_str());
        while let Some(word) = words.next() {
            if word == "--color" {
                words.next();
            } else if !word.starts_with('-') {
                let Some(next) = command.find_subcommand(word).cloned() else { break };
                names.push(next.get_name().to_owned());
                command = next;
            }
        }
        let path = names.get(1..).unwrap_or_default().join(" ");
        Self { name: names.join(" "), path, command }
    }

    fn is_under_cargo(&self) -> bool {
        self.name.starts_with("cargo ")
    }

    /// Returns the advice for a word of another tool.
    fn advice<'a>(&self, mut table: impl Iterator<Item = &'a ForeignWord>, word: &str) -> Option<String> {
        let is_for = |row: &&ForeignWord| row.words().any(|known| known == word) && row.is_in(&self.path);
        let advice = table.find(is_for)?.advice;
        Some(match self.is_under_cargo() {
            // cargo builds the programs.
            true => {
                advice.replace("coracle build ./app", "coracle build").replace("`coracle ", "`cargo coracle ")
            }
            false => advice.to_owned(),
        })
    }

    fn unknown_flag(&self, flag: &str) -> CliError {
        let flags = self.command.get_arguments().filter(|arg| !arg.is_hide_set());
        let longs = flags.filter_map(|arg| arg.get_long());
        let similar = flag.strip_prefix("--").and_then(|flag| most_similar(flag, longs));
        let hint = self
            .advice(RUN_FLAGS.iter().chain(BUILD_FLAGS).chain(OTHER_FLAGS), flag)
            .or_else(|| Some(format!("did you mean `--{}`?", similar?)))
            .unwrap_or_else(|| self.help_hint("flags, with examples"));
        CliError::usage(format!("`{}` has no flag `{flag}`", self.name), hint)
    }

    fn unknown_command(&self, word: &str) -> CliError {
        let commands = self.command.get_subcommands().filter(|command| !command.is_hide_set());
        let names: Vec<&str> = commands.map(Command::get_name).collect();
        let is_program = self.path.is_empty() && (word.contains('/') || Path::new(word).is_file());
        let hint = if is_program && self.is_under_cargo() {
            format!(
                "`cargo coracle build` builds images of the package's programs, `coracle build {word}` of a file"
            )
        } else if is_program {
            format!("`coracle build {word}` builds an image of it, `coracle deps {word}` shows its libraries")
        } else if let Some(advice) = self.advice(COMMANDS.iter(), word) {
            advice
        } else if let Some(name) = most_similar(word, names) {
            format!("did you mean `{} {name}`?", self.name)
        } else {
            self.help_hint("commands")
        };
        CliError::usage(format!("`{}` has no command `{word}`", self.name), hint)
    }

    /// Returns the error for a positional argument that the command does not take.
    fn unexpected_argument(&self, word: &str) -> CliError {
        let trailing = self.command.get_positionals().any(clap::Arg::is_last_set);
        let hint = match trailing {
            true => format!("write the command to run after `--`: `{} -- {word}`", self.name),
            false => self.help_hint("arguments, with examples"),
        };
        CliError::usage(format!("`{}` does not take the argument `{word}`", self.name), hint)
    }

    fn help_hint(&self, what: &str) -> String {
        format!("`{} --help` lists all {what}", self.name)
    }
}

impl ForeignWord {
    fn words(&self) -> impl Iterator<Item = &'static str> {
        self.words.split_whitespace()
    }

    fn is_in(&self, path: &str) -> bool {
        self.commands.is_empty() || self.commands.contains(&path)
    }
}

/// Converts clap's error about `args`.
pub(super) fn from_clap(error: &clap::Error, command: Command, args: &[OsString]) -> CliError {
    let selected = SelectedCommand::find(command, args);
    let text_of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match (error.kind(), text_of(ContextKind::InvalidArg), text_of(ContextKind::InvalidValue)) {
        (ErrorKind::UnknownArgument, Some(word), _) if word.starts_with('-') => selected.unknown_flag(word),
        (ErrorKind::UnknownArgument, Some(word), _) => selected.unexpected_argument(word),
        (ErrorKind::TooManyValues, Some(flag), Some(value)) => CliError::usage(
            format!("`{flag}` takes no value, but `{value}` is given"),
            format!("write `{flag}` alone, or leave it out"),
        ),
        (ErrorKind::InvalidSubcommand, ..) => {
            selected.unknown_command(text_of(ContextKind::InvalidSubcommand).unwrap_or_default())
        }
        _ => with_claps_message(error, &selected),
    }
}

/// Returns clap's message, with backticks and without its tips, which may suggest another word.
fn with_claps_message(error: &clap::Error, selected: &SelectedCommand) -> CliError {
    let text = error.render().to_string().replace('\'', "`");
    let lines = text.lines().filter(|line| {
        !line.is_empty()
            && !line.trim_start().starts_with("tip: ")
            && !line.starts_with("For more information")
    });
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix("error: ").unwrap_or(line)).collect();
    CliError {
        exit: CliExit::Usage,
        message: lines.join("\n").replace("\nUsage: ", "\n\nusage: "),
        hint: Some(selected.help_hint("flags, with examples")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::{CargoCli, Cli};

    /// Returns every command by its path.
    fn all_commands(command: &Command) -> Vec<(String, Command)> {
        fn collect(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
            found.push((path.to_owned(), command.clone()));
            for next in command.get_subcommands() {
                collect(next, format!("{path} {}", next.get_name()).trim(), found);
            }
        }
        let mut command = command.clone();
        command.build();
        let mut found = Vec::new();
        collect(&command, "", &mut found);
        found
    }

    fn flags(command: &Command) -> BTreeSet<String> {
        let arguments = command.get_arguments();
        arguments
            .flat_map(|arg| {
                let long = arg.get_long().map(|long| format!("--{long}"));
                [long, arg.get_short().map(|short| format!("-{short}"))].into_iter().flatten()
            })
            .collect()
    }

    fn all_flags() -> impl Iterator<Item = &'static ForeignWord> {
        RUN_FLAGS.iter().chain(BUILD_FLAGS).chain(OTHER_FLAGS)
    }

    #[test]
    fn advice_for_flags_names_flags_that_the_command_has() {
        for (path, command) in all_commands(&Cli::command()) {
            let flags = flags(&command);
            for row in all_flags().filter(|row| row.is_in(&path)) {
                for word in row.words() {
                    assert!(!flags.contains(word), "`{path}` has {word}");
                }
                // A code span that starts with a flag is about this command.
                for code in row
                    .advice
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .filter(|code| code.starts_with('-') && *code != "--")
                {
                    let flag = code.split([' ', '=']).next().unwrap();
                    assert!(row.commands.is_empty() || flags.contains(flag), "`{path}` has no {flag}");
                }
            }
        }
    }

    #[test]
    fn advice_names_commands_that_exist() {
        let commands = all_commands(&Cli::command());
        let under_cargo = all_commands(&CargoCli::command());
        for row in all_flags().chain(COMMANDS) {
            for path in row.commands {
                assert!(commands.iter().any(|(known, _)| known == path), "`{path}`");
            }
            for code in row.advice.split('`').skip(1).step_by(2) {
                let Some(words) = code.strip_prefix("coracle ") else { continue };
                let args: Vec<OsString> = code.split(' ').map(OsString::from).collect();
                let found = SelectedCommand::find(Cli::command(), &args);
                assert!(!found.path.is_empty(), "{code}");
                assert!(under_cargo.iter().any(|(path, _)| *path == found.path), "{words}");
                let known = flags(&found.command);
                for flag in
                    words.split(' ').take_while(|word| *word != "--").filter(|word| word.starts_with('-'))
                {
                    assert!(known.contains(flag), "{code}: {flag}");
                }
            }
        }
    }

    #[test]
    fn the_page_about_other_tools_names_flags_that_exist() {
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/other-tools.md")).unwrap();
        let (mut commands, build) =
            (0, flags(&SelectedCommand::find(Cli::command(), &["coracle".into(), "build".into()]).command));
        // The last columns are about Coracle: flags alone are those of `build`, and the last one has the recipe's keys.
        for row in page.lines().filter(|line| line.starts_with("| ")) {
            let columns: Vec<&str> = row.trim_matches('|').split('|').collect();
            let ours = columns.iter().skip(if columns.len() == 4 { 3 } else { 1 });
            for code in ours.flat_map(|column| column.split('`').skip(1).step_by(2)) {
                let code = code.rsplit("&& ").next().unwrap();
                let known = match code.starts_with("coracle ") {
                    true => {
                        commands += 1;
                        let args: Vec<OsString> = code.split(' ').map(OsString::from).collect();
                        flags(&SelectedCommand::find(Cli::command(), &args).command)
                    }
                    false if code.starts_with("--") => build.clone(),
                    false => continue,
                };
                let words = code.split(' ').take_while(|word| *word != "--");
                for flag in words.filter(|word| word.starts_with('-')) {
                    assert!(known.contains(flag), "{code}: {flag}");
                }
            }
        }
        assert!(commands > 10, "{commands}");
    }

    #[test]
    fn every_word_has_one_advice_in_each_command() {
        for (path, command) in all_commands(&Cli::command()) {
            for table in [all_flags().collect::<Vec<_>>(), COMMANDS.iter().collect()] {
                let mut known = BTreeSet::new();
                for row in table.into_iter().filter(|row| row.is_in(&path)) {
                    for word in row.words() {
                        assert!(known.insert(word) || row.commands.is_empty(), "`{path}`: {word}");
                    }
                }
            }
            let names: BTreeSet<&str> = command.get_subcommands().map(Command::get_name).collect();
            for row in COMMANDS.iter().filter(|row| row.commands.contains(&path.as_str())) {
                row.words().for_each(|word| assert!(!names.contains(word), "`{path}` has {word}"));
            }
        }
    }
}
