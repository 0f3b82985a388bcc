//! Images on top of others that are at a registry.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::fake::{FakeRegistry, Fault};
use super::push_and_copy::{folder, run, run_with};

/// `hello`, static, in `folder`.
fn hello(folder: &Path) {
    let source = folder.join("hello.c");
    fs::write(&source, "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }").unwrap();
    let built =
        Command::new("cc").args(["-s", "-static", "-o"]).arg(folder.join("hello")).arg(&source).status();
    assert!(built.unwrap().success());
    // Of a file that has changed in the same tick of the clock no record is kept.
    std::thread::sleep(std::time::Duration::from_millis(60));
}

/// `/usr/bin/env` as the image `base:1` at the registry; its digest.
fn base(fake: &FakeRegistry, folder: &Path) -> String {
    let name = format!("docker://{}/base:1", fake.address);
    let (code, stdout, said) = run(folder, &["build", "./app:/usr/bin/env", "-o", &name, "-q"]);
    assert_eq!(code, Some(0), "{said}");
    fake.take_requests();
    stdout.trim().to_owned()
}

fn blobs(asked: &[String], verb: &str) -> usize {
    asked.iter().filter(|request| request.starts_with(verb) && request.contains("/blobs/sha256:")).count()
}

#[test]
fn a_static_program_never_fetches_its_base() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let digest = base(&fake, folder.path());
    hello(folder.path());
    let (base, shop) = (format!("{}/base:1", fake.address), format!("docker://{}/shop:1", fake.address));
    let args = ["build", "./hello", "--base", &base, "-o", &shop, "--cache-dir=cache"];
    let (code, stdout, said) = run(folder.path(), &args);
    assert_eq!(code, Some(0), "{said}");
    let asked = fake.take_requests();
    assert_eq!(blobs(&asked, "GET"), 1, "its config alone: {asked:?}");
    assert!(said.contains("mounted from another repository"), "{said}");
    assert_eq!(asked.last().unwrap(), "PUT /v2/shop/manifests/1");

    // Again: which image the tag stands for now, and whether the own one is there.
    let (_, again, said) = run(folder.path(), &args);
    assert_eq!(again, stdout);
    assert!(said.contains("unchanged"), "{said}");
    assert_eq!(fake.take_requests(), ["HEAD /v2/base/manifests/1", "HEAD /v2/shop/manifests/1"]);

    // Named by its digest, an unchanged one asks for itself alone.
    let pinned =
        format!("{}/base@{}", fake.address, digest.split_once('@').map_or(digest.as_str(), |(_, d)| d));
    let args = ["build", "./hello", "--base", &pinned, "-o", &shop, "--cache-dir=cache"];
    run(folder.path(), &args);
    fake.take_requests();
    let (_, again, said) = run(folder.path(), &args);
    assert!(said.contains("unchanged"), "{said}");
    assert_eq!(fake.take_requests(), ["HEAD /v2/shop/manifests/1"]);
    assert_ne!(again, stdout, "the base is called otherwise");

    // Into a layout, all of it comes here, and once.
    let args = ["build", "./hello", "--base", &base, "-o", "oci:out", "--cache-dir=cache"];
    let (code, _, said) = run(folder.path(), &args);
    assert_eq!(code, Some(0), "{said}");
    assert!(coracle_oci::layout::verify_layout(&folder.path().join("out")).unwrap().is_empty());
    assert_eq!(blobs(&fake.take_requests(), "GET"), 3, "two layers and the config");
    let again = ["build", "./hello", "--base", &base, "-o", "oci:again", "--cache-dir=cache"];
    run(folder.path(), &again);
    assert_eq!(blobs(&fake.take_requests(), "GET"), 1);
}

#[test]
fn fetches_the_base_of_a_dynamic_program_once() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    base(&fake, folder.path());
    let base = format!("docker://{}/base:1", fake.address);
    let build = |to: &str| {
        let (code, stdout, said) =
            run(folder.path(), &["build", "./app", "--base", &base, "-o", to, "--cache-dir=cache"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("already contains 2 files"), "{said}");
        stdout.trim().rsplit_once('@').map_or(stdout.trim().to_owned(), |(_, digest)| digest.to_owned())
    };
    let one = build("oci:one");
    assert_eq!(blobs(&fake.take_requests(), "GET"), 3);
    let index: Value =
        serde_json::from_slice(&fs::read(folder.path().join("one/index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], one.as_str());
    assert_eq!(build("oci:two"), one);
    assert_eq!(blobs(&fake.take_requests(), "GET"), 1, "the config");
    // A damaged blob on disk is fetched again.
    for file in fs::read_dir(folder.path().join("cache/v1/blobs")).unwrap() {
        let path = file.unwrap().path();
        if fs::metadata(&path).unwrap().len() > 0 {
            fs::write(&path, "damaged").unwrap();
        }
    }
    assert_eq!(build("oci:three"), one);
    assert_eq!(blobs(&fake.take_requests(), "GET"), 3);
    // To another registry, the layers are sent from here.
    let other = FakeRegistry::start();
    assert_eq!(build(&format!("docker://{}/shop:1", other.address)), one);
    assert_eq!(blobs(&fake.take_requests(), "GET"), 1);
}

/// Who comes second waits rather than fetch it, too; and a base that is interrupted leaves nothing.
#[test]
fn concurrent_builds_fetch_their_base_once() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    base(&fake, folder.path());
    for name in ["a", "b", "c"] {
        let base = format!("{}/base:1", fake.address);
        let recipe = format!("[image]\nname = {name:?}\nprograms = [\"app\"]\nbase = {base:?}\n");
        fs::write(folder.path().join(format!("{name}.toml")), recipe).unwrap();
    }
    let (code, stdout, said) =
        run(folder.path(), &["build", "-f=a.toml", "-f=b.toml", "-f=c.toml", "--cache-dir=cache"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(stdout.lines().count(), 3);
    assert_eq!(blobs(&fake.take_requests(), "GET"), 2 + 3, "two layers, and a config for each");
    assert!(coracle_oci::layout::verify_layout(&folder.path().join("c.oci")).unwrap().is_empty());
}

#[test]
fn reports_errors_of_base_images() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    base(&fake, folder.path());
    let refused = |base: &str, code: i32, words: &[&str]| {
        let args = ["build", "./app", "--base", base, "-o", "oci:out", "--no-cache"];
        let (found, _, said) = run(folder.path(), &args);
        assert_eq!(found, Some(code), "{said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{said}"));
        assert!(!folder.path().join("out").exists());
    };
    let name = |name: &str| format!("{}/{name}", fake.address);
    refused(&name("none:1"), 3, &["cannot use the base image `docker://", "there is no image at", "hint: "]);
    fake.inject_fault(100, "GET", "/blobs/", Fault::Respond(403, vec![], ""));
    refused(&name("base:1"), 3, &["403", "/blobs/", "hint: "]);
    let dead = "127.0.0.1:1/base:1";
    let (code, _, said) = run_with(folder.path(), &["build", "./app", "--base", dead, "-o", "oci:out"], &[]);
    assert_eq!(code, Some(3), "{said}");
}
