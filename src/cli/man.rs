//! `coracle man`: writes manual pages, generated from the argument definitions. Used for releases.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use coracle_core::fs::Context as _;

use super::args::{CargoCli, Cli, ManArgs};
use super::exit::Exit;
use super::failure::Failure;

/// The pages of `cargo coracle` that differ from those of `coracle`.
const UNDER_CARGO: [&str; 2] = ["cargo-coracle", "cargo-coracle-build"];

/// Writes one page per command.
pub(super) fn run(args: &ManArgs) -> Result<Exit, Failure> {
    let mut pages = Vec::new();
    collect(&named(Cli::command(), "coracle"), &mut pages);
    let mut under_cargo = Vec::new();
    collect(&named(CargoCli::command(), "cargo-coracle"), &mut under_cargo);
    pages.extend(under_cargo.into_iter().filter(|command| UNDER_CARGO.contains(&name(command))));
    failed(std::fs::create_dir_all(&args.directory), "create", &args.directory)?;
    for command in pages {
        let path = args.directory.join(format!("{}.1", name(&command)));
        failed(page(&command, &args.date).and_then(|page| std::fs::write(&path, page)), "write", &path)?;
    }
    Ok(Exit::Done)
}

/// Returns the command with the page's name and everything that clap adds.
fn named(command: Command, name: &'static str) -> Command {
    let mut command = command.name(name).display_name(name);
    command.build();
    command
}

/// Adds `command` and its subcommands to `pages`, except hidden ones.
fn collect(command: &Command, pages: &mut Vec<Command>) {
    if !command.is_hide_set() {
        pages.push(command.clone());
        command.get_subcommands().for_each(|command| collect(command, pages));
    }
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn page(command: &Command, date: &str) -> io::Result<String> {
    let man = Man::new(command.clone()).date(date).source(concat!("coracle ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    let mut page = String::from_utf8_lossy(&page).replace("\n.br\n\n.br\n", "\n.sp\n");
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for paragraph in after.split("\n\n") {
        page.push_str(&match paragraph.strip_prefix("Examples:\n") {
            Some(examples) => format!(".SH EXAMPLES\n.nf\n{}.fi\n", lines(&unindented(examples))),
            None => format!(".SH NOTES\n{}", lines(paragraph)),
        });
    }
    let page: Vec<&str> = page.lines().map(str::trim_end).collect();
    Ok(page.join("\n") + "\n")
}

/// Removes the examples' indentation, which the page adds itself.
fn unindented(examples: &str) -> String {
    examples.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect()
}

/// Escapes text for roff: no escapes, and no line is a request.
fn lines(text: &str) -> String {
    let line = |line: &str| format!("\\&{}\n", line.replace('\\', "\\e").replace('-', "\\-"));
    text.lines().map(line).collect()
}

fn failed<T>(result: io::Result<T>, verb: &'static str, path: &Path) -> Result<T, Failure> {
    Ok(result.context(verb, path).map_err(coracle::Error::from)?)
}
