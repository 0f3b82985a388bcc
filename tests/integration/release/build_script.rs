//! `release/build`, in a folder whose name has a space: a small crate with programs of the same
//! names, so that it takes a moment. What is packed, tests/integration/release/archive.rs holds.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

#[test]
fn builds_in_a_folder_with_a_space_and_with_other_rustflags() {
    let folder = TempDir::new().unwrap();
    let at = folder.path().join("my sources");
    for directory in ["release", "src/bin"] {
        fs::create_dir_all(at.join(directory)).unwrap();
    }
    let manifest = "[package]\nname = \"coracle\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\
                    [profile.dist]\ninherits = \"release\"\n";
    fs::write(at.join("Cargo.toml"), manifest).unwrap();
    // The effect of the flags: the directory of the sources, and the requested target.
    let main =
        "fn main() { println!(\"{} {}\", file!(), cfg!(own)); assert!(std::env::args().len() > 1); }\n";
    for program in ["coracle", "cargo-coracle"] {
        fs::write(at.join("src/bin").join(program).with_extension("rs"), main).unwrap();
    }
    fs::copy("release/build", at.join("release/build")).unwrap();
    fs::write(at.join("release/pack"), "echo \"$@\"\n").unwrap();
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let run = |program: &str, args: &[&str]| {
        let output =
            Command::new(program).args(args).current_dir(&at).env("RUSTFLAGS", "--cfg own").output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert!(run("cargo", &["generate-lockfile", "--offline"]).0);
    let (is_done, packed, said) = run("bash", &["release/build", &target, "out"]);
    assert!(is_done, "{said}");
    assert_eq!(packed, format!("target/{target}/dist {target} out\n"));
    let program = format!("target/{target}/dist/coracle");
    let (_, printed, said) = run(&program, &[]);
    assert_eq!(printed, "src/bin/coracle.rs true\n");
    assert!(said.contains(" panicked at src/bin/coracle.rs:"), "{said}");
    let bytes = fs::read(at.join(program)).unwrap();
    let own = folder.path().to_str().unwrap().as_bytes();
    assert!(bytes.windows(own.len()).all(|part| part != own), "the program has the path of its sources");
}
