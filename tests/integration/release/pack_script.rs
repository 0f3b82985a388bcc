//! `release/pack`, with the programs under test.

use std::path::Path;
use std::process::Command;

use coracle_testing::write_executable;
use tempfile::TempDir;

/// Packs into `out`; where the archive is. What is packed are scripts that hand over to the programs under test, so that
/// little has to be compressed.
pub(crate) fn pack(out: &Path, target: &str, env: &[(&str, &str)]) -> String {
    let programs = TempDir::new().unwrap();
    for (name, real) in
        [("coracle", env!("CARGO_BIN_EXE_coracle")), ("cargo-coracle", env!("CARGO_BIN_EXE_cargo-coracle"))]
    {
        write_executable(&programs.path().join(name), format!("#!/bin/sh\nexec '{real}' \"$@\"\n"));
    }
    let mut command = Command::new("bash");
    command.arg("release/pack").arg(programs.path()).arg(target).arg(out).envs(env.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
