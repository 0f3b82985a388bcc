//! What `coracle inspect` says about an image of Coracle.

use serde_json::Value;

use super::layout::{build, coracle};

#[test]
fn summary_has_config_layers_and_packages() {
    let (_directory, image) = build("/usr/bin/env", &["--user", "1000:1000"]);
    let ended = coracle(&["inspect", &image]).with_code(0);
    for part in
        ["docker.io/library/app:1  linux/", "  user        1000:1000\n", "  entrypoint  /usr/bin/env\n"]
    {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    assert!(ended.stdout.contains("layers, the lowest first") && ended.stdout.contains("  program\n"));
    assert!(ended.stdout.lines().count() < 40, "more than a screen: {}", ended.stdout);
    let report = coracle(&["inspect", &image, "--format", "json"]).with_code(0).json();
    assert_eq!(report["version"], 1);
    let layers = report["image"]["layers"].as_array().unwrap();
    let size: u64 = layers.iter().map(|layer| layer["size"].as_u64().unwrap()).sum();
    assert!(size > 0 && size < report["image"]["size"].as_u64().unwrap());
    assert!(layers.iter().all(|layer| layer["unpacked_size"].as_u64() > layer["size"].as_u64()));
}

#[test]
fn compressed_sizes_of_all_paths_add_up_to_the_layers() {
    let (_directory, image) = build("/usr/bin/env", &[]);
    let report = coracle(&["inspect", &image, "--files", "--format", "json"]).with_code(0).json();
    let sum = |items: &Value, key: &str| -> u64 {
        items.as_array().unwrap().iter().map(|item| item[key].as_u64().unwrap()).sum()
    };
    let (files, layers) =
        (sum(&report["image"]["files"], "compressed"), sum(&report["image"]["layers"], "size"));
    // Directories that several layers have are listed once.
    assert!(files <= layers && files > layers * 9 / 10, "{files} of {layers}");
    let files = report["image"]["files"].as_array().unwrap();
    let libc = files.iter().find(|file| file["path"].as_str().unwrap().ends_with("/libc.so.6")).unwrap();
    assert!(libc["why"].as_str().unwrap().starts_with("needed by /usr/bin/env, "), "{libc}");
    assert!(libc["digest"].as_str().unwrap().starts_with("sha256:"), "{libc}");
}

#[test]
fn why_follows_the_chain_inside_the_image() {
    let (_directory, image) = build("/usr/bin/curl", &[]);
    let ended = coracle(&["inspect", &image, "--files", "--format", "json"]).with_code(0).json();
    let files = ended["image"]["files"].as_array().unwrap();
    let path = |name: &str| {
        let found =
            files.iter().find(|file| file["path"].as_str().unwrap().contains(name) && file["kind"] == "file");
        found.unwrap()["path"].as_str().unwrap().to_owned()
    };
    let link = files
        .iter()
        .find(|file| file["kind"] == "link" && file["path"].as_str().unwrap().contains("/libcurl.so.4"));
    let ended = coracle(&["inspect", &image, "--why", link.unwrap()["path"].as_str().unwrap()]).with_code(0);
    assert!(
        ended.stdout.contains("\n  /usr/bin/curl  the image starts it\n    needs libcurl.so.4: /"),
        "{}",
        ended.stdout
    );
    let report =
        coracle(&["inspect", &image, "--why", &path("/libssl.so"), "--format", "json"]).with_code(0).json();
    let chain = report["chain"].as_array().unwrap();
    assert_eq!(chain[0]["path"], "/usr/bin/curl");
    assert!(
        chain.len() >= 2 && chain.last().unwrap()["path"].as_str().unwrap().contains("/libssl.so"),
        "{report}"
    );
    let missing = coracle(&["inspect", &image, "--why", "/nowhere"]).with_code(1);
    assert!(missing.stderr.contains(&format!("`{image}` has no `/nowhere`")), "{}", missing.stderr);
}

#[test]
fn prints_a_file_unchanged_and_deps_resolves_inside() {
    let (_directory, image) = build("/usr/bin/env", &["--include", "/etc/hostname:/srv/raw"]);
    let expected = std::fs::read_to_string("/etc/hostname").unwrap();
    assert_eq!(coracle(&["inspect", &image, "--file", "/srv/raw"]).with_code(0).stdout, expected);
    let directory = coracle(&["inspect", &image, "--file", "/srv"]).with_code(1);
    assert!(directory.stderr.contains("`/srv` is a directory in"), "{}", directory.stderr);
    for args in [vec!["deps", &image], vec!["deps", &image, "/usr/bin/env"]] {
        let tree = coracle(&args).with_code(0).stdout;
        assert!(tree.starts_with("/usr/bin/env  ") && tree.contains("libc.so.6"), "{tree}");
    }
    let other = coracle(&["deps", "--root", "/", &image]).with_code(2);
    assert!(other.stderr.contains("`--root` and `--sysroot` have no effect"), "{}", other.stderr);
}

#[test]
fn mtree_lists_every_path_with_its_digest() {
    let (_directory, image) = build("/usr/bin/env", &[]);
    let mtree = coracle(&["inspect", &image, "--format", "mtree"]).with_code(0).stdout;
    assert!(mtree.starts_with("#mtree v2.0\n. type=dir\n"));
    let line = mtree.lines().find(|line| line.starts_with("./usr/bin/env ")).unwrap();
    assert!(
        line.contains("type=file mode=0755 uid=0 gid=0 time=0.0 size=") && line.contains(" sha256digest="),
        "{line}"
    );
}

#[test]
fn contradicting_flags_are_usage_errors() {
    for (args, message) in [
        (vec!["--why", "/a", "--format", "mtree"], "`--why` does not support `--format mtree`"),
        (vec!["--packages", "--format", "html"], "`--packages` does not support `--format html`"),
        (vec!["--files", "--no-layers"], "cannot be used with"),
    ] {
        let ended = coracle(&[vec!["inspect", "oci:none.oci"], args].concat()).with_code(2);
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
    }
}

#[test]
fn sbom_prints_what_is_in_any_image() {
    let (_directory, image) = build("/usr/bin/curl", &[]);
    let packages = coracle(&["inspect", &image, "--format", "json"]).with_code(0).json();
    let spdx = coracle(&["sbom", &image]).with_code(0).json();
    assert_eq!(spdx["spdxVersion"], "SPDX-2.3");
    let names = |values: &serde_json::Value, name: &str, version: &str| -> Vec<String> {
        let pairs = values.as_array().unwrap().iter().map(|one| format!("{} {}", one[name], one[version]));
        pairs.collect()
    };
    let listed = names(&spdx["packages"], "name", "versionInfo");
    for package in names(&packages["image"]["packages"], "name", "version") {
        assert!(listed.contains(&package), "{package} in {listed:?}");
    }
    assert_eq!(coracle(&["sbom", &image]).with_code(0).json(), spdx);
    let cyclonedx = coracle(&["sbom", &image, "--format", "cyclonedx"]).with_code(0).json();
    assert_eq!(cyclonedx["specVersion"], "1.6");
    let missing = coracle(&["sbom", "oci:nowhere"]);
    assert!(missing.stderr.contains("nowhere"), "{}", missing.stderr);
}
