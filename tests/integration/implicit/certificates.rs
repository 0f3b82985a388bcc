//! CA certificates and OpenSSL's configuration.

use std::path::Path;
use std::process::Command;

use coracle_testing::skipped;

use crate::build::project::Project;
use crate::implicit::built_image::{Image, args_for, hints, planned};

const OPENSSL: &str = "/usr/bin/openssl";
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

fn is_installed(path: &str, package: &str) -> bool {
    let there = Path::new(path).exists();
    if !there {
        skipped(&format!("there is no {path} (on Debian: {package})"));
    }
    there
}

#[test]
fn adds_certificates_for_openssl() {
    if !is_installed(OPENSSL, "openssl") || !is_installed(BUNDLE, "ca-certificates") {
        return;
    }
    let project = Project::new();
    let bundle = std::fs::read_to_string(BUNDLE).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    project.file("ca.pem", bundle.split_inclusive(end).next().unwrap());
    let build = |more: &[&str]| {
        let run = ["--include", "ca.pem:/ca.pem", "--", "verify", "/ca.pem"];
        Image::of(&project, &[&[OPENSSL], more, &run[..]].concat())
    };
    let image = build(&[]);
    for path in ["/usr/lib/ssl/openssl.cnf", "/usr/lib/ssl/cert.pem"] {
        assert!(image.has(path), "{path}");
    }
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "/ca.pem: OK\n");
    }
    let bare = build(&["--certificates", "false", "--openssl", "false"]);
    assert!(!bare.has(BUNDLE) && !bare.has("/usr/lib/ssl/openssl.cnf"));
}

#[test]
fn adds_providers_and_engines_on_request() {
    if !is_installed(OPENSSL, "openssl") {
        return;
    }
    let project = Project::new();
    assert!(!Image::of(&project, &[OPENSSL]).has_file("legacy.so"));
    let image = Image::of(
        &project,
        &[OPENSSL, "--openssl", "true", "--", "list", "-providers", "-provider", "legacy"],
    );
    assert!(image.has_file("legacy.so"));
    if let Some(printed) = image.prints() {
        assert!(printed.contains("OpenSSL Legacy Provider"), "{printed}");
    }
}

#[test]
fn adds_certificates_for_go_programs_with_tls() {
    let candidates = [
        "/usr/bin/skopeo",
        "/usr/bin/containerd",
        "/usr/bin/dockerd",
        "/usr/sbin/dockerd",
        "/usr/bin/podman",
    ];
    let Some(program) = candidates.iter().find(|path| Path::new(path).exists()) else {
        return skipped("there is no program of Go's that speaks TLS (on Debian: skopeo)");
    };
    let project = Project::new();
    let entry = planned(&project, &[program], BUNDLE).unwrap();
    assert_eq!((entry["type"].as_str(), entry["reason"].as_str()), (Some("file"), Some("CA certificates")));
}

#[test]
fn adds_no_certificates_unless_used_or_requested() {
    let project = Project::hello(&[]);
    assert!(!Image::of(&project, &["hello"]).has(BUNDLE));
    assert!(Image::of(&project, &["hello", "--certificates", "true"]).has(BUNDLE));
    // A path in the program's text is no proof.
    project.program(
        "named",
        "#include <stdio.h>\nint main(void) { puts(\"/etc/ssl/certs\"); }",
        &["-static"],
    );
    let image = Image::of(&project, &["named"]);
    assert_eq!(args_for(&hints(&project, &["named"]), "CA certificates"), ["--certificates", "true"]);
    assert!(!image.has(BUNDLE), "{}", image.said);
}

#[test]
fn reports_a_root_without_certificates() {
    let project = Project::new();
    let output = Command::new("ldd").arg("/usr/bin/curl").output();
    let Some(listed) = output.ok().filter(|output| output.status.success()) else {
        return skipped("there is no /usr/bin/curl (on Debian: curl)");
    };
    let paths = String::from_utf8(listed.stdout).unwrap();
    let paths = paths.split_whitespace().filter(|word| word.starts_with('/'));
    for path in paths.chain(["/usr/bin/curl"]) {
        let to = project.path(&format!("root{path}"));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(path, to).unwrap();
    }
    let image = Image::of(&project, &["/usr/bin/curl", "--root", "root"]);
    assert!(image.said.contains("warning: no CA certificates were found"), "{}", image.said);
    assert!(!image.has(BUNDLE), "nothing outside the root is read");
    let said = crate::implicit::built_image::refused(
        &project,
        &["/usr/bin/curl", "--root", "root", "--certificates", "true"],
    );
    assert!(said.starts_with("error: cannot find a bundle of CA certificates"), "{said}");
}
