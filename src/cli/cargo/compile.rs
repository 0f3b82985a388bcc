//! Runs `cargo build` and reads from its messages which programs it builds.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use super::linker::{self, Trouble};
use super::message::{self, Artifact, Message};
use super::{targets, zig};
use crate::cli::args::{CargoArgs, Color};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::interrupt::{self, HandOn};
use crate::cli::report;

/// A program that cargo has built, for one or more targets.
pub(super) struct Program {
    /// The name of the `[[bin]]` or example.
    pub(super) name: String,
    /// The Cargo.toml of its package.
    pub(super) manifest: PathBuf,
    /// The files, one per target, sorted.
    pub(super) files: Vec<PathBuf>,
}

/// What cargo's messages have reported so far.
#[derive(Default)]
struct Said {
    /// By manifest, target kinds and name.
    programs: BTreeMap<(PathBuf, Vec<String>, String), Program>,
    trouble: Option<Trouble>,
}

/// Runs cargo, whose own output goes to stderr. Returns the programs, sorted by package and name.
/// Each is passed to `complete` as soon as it is built for all targets.
pub(super) fn programs(
    args: &CargoArgs,
    quiet: bool,
    color: Color,
    complete: impl FnMut(&Program),
) -> Result<Vec<Program>, Failure> {
    check_manifest(args)?;
    zig::check(args)?;
    let cargo = cargo();
    let mut command = Command::new(&cargo);
    command.arg(if args.zigbuild { "zigbuild" } else { "build" });
    // With a target named, diagnostics are read for the linker's errors; otherwise cargo renders
    // them, because it does that best.
    let targets = targets::named(args);
    let format = match targets.as_slice() {
        [] => "json-render-diagnostics",
        _ => "json,json-diagnostic-rendered-ansi",
    };
    command.arg(format!("--message-format={format}")).args(args.flags());
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
        .and_then(|cargo| listen(cargo, args, complete))
        .map_err(|error| no_cargo(Path::new(&cargo), &error))?;
    if interrupt::go_on().is_break() {
        let message = "interrupted; no image was written".into();
        return Err(Failure { exit: Exit::Interrupted, message, hint: None });
    }
    if !status.success() {
        return Err(failed(status, args, &targets, messages.trouble, &cargo));
    }
    Ok(messages.programs.into_values().collect())
}

/// Returns the cargo to run: cargo names itself in `CARGO` when it runs a subcommand.
#[allow(clippy::disallowed_methods, reason = "cargo is selected by the environment")]
pub(in crate::cli) fn cargo() -> OsString {
    std::env::var_os("CARGO").filter(|cargo| !cargo.is_empty()).unwrap_or_else(|| "cargo".into())
}

/// Fails if there is no Cargo.toml, with a more helpful hint than cargo's.
fn check_manifest(args: &CargoArgs) -> Result<(), Failure> {
    let hint = "name one with `--manifest-path`, create one with `cargo new app`, or build an image of an existing \
                program: `coracle build ./app`";
    match &args.manifest_path {
        Some(path) if !path.exists() => {
            Err(Failure::usage(format!("`--manifest-path`: `{}` does not exist", path.display()), hint))
        }
        Some(_) => Ok(()),
        None => {
            let here = std::env::current_dir().unwrap_or_default();
            if here.ancestors().any(|folder| folder.join("Cargo.toml").exists()) {
                return Ok(());
            }
            let message = format!("there is no Cargo.toml in `{}` or its parent directories", here.display());
            Err(Failure::usage(message, hint))
        }
    }
}

/// Reads cargo's messages until the build has finished, and waits for it to exit.
fn listen(
    mut cargo: Child,
    args: &CargoArgs,
    mut complete: impl FnMut(&Program),
) -> io::Result<(Said, ExitStatus)> {
    let mut messages = Said::default();
    let asks = HandOn::to(&cargo);
    if let Some(stdout) = cargo.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        while let Some(message) = message::next(&mut stdout, report::talk)? {
            match message {
                Message::BuildFinished {} => {
                    // A wrapper of cargo may print more, and a closed pipe would kill it.
                    let _ = thread::Builder::new().spawn(move || io::copy(&mut stdout, &mut io::sink()));
                    break;
                }
                Message::CompilerArtifact(artifact) if is_program(&artifact) => {
                    let program = messages.add(artifact);
                    if targets::are_all_there(program, &args.targets) {
                        complete(program);
                    }
                }
                Message::Diagnosed { message } => {
                    messages.trouble = messages.trouble.or_else(|| linker::trouble(&message));
                    report::beside_progress(message.rendered.as_deref().unwrap_or_default());
                }
                Message::CompilerArtifact(_) | Message::Other => {}
            }
        }
    }
    drop(asks);
    Ok((messages, cargo.wait()?))
}

/// Whether it is a program or example of a local package, not of a dependency or a build script.
fn is_program(artifact: &Artifact) -> bool {
    let kinds = &artifact.target.kind;
    artifact.executable.is_some()
        && kinds.iter().any(|kind| kind == "bin" || kind == "example")
        && artifact.package_id.contains("path+")
}

impl Said {
    /// Adds the artifact's file to its program, which has one file per target.
    fn add(&mut self, artifact: Artifact) -> &Program {
        let Artifact { manifest_path: manifest, target, executable, .. } = artifact;
        let key = (manifest.clone(), target.kind, target.name.clone());
        let program =
            self.programs.entry(key).or_insert(Program { name: target.name, manifest, files: Vec::new() });
        program.files.extend(executable);
        program.files.sort();
        program.files.dedup();
        program
    }
}

fn no_cargo(cargo: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot run `{}`: {error}", cargo.display());
    let hint =
        "install Rust as described at https://rustup.rs, or name cargo in the environment variable CARGO";
    Failure { exit: Exit::Failed, message, hint: Some(hint.into()) }
}

/// Explains why cargo has failed, as far as its own messages do not.
fn failed(
    status: ExitStatus,
    args: &CargoArgs,
    targets: &[String],
    trouble: Option<Trouble>,
    cargo: &OsString,
) -> Failure {
    let failure = |message, hint| Failure { exit: Exit::Failed, message, hint };
    if status.code().is_none() {
        return failure(format!("cargo was terminated ({status}); no image was built"), None);
    }
    let told = trouble.and_then(|trouble| trouble.told(targets, args));
    if let Some((message, hint)) = told.or_else(|| zig::missing(args, Path::new(cargo))) {
        return failure(message, Some(hint));
    }
    failure("cargo could not build the programs; no image was built".into(), None)
}
