//! The archive of a release, packed from the programs under test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use flate2::read::GzDecoder;
use tempfile::TempDir;

use crate::release::pack_script::pack;
use crate::release::run;

const TARGET: &str = "x86_64-unknown-linux-musl";
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn the_same_programs_give_the_same_bytes() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let first = pack(one.path(), TARGET, &[("SOURCE_DATE_EPOCH", "1764288000"), ("TZ", "Asia/Tokyo")]);
    let again =
        pack(other.path(), TARGET, &[("SOURCE_DATE_EPOCH", "1764288000"), ("LC_ALL", "C"), ("TZ", "UTC")]);
    assert!(fs::read(&first).unwrap() == fs::read(&again).unwrap());
    run("sh", &["-c", &format!("cd {} && sha256sum --check --strict SHA256SUMS", one.path().display())]);
    let sums = fs::read_to_string(one.path().join("SHA256SUMS")).unwrap();
    assert_eq!(sums.split_whitespace().nth(1).unwrap(), Path::new(&first).file_name().unwrap());
}

#[test]
fn the_archive_has_the_files_at_binstalls_paths() {
    let out = TempDir::new().unwrap();
    let path = pack(out.path(), TARGET, &[]);
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
