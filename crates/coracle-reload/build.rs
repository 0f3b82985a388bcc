//! Compiles helper/main.rs for Linux on each architecture whose `core` is installed.
//!
//! The program is linked by the linker of the toolchain and uses no library, so its bytes depend on
//! the version of rustc alone. An architecture that cannot be compiled is left out.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// The architectures in OCI's and in rustc's names.
const ARCHITECTURES: [(&str, &str); 2] = [("amd64", "x86_64"), ("arm64", "aarch64")];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=helper");
    let compiler = Compiler {
        rustc: variable("RUSTC")?.into(),
        source: Path::new(&variable("CARGO_MANIFEST_DIR")?).join("helper"),
        output: variable("OUT_DIR")?.into(),
    };
    let mut list = String::new();
    for (architecture, machine) in ARCHITECTURES {
        if let Some(program) = compiler.compile_for(machine)? {
            list += &format!("({architecture:?}, include_bytes!({program:?})),\n");
        }
    }
    fs::write(compiler.output.join("programs.rs"), format!("&[{list}]"))?;
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "cargo passes its arguments to build scripts as variables")]
fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

struct Compiler {
    rustc: PathBuf,
    source: PathBuf,
    output: PathBuf,
}

impl Compiler {
    /// Returns the path of the program for `machine`; `None` if it cannot be compiled.
    fn compile_for(&self, machine: &str) -> Result<Option<PathBuf>, Box<dyn Error>> {
        for library in ["musl", "gnu"] {
            let target = &format!("{machine}-unknown-linux-{library}");
            if !self.has_core(target)? {
                continue;
            }
            let program = self.output.join(machine);
            let result = self.compile(target, &program)?;
            if result.status.success() {
                return Ok(Some(program));
            }
            let message = String::from_utf8_lossy(&result.stderr).replace('\n', " ");
            println!("cargo::warning=cannot compile the reload helper for {target}: {message}");
        }
        Ok(None)
    }

    fn has_core(&self, target: &str) -> Result<bool, Box<dyn Error>> {
        let output =
            Command::new(&self.rustc).args(["--print", "target-libdir", "--target", target]).output()?;
        let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let Ok(entries) = fs::read_dir(directory) else { return Ok(false) };
        Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
    }

    fn compile(&self, target: &str, program: &Path) -> Result<Output, Box<dyn Error>> {
        let mut command = Command::new(&self.rustc);
        command.args([
            "--edition=2024",
            "--crate-name=coracle_reload",
            "--crate-type=bin",
            "--target",
            target,
        ]);
        for option in [
            "opt-level=s",
            "panic=abort",
            "codegen-units=1",
            "strip=symbols",
            "relocation-model=static",
            "target-feature=+crt-static",
            // Both C libraries' targets link the same.
            "link-self-contained=no",
            "linker=rust-lld",
            "linker-flavor=ld.lld",
            "link-arg=-static",
        ] {
            command.args(["-C", option]);
        }
        let remapped = format!("{}=helper", self.source.display());
        command
            .args(["--remap-path-prefix", &remapped])
            .arg("-o")
            .arg(program)
            .arg(self.source.join("main.rs"));
        Ok(command.output()?)
    }
}
