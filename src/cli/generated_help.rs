//! `coracle completions` and `coracle man`: shell completion scripts and manual pages, generated from the
//! argument definitions.

use std::any::TypeId;
use std::io;

use clap::{Arg, Command, CommandFactory as _, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use coracle_core::fs::Context as _;

use super::args::{CargoCli, Cli, CompletionsArgs, ManArgs};
use super::error::{CliError, CliExit};
use super::{Invocation, console_output};

/// Runs `coracle completions`. Prints the completion script.
pub(super) fn run_completions(args: &CompletionsArgs, caller: Invocation) -> Result<CliExit, CliError> {
    let script = match (caller, args.shell) {
        (Invocation::Direct, shell) => completion_script(shell, Cli::command(), "coracle"),
        // clap_complete 4.6 loses subcommands in bash if the command's name contains a hyphen.
        (Invocation::CargoSubcommand, Shell::Bash) => {
            completion_script(Shell::Bash, CargoCli::command(), "cargo_coracle")
                .replace(" cargo_coracle\n", " cargo-coracle\n")
        }
        (Invocation::CargoSubcommand, shell) => {
            completion_script(shell, CargoCli::command(), "cargo-coracle")
        }
    };
    console_output::print_bytes(script.as_bytes())?;
    Ok(CliExit::Success)
}

/// Sets a value hint on all text arguments, because shells offer files for arguments without a
/// hint.
fn without_file_completion(command: Command) -> Command {
    command.mut_args(disable_file_completion).mut_subcommands(without_file_completion)
}

/// Turns off file completion for a text argument without a value hint.
fn disable_file_completion(arg: Arg) -> Arg {
    let is_text = arg.get_value_parser().type_id() == TypeId::of::<String>();
    match arg.get_value_hint() {
        ValueHint::Unknown if is_text => arg.value_hint(ValueHint::Other),
        _ => arg,
    }
}

fn completion_script(shell: Shell, command: Command, name: &'static str) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut without_file_completion(command).name(name), name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The pages of `cargo coracle` that differ from the pages of `coracle`.
const CARGO_PAGES: [&str; 2] = ["cargo-coracle", "cargo-coracle-build"];

/// Runs `coracle man`. Writes one page per command.
pub(super) fn run_man(args: &ManArgs) -> Result<CliExit, CliError> {
    let mut pages = Vec::new();
    collect_pages(&with_page_name(Cli::command(), "coracle"), &mut pages);
    let mut under_cargo = Vec::new();
    collect_pages(&with_page_name(CargoCli::command(), "cargo-coracle"), &mut under_cargo);
    pages.extend(under_cargo.into_iter().filter(|command| CARGO_PAGES.contains(&page_name(command))));
    std::fs::create_dir_all(&args.directory).context("create", &args.directory)?;
    for command in pages {
        let path = args.directory.join(format!("{}.1", page_name(&command)));
        let written = render_page(&command, &args.date).and_then(|page| std::fs::write(&path, page));
        written.context("write", &path)?;
    }
    Ok(CliExit::Success)
}

/// Returns the command with the page's name and everything that clap adds.
fn with_page_name(command: Command, name: &'static str) -> Command {
    let mut command = command.name(name).display_name(name);
    command.build();
    command
}

/// Adds `command` and its subcommands to `pages`, except hidden ones.
fn collect_pages(command: &Command, pages: &mut Vec<Command>) {
    if !command.is_hide_set() {
        pages.push(command.clone());
        command.get_subcommands().for_each(|command| collect_pages(command, pages));
    }
}

fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn render_page(command: &Command, date: &str) -> io::Result<String> {
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
            Some(examples) => format!(".SH EXAMPLES\n.nf\n{}.fi\n", escape_roff(&remove_indent(examples))),
            None => format!(".SH NOTES\n{}", escape_roff(paragraph)),
        });
    }
    let page: Vec<&str> = page.lines().map(str::trim_end).collect();
    Ok(page.join("\n") + "\n")
}

/// Removes the examples' indentation, which the page adds itself.
fn remove_indent(examples: &str) -> String {
    examples.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect()
}

/// Escapes text for roff: no escapes, and no line is a request.
fn escape_roff(text: &str) -> String {
    let line = |line: &str| format!("\\&{}\n", line.replace('\\', "\\e").replace('-', "\\-"));
    text.lines().map(line).collect()
}
