//! The archive of a release, packed from the programs under test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flate2::read::GzDecoder;
use tempfile::TempDir;

use crate::run;

const TARGET: &str = "x86_64-unknown-linux-musl";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Packs into `out`; where the archive is. What is packed are scripts that hand over to the programs under test, so that
/// little has to be compressed.
fn pack(out: &Path, env: &[(&str, &str)]) -> String {
    let programs = TempDir::new().unwrap();
    for (name, real) in
        [("coracle", env!("CARGO_BIN_EXE_coracle")), ("cargo-coracle", env!("CARGO_BIN_EXE_cargo-coracle"))]
    {
        fs::write(programs.path().join(name), format!("#!/bin/sh\nexec '{real}' \"$@\"\n")).unwrap();
        fs::set_permissions(programs.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let words = env.iter().map(|(name, value)| format!("{name}={value}"));
    let [programs, out] = [programs.path(), out].map(|path| path.to_str().unwrap());
    let line = ["bash", "release/pack", programs, TARGET, out].map(String::from);
    let args: Vec<String> = words.chain(line).collect();
    run("env", &args.iter().map(String::as_str).collect::<Vec<_>>()).trim_end().to_owned()
}

#[test]
fn the_same_programs_give_the_same_bytes() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let first = pack(one.path(), &[("SOURCE_DATE_EPOCH", "1764288000"), ("TZ", "Asia/Tokyo")]);
    let again = pack(other.path(), &[("SOURCE_DATE_EPOCH", "1764288000"), ("LC_ALL", "C"), ("TZ", "UTC")]);
    assert!(fs::read(&first).unwrap() == fs::read(&again).unwrap());
    run("sh", &["-c", &format!("cd {} && sha256sum --check --strict SHA256SUMS", one.path().display())]);
    let sums = fs::read_to_string(one.path().join("SHA256SUMS")).unwrap();
    assert_eq!(sums.split_whitespace().nth(1).unwrap(), Path::new(&first).file_name().unwrap());
}

#[test]
fn it_holds_what_belongs_to_the_programs_where_binstall_looks() {
    let out = TempDir::new().unwrap();
    let path = pack(out.path(), &[]);
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(&path).unwrap()));
    let mut found = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
        found.insert(entry.path().unwrap().display().to_string(), header.mode().unwrap());
    }
    let own = |name: &str| format!("coracle-v{VERSION}-{TARGET}/{name}");
    for name in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.txt"] {
        assert_eq!(found[&own(name)], 0o644, "{name}");
    }
    for name in
        ["man/coracle-build.1", "man/cargo-coracle.1", "completions/_coracle", "completions/coracle.fish"]
    {
        assert_eq!(found[&own(name)], 0o644, "{name}");
    }

    let manifest: toml::Table = toml::from_str(&fs::read_to_string("Cargo.toml").unwrap()).unwrap();
    let binstall = &manifest["package"]["metadata"]["binstall"];
    let expanded = |key: &str, bin: &str| {
        let words =
            [("repo", "REPO"), ("version", VERSION), ("target", TARGET), ("bin", bin), ("binary-ext", "")];
        let text = binstall[key].as_str().unwrap().to_owned();
        words.iter().fold(text, |text, (word, value)| text.replace(&format!("{{ {word} }}"), value))
    };
    let name = Path::new(&path).file_name().unwrap().to_str().unwrap();
    assert_eq!(expanded("pkg-url", ""), format!("REPO/releases/download/v{VERSION}/{name}"));
    for bin in ["coracle", "cargo-coracle"] {
        assert_eq!(found[&expanded("bin-dir", bin)], 0o755, "{bin}");
    }
    assert_eq!(binstall["pkg-fmt"].as_str(), Some("tgz"));
}
