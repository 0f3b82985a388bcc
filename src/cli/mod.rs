//! The command line: arguments in, exit code out.
//!
//! stdout carries data, stderr messages for people. Uses only the public API of the library.

mod args;
mod build;
mod build_inputs;
mod cache;
mod cargo;
mod concurrent_builds;
mod config;
mod console_output;
mod contract_lookup;
mod copy;
mod debug_symbols;
mod deps;
mod diff;
mod environment;
mod error;
mod generated_dir;
mod generated_help;
mod hidden_files;
mod image_reader;
mod image_report;
mod init;
mod inspect;
mod interrupt;
mod line_wrap;
mod lock;
mod manifest_image;
mod manifests;
mod markdown_summary;
mod missing_dependencies;
mod plan_report;
mod progress;
mod read_project;
mod recipe_keys;
mod recipe_tables;
mod record;
mod reload_image;
mod report_files;
mod resolve_digests;
#[cfg(target_os = "linux")]
mod run;
#[cfg(not(target_os = "linux"))]
#[path = "run_elsewhere.rs"]
mod run;
mod sbom;
mod signing;
mod transfer_report;
mod usage_error;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use args::{
    CargoCli, CargoCommand, CargoConfigCommand, Cli, CommonCommand, ConfigCommand, CoracleCommand,
    UNDER_CARGO,
};
use error::{CliError, CliExit};

/// How the program was started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Invocation {
    Direct,
    CargoSubcommand,
}

/// Runs the command in `args`, whose first element is the program's own name.
pub(crate) fn run_command_line(args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut args: Vec<OsString> = args.collect();
    // `coracle run` and `coracle record` start this executable again.
    #[cfg(target_os = "linux")]
    coracle_run::run_stage(args.iter().cloned());
    coracle_trace::run_launcher(args.iter().cloned());
    let is_under_cargo = args.get(1).is_some_and(|arg| arg == UNDER_CARGO);
    if is_under_cargo {
        args.remove(1);
    }
    if args.len() < 2 {
        args.push("--help".into());
    }
    args::color_choice(&args).write_global();
    let result = if is_under_cargo { run_cargo_coracle(&args) } else { run_coracle(&args) };
    result
        .unwrap_or_else(|failure| {
            console_output::print_error(&failure);
            failure.exit
        })
        .into()
}

fn run_coracle(args: &[OsString]) -> Result<CliExit, CliError> {
    match Cli::try_parse_from(args) {
        Ok(cli) => match cli.command {
            CoracleCommand::Build(args) => build::run_build(&args),
            CoracleCommand::Run(args) => run::run_run(&args, None),
            CoracleCommand::Manifests(args) => manifests::run_manifests(&args, None),
            CoracleCommand::Config(ConfigCommand::Render(args)) => config::run_config_render(&args),
            CoracleCommand::Config(ConfigCommand::Contract(command)) => {
                config::run_contract_command(&command)
            }
            CoracleCommand::Other(command) => run_common_command(&command, Invocation::Direct),
        },
        Err(error) => print_help_or_fail(&error, Cli::command(), args),
    }
}

fn run_cargo_coracle(args: &[OsString]) -> Result<CliExit, CliError> {
    match CargoCli::try_parse_from(args) {
        Ok(cli) => match cli.command {
            CargoCommand::Build(args) => cargo::run_cargo_build(&args, cli.color),
            CargoCommand::Run(args) => cargo::run_cargo_run(*args, cli.color),
            CargoCommand::Manifests(args) => cargo::run_cargo_manifests(*args, cli.color),
            CargoCommand::Config(CargoConfigCommand::Render(args)) => cargo::run_cargo_config_render(*args),
            CargoCommand::Config(CargoConfigCommand::Contract(command)) => {
                config::run_contract_command(&command)
            }
            CargoCommand::Other(command) => run_common_command(&command, Invocation::CargoSubcommand),
        },
        Err(error) => print_help_or_fail(&error, CargoCli::command(), args),
    }
}

fn run_common_command(command: &CommonCommand, caller: Invocation) -> Result<CliExit, CliError> {
    match command {
        CommonCommand::Init(args) => init::run_init(args, caller),
        CommonCommand::Deps(args) => deps::run_deps(args),
        CommonCommand::Record(args) => record::run_record(args),
        CommonCommand::Stop(args) => run::run_stop(args),
        CommonCommand::Debug(args) => run::run_debug(args),
        CommonCommand::Resolve(args) => resolve_digests::run_resolve(args),
        CommonCommand::Inspect(args) => inspect::run_inspect(args),
        CommonCommand::Sbom(args) => sbom::run_sbom(args),
        CommonCommand::Diff(args) => diff::run_diff(args),
        CommonCommand::Copy(args) => copy::run_copy(args),
        CommonCommand::Sign(args) => signing::run_sign(args),
        CommonCommand::Verify(args) => verify::run_verify(args),
        CommonCommand::Key(command) => signing::run_key(command),
        CommonCommand::Lock(args) => lock::run_lock(args),
        CommonCommand::Index(args) => copy::run_index(args),
        CommonCommand::ReloadImage(args) => reload_image::run_reload_image(args),
        CommonCommand::Cache(command) => cache::run_cache(command),
        CommonCommand::Recipe(command) => recipe_keys::run_recipe(command),
        CommonCommand::Completions(args) => generated_help::run_completions(args, caller),
        CommonCommand::Man(args) => generated_help::run_man(args),
    }
}

/// Prints help or the version if requested; everything else is a usage error.
fn print_help_or_fail(
    error: &clap::Error,
    command: clap::Command,
    args: &[OsString],
) -> Result<CliExit, CliError> {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            console_output::print_data(&error.render().ansi().to_string())?;
            Ok(CliExit::Success)
        }
        _ => Err(usage_error::from_clap(error, command, args)),
    }
}
