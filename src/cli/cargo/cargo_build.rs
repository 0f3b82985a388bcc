//! Runs `cargo build` and reads from its messages which programs it builds.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use super::cargo_message::{self, CargoArtifact, CargoMessage};
use super::cross_errors::{self, LinkError};
use super::{BuiltProgram, built_files, cargo_targets};
use crate::cli::args::{CargoArgs, Color};
use crate::cli::console_output;
use crate::cli::error::CliError;
use crate::cli::interrupt::{self, ChildTerminator};
use crate::cli::read_project::{cargo_program, nearest_cargo_manifest};

/// The programs that cargo's messages have reported so far.
#[derive(Default)]
struct BuildMessages {
    /// By manifest, target kinds and name.
    programs: BTreeMap<(PathBuf, Vec<String>, String), BuiltProgram>,
    link_error: Option<LinkError>,
}

/// Runs cargo, whose own output goes to stderr. Returns the programs, sorted by package and name.
/// Each is passed to `on_complete` as soon as it is built for all targets.
pub(super) fn build_programs(
    args: &CargoArgs,
    quiet: bool,
    color: Color,
    on_complete: impl FnMut(&BuiltProgram),
) -> Result<Vec<BuiltProgram>, CliError> {
    check_manifest(args)?;
    cargo_targets::check_glibc_versions(args)?;
    let cargo = cargo_program();
    let mut command = Command::new(&cargo);
    if args.auditable {
        command.arg("auditable");
    }
    command.arg(if args.zigbuild { "zigbuild" } else { "build" });
    // With a target named, diagnostics are read for the linker's errors; otherwise cargo renders
    // them, because it does that best.
    let targets = cargo_targets::requested_targets(args);
    let format = match targets.as_slice() {
        [] => "json-render-diagnostics",
        _ => "json,json-diagnostic-rendered-ansi",
    };
    command.arg(format!("--message-format={format}")).args(args.cargo_build_args());
    match color {
        Color::Auto => {}
        Color::Always => drop(command.args(["--color", "always"])),
        Color::Never => drop(command.args(["--color", "never"])),
    }
    if quiet {
        command.arg("--quiet");
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let (messages, status) = child
        .and_then(|cargo| read_messages(cargo, args, on_complete))
        .map_err(|error| cannot_run_cargo_error(Path::new(&cargo), &error))?;
    if interrupt::is_cancelled() {
        return Err(CliError::interrupted("no image was written"));
    }
    if !status.success() {
        return Err(cargo_failure_error(status, args, &targets, messages.link_error, &cargo));
    }
    Ok(messages.programs.into_values().collect())
}

/// Fails if there is no Cargo.toml, with a more helpful hint than cargo's.
fn check_manifest(args: &CargoArgs) -> Result<(), CliError> {
    let hint = "name one with `--manifest-path`, create one with `cargo new app`, or build an image of an existing \
                program: `coracle build ./app`";
    match &args.manifest_path {
        Some(path) if !path.exists() => {
            Err(CliError::usage(format!("`--manifest-path`: `{}` does not exist", path.display()), hint))
        }
        Some(_) => Ok(()),
        None if nearest_cargo_manifest().is_some() => Ok(()),
        None => {
            let here = std::env::current_dir().unwrap_or_default();
            let message = format!("there is no Cargo.toml in `{}` or its parent directories", here.display());
            Err(CliError::usage(message, hint))
        }
    }
}

/// Reads cargo's messages until the build has finished, and waits for it to exit.
fn read_messages(
    mut cargo: Child,
    args: &CargoArgs,
    mut on_complete: impl FnMut(&BuiltProgram),
) -> io::Result<(BuildMessages, ExitStatus)> {
    let mut messages = BuildMessages::default();
    let terminator = ChildTerminator::watch(&cargo);
    if let Some(stdout) = cargo.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        while let Some(message) = cargo_message::read_message(&mut stdout, console_output::print_message)? {
            match message {
                CargoMessage::BuildFinished {} => {
                    // A wrapper of cargo may print more, and a closed pipe would kill it.
                    let _ = thread::Builder::new().spawn(move || io::copy(&mut stdout, &mut io::sink()));
                    break;
                }
                CargoMessage::CompilerArtifact(artifact) if is_local_program(&artifact) => {
                    let program = messages.add_artifact(artifact);
                    if built_files::is_built_for_all(program, &args.targets) {
                        on_complete(program);
                    }
                }
                CargoMessage::CompilerMessage { message } => {
                    messages.link_error =
                        messages.link_error.or_else(|| cross_errors::parse_link_error(&message));
                    console_output::print_over_progress(message.rendered.as_deref().unwrap_or_default());
                }
                CargoMessage::CompilerArtifact(_) | CargoMessage::Other => {}
            }
        }
    }
    drop(terminator);
    Ok((messages, cargo.wait()?))
}

/// Returns whether the artifact is a program or example of a local package, not of a dependency or a build
/// script.
fn is_local_program(artifact: &CargoArtifact) -> bool {
    let kinds = &artifact.target.kind;
    artifact.executable.is_some()
        && kinds.iter().any(|kind| kind == "bin" || kind == "example")
        && artifact.package_id.contains("path+")
}

impl BuildMessages {
    /// Adds the artifact's file to its program, which has one file per target.
    fn add_artifact(&mut self, artifact: CargoArtifact) -> &BuiltProgram {
        let CargoArtifact { manifest_path: manifest, target, executable, .. } = artifact;
        let key = (manifest.clone(), target.kind, target.name.clone());
        let program = self.programs.entry(key).or_insert(BuiltProgram {
            name: target.name,
            manifest,
            files: Vec::new(),
        });
        program.files.extend(executable);
        program.files.sort();
        program.files.dedup();
        program
    }
}

fn cannot_run_cargo_error(cargo: &Path, error: &io::Error) -> CliError {
    let message = format!("cannot run `{}`: {error}", cargo.display());
    let hint =
        "install Rust as described at https://rustup.rs, or name cargo in the environment variable CARGO";
    CliError::failed_with_hint(message, hint)
}

/// Explains why cargo has failed, as far as its own messages do not.
fn cargo_failure_error(
    status: ExitStatus,
    args: &CargoArgs,
    targets: &[String],
    link_error: Option<LinkError>,
    cargo: &OsString,
) -> CliError {
    if status.code().is_none() {
        return CliError::failed(format!("cargo was terminated ({status}); no image was built"));
    }
    let explained = link_error.and_then(|link_error| link_error.message_and_hint(targets, args));
    if let Some((message, hint)) =
        explained.or_else(|| cross_errors::missing_cargo_commands(args, Path::new(cargo)))
    {
        return CliError::failed_with_hint(message, hint);
    }
    CliError::failed("cargo could not build the programs; no image was built")
}
