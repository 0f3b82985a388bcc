//! Writes to layouts in directories that other users or a checkout have prepared.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::Path;
use std::process::Command;

use super::tests::{Sandbox, json_at, names_in};
use super::*;

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn refusal(sandbox: &Sandbox, destination: &str) -> String {
    let error = sandbox.build("one", &[], destination).unwrap_err();
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(&error) {
        text += &format!(": {cause}");
    }
    text.replace(&sandbox.path("").display().to_string(), "")
}

#[test]
fn writes_through_no_link() {
    let sandbox = Sandbox::new();
    let (built, _) = sandbox.build("one", &[], "oci:x").unwrap();
    let hex = built.digest().hex();
    let names = ["index.json", ".coracle-index.json", &format!("blobs/sha256/{hex}")].map(String::from);
    let unfinished = format!("blobs/sha256/.coracle-{hex}");
    for name in names.iter().chain([&unfinished]) {
        let link = sandbox.path("x").join(name);
        let _ = fs::remove_file(&link);
        fs::write(sandbox.path("precious"), "mine").unwrap();
        symlink(sandbox.path("precious"), &link).unwrap();
        let written = sandbox.build("one", &[], "oci:x");
        assert_eq!(fs::read_to_string(sandbox.path("precious")).unwrap(), "mine", "{name}");
        assert!(written.is_ok() || name == "index.json", "{name}: {written:?}");
        fs::remove_file(&link).unwrap();
    }
}

#[test]
fn refuses_links_and_special_files_instead_of_a_layout() {
    let sandbox = Sandbox::new();
    for name in ["index", "zero", "pipe", "blobs", "sha256"] {
        sandbox.build("one", &[], &format!("oci:{name}")).unwrap();
    }
    let at = |name: &str| sandbox.path(name);
    let replace_by_link = |name: &str, target: &Path| {
        let _ = fs::remove_file(at(name)).or_else(|_| fs::remove_dir_all(at(name)));
        symlink(target, at(name)).unwrap();
    };
    fs::create_dir_all(at("elsewhere/sha256")).unwrap();
    replace_by_link("index/index.json", &at("elsewhere/index.json"));
    replace_by_link("zero/oci-layout", Path::new("/dev/zero"));
    fs::remove_file(at("pipe/oci-layout")).unwrap();
    make_pipe(&at("pipe/oci-layout"));
    replace_by_link("blobs/blobs", &at("elsewhere"));
    replace_by_link("sha256/blobs/sha256", &at("elsewhere/sha256"));
    symlink("index", at("link")).unwrap();
    make_pipe(&at("pipe.tar"));
    symlink("precious", at("link.tar")).unwrap();
    for (destination, message) in [
        ("oci:index", "cannot open `index/index.json`: it is a symbolic link"),
        ("oci:zero", "cannot open `zero/oci-layout`: it is a symbolic link"),
        ("oci:pipe", "cannot open `pipe/oci-layout`: it is a named pipe, not a regular file"),
        ("oci:blobs", "cannot write a layout to `blobs`: its `blobs` is not a directory"),
        ("oci:sha256", "cannot write a layout to `sha256`: its `blobs/sha256` is not a directory"),
        (
            "oci:link",
            "cannot write a layout to `link`: it is a symbolic link to `index`, which is not followed",
        ),
        ("oci-archive:pipe.tar", "cannot write an archive to `pipe.tar`: it is a named pipe"),
        (
            "oci-archive:link.tar",
            "cannot write an archive to `link.tar`: it is a symbolic link to `precious`, which is not followed",
        ),
    ] {
        assert_eq!(refusal(&sandbox, destination), message);
    }
    assert_eq!(names_in(&at("elsewhere/sha256")), [""; 0]);
}

#[test]
fn removes_no_files_of_directories_that_it_did_not_create() {
    let sandbox = Sandbox::new();
    let at = |name: &str| sandbox.path(name);
    fs::DirBuilder::new().mode(0o700).create(at("victim")).unwrap();
    fs::write(at("victim/lock"), "").unwrap();
    fs::write(at("victim/mine"), "").unwrap();
    // A link to a directory, one of a checkout, and a pipe as the lock.
    symlink("victim", at(".coracle-link")).unwrap();
    fs::DirBuilder::new().mode(0o755).create(at(".coracle-public")).unwrap();
    fs::write(at(".coracle-public/lock"), "").unwrap();
    fs::DirBuilder::new().mode(0o700).create(at(".coracle-pipe")).unwrap();
    make_pipe(&at(".coracle-pipe/lock"));
    sandbox.build("one", &[], "oci:x").unwrap();
    assert_eq!(names_in(&at("")), [".coracle-link", ".coracle-pipe", ".coracle-public", "victim", "x"]);
    assert_eq!(names_in(&at("victim")), ["lock", "mine"]);
}

#[test]
fn mends_files_that_a_crash_left_without_content() {
    let sandbox = Sandbox::new();
    for content in ["", "\0\0\0\0"] {
        sandbox.build("one", &["shop:1"], "oci:x").unwrap();
        let blobs = sandbox.path("x/blobs/sha256");
        let files = names_in(&blobs).into_iter().map(|name| blobs.join(name));
        for file in files.chain(["index.json", "oci-layout"].map(|name| sandbox.path("x").join(name))) {
            fs::write(file, content).unwrap();
        }
        let (_, warnings) = sandbox.build("one", &["shop:1"], "oci:x").unwrap();
        let directory = sandbox.path("x");
        assert_eq!(warnings, [LayoutWarning::IndexWithoutContent { directory }]);
        assert_eq!(json_at(&sandbox.path("x/oci-layout"))["imageLayoutVersion"], "1.0.0");
        sandbox.assert_sound("x");
    }
}

#[test]
fn reads_nothing_outside_of_a_layout() {
    let sandbox = Sandbox::new();
    let (built, _) = sandbox.build("one", &[], "oci:x").unwrap();
    let refusal = |destination: &str| {
        let location = destination.parse().unwrap();
        let error = read_disk_image(&location).and_then(|image| {
            let platform = image.image_for_platform(None)?;
            image.read_files(platform)
        });
        let error = error.unwrap_err();
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause}")
    };
    fs::rename(sandbox.path("x"), sandbox.path("outside")).unwrap();
    // A document, a directory and the index that are links to files outside.
    for linked in ["blobs", "blobs/sha256", "index.json", &format!("blobs/sha256/{}", built.digest().hex())] {
        let _ = fs::remove_dir_all(sandbox.path("x"));
        fs::create_dir_all(sandbox.path("x").join(linked).parent().unwrap()).unwrap();
        if linked != "index.json" {
            fs::copy(sandbox.path("outside/index.json"), sandbox.path("x/index.json")).unwrap();
        }
        symlink(sandbox.path("outside").join(linked), sandbox.path("x").join(linked)).unwrap();
        let why = refusal(&format!("oci:{}", sandbox.path("x").display()));
        assert!(why.ends_with("it is outside of the layout"), "{linked}: {why}");
    }
    // Docker's `manifest.json`, whose members are paths.
    fs::write(sandbox.path("secret"), "{}").unwrap();
    let secret = sandbox.path("secret").display().to_string();
    fs::write(sandbox.path("x/config.json"), "{}").unwrap();
    for (config, layer) in [
        ("../secret", "layer"),
        (secret.as_str(), "layer"),
        ("config.json", "../secret"),
        ("config.json", secret.as_str()),
        ("config.json", "blobs/../../secret"),
    ] {
        let _ = fs::remove_file(sandbox.path("x/index.json"));
        let manifest = serde_json::json!([{"Config": config, "Layers": [layer]}]);
        fs::write(sandbox.path("x/manifest.json"), manifest.to_string()).unwrap();
        let why = refusal(&format!("oci:{}", sandbox.path("x").display()));
        assert!(why.ends_with("it is outside of the layout"), "{config}, {layer}: {why}");
    }
}

#[test]
fn links_inside_of_a_layout_are_followed() {
    let sandbox = Sandbox::new();
    sandbox.build("one", &[], "oci:x").unwrap();
    fs::rename(sandbox.path("x/blobs"), sandbox.path("x/stored")).unwrap();
    symlink("stored", sandbox.path("x/blobs")).unwrap();
    let location = format!("oci:{}", sandbox.path("x").display()).parse().unwrap();
    assert_eq!(read_disk_image(&location).unwrap().images.len(), 1);
}
