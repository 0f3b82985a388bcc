//! Services of PAM, and plugins of well-known libraries.

use std::path::Path;

use coracle_testing::skipped;

use crate::build::project::Project;
use crate::implicit::built_image::{Image, refused};

fn is_installed(path: &str, package: &str) -> bool {
    let there = Path::new(path).exists();
    if !there {
        skipped(&format!("there is no {path} (on Debian: {package})"));
    }
    there
}

#[test]
fn adds_configuration_and_modules_of_pam_services() {
    if !is_installed("/etc/pam.d/su", "util-linux") {
        return;
    }
    let project = Project::new();
    let without = Image::of(&project, &["/usr/bin/su"]);
    assert!(without.said.contains("PAM services: ") && !without.has("/etc/pam.d/su"), "{}", without.said);
    let image = Image::of(&project, &["/usr/bin/su", "--pam", "su"]);
    for path in ["/etc/pam.d/su", "/etc/pam.d/common-auth"] {
        assert!(image.has(path), "{path}");
    }
    // What the modules need comes with them.
    for name in ["pam_rootok.so", "pam_unix.so", "libcrypt.so.1"] {
        assert!(
            image.has_file(name) || image.layout.entries().iter().flatten().any(|line| line.contains(name)),
            "{name}"
        );
    }
    assert!(!image.said.contains("PAM services"), "{}", image.said);
    let said = refused(&project, &["/usr/bin/su", "--pam", "nobody"]);
    assert!(
        said.starts_with("error: cannot find the PAM service `nobody`: there is no `/etc/pam.d/nobody`"),
        "{said}"
    );
    let said = refused(&Project::hello(&[]), &["hello", "--pam", "su"]);
    assert!(said.starts_with("error: `pam` has no effect: no libpam is mapped"), "{said}");
    // It is enough that one of several programs asks for it.
    let project = Project::hello(&[]);
    let image = Image::of(&project, &["hello", "/usr/bin/su", "--pam", "su"]);
    assert!(image.has("/etc/pam.d/su"), "{}", image.said);
}

#[test]
fn adds_a_plugin_family_with_its_dependencies() {
    let plugins = "/usr/lib/x86_64-linux-gnu/krb5/plugins/preauth/spake.so";
    if !is_installed("/usr/bin/curl", "curl") || !is_installed(plugins, "libkrb5-3") {
        return;
    }
    let project = Project::new();
    let without = Image::of(&project, &["/usr/bin/curl"]);
    // libcurl needs Kerberos for a rare feature, so there is no hint.
    assert!(!without.said.contains("krb5") && !without.has(plugins), "{}", without.said);
    let image = Image::of(&project, &["/usr/bin/curl", "--plugins", "krb5"]);
    assert!(image.has(plugins) && !image.said.contains("plugins of"), "{}", image.said);
    let said = refused(&Project::hello(&[]), &["hello", "--plugins", "krb5"]);
    assert!(said.starts_with("error: cannot add the plugins `krb5`: no `libkrb5.so` is mapped"), "{said}");
}
