//! What cargo builds for: what can be an image, and what is missing where cargo has failed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coracle::content::Content;
use coracle::elf::Header;
use coracle::platform::Platform;

use super::compile::Program;
use super::from_here;
use crate::cli::failure::Failure;

/// More than any header of an ELF file has.
const HEADER: u64 = 64;

/// Whether the files are programs for Linux, each for another platform.
pub(super) fn check(program: &Program) -> Result<(), Failure> {
    let mut known: BTreeMap<Platform, &PathBuf> = BTreeMap::new();
    for file in &program.files {
        // What can't be read, or has no name as a platform, the build tells with the reason.
        let Ok(header) = header(file) else { continue };
        let Ok(header) = header else {
            return Err(Failure::usage(
                format!("`{}` is not a program for Linux", from_here(file).display()),
                "build for a target of Linux, as with `--target x86_64-unknown-linux-musl`; `rustup target add TARGET` \
                 installs one",
            ));
        };
        let Some(platform) = header.machine.platform() else { continue };
        if let Some(other) = known.insert(platform.clone(), file) {
            let place = |file: &Path| format!("\n  --> {}", from_here(file).display());
            return Err(Failure::usage(
                format!("`{}` has two programs for {platform}{}{}", program.name, place(other), place(file)),
                "an image has one program for each platform: name one `--target` for each, and build the other by itself, with \
                 another name or place",
            ));
        }
    }
    Ok(())
}

fn header(file: &Path) -> io::Result<Result<Header, coracle::elf::Error>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(HEADER).read_to_end(&mut bytes)?;
    let reader = Content::bytes(bytes).open().map_err(io::Error::other)?;
    Ok(Header::read(&reader))
}

/// The first of `targets` that rustc knows, and has no libraries for.
pub(super) fn not_installed(targets: &[String]) -> Option<&String> {
    let rustc = rustc();
    targets.iter().find(|target| {
        let mut command = Command::new(&rustc);
        command.args(["--print", "target-libdir", "--target", target.as_str()]);
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
        output.is_ok_and(|output| {
            let folder = String::from_utf8_lossy(&output.stdout);
            output.status.success() && !folder.trim().is_empty() && !Path::new(folder.trim()).exists()
        })
    })
}

/// As cargo chooses it.
#[allow(clippy::disallowed_methods, reason = "the environment says which rustc it is")]
fn rustc() -> OsString {
    std::env::var_os("RUSTC").filter(|rustc| !rustc.is_empty()).unwrap_or_else(|| "rustc".into())
}
