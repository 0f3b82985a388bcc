//! `coracle build -o docker://…`: an image that goes to registries while it is packed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use coracle_oci::registry::ManifestReference;
use coracle_testing::{coracle_in, listing};
use serde_json::Value;

use super::docker_registry;
use super::fake::{FakeRegistry, FakeRepositories as _, Fault};
use super::push_and_copy::{folder, run, run_with};

/// A line of a key that opens nothing.
const LINE: &str = "11LCxR+6DimqGQVwqdQlPkQHegWNMpf6OlYw1b0BJiL5fCisrtMTtcg7uZDKp9qF";

/// The key, put together here so that nobody finds one in this file.
fn key() -> String {
    let dashes = "-".repeat(5);
    format!("{dashes}BEGIN PRIVATE KEY{dashes}\n{LINE}\n{LINE}\n{LINE}\n{dashes}END PRIVATE KEY{dashes}\n")
}

fn at_registry(fake: &FakeRegistry, name: &str) -> String {
    format!("docker://{}/{name}", fake.address)
}

/// Everything in the folder but what builds before may have cached.
fn there(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        listing(folder).into_keys().map(|path| path.to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with("cache") && !name.starts_with("tmp"));
    names
}

#[test]
fn builds_directly_to_a_registry() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    fs::create_dir(at.join("tmp")).unwrap();
    let before = there(at);
    let to = at_registry(&fake, "shop:1");
    let tmp = at.join("tmp").to_str().unwrap().to_owned();
    let build = |args: &[&str]| {
        let args = [&["build", "./app", "--cache-dir=cache"], args].concat();
        let (code, stdout, said) = run_with(at, &args, &[("TMPDIR", &tmp)]);
        assert_eq!(code, Some(0), "{said}");
        (stdout, said)
    };
    let (stdout, said) = build(&["-o", &to]);
    assert!(
        said.contains(&format!("  pushed to  {to}: sent 3 blobs, ")) && !said.contains("written to"),
        "{said}"
    );
    let head = fake.shop().head_manifest(ManifestReference::Tag("1")).unwrap().unwrap();
    assert_eq!(stdout.trim(), format!("{}/shop:1@{}", fake.address, head.digest));
    assert_eq!(there(at), before, "nothing stays here");
    assert!(listing(&at.join("tmp")).is_empty());

    // Nothing has changed: one question.
    fake.take_requests();
    let (again, said) = build(&["-o", &to]);
    assert_eq!(again, stdout);
    assert!(said.contains(": unchanged\n"), "{said}");
    assert_eq!(fake.take_requests(), ["HEAD /v2/shop/manifests/1"]);

    // The registry has lost it: it is built and sent again.
    {
        let mut state = fake.state();
        state.tags.clear();
        state.manifests.clear();
        state.blobs.clear();
    }
    let (again, said) = build(&["-o", &to]);
    assert_eq!(again, stdout);
    assert!(said.contains("sent 3 blobs, "), "{said}");
    assert_eq!(fake.shop().head_manifest(ManifestReference::Tag("1")).unwrap().unwrap().digest, head.digest);
}

/// A layout, two names in one repository, another repository: one build, one digest.
#[test]
fn builds_to_several_destinations() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    let places = ["shop:1", "shop:2", "other"].map(|name| at_registry(&fake, name));
    let [one, two, other] = places.each_ref().map(String::as_str);
    let args = [
        "build",
        "./app",
        "-o",
        "oci:app.oci",
        "-o",
        one,
        "-o",
        two,
        "-o",
        other,
        "--format=json",
        "--no-cache",
    ];
    let (code, stdout, said) = run(at, &args);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("sent 3 blobs, ") && said.contains("sent 0 blobs, 0 B; 3 there already"), "{said}");
    assert!(said.contains("sent 0 blobs, 0 B; 3 mounted from another repository"), "{said}");
    let told: Value = serde_json::from_str(&stdout).unwrap();
    let image = &told["images"][0];
    let destinations = ["oci:app.oci".to_owned(), one.into(), two.into(), format!("{other}:latest")];
    assert_eq!(image["destinations"], Value::from(destinations.to_vec()));
    let sent = |index: usize, key: &str| image["sent"][index][key].clone();
    assert_eq!((sent(0, "to"), sent(0, "blobs"), sent(0, "unchanged")), (one.into(), 3.into(), false.into()));
    assert_eq!((sent(1, "present"), sent(2, "mounted")), (3.into(), 3.into()));
    let state = fake.state();
    for (name, tag) in [("shop", "1"), ("shop", "2"), ("other", "latest")] {
        assert_eq!(image["digest"], state.tags[&(name.to_owned(), tag.to_owned())], "{name}:{tag}");
    }
    drop(state);
    assert!(coracle_oci::layout::verify_layout(&at.join("app.oci")).unwrap().is_empty());
    let index: Value = serde_json::from_slice(&fs::read(at.join("app.oci/index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], image["digest"]);
    // Each blob was sent once.
    let sends = fake
        .take_requests()
        .into_iter()
        .filter(|request| request.starts_with("PUT ") && request.contains("/uploads/"));
    assert_eq!(sends.count(), 3);
}

/// A program, and the same for another machine, as far as its header goes.
fn two_platforms(folder: &Path) {
    fs::write(folder.join("m.c"), "int main(void) { return 0; }\n").unwrap();
    let made = Command::new("cc").args(["-static", "-o", "one", "m.c"]).current_dir(folder).status().unwrap();
    assert!(made.success());
    let mut bytes = fs::read(folder.join("one")).unwrap();
    // `e_machine`: x86-64 and AArch64.
    let other = if bytes[18] == 62 { 183 } else { 62 };
    bytes[18] = other;
    fs::write(folder.join("two"), bytes).unwrap();
}

#[test]
fn several_platforms_are_one_push() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    two_platforms(folder.path());
    let to = at_registry(&fake, "shop:all");
    let (code, stdout, said) =
        run(folder.path(), &["build", "one:/app/m", "two:/app/m", "-o", &to, "--no-cache", "-q"]);
    assert_eq!(code, Some(0), "{said}");
    let asked = fake.take_requests();
    assert_eq!(asked.last().unwrap(), "PUT /v2/shop/manifests/all", "{asked:?}");
    let index = fake.shop().pull_manifest(ManifestReference::Tag("all")).unwrap().unwrap();
    assert!(stdout.trim().ends_with(&index.digest.to_string()), "{stdout}");
    let index: Value = serde_json::from_slice(&index.bytes).unwrap();
    let platforms: Vec<&str> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["platform"]["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(platforms, ["amd64", "arm64"]);
}

/// An image that the secret scanner rejects is not uploaded, and no tag is written.
#[test]
fn does_not_push_an_image_with_findings() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    fs::write(at.join("notes.txt"), key()).unwrap();
    let to = at_registry(&fake, "shop:1");
    let args =
        ["build", "./app", "--include", "notes.txt:/srv/", "--compression=none", "-o", &to, "-o=oci:app.oci"];
    let (code, stdout, said) = run(at, &[&args[..], &["--no-cache"]].concat());
    assert_eq!((code, stdout.as_str()), (Some(4), ""), "{said}");
    assert!(!at.join("app.oci").exists());
    let state = fake.state();
    assert!(state.tags.is_empty() && state.manifests.is_empty());
    // Libraries come before data, and programs behind it: at most those may have gone.
    assert!(state.blobs.len() <= 1, "{:?}", state.blobs.keys());
    let holds_key = |bytes: &[u8]| bytes.windows(LINE.len()).any(|part| part == LINE.as_bytes());
    assert!(state.requests.iter().all(|request| !holds_key(&request.body)));
    assert!(state.blobs.values().all(|blob| !holds_key(blob)));
    drop(state);
    // Where it is allowed, it goes: the search above would have found it.
    let (code, _, said) = run(at, &[&args[..], &["--allow=/srv/notes.txt=a test", "--no-cache"]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(fake.state().blobs.values().any(|blob| holds_key(blob)));
}

#[test]
fn a_failed_upload_changes_nothing() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    let to = at_registry(&fake, "shop:1");
    let (code, _, said) = run(at, &["build", "./app", "-o=oci:app.oci", "-q"]);
    assert_eq!(code, Some(0), "{said}");
    let before = listing(at);
    for (method, part, fault, word) in [
        ("POST", "uploads", Fault::Respond(403, vec![], ""), "403"),
        ("HEAD", "blobs", Fault::Respond(401, vec![], ""), "401"),
        ("PUT", "uploads", Fault::Respond(500, vec![], ""), "500"),
    ] {
        fake.inject_fault(100, method, part, fault);
        // Two layers and a config fail; one word is enough.
        let args = ["build", "./app", "--arg=x", "-o", &to, "-o=oci:app.oci", "-q", "--no-cache"];
        let (code, stdout, said) = run(at, &args);
        assert_eq!((code, stdout.as_str()), (Some(3), ""), "{said}");
        assert!(said.contains(word) && said.matches("error:").count() == 1, "{said}");
        assert_eq!(listing(at), before, "{said}");
        assert!(fake.state().tags.is_empty() && fake.state().manifests.is_empty());
        fake.state().faults.clear();
    }
}

/// Ctrl-C: what is open at the registry is given up.
#[test]
fn an_interrupt_cancels_open_uploads() {
    let (fake, folder) = (FakeRegistry::start(), folder());
    let at = folder.path();
    // No upload begins before this has been interrupted.
    fake.inject_fault(100, "POST", "uploads", Fault::Delay(Duration::from_millis(1500)));
    let to = at_registry(&fake, "shop:1");
    let mut command = coracle_in(at, []).command();
    command.args(["build", "./app", "-o", &to, "-o=oci:app.oci", "-q", "--no-cache"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !fake.state().requests.iter().any(|request| request.method == "POST") {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupt = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(
        (status.code(), stdout.as_slice(), said.as_str()),
        (Some(130), &b""[..], "error: interrupted; no tag was written\n")
    );
    let asked = fake.take_requests();
    assert!(asked.iter().any(|request| request.starts_with("DELETE /v2/shop/blobs/uploads/")), "{asked:?}");
    let state = fake.state();
    assert!(state.uploads.is_empty() && state.tags.is_empty() && state.blobs.is_empty());
    assert!(!at.join("app.oci").exists());
}

#[test]
fn rejects_invalid_destinations() {
    let folder = folder();
    fs::write(folder.path().join("a"), "[image]\nprograms = [\"app\"]\n").unwrap();
    let digest = format!("docker://127.0.0.1:1/shop@sha256:{}", "ab".repeat(32));
    for (args, word) in [
        (&["./app", "-o", &digest][..], "includes a digest, but the digest of a new image"),
        (&["./app", "-o=docker://Shop"], "`docker://NAME[:TAG]` in lower case"),
        (
            &["./app", "-o=docker://shop:1", "-o=docker://docker.io/library/shop:1"],
            "is the same destination as",
        ),
        (&["-f=a", "-f=a", "-o=docker://127.0.0.1:1/shop"], "a name in a registry"),
    ] {
        let (code, stdout, said) = run(folder.path(), &[&["build"], args].concat());
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{said}");
        assert!(said.contains(word), "{said}");
    }
}

/// Debian's registry; skopeo reads what came there.
#[test]
fn a_real_registry_gets_images_and_indexes() {
    if !docker_registry::met(&["docker-registry", "skopeo"], "docker-registry skopeo") {
        return;
    }
    let (registry, folder) = (docker_registry::Registry::plain(), folder());
    let at = folder.path();
    two_platforms(at);
    for (programs, name) in [(&["./app"][..], "acme/app:1"), (&["one:/app/m", "two:/app/m"], "acme/all:1")] {
        let name = format!("localhost:{}/{name}", registry.port);
        let to = format!("docker://{name}");
        let (code, stdout, said) = run(at, &[&["build", "-q", "--no-cache", "-o", &to], programs].concat());
        assert_eq!(code, Some(0), "{said}");
        let copied = Command::new("skopeo")
            .args([
                "copy",
                "--all",
                "--quiet",
                "--preserve-digests",
                "--src-tls-verify=false",
                &to,
                "oci:back:1",
            ])
            .current_dir(at)
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let index: Value = serde_json::from_slice(&fs::read(at.join("back/index.json")).unwrap()).unwrap();
        let digest = index["manifests"][0]["digest"].as_str().unwrap();
        assert_eq!(stdout.trim(), format!("{name}@{digest}"));
        fs::remove_dir_all(at.join("back")).unwrap();
    }
}
