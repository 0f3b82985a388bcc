//! Runs `cargo build`, and learns from its messages which programs there are.

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

/// A program that cargo has built, for one target or several.
pub(super) struct Program {
    /// Its name, as Cargo.toml or the file's has it.
    pub(super) name: String,
    /// The Cargo.toml of its package.
    pub(super) manifest: PathBuf,
    /// The files, one for each target.
    pub(super) files: Vec<PathBuf>,
}

/// What cargo has said so far.
#[derive(Default)]
struct Said {
    /// By package, kind and name.
    programs: BTreeMap<(PathBuf, Vec<String>, String), Program>,
    trouble: Option<Trouble>,
}

/// Builds; cargo's own words go to stderr. The programs, by package and name, whatever was done first; each is handed to
/// `complete` as soon as it is there for all targets.
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
    // Cargo renders diagnostics best, but then nobody hears what a linker has said; only those for another machine lack one.
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
    let (said, status) = child
        .and_then(|cargo| listen(cargo, args, complete))
        .map_err(|error| no_cargo(Path::new(&cargo), &error))?;
    if interrupt::go_on().is_break() {
        let message = "interrupted; no image was written".into();
        return Err(Failure { exit: Exit::Interrupted, message, hint: None });
    }
    if !status.success() {
        return Err(failed(status, args, &targets, said.trouble, &cargo));
    }
    Ok(said.programs.into_values().collect())
}

/// Who runs this under cargo has it in `CARGO`.
#[allow(clippy::disallowed_methods, reason = "the environment says which cargo it is")]
pub(in crate::cli) fn cargo() -> OsString {
    std::env::var_os("CARGO").filter(|cargo| !cargo.is_empty()).unwrap_or_else(|| "cargo".into())
}

/// Cargo would say so, too, but not what else can be done.
fn check_manifest(args: &CargoArgs) -> Result<(), Failure> {
    let hint = "name one with `--manifest-path`, begin with `cargo new app`, or build an image of a program that is \
                there: `coracle build ./app`";
    match &args.manifest_path {
        Some(path) if !path.exists() => {
            Err(Failure::usage(format!("`--manifest-path`: there is no `{}`", path.display()), hint))
        }
        Some(_) => Ok(()),
        None => {
            let here = std::env::current_dir().unwrap_or_default();
            if here.ancestors().any(|folder| folder.join("Cargo.toml").exists()) {
                return Ok(());
            }
            let message = format!("there is no Cargo.toml in `{}` or above", here.display());
            Err(Failure::usage(message, hint))
        }
    }
}

/// What cargo says, and how it ends.
fn listen(
    mut cargo: Child,
    args: &CargoArgs,
    mut complete: impl FnMut(&Program),
) -> io::Result<(Said, ExitStatus)> {
    let mut said = Said::default();
    let asks = HandOn::to(&cargo);
    if let Some(stdout) = cargo.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        while let Some(message) = message::next(&mut stdout, report::talk)? {
            match message {
                Message::BuildFinished {} => {
                    // A wrapper of cargo's may print more; with nobody to read it, that would end it.
                    let _ = thread::Builder::new().spawn(move || io::copy(&mut stdout, &mut io::sink()));
                    break;
                }
                Message::CompilerArtifact(artifact) if is_program(&artifact) => {
                    let program = said.add(artifact);
                    if targets::are_all_there(program, &args.targets) {
                        complete(program);
                    }
                }
                Message::Diagnosed { message } => {
                    said.trouble = said.trouble.or_else(|| linker::trouble(&message));
                    report::beside_progress(message.rendered.as_deref().unwrap_or_default());
                }
                Message::CompilerArtifact(_) | Message::Other => {}
            }
        }
    }
    drop(asks);
    Ok((said, cargo.wait()?))
}

/// Programs of dependencies and of build scripts are not what was asked for.
fn is_program(artifact: &Artifact) -> bool {
    let kinds = &artifact.target.kind;
    artifact.executable.is_some()
        && kinds.iter().any(|kind| kind == "bin" || kind == "example")
        && artifact.package_id.contains("path+")
}

impl Said {
    /// One program for all its targets.
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
    let hint = "install Rust as https://rustup.rs says, or name cargo in the variable CARGO";
    Failure { exit: Exit::Failed, message, hint: Some(hint.into()) }
}

/// Cargo has said why.
fn failed(
    status: ExitStatus,
    args: &CargoArgs,
    targets: &[String],
    trouble: Option<Trouble>,
    cargo: &OsString,
) -> Failure {
    let failure = |message, hint| Failure { exit: Exit::Failed, message, hint };
    if status.code().is_none() {
        return failure(format!("cargo was ended ({status}), so there is no image"), None);
    }
    let told = trouble.and_then(|trouble| trouble.told(targets, args));
    if let Some((message, hint)) = told.or_else(|| zig::missing(args, Path::new(cargo))) {
        return failure(message, Some(hint));
    }
    failure("cargo could not build the programs, so there is no image".into(), None)
}
