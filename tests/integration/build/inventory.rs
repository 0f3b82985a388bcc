//! The inventory of packages in images, and SBOMs.

use std::fs;
use std::path::{Path, PathBuf};

use coracle_testing::unpacked::{Image, json};
use coracle_testing::{coracle_in, static_program, write_executable};
use serde_json::Value;

const STATUS: &str = "Package: tool-data\nStatus: install ok installed\nMaintainer: Team <team@example.org>\n\
    Architecture: all\nSource: tool (1.0-1)\nVersion: 1:1.0-1\nDescription: not for scanners\n\n\
    Package: other\nStatus: install ok installed\nArchitecture: all\nVersion: 2\n";
const MD5: &str = "0123456789abcdef0123456789abcdef";

/// A root with a package that owns a data file, and a program of no package.
fn root(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    for (path, text) in [
        ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nHOME_URL=\"https://www.debian.org\"\n".to_owned()),
        ("etc/debian_version", "12.5\n".into()),
        ("usr/share/tool/data", "data".into()),
        ("usr/share/tool/generated", "generated".into()),
        ("usr/share/doc/tool-data/copyright", "see /usr/share/common-licenses/GPL-2.".into()),
        ("usr/share/common-licenses/GPL-2", "the licence".into()),
        ("var/lib/dpkg/status", STATUS.into()),
        ("var/lib/dpkg/info/tool-data.list", "/usr/share/tool\n/usr/share/tool/data\n".into()),
        (
            "var/lib/dpkg/info/tool-data.md5sums",
            format!("{MD5}  usr/share/tool/data\n{MD5}  usr/share/absent\n"),
        ),
        ("var/lib/dpkg/info/other.list", "/usr/share/other\n".into()),
    ] {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), text).unwrap();
    }
    fs::create_dir_all(root.join("home")).unwrap();
    write_executable(&root.join("home/app"), static_program(62));
    root
}

/// Builds the image of the root. Returns the JSON report.
fn build(folder: &Path, layout: &str, flags: &[&str]) -> Value {
    let root = folder.join("root");
    let include = format!("{}:/usr/share/tool", root.join("usr/share/tool").display());
    let output = format!("oci:{layout}");
    let mut command = coracle_in(
        folder,
        ["build", "--root", "root", "/home/app", "--no-cache", "--quiet", "--format", "json"],
    )
    .more_args(["--include", &include, "-o", &output, "-t", "ghcr.io/acme/app:1"])
    .command();
    let result = command.args(flags).output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    let report: Value = serde_json::from_slice(&result.stdout).unwrap();
    report["images"][0].clone()
}

fn unpacked(folder: &Path, layout: &str) -> PathBuf {
    let to = folder.join(format!("{layout}.files"));
    Image::read_all(&folder.join(layout)).remove(0).unpack(&to);
    to
}

#[test]
fn images_describe_the_packages_that_own_their_files() {
    let folder = tempfile::tempdir().unwrap();
    root(folder.path());
    let report = build(folder.path(), "a.oci", &[]);
    let expected = serde_json::json!([
        {"platform": "linux/amd64", "packages": 1, "crates": 0, "go_modules": 0, "unowned_files": 1}
    ]);
    assert_eq!(report["inventories"], expected);
    let files = unpacked(folder.path(), "a.oci");
    let text = |path: &str| fs::read_to_string(files.join(path)).unwrap();
    assert_eq!(
        text("var/lib/dpkg/status.d/tool-data"),
        "Package: tool-data\nStatus: install ok installed\nMaintainer: Team <team@example.org>\nArchitecture: all\n\
         Source: tool (1.0-1)\nVersion: 1:1.0-1\n"
    );
    assert_eq!(text("var/lib/dpkg/status.d/tool-data.md5sums"), format!("{MD5}  usr/share/tool/data\n"));
    assert_eq!(text("etc/os-release"), "VERSION_ID=12\nID=debian\n");
    assert_eq!(text("etc/debian_version"), "12.5\n");
    assert_eq!(fs::read_dir(files.join("var/lib/dpkg/status.d")).unwrap().count(), 2);
}

#[test]
fn changed_programs_change_no_layer_with_packages() {
    let folder = tempfile::tempdir().unwrap();
    let root = root(folder.path());
    let layers = |report: &Value| -> Vec<String> {
        let layers = report["layers"].as_array().unwrap().iter();
        layers.map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
    };
    let before = layers(&build(folder.path(), "a.oci", &[]));
    write_executable(&root.join("home/app"), [static_program(62), b"changed".to_vec()].concat());
    let after = layers(&build(folder.path(), "b.oci", &[]));
    assert_eq!((before.len(), &before[0]), (2, &after[0]));
    assert_ne!(before[1], after[1]);
    // Text that no scanner reads changes nothing.
    fs::write(root.join("var/lib/dpkg/status"), STATUS.replace("not for scanners", "changed")).unwrap();
    assert_eq!(layers(&build(folder.path(), "c.oci", &[])), after);
    fs::write(root.join("var/lib/dpkg/status"), STATUS.replace("1:1.0-1", "1:1.0-2")).unwrap();
    assert_ne!(layers(&build(folder.path(), "d.oci", &[]))[0], after[0]);
}

#[test]
fn inventories_can_be_left_out_and_licences_added() {
    let folder = tempfile::tempdir().unwrap();
    root(folder.path());
    build(folder.path(), "a.oci", &["--no-inventory"]);
    assert!(!unpacked(folder.path(), "a.oci").join("var").exists());
    build(folder.path(), "b.oci", &["--licences"]);
    let files = unpacked(folder.path(), "b.oci");
    for path in ["usr/share/doc/tool-data/copyright", "usr/share/common-licenses/GPL-2"] {
        assert!(files.join(path).is_file(), "{path}");
    }
}

#[test]
fn programs_without_a_list_of_crates_are_a_hint_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_coracle");
    let run = |flag: &str| {
        coracle_in(folder.path(), ["build", program, "--dry-run", "--no-cache", flag])
            .command()
            .output()
            .unwrap()
    };
    let hinted = run("--strip");
    let stderr = String::from_utf8_lossy(&hinted.stderr).into_owned();
    assert!(
        hinted.status.success() && stderr.contains("hint: scanners do not see the crates of `/app/coracle`"),
        "{stderr}"
    );
    let refused = run("--require-inventory");
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{stderr}");
    assert!(stderr.starts_with("error: scanners cannot see all that the image contains:\n"), "{stderr}");
}

#[test]
fn unreadable_databases_are_a_warning_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let root = root(folder.path());
    fs::remove_file(root.join("var/lib/dpkg/status")).unwrap();
    fs::create_dir(root.join("var/lib/dpkg/status")).unwrap();
    let run = |flag: &str| {
        coracle_in(folder.path(), ["build", "--root", "root", "/home/app", "--no-cache", flag])
            .command()
            .output()
            .unwrap()
    };
    let warned = run("--strip");
    let stderr = String::from_utf8_lossy(&warned.stderr).into_owned();
    assert!(warned.status.success(), "{stderr}");
    assert!(stderr.contains("warning: scanners do not see the packages of this image"), "{stderr}");
    assert_eq!(run("--require-inventory").status.code(), Some(4));
}

#[test]
fn sboms_leave_the_image_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    root(folder.path());
    let plain = build(folder.path(), "a.oci", &[]);
    let flags = [
        "--sbom",
        "a.spdx.json",
        "--sbom",
        "a.cdx.json",
        "--attach-sbom",
        "spdx",
        "--attach-sbom",
        "cyclonedx",
    ];
    let described = build(folder.path(), "b.oci", &flags);
    assert_eq!(plain["digest"], described["digest"]);
    let spdx = json(&folder.path().join("a.spdx.json"));
    let names: Vec<&str> = spdx["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["ghcr.io/acme/app", "debian", "tool-data"]);
    let cyclonedx = json(&folder.path().join("a.cdx.json"));
    assert_eq!(
        cyclonedx["components"][1]["purl"],
        "pkg:deb/debian/tool-data@1%3A1.0-1?arch=all&distro=debian-12&upstream=tool%401.0-1"
    );
    let index = json(&folder.path().join("b.oci/index.json"));
    let types: Vec<&str> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["artifactType"].as_str())
        .collect();
    assert_eq!(types, ["application/spdx+json", "application/vnd.cyclonedx+json"]);
    let before = fs::read(folder.path().join("a.spdx.json")).unwrap();
    build(folder.path(), "c.oci", &flags);
    assert_eq!(fs::read(folder.path().join("a.spdx.json")).unwrap(), before);
}

#[test]
fn sboms_are_not_written_through_links_or_into_includes() {
    let folder = tempfile::tempdir().unwrap();
    let root = root(folder.path());
    fs::write(folder.path().join("mine"), "mine").unwrap();
    std::os::unix::fs::symlink("mine", folder.path().join("link.json")).unwrap();
    fs::create_dir(folder.path().join("directory")).unwrap();
    let include = format!("{}:/usr/share/tool", root.join("usr/share/tool").display());
    let inside = root.join("usr/share/tool/a.json").display().to_string();
    for (file, why) in [
        ("link.json", "`--sbom` does not follow links"),
        ("directory", "`directory` is a directory"),
        ("nowhere/a.json", "cannot write `nowhere/a.json`"),
        (&inside, "the image would contain its own report"),
    ] {
        let build = ["build", "--root", "root", "/home/app", "--include", &include, "--sbom", file, "-o"];
        let mut command = coracle_in(folder.path(), build).more_args(["oci:a.oci"]).command();
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains(why), "{file}: {stderr}");
        assert!(!folder.path().join("a.oci").exists());
    }
    assert_eq!(fs::read_to_string(folder.path().join("mine")).unwrap(), "mine");
}
