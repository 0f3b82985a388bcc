//! Errors of builds for another machine, with hints: of rustc and linkers, of missing tools of
//! `cargo zigbuild`, and of a dynamic loader that is not found.

use std::path::Path;
use std::process::{Command, Stdio};

use coracle_ld::closure;
use coracle_ld::elf;

use super::cargo_message::RustcDiagnostic;
use super::cargo_targets;
use crate::cli::args::CargoArgs;
use crate::cli::environment::nonempty_env_var;
use crate::cli::error::CliError;

/// Why rustc could not build for another machine.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum LinkError {
    /// The target's standard library is not installed.
    TargetNotInstalled,
    /// The linker with this name is not installed.
    LinkerMissing(String),
    /// The linker with this name rejects the files: it, or a library that it finds, is for another
    /// machine.
    WrongMachine(String),
}

/// Messages of GNU ld, gold and LLVM's lld about files of another machine.
const WRONG_MACHINE_MESSAGES: [&str; 4] =
    ["file in wrong format", "is incompatible with", "incompatible target", "unrecognized emulation mode"];

/// Returns the cause of rustc's error; `None` if it is not about the linker or the standard
/// library. Source: rustc, `compiler/rustc_codegen_ssa/src/errors.rs` and E0463 in its index of
/// errors.
pub(super) fn parse_link_error(diagnostic: &RustcDiagnostic) -> Option<LinkError> {
    let text = diagnostic.message.as_str();
    if let "can't find crate for `std`" | "can't find crate for `core`" = text {
        return Some(LinkError::TargetNotInstalled);
    }
    if let Some(linker) = text.strip_prefix("linker `").and_then(|text| text.strip_suffix("` not found")) {
        return Some(LinkError::LinkerMissing(linker.into()));
    }
    let (linker, _) = text.strip_prefix("linking with `")?.split_once("` failed")?;
    let rendered = diagnostic.rendered.as_deref().unwrap_or_default();
    WRONG_MACHINE_MESSAGES
        .iter()
        .any(|message| rendered.contains(message))
        .then(|| LinkError::WrongMachine(linker.into()))
}

impl LinkError {
    /// Returns a message and a hint with one solution per line, for a build for `targets`.
    pub(super) fn message_and_hint(&self, targets: &[String], args: &CargoArgs) -> Option<(String, String)> {
        match self {
            Self::TargetNotInstalled => {
                let target = cargo_targets::first_uninstalled_target(targets)?;
                let message = format!("the target `{target}` is not installed; no image was built");
                Some((message, format!("install it with `rustup target add {target}`")))
            }
            Self::LinkerMissing(linker) => {
                let message = format!("the linker `{linker}` is not installed; no image was built");
                Some((message, self.linker_hint(targets, args)))
            }
            Self::WrongMachine(linker) => {
                let message = format!("`{linker}` can't link files for another machine; no image was built");
                Some((message, self.linker_hint(targets, args)))
            }
        }
    }

    /// Returns the hint: how to install or configure a linker.
    fn linker_hint(&self, targets: &[String], args: &CargoArgs) -> String {
        // Targets of this machine did not cause the error.
        let triples = targets.iter().map(|target| cargo_targets::without_glibc_version(target));
        let linkers: Vec<CrossLinker> =
            triples.filter(|triple| !is_native_target(triple)).map(CrossLinker::for_target).collect();
        let install_hint = |linker: &str| {
            debian_package(linker).map(|name| format!("on Debian, install it with `apt-get install {name}`"))
        };
        let mut lines: Vec<String> = match self {
            Self::TargetNotInstalled => Vec::new(),
            Self::LinkerMissing(linker) => match install_hint(linker) {
                Some(line) => vec![line],
                None => linkers.iter().map(CrossLinker::config_hint).collect(),
            },
            Self::WrongMachine(linker) => {
                let others = linkers.iter().filter(|other| other.linker != *linker);
                others
                    .flat_map(|other| std::iter::once(other.config_hint()).chain(install_hint(&other.linker)))
                    .collect()
            }
        };
        if lines.is_empty() {
            lines.push(
                "name the target's linker in .cargo/config.toml: `target.TRIPLE.linker = \"PROGRAM\"`".into(),
            );
        }
        if !args.zigbuild {
            lines.push("or pass `--zigbuild`, which links with Zig for any target".into());
        }
        lines.join("\n")
    }
}

fn is_native_target(triple: &str) -> bool {
    triple.split('-').next() == Some(std::env::consts::ARCH)
}

/// A target and its cross linker.
struct CrossLinker {
    triple: String,
    linker: String,
}

impl CrossLinker {
    fn for_target(triple: &str) -> Self {
        // musl targets need no system library, so the linker that comes with rustc suffices.
        let linker = if triple.contains("-musl") { "rust-lld".into() } else { debian_gcc(triple) };
        Self { triple: triple.into(), linker }
    }

    /// Returns the hint that configures the linker.
    fn config_hint(&self) -> String {
        format!(
            "name the linker in .cargo/config.toml: `target.{}.linker = \"{}\"`",
            self.triple, self.linker
        )
    }
}

/// Returns the name of Debian's GCC for a Rust target triple.
fn debian_gcc(triple: &str) -> String {
    let mut parts = triple.split('-');
    let (machine, abi) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or("gnu"));
    let machine = match machine {
        machine if machine.starts_with("arm") || machine.starts_with("thumb") => "arm",
        machine if machine.starts_with("riscv64") => "riscv64",
        "i586" => "i686",
        machine => machine,
    };
    format!("{machine}-linux-{abi}-gcc")
}

/// Returns the Debian package of a linker.
fn debian_package(linker: &str) -> Option<String> {
    let name = linker.rsplit('/').next()?;
    match name {
        "cc" | "gcc" | "c++" | "g++" | "ld" => return Some("build-essential".into()),
        "clang" | "lld" | "mold" => return Some(name.into()),
        "ld.lld" => return Some("lld".into()),
        "musl-gcc" => return Some("musl-tools".into()),
        _ => {}
    }
    let (machine, compiler) = name.rsplit_once('-')?;
    let is_debians = machine.contains("-linux-gnu") && matches!(compiler, "gcc" | "g++");
    is_debians.then(|| format!("{compiler}-{}", machine.replace('_', "-")))
}

/// Returns which command of cargo is missing, and how to install it; `None` if none is.
pub(super) fn missing_cargo_commands(args: &CargoArgs, cargo: &Path) -> Option<(String, String)> {
    if args.auditable && !runs_successfully(Command::new(cargo).args(["auditable", "--version"])) {
        return Some((
            "cargo-auditable is not installed; no image was built".into(),
            "install it with `cargo install cargo-auditable`".into(),
        ));
    }
    missing_zigbuild_tools(args, cargo)
}

/// Returns what `cargo zigbuild` is missing, and how to install it; `None` if nothing.
fn missing_zigbuild_tools(args: &CargoArgs, cargo: &Path) -> Option<(String, String)> {
    if !args.zigbuild {
        return None;
    }
    if !runs_successfully(Command::new(cargo).args(["zigbuild", "--version"])) {
        return Some((
            "cargo-zigbuild is not installed; no image was built".into(),
            "install it with `cargo install cargo-zigbuild`, and Zig, which it needs, with `pip install ziglang`"
                .into(),
        ));
    }
    let has_zig = has_zig_variable()
        || runs_successfully(Command::new("zig").arg("version"))
        || runs_successfully(&mut python_ziglang("python3"));
    (!has_zig).then(|| {
        (
            "cargo-zigbuild can't find Zig; no image was built".into(),
            "install it with `pip install ziglang`, or name it in the environment variable CARGO_ZIGBUILD_ZIG_PATH"
                .into(),
        )
    })
}

/// Returns whether the environment names Zig. Source: cargo-zigbuild, `src/zig.rs`, `find_zig`.
fn has_zig_variable() -> bool {
    nonempty_env_var("CARGO_ZIGBUILD_ZIG_PATH").is_some()
}

fn python_ziglang(program: &str) -> Command {
    let mut python = Command::new(program);
    python.args(["-m", "ziglang", "version"]);
    python
}

fn runs_successfully(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// Debian's cross libraries: OCI architecture, GNU machine and ABI, whose `/usr/MACHINE-ABI` holds
/// the libraries, and Debian's architecture.
const DEBIAN_CROSS_LIBRARIES: [(&str, &str, &str, &str); 8] = [
    ("amd64", "x86_64", "linux-gnu", "amd64"),
    ("arm64", "aarch64", "linux-gnu", "arm64"),
    ("arm", "arm", "linux-gnueabihf", "armhf"),
    ("386", "i686", "linux-gnu", "i386"),
    ("riscv64", "riscv64", "linux-gnu", "riscv64"),
    ("ppc64le", "powerpc64le", "linux-gnu", "ppc64el"),
    ("s390x", "s390x", "linux-gnu", "s390x"),
    ("mips64le", "mips64el", "linux-gnuabi64", "mips64el"),
];

/// Converts the build error of a program that cargo has built.
pub(super) fn build_error_with_hint(error: &coracle::Error) -> CliError {
    let failure = CliError::from_build_error(error);
    match sysroot_hint(error) {
        Some(hint) => CliError { hint: Some(hint), ..failure },
        None => failure,
    }
}

fn sysroot_hint(error: &coracle::Error) -> Option<String> {
    let coracle::Error::Closure(
        closure::Error::MissingInterpreter { interpreter, wanted, .. }
        | closure::Error::InterpreterMachineMismatch { interpreter, wanted, .. },
    ) = error
    else {
        return None;
    };
    let platform = wanted.platform()?;
    let is_known = |(architecture, machine, ..): &&(&str, &str, &str, &str)| {
        *architecture == platform.architecture && *machine != std::env::consts::ARCH
    };
    let (_, machine, abi, debian) = DEBIAN_CROSS_LIBRARIES.iter().find(is_known)?;
    // Debian's libraries are glibc with the hard-float ABI.
    let interpreter = interpreter.to_string();
    if interpreter.contains("musl") || *machine == "arm" && !interpreter.contains("armhf") {
        return None;
    }
    let directory = format!("/usr/{machine}-{abi}");
    let sysroot = format!(
        "pass `--sysroot {platform}={directory}`: Debian's package `libc6-{debian}-cross` installs the dynamic loader and glibc there\n\
         or set it in Cargo.toml: `sysroot = \"{directory}\"` in `[package.metadata.coracle.platform.\"{platform}\"]`"
    );
    Some(match elf::rust_targets(&platform) {
        Some(targets) => {
            format!("{sysroot}\nor link the program statically, as with `--target {}`", targets.musl)
        }
        None => sysroot,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(message: &str, rendered: &str) -> Option<LinkError> {
        parse_link_error(&RustcDiagnostic { message: message.into(), rendered: Some(rendered.into()) })
    }

    #[test]
    fn recognizes_linker_errors() {
        let failed = "linking with `cc` failed: exit status: 1";
        for (message, rendered, expected) in [
            ("linker `a-gcc` not found", "", Some(LinkError::LinkerMissing("a-gcc".into()))),
            (
                failed,
                "ld: x.o: error adding symbols: file in wrong format",
                Some(LinkError::WrongMachine("cc".into())),
            ),
            (
                failed,
                "rust-lld: error: x.o is incompatible with elf64-x86-64",
                Some(LinkError::WrongMachine("cc".into())),
            ),
            (failed, "ld: cannot find -lssl", None),
            ("can't find crate for `std`", "", Some(LinkError::TargetNotInstalled)),
            ("can't find crate for `core`", "", Some(LinkError::TargetNotInstalled)),
            ("can't find crate for `serde`", "", None),
            ("cannot find value `x` in this scope", "", None),
        ] {
            assert_eq!(parse(message, rendered), expected);
        }
    }

    #[test]
    fn names_debian_compilers_and_packages() {
        for (triple, linker, name) in [
            ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc", Some("gcc-aarch64-linux-gnu")),
            ("armv7-unknown-linux-gnueabihf", "arm-linux-gnueabihf-gcc", Some("gcc-arm-linux-gnueabihf")),
            ("x86_64-unknown-linux-gnu", "x86_64-linux-gnu-gcc", Some("gcc-x86-64-linux-gnu")),
            ("riscv64gc-unknown-linux-gnu", "riscv64-linux-gnu-gcc", Some("gcc-riscv64-linux-gnu")),
            ("aarch64-unknown-linux-musl", "rust-lld", None),
        ] {
            assert_eq!(CrossLinker::for_target(triple).linker, linker);
            assert_eq!(debian_package(linker).as_deref(), name);
        }
    }
}
