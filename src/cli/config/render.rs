//! `coracle config render`: renders the configuration files as the program will read them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use coracle_kube::config::{self, RenderedFile, RenderedMount};
use coracle::recipe;

use crate::cli::args::RenderArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::folder::{self, File};
use crate::cli::output;
use crate::cli::report::{self, FAINT, STRONG};

/// Renders all files before any is written.
pub(super) fn run(args: &RenderArgs) -> Result<Exit, Failure> {
    let default = PathBuf::from(recipe::FILE_NAME);
    let file = (!args.needs_no_recipe()).then(|| args.file.as_ref().unwrap_or(&default).as_path());
    let configuration = recipe::configuration(file, &args.overrides()).map_err(|error| match error {
        // The default recipe is missing: explain that a recipe or a flag is needed.
        recipe::Error::Read(error)
            if args.file.is_none() && file.is_some() && error.kind() == ErrorKind::NotFound =>
        {
            nothing(None)
        }
        error => error.into(),
    })?;
    if configuration.mounts.is_empty() {
        return Err(nothing(file));
    }
    let mounts = config::render(&configuration)?;
    match &args.output {
        Some(directory) => write(&mounts, directory)?,
        None => print(&mounts)?,
    }
    Ok(Exit::Done)
}

/// Returns the error that neither the flags nor the recipe `file` specify a configuration.
fn nothing(file: Option<&Path>) -> Failure {
    let (table, file) = match file {
        Some(file) if file.ends_with("Cargo.toml") => ("package.metadata.coracle.config", file),
        file => ("config", file.unwrap_or(Path::new(recipe::FILE_NAME))),
    };
    Failure::usage(
        "nothing to render: no configuration is specified",
        format!("write `[[{table}]]` in `{}`, or pass `--config /etc/app=FOLDER`", file.display()),
    )
}

/// Prints one file unchanged, several with a heading each. Secrets are not printed.
fn print(mounts: &[RenderedMount]) -> Result<(), Failure> {
    let files: Vec<(String, &RenderedFile)> = all(mounts).collect();
    for (path, file) in &files {
        if files.len() > 1 {
            output::print(&format!("{STRONG}==> {path}{STRONG:#}\n"))?;
        }
        if file.is_secret {
            report::talk(&format!("{FAINT}{path} is secret: use `--output DIR` to write it{FAINT:#}\n"));
        } else {
            output::write(&file.bytes)?;
        }
    }
    Ok(())
}

/// Writes each file to its path below `directory`.
fn write(mounts: &[RenderedMount], directory: &Path) -> Result<(), Failure> {
    let files: Vec<(String, &RenderedFile)> = all(mounts).collect();
    let listed = files.iter().map(|(path, file)| File {
        path: path.trim_start_matches('/'),
        bytes: &file.bytes,
        is_secret: file.is_secret,
    });
    folder::RENDER.update(directory, &listed.collect::<Vec<_>>())?;
    for (path, file) in &files {
        let to = directory.join(path.trim_start_matches('/'));
        let secret = if file.is_secret { ", secret" } else { "" };
        report::talk(&format!("{} {FAINT}{} bytes{secret}{FAINT:#}\n", to.display(), file.bytes.len()));
    }
    Ok(())
}

fn all(mounts: &[RenderedMount]) -> impl Iterator<Item = (String, &RenderedFile)> {
    mounts.iter().flat_map(|mount| {
        mount
            .files
            .iter()
            .map(move |file| (format!("{}/{}", mount.path.to_string().trim_end_matches('/'), file.key), file))
    })
}
