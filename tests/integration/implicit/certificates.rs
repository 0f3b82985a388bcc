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

/// A certificate of a certification authority with this name.
fn certificate(project: &Project, name: &str) -> Option<String> {
    let (key, file) = (project.path("key.pem"), project.path("certificate.pem"));
    let mut openssl = Command::new(OPENSSL);
    openssl.args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    openssl.arg("-keyout").arg(key).arg("-out").arg(&file).args(["-subj", &format!("/O=Acme/CN={name}")]);
    let output = openssl.output().ok()?;
    output.status.success().then(|| std::fs::read_to_string(file).unwrap())
}

/// Paths and contents.
type Files = &'static [(&'static str, &'static str)];

/// Where distributions keep certificates: the bundle, then files with the certificates of the package and of the machine.
/// `{one}`, `{two}`, `{local}` and `{other}` are certificates; the package has the first two.
const DISTRIBUTIONS: &[(&str, &str, Files)] = &[
    (
        "Debian",
        "/etc/ssl/certs/ca-certificates.crt",
        &[
            ("etc/ssl/certs/ca-certificates.crt", "{one}{local}{two}{other}"),
            ("usr/share/ca-certificates/mozilla/one.crt", "{one}"),
            ("usr/share/ca-certificates/mozilla/two.crt", "{two}"),
            ("usr/share/ca-certificates/other.crt", "{other}"),
            (
                "var/lib/dpkg/info/ca-certificates.list",
                "/usr/share/ca-certificates/mozilla/one.crt\n/usr/share/ca-certificates/mozilla/two.crt\n",
            ),
        ],
    ),
    (
        "Alpine",
        "/etc/ssl/certs/ca-certificates.crt",
        &[
            ("etc/ssl/certs/ca-certificates.crt", "{one}{local}{two}{other}"),
            ("usr/share/ca-certificates/mozilla/one.crt", "{one}"),
            ("usr/share/ca-certificates/mozilla/two.crt", "{two}"),
            ("usr/share/ca-certificates/other.crt", "{other}"),
            (
                "lib/apk/db/installed",
                "P:musl\nF:lib\nR:libc.so\n\nP:ca-certificates\nF:usr/share/ca-certificates/mozilla\nR:one.crt\nR:two.crt\n",
            ),
        ],
    ),
    (
        "Fedora",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        &[
            (
                "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                "# Local\n{local}\n# One\n{one}# Two\n{two}{other}",
            ),
            (
                "usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit",
                "[p11-kit-object-v1]\ntrusted: true\n{one}\n[p11-kit-object-v1]\n{two}\n",
            ),
            ("usr/share/pki/ca-trust-source/anchors/other.pem", "{other}"),
            ("etc/pki/ca-trust/source/anchors/local.pem", "{local}"),
        ],
    ),
    (
        "a root without the package's files",
        "/etc/ssl/certs/ca-certificates.crt",
        &[
            ("etc/ssl/certs/ca-certificates.crt", "{one}{local}{two}{other}"),
            ("usr/local/share/ca-certificates/local.crt", "{local}"),
            ("etc/ca-certificates/trust-source/anchors/other.crt", "{other}"),
        ],
    ),
];

#[test]
fn certificates_of_this_machine_alone_need_a_flag() {
    let project = Project::hello(&["-static"]);
    let names = ["One Root", "Two Root", "Local Proxy", "Other Root"];
    let Some([one, two, local, other]) = names
        .map(|name| certificate(&project, name))
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .map(|all| <[String; 4]>::try_from(all).unwrap())
    else {
        return skipped("there is no openssl (on Debian: openssl)");
    };
    let filled = |text: &str| {
        let pairs = [("{one}", &one), ("{two}", &two), ("{local}", &local), ("{other}", &other)];
        pairs.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    };
    for (distribution, bundle, files) in DISTRIBUTIONS {
        let root = format!("roots/{distribution}");
        for (path, text) in *files {
            project.file(&format!("{root}/{path}"), filled(text));
        }
        std::fs::copy(project.path("hello"), project.path(&root).join("hello")).unwrap();
        if *distribution == "Fedora" {
            let target = "../../ca-trust/extracted/pem/tls-ca-bundle.pem";
            project.link(&format!("{root}/etc/pki/tls/certs/ca-bundle.crt"), target);
        }
        let image = |more: &[&str]| {
            let image =
                Image::of(&project, &[&["/hello", "--root", &root, "--certificates", "true"], more].concat());
            let unpacked = image.layout.unpack();
            let text = std::fs::read_to_string(unpacked.path().join(bundle.trim_start_matches('/'))).unwrap();
            (text, image.said)
        };
        let whole = filled(files[0].1);
        let (text, said) = image(&[]);
        let clean = whole.replace("# Local\n", "").replace(&local, "").replace(&other, "");
        assert_eq!(text.trim_start(), clean.trim_start(), "{distribution}");
        let named = "only this machine trusts are not in the image: `Local Proxy`, `Other Root`\n";
        assert!(said.contains(named) && said.contains("`--local-certificates`"), "{distribution}: {said}");
        let (text, said) = image(&["--local-certificates"]);
        assert_eq!(text, whole, "{distribution}");
        let named = "only this machine trusts are in the image: `Local Proxy`, `Other Root`\n";
        assert!(said.contains(named), "{distribution}: {said}");
    }
    let said = crate::implicit::built_image::refused(&project, &["hello", "--local-certificates"]);
    assert!(said.starts_with("error: `local-certificates` has no effect"), "{said}");
}

/// A program that `--complete` adds may need the certificates.
#[test]
fn an_option_without_effect_is_a_warning_in_a_complete_image() {
    let project = Project::hello(&[]);
    let build = |more: &[&str]| {
        let args = [&["hello", "--local-certificates", "-o", "oci:x"], more].concat();
        let output = project.coracle(["build"]).command().args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let message = "`local-certificates` has no effect: the image has no CA certificates\n";
    let (code, said) = build(&[]);
    assert!(code == Some(1) && said.contains(&format!("error: {message}")), "{said}");
    let (code, said) = build(&["--complete"]);
    assert!(code == Some(0) && said.contains(&format!("warning: {message}")), "{said}");
}

/// An included store is copied unchanged, so a warning names what is left out elsewhere.
#[test]
fn an_included_store_has_a_warning_about_local_certificates() {
    if !is_installed(BUNDLE, "ca-certificates") {
        return;
    }
    let project = Project::hello(&[]);
    let has_local = Image::of(&project, &["hello", "--certificates", "true"])
        .said
        .contains("only this machine trusts are not in the image");
    for include in ["/etc/ssl/certs/ca-certificates.crt:/srv/bundle.crt", "/etc/ssl/certs:/etc/ssl/certs"] {
        let image = Image::of(&project, &["hello", "--include", include]);
        let warning = "crt has CA certificates that only this machine trusts: ";
        assert_eq!(image.said.contains(warning), has_local, "{}", image.said);
        if has_local {
            let image = Image::of(&project, &["hello", "--include", include, "--local-certificates"]);
            assert!(image.said.contains("hint: the included "), "{}", image.said);
        }
    }
}
