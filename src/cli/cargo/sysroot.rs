//! What helps where a program is for another machine, and nothing here is its loader.

use coracle_ld::closure;
use coracle_ld::elf;

use crate::cli::failure::Failure;

/// Debian's libraries for other machines: the architecture of an image, the directory below `/usr` without what the machine is
/// called there, that, and what Debian calls the machine.
const DEBIAN: [(&str, &str, &str, &str); 8] = [
    ("amd64", "x86_64", "linux-gnu", "amd64"),
    ("arm64", "aarch64", "linux-gnu", "arm64"),
    ("arm", "arm", "linux-gnueabihf", "armhf"),
    ("386", "i686", "linux-gnu", "i386"),
    ("riscv64", "riscv64", "linux-gnu", "riscv64"),
    ("ppc64le", "powerpc64le", "linux-gnu", "ppc64el"),
    ("s390x", "s390x", "linux-gnu", "s390x"),
    ("mips64le", "mips64el", "linux-gnuabi64", "mips64el"),
];

/// Why there is no image of a program that cargo has built.
pub(super) fn failure(error: &coracle::Error) -> Failure {
    let failure = Failure::of_build(error);
    match hint(error) {
        Some(hint) => Failure { hint: Some(hint), ..failure },
        None => failure,
    }
}

fn hint(error: &coracle::Error) -> Option<String> {
    let coracle::Error::Closure(
        closure::Error::Interpreter { interpreter, wanted, .. }
        | closure::Error::InterpreterMachine { interpreter, wanted, .. },
    ) = error
    else {
        return None;
    };
    let platform = wanted.platform()?;
    let is_known = |(architecture, machine, ..): &&(&str, &str, &str, &str)| {
        *architecture == platform.architecture && *machine != std::env::consts::ARCH
    };
    let (_, machine, abi, debian) = DEBIAN.iter().find(is_known)?;
    // Debian has glibc, and hard floats.
    let interpreter = interpreter.to_string();
    if interpreter.contains("musl") || *machine == "arm" && !interpreter.contains("armhf") {
        return None;
    }
    let directory = format!("/usr/{machine}-{abi}");
    let sysroot = format!(
        "pass `--sysroot {platform}={directory}`: there the package `libc6-{debian}-cross` of Debian has the loader and glibc\n\
         or write it into Cargo.toml: `sysroot = \"{directory}\"` below `[package.metadata.coracle.platform.\"{platform}\"]`"
    );
    Some(match elf::rust_targets(&platform) {
        Some(targets) => {
            format!("{sysroot}\nor link the program statically, as with `--target {}`", targets.musl)
        }
        None => sysroot,
    })
}
