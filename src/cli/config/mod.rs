//! `coracle config`: renders a program's configuration as the program will read it, and checks it against
//! the image's contract.

mod check;
mod contract_output;

pub(super) use check::{CheckedImage, check_manifests, print_notes, read_manifests};

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use coracle::recipe;
use coracle_core::escape::escape_text;
use coracle_kube::config::{self, RenderedFile, RenderedMount};

use super::args::{ConfigRenderArgs, ContractCommand};
use super::console_output::{self, BOLD, DIM};
use super::error::{CliError, CliExit};
use super::generated_dir::{self, GeneratedFile};
use super::read_project::is_virtual_workspace;
use super::recipe_tables;

/// Runs a command of `coracle config` that reads a contract.
pub(super) fn run_contract_command(command: &ContractCommand) -> Result<CliExit, CliError> {
    match command {
        ContractCommand::Show(args) => contract_output::run_config_show(args),
        ContractCommand::Check(args) => check::run_config_check(args),
        ContractCommand::Diff(args) => contract_output::run_config_diff(args),
    }
}

/// Runs `coracle config render`. Renders all files before any is written.
pub(super) fn run_config_render(args: &ConfigRenderArgs) -> Result<CliExit, CliError> {
    recipe_tables::set_tables_of_recipe_in_messages(args.file.as_deref());
    let default = PathBuf::from(recipe::DEFAULT_FILE_NAME);
    let file = (!args.needs_no_recipe()).then(|| args.file.as_ref().unwrap_or(&default).as_path());
    let configuration = recipe::read_configuration(file, &args.overrides()).map_err(|error| match error {
        // The default recipe is missing: explain that a recipe or a flag is needed.
        recipe::RecipeError::Read(error)
            if args.file.is_none() && file.is_some() && error.kind() == ErrorKind::NotFound =>
        {
            no_configuration(None)
        }
        error => error.into(),
    })?;
    if configuration.mounts.is_empty() {
        return Err(no_configuration(file));
    }
    let mounts = match &args.output {
        Some(_) => config::render_all(&configuration)?,
        // Secrets are not printed, so their values may be missing.
        None => config::render_public(&configuration)?,
    };
    console_output::print_notes(&config::format_warnings(&mounts), args.quiet);
    match &args.output {
        Some(directory) => write_files(&mounts, directory, args.quiet)?,
        None => print_files(&mounts, args.quiet)?,
    }
    Ok(CliExit::Success)
}

/// Returns the error that neither the flags nor the recipe `file` specify a configuration.
fn no_configuration(file: Option<&Path>) -> CliError {
    let write = match file {
        Some(file) if is_virtual_workspace(file) => {
            "name the Cargo.toml of a package, with `[[package.metadata.coracle.config]]` in it".to_owned()
        }
        Some(file) if file.ends_with("Cargo.toml") => {
            format!("write `[[package.metadata.coracle.config]]` in `{}`", file.display())
        }
        file => format!(
            "write `[[config]]` in `{}`",
            file.unwrap_or(Path::new(recipe::DEFAULT_FILE_NAME)).display()
        ),
    };
    CliError::usage(
        "nothing to render: no configuration is specified",
        format!("{write}, or pass `--config FOLDER:/etc/app`"),
    )
}

/// Prints one file unchanged, several with a heading each. Secrets are not printed.
fn print_files(mounts: &[RenderedMount], quiet: bool) -> Result<(), CliError> {
    let files: Vec<(String, &RenderedFile)> = files_with_paths(mounts).collect();
    let mut ends_line = true;
    for (path, file) in &files {
        if files.len() > 1 {
            if !ends_line {
                console_output::print_bytes(b"\n")?;
            }
            console_output::print_data(&format!("{BOLD}==> {}{BOLD:#}\n", escape_text(path)))?;
        }
        if !file.is_secret {
            console_output::print_bytes(&file.bytes)?;
            ends_line = file.bytes.last().is_none_or(|last| *last == b'\n');
        } else if !quiet {
            console_output::print_message(&format!(
                "{DIM}{} is secret: use `--output DIR` to write it{DIM:#}\n",
                escape_text(path)
            ));
        }
    }
    Ok(())
}

/// Writes each file to its path below `directory`.
fn write_files(mounts: &[RenderedMount], directory: &Path, quiet: bool) -> Result<(), CliError> {
    let files: Vec<(String, &RenderedFile)> = files_with_paths(mounts).collect();
    let listed = files.iter().map(|(path, file)| GeneratedFile {
        path: path.trim_start_matches('/'),
        bytes: &file.bytes,
        is_secret: file.is_secret,
    });
    generated_dir::RENDERED_CONFIG_DIR.update_in_place(directory, &listed.collect::<Vec<_>>())?;
    for (path, file) in files.iter().filter(|_| !quiet) {
        let to = directory.join(path.trim_start_matches('/'));
        let secret = if file.is_secret { ", secret" } else { "" };
        console_output::print_message(&format!(
            "{} {DIM}{} bytes{secret}{DIM:#}\n",
            to.display(),
            file.bytes.len()
        ));
    }
    Ok(())
}

fn files_with_paths(mounts: &[RenderedMount]) -> impl Iterator<Item = (String, &RenderedFile)> {
    mounts.iter().flat_map(|mount| {
        mount.files.iter().map(move |file| {
            (format!("{}/{}", mount.path.to_string().trim_end_matches('/'), file.path), file)
        })
    })
}
