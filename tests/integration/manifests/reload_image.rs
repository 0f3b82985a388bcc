//! The image of the reload sidecar: what it contains, and where manifests refer to it.

use std::fs;
use std::path::Path;

use coracle_testing::registry::FakeRegistry;
use coracle_testing::unpacked::Image;
use coracle_testing::{Coracle, coracle_in};

use crate::manifests::project::IMAGE;

/// The digest of the image for linux/amd64, with the compiler of rust-toolchain.toml.
const AMD64: &str = "sha256:28cf016e305893ba830d54a7d8db402d499e3c90b467c6b1a14e530a49eda537";

const RECIPE: &str = r#"
[image]
programs = ["app"]

[[config]]
mount = "/etc/app"
reload = "signal:SIGHUP"
templates = [{ from = "app.conf", verbatim = true }]

[[secret]]
mount = "/run/secrets/app"
keys = ["token"]
reload = "signal:SIGHUP"

[[config]]
mount = "/etc/other"
reload = "signal:SIGUSR1"
templates = [{ from = "app.conf", verbatim = true }]

[environments.production]
values = []
"#;

/// A run that must succeed: stdout and stderr.
#[track_caller]
fn run(command: &Coracle) -> (String, String) {
    let output = command.command().output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{stderr}");
    (stdout, stderr)
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("coracle.toml", RECIPE), ("app.conf", "a"), ("app", "#!/bin/sh\n")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Returns the reference that `coracle reload-image` prints.
fn reload_reference(folder: &Path) -> String {
    run(&coracle_in(folder, ["reload-image", "-q", "oci:reload"])).0.trim().to_owned()
}

#[test]
fn the_image_is_small_and_the_same_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let archive = coracle_in(folder.path(), ["reload-image", "oci-archive:reload.tar"]);
    let (reference, said) = run(&archive.env("SOURCE_DATE_EPOCH", "5"));
    assert!(said.starts_with("coracle-reload  linux/") && said.contains("in 1 layer"), "{said}");
    assert_eq!(reload_reference(folder.path()), reference.trim());
    assert!(fs::metadata(folder.path().join("reload.tar")).unwrap().len() < 300_000);
    for image in Image::read_all(&folder.path().join("reload")) {
        assert_eq!((image.command(), image.user()), (vec!["/coracle-reload".into()], "65532:65532"));
        let root = folder.path().join(image.platform().replace('/', "-"));
        image.unpack(&root);
        let files = coracle_testing::listing(&root);
        let names: Vec<String> = files.keys().map(|path| path.display().to_string()).collect();
        assert_eq!(names, ["coracle-reload", "etc", "etc/group", "etc/passwd"]);
    }
    let manifest = folder.path().join("reload/blobs").join(AMD64.replace(':', "/"));
    assert!(!cfg!(target_arch = "x86_64") || manifest.exists(), "{reference}");
}

#[test]
fn manifests_refer_to_it_next_to_the_program_and_say_how_to_push_it() {
    let folder = project();
    let reference = reload_reference(folder.path());
    let (name, digest) = reference.split_once('@').unwrap();
    let (printed, said) = run(&coracle_in(folder.path(), ["manifests", IMAGE]));
    let image = format!("image: ghcr.io/acme/{name}@{digest}\n");
    assert_eq!(printed.matches(&image).count(), 2, "{printed}");
    for line in [
        "- name: WATCH_DIRS\n          value: /etc/app:/run/secrets/app\n",
        "- name: WATCH_DIRS\n          value: /etc/other\n",
        "- name: PROCESS\n          value: app\n",
    ] {
        assert!(printed.contains(line), "{line}{printed}");
    }
    let command = format!("`coracle reload-image docker://ghcr.io/acme/{name}`");
    assert!(said.contains(&command), "{said}");
    for (layout, file) in
        [("kustomize", "deploy/base/deployment.yaml"), ("helm", "deploy/templates/deployment.yaml")]
    {
        fs::remove_dir_all(folder.path().join("deploy")).ok();
        run(&coracle_in(folder.path(), ["manifests", IMAGE, "--layout", layout, "-o", "deploy"]));
        let text = fs::read_to_string(folder.path().join(file)).unwrap();
        assert_eq!(text.matches(&image).count(), 2, "{text}");
    }
}

#[test]
fn a_named_image_is_used_instead() {
    let folder = project();
    let recipe = format!("{RECIPE}[kubernetes]\nreload-image = \"r:1\"\n");
    fs::write(folder.path().join("coracle.toml"), recipe).unwrap();
    let (printed, said) = run(&coracle_in(folder.path(), ["manifests", IMAGE]));
    assert!(printed.contains("image: r:1\n") && !printed.contains("coracle-reload"), "{printed}");
    assert!(!said.contains("reload-image"), "{said}");
}

#[test]
fn a_program_without_a_registry_has_its_sidecar_without_one() {
    let folder = project();
    let digest = IMAGE.rsplit_once('@').unwrap().1;
    let (printed, said) = run(&coracle_in(folder.path(), ["manifests", &format!("app:1@{digest}")]));
    let reference = reload_reference(folder.path());
    assert!(printed.contains(&format!("image: {reference}\n")), "{printed}");
    assert!(said.contains("load it into the nodes"), "{said}");
}

#[test]
fn an_image_in_a_registry_is_looked_for_there() {
    let (folder, registry) = (project(), FakeRegistry::start());
    let name = format!("127.0.0.1:{}/acme", registry.address.port());
    let image = format!("docker://{name}/env:1");
    run(&coracle_in(folder.path(), ["build", "/usr/bin/env", "-q", "--no-cache", "-o", &image]));
    let (printed, said) = run(&coracle_in(folder.path(), ["manifests", "-q", &image]));
    let reload = format!("docker://{name}/coracle-reload:{}", env!("CARGO_PKG_VERSION"));
    assert!(said.contains(&format!("warning: the registry does not have the reload sidecar's image, so pods will not start: push it with `coracle reload-image {reload}`\n")), "{said}");
    let (pushed, _) = run(&coracle_in(folder.path(), ["reload-image", &reload]));
    // A port makes the name a text that YAML quotes.
    assert!(printed.contains(&format!("image: \"{}\"\n", pushed.trim())), "{pushed}{printed}");
    let (_, said) = run(&coracle_in(folder.path(), ["manifests", "-q", &image]));
    assert!(!said.contains("reload"), "{said}");
    let other = format!("--tag={name}/other:2");
    let (_, said) = run(&coracle_in(folder.path(), ["manifests", "-q", &image, &other]));
    assert!(said.contains("/other:2@sha256:") && said.contains("is not in its registry"), "{said}");
}
