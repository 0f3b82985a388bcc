//! `coracle lock` and `build --locked`.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{fail, succeed};

fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::copy("/usr/bin/env", at.join("app")).unwrap();
    fs::create_dir(at.join("data")).unwrap();
    fs::write(at.join("data/a"), "a").unwrap();
    fs::write(
        at.join("coracle.toml"),
        "[image]\nname = \"shop:1\"\nprograms = [\"app\"]\n\n[[include]]\nfrom = \"data\"\nto = \"/srv\"\n",
    )
    .unwrap();
    folder
}

const BUILD: [&str; 5] = ["build", "--locked", "-q", "-o", "oci:app.oci"];

#[test]
fn a_locked_build_fails_if_anything_moves() {
    let folder = project();
    let at = folder.path();
    let said = fail(at, 2, &BUILD);
    assert!(said.contains("there is no lock at `coracle.lock`") && said.contains("`coracle lock`"), "{said}");
    succeed(at, &["lock"]);
    let text = fs::read_to_string(at.join("coracle.lock")).unwrap();
    let lock: Value = serde_json::from_str(&text).unwrap();
    let files = &lock["platforms"].as_object().unwrap().values().next().unwrap()["files"];
    assert_eq!(files["/app/app"]["reason"], "program");
    assert_eq!(files["/srv/a"]["reason"], "included");
    assert_eq!(files["/srv/a"]["mode"], "0644");
    assert_eq!(files["/srv/a"]["size"], 1);
    assert!(!text.contains(at.to_str().unwrap()), "no path of this machine: {text}");
    assert!(text.lines().any(|line| line.starts_with(r#""/srv/a": {"#)), "a line for each file: {text}");
    succeed(at, &BUILD);
    succeed(at, &["lock"]);
    assert_eq!(fs::read_to_string(at.join("coracle.lock")).unwrap(), text);

    let index = fs::read(at.join("app.oci/index.json")).unwrap();
    fs::write(at.join("data/a"), "b").unwrap();
    fs::write(at.join("data/b"), "b").unwrap();
    for args in [&BUILD[..], &["lock"]] {
        let said = fail(at, 4, args);
        assert!(said.contains("the image differs from `coracle.lock`"), "{said}");
        assert!(said.contains("  /srv/a has other contents\n  /srv/b added\n"), "{said}");
    }
    assert_eq!(fs::read(at.join("app.oci/index.json")).unwrap(), index, "nothing was written");
    succeed(at, &["lock", "--update", "/srv/a"]);
    let said = fail(at, 4, &BUILD);
    assert!(said.contains("/srv/b added") && !said.contains("/srv/a"), "{said}");
    let said = fail(at, 2, &["lock", "--update", "absent"]);
    assert!(said.contains("nothing of `absent` has changed") && said.contains("/srv/b"), "{said}");
    succeed(at, &["lock", "--update"]);
    succeed(at, &BUILD);
}

/// The packages of the lock, as if another version had been installed when it was written.
#[test]
fn moved_packages_are_named_with_their_versions() {
    let folder = project();
    let at = folder.path();
    succeed(at, &["lock"]);
    let path = at.join("coracle.lock");
    let mut lock: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let platform = lock["platforms"].as_object_mut().unwrap().values_mut().next().unwrap();
    let files = platform["files"].as_object_mut().unwrap();
    let (mut count, mut version) = (0, String::new());
    for file in files.values_mut().filter(|file| file["package"] == "libc6") {
        version = file["version"].as_str().unwrap().to_owned();
        file["version"] = "2.30-1".into();
        file["sha256"] = "0".repeat(64).into();
        count += 1;
    }
    assert!(count > 1, "the loader and the C library");
    fs::write(&path, lock.to_string()).unwrap();
    let said = fail(at, 4, &BUILD);
    assert!(said.contains(&format!("  libc6 2.30-1 -> {version}: {count} files\n")), "{said}");
    succeed(at, &["lock", "--update", "libc6"]);
    succeed(at, &BUILD);
}

#[test]
fn a_changed_recipe_or_mode_differs_from_the_lock() {
    let folder = project();
    let at = folder.path();
    succeed(at, &["lock"]);
    let recipe = fs::read_to_string(at.join("coracle.toml")).unwrap();
    fs::write(at.join("coracle.toml"), recipe.replace("shop:1", "shop:2")).unwrap();
    succeed(at, &BUILD);
    fs::write(at.join("coracle.toml"), recipe.replace("[image]", "[image]\nargs = [\"x\"]")).unwrap();
    let said = fail(at, 4, &BUILD);
    assert!(said.contains("  recipe sha256:"), "{said}");
}

#[test]
fn locks_that_cannot_be_read_are_refused() {
    let folder = project();
    let at = folder.path();
    succeed(at, &["lock"]);
    let text = fs::read_to_string(at.join("coracle.lock")).unwrap();
    for (content, why) in [
        (
            text.replace("\"version\": 1", "\"version\": 2"),
            "`coracle.lock` has the version 2, and only version 1 is known",
        ),
        (String::new(), "`coracle.lock` is not a lock"),
        ("{}".into(), "`coracle.lock` is not a lock: missing field `version`"),
        (text.replace("\"recipe\"", "\"recipes\""), "`coracle.lock` is not a lock: unknown field `recipes`"),
    ] {
        fs::write(at.join("coracle.lock"), content).unwrap();
        for args in [&BUILD[..], &["lock"]] {
            let said = fail(at, 2, args);
            assert!(said.contains(why), "{said}");
        }
    }
    succeed(at, &["lock", "--update"]);
    assert_eq!(fs::read_to_string(at.join("coracle.lock")).unwrap(), text);
}

#[test]
fn a_lock_is_not_written_through_a_link() {
    let folder = project();
    let at = folder.path();
    std::os::unix::fs::symlink("mine", at.join("coracle.lock")).unwrap();
    let said = fail(at, 1, &["lock"]);
    assert!(said.contains("coracle.lock") && said.contains("it is a symbolic link"), "{said}");
    assert!(!at.join("mine").exists());
}
