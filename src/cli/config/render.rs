//! `coracle config render`: renders the configuration files as the program will read them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use coracle::recipe;
use coracle_kube::config::{self, RenderedFile, RenderedMount};

use crate::cli::args::ConfigRenderArgs;
use crate::cli::error::{CliError, CliExit};
use crate::cli::generated_dir::{self, GeneratedFile};
use crate::cli::stderr::{self, BOLD, DIM};
use crate::cli::stdout;

/// Runs `coracle config render`. Renders all files before any is written.
pub(super) fn run_config_render(args: &ConfigRenderArgs) -> Result<CliExit, CliError> {
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
    let mounts = config::render(&configuration)?;
    match &args.output {
        Some(directory) => write_files(&mounts, directory)?,
        None => print_files(&mounts)?,
    }
    Ok(CliExit::Success)
}

/// Returns the error that neither the flags nor the recipe `file` specify a configuration.
fn no_configuration(file: Option<&Path>) -> CliError {
    let (table, file) = match file {
        Some(file) if file.ends_with("Cargo.toml") => ("package.metadata.coracle.config", file),
        file => ("config", file.unwrap_or(Path::new(recipe::DEFAULT_FILE_NAME))),
    };
    CliError::usage(
        "nothing to render: no configuration is specified",
        format!("write `[[{table}]]` in `{}`, or pass `--config /etc/app=FOLDER`", file.display()),
    )
}

/// Prints one file unchanged, several with a heading each. Secrets are not printed.
fn print_files(mounts: &[RenderedMount]) -> Result<(), CliError> {
    let files: Vec<(String, &RenderedFile)> = files_with_paths(mounts).collect();
    for (path, file) in &files {
        if files.len() > 1 {
            stdout::print(&format!("{BOLD}==> {path}{BOLD:#}\n"))?;
        }
        if file.is_secret {
            stderr::print(&format!("{DIM}{path} is secret: use `--output DIR` to write it{DIM:#}\n"));
        } else {
            stdout::write_bytes(&file.bytes)?;
        }
    }
    Ok(())
}

/// Writes each file to its path below `directory`.
fn write_files(mounts: &[RenderedMount], directory: &Path) -> Result<(), CliError> {
    let files: Vec<(String, &RenderedFile)> = files_with_paths(mounts).collect();
    let listed = files.iter().map(|(path, file)| GeneratedFile {
        path: path.trim_start_matches('/'),
        bytes: &file.bytes,
        is_secret: file.is_secret,
    });
    generated_dir::RENDERED_CONFIG_DIR.update_in_place(directory, &listed.collect::<Vec<_>>())?;
    for (path, file) in &files {
        let to = directory.join(path.trim_start_matches('/'));
        let secret = if file.is_secret { ", secret" } else { "" };
        stderr::print(&format!("{} {DIM}{} bytes{secret}{DIM:#}\n", to.display(), file.bytes.len()));
    }
    Ok(())
}

fn files_with_paths(mounts: &[RenderedMount]) -> impl Iterator<Item = (String, &RenderedFile)> {
    mounts.iter().flat_map(|mount| {
        mount
            .files
            .iter()
            .map(move |file| (format!("{}/{}", mount.path.to_string().trim_end_matches('/'), file.key), file))
    })
}
