//! Which image of several platforms is run, and whether this machine can.

use coracle_core::platform::Platform;
use coracle_oci::layout::{ParsedImage, ParsedPlatform};
use coracle_run::RunError;

use crate::cli::args::RunArgs;
use crate::cli::error::CliError;
use crate::cli::image_reader::parse_platform;

/// Returns the image for this machine, or for the platform that the flags choose.
pub(super) fn choose_platform(parsed: &ParsedImage, args: &RunArgs) -> Result<ParsedPlatform, CliError> {
    let host = Platform::linux(host_architecture(), None);
    let found = match parse_platform(args.platform.as_deref())? {
        Some(wanted) => parsed.image_for_platform(Some(&wanted)),
        None => parsed.image_for_platform(Some(&host)).or_else(|_| parsed.image_for_platform(None)),
    };
    let found = found.map_err(coracle::Error::from)?.clone();
    let architecture = &found.platform.architecture;
    if *architecture != host.architecture && !is_emulated(architecture) {
        return Err(RunError::Architecture { image: architecture.clone(), host: host.architecture }.into());
    }
    Ok(found)
}

/// Returns the name of this machine's architecture in image configs.
pub(super) fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        "x86" => "386",
        other => other,
    }
}

/// Returns whether the kernel runs programs of this architecture with QEMU. Source: binfmt_misc.
fn is_emulated(architecture: &str) -> bool {
    let qemu = match architecture {
        "arm64" => "aarch64",
        "amd64" => "x86_64",
        "386" => "i386",
        other => other,
    };
    let registered = std::fs::read_to_string(format!("/proc/sys/fs/binfmt_misc/qemu-{qemu}"));
    // The kernel opens an interpreter with the flag F before the container's root is in place.
    registered.is_ok_and(|text| {
        text.starts_with("enabled")
            && text.lines().any(|line| line.starts_with("flags:") && line.contains('F'))
    })
}
