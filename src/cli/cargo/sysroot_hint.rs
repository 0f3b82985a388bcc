//! Hints for programs of another machine whose dynamic loader is not found.

use coracle_ld::closure;
use coracle_ld::elf;

use crate::cli::error::CliError;

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
