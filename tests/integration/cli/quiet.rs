//! `--quiet`: of a successful run only warnings and the answer are printed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use coracle_testing::{SyntheticElf, coracle_in};
use snapbox::str;

#[test]
fn every_command_has_the_flag() {
    let folder = tempfile::tempdir().unwrap();
    let mut pending = vec![Vec::<String>::new()];
    let mut checked = 0;
    while let Some(command) = pending.pop() {
        let mut run = coracle_in(folder.path(), []).command();
        let output = run.args(&command).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let list = help.split_once("\nCommands:\n").map(|(_, rest)| rest.split("\n\n").next().unwrap());
        match list {
            Some(list) => {
                let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
                for name in names.filter(|name| !name.is_empty()) {
                    pending.push([command.clone(), vec![name.to_owned()]].concat());
                }
            }
            None => {
                assert!(help.contains("-q, --quiet"), "{command:?}: {help}");
                checked += 1;
            }
        }
    }
    assert!(checked > 15, "{checked}");
}

#[test]
fn init_prints_only_the_files_that_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    fs::write(folder.path().join("config/app.toml"), "a = 1\n").unwrap();
    fs::copy("/usr/bin/env", folder.path().join("app")).unwrap();
    coracle_in(folder.path(), ["init", "./app", "-q"]).ends(
        0,
        str![[r#"
coracle.toml

"#]],
        str![],
    );
}

#[test]
fn prune_prints_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("cache");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).unwrap();
    for directory in [own.as_path(), Path::new("none")] {
        let flag = format!("--cache-dir={}", directory.display());
        coracle_in(folder.path(), ["cache", "prune", "-q", &flag]).ends(0, str![], str![]);
    }
}

#[test]
fn deps_prints_no_hints() {
    let folder = tempfile::tempdir().unwrap();
    let library = SyntheticElf { needed: vec!["libnone.so"], ..SyntheticElf::default() };
    fs::write(folder.path().join("lib.so"), library.bytes()).unwrap();
    let hints = |args| {
        let output = coracle_in(folder.path(), args).command().output().unwrap();
        String::from_utf8(output.stderr).unwrap().matches("hint: ").count()
    };
    assert_eq!((hints(["deps", "lib.so", "--format=tree"]), hints(["deps", "lib.so", "--quiet"])), (1, 0));
}
