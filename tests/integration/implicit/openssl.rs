//! OpenSSL's configuration: what it includes and what it activates.

use crate::build::project::Project;
use crate::implicit::built_image::Image;

/// Prints whether MD4 is available, which only the provider `legacy` has.
const FETCHES_MD4: &str = r#"
#include <openssl/evp.h>
#include <stdio.h>
int main(void) { puts(EVP_MD_fetch(0, "MD4", 0) ? "MD4" : "no MD4"); }
"#;

/// A configuration that includes what `include` says. The lines after it belong to the last section of the
/// included file.
fn starts(include: &str) -> String {
    format!("openssl_conf = start\n{include}\n[start]\nproviders = listed\n")
}

const ACTIVATES: &str = "[listed]\ndefault = d\nlegacy = l\n[d]\nactivate = 1\n[l]\nactivate = 1\n";

fn project() -> Project {
    let project = Project::new();
    project.program("app", FETCHES_MD4, &["-lcrypto"]);
    project
}

#[track_caller]
fn prints_md4(project: &Project, arguments: &[&str]) {
    let image = Image::of(project, &[&["app"], arguments].concat());
    assert!(image.has_file("legacy.so"), "{arguments:?}: {}", image.said);
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "MD4\n", "{arguments:?}");
    }
}

#[test]
fn adds_no_provider_that_the_configuration_does_not_activate() {
    let project = project();
    assert!(!Image::of(&project, &["app"]).has_file("legacy.so"));
    project.file("openssl.cnf", starts("") + "[listed]\nlegacy = l\n[l]\nidentity = legacy\n");
    let image = Image::of(&project, &["app", "--include", "openssl.cnf:/etc/ssl/openssl.cnf"]);
    assert!(!image.has_file("legacy.so"));
}

#[test]
fn lines_behind_an_include_belong_to_the_last_section_of_the_included_file() {
    let project = project();
    project
        .file("activates.cnf", ACTIVATES)
        .file("openssl.cnf", ".include /etc/ssl/activates.cnf\n".to_owned() + &starts(""));
    let include = ["--include", "openssl.cnf:/etc/ssl/openssl.cnf", "--include", "activates.cnf:/etc/ssl/"];
    let image = Image::of(&project, &[&["app"], &include[..]].concat());
    assert!(!image.has_file("legacy.so"));
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "no MD4\n");
    }
}

#[test]
fn adds_providers_that_an_included_configuration_activates() {
    let project = project();
    project.file("openssl.cnf", starts("") + ACTIVATES);
    prints_md4(&project, &["--include", "openssl.cnf:/etc/ssl/openssl.cnf"]);
}

#[test]
fn follows_includes_of_files_and_directories() {
    let project = project();
    project.file("conf.d/activates.cnf", ACTIVATES).file("conf.d/ignored.txt", "[l]\nmodule = none.so\n");
    for include in [".include /etc/ssl/more.d", "dir = /etc/ssl/more.d\n.include = $dir/activates.cnf"] {
        project.file("openssl.cnf", starts(include));
        prints_md4(
            &project,
            &["--include", "openssl.cnf:/etc/ssl/openssl.cnf", "--include", "conf.d:/etc/ssl/more.d"],
        );
    }
}

#[test]
fn reads_the_configuration_that_the_image_s_environment_names() {
    let project = project();
    project.file("own/main.cnf", starts(".include activates.cnf"));
    project.file("own/activates.cnf", ACTIVATES);
    let variables = ["OPENSSL_CONF=/opt/own/main.cnf", "OPENSSL_CONF_INCLUDE=/opt/own"];
    let arguments = ["--include", "own:/opt/own", "--env", variables[0], "--env", variables[1]];
    prints_md4(&project, &arguments);
}

#[test]
fn adds_the_files_of_a_root_that_its_configuration_includes() {
    let project = project();
    let ldd = |name: &str| std::fs::canonicalize(format!("/usr/lib/x86_64-linux-gnu/{name}")).unwrap();
    for (name, to) in [
        ("libc.so.6", "root/usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("libcrypto.so.3", "root/usr/lib/x86_64-linux-gnu/libcrypto.so.3"),
        ("ossl-modules/legacy.so", "root/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so"),
        ("ld-linux-x86-64.so.2", "root/lib64/ld-linux-x86-64.so.2"),
    ] {
        project.file(to, std::fs::read(ldd(name)).unwrap());
    }
    project
        .file("root/usr/lib/ssl/openssl.cnf", starts(".include = /etc/policies/back-end.config"))
        .file("root/usr/share/policies/DEFAULT.txt", ACTIVATES)
        .link("root/etc/policies/back-end.config", "/usr/share/policies/DEFAULT.txt");
    project.file("root/usr/bin/app", std::fs::read(project.path("app")).unwrap());
    let image = Image::of(&project, &["/usr/bin/app", "--root", "root"]);
    assert!(image.has("/etc/policies/back-end.config") && image.has("/usr/share/policies/DEFAULT.txt"));
    assert!(image.has("/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so"), "{}", image.said);
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "MD4\n");
    }
}

#[test]
fn adds_engines_that_the_configuration_loads() {
    let project = project();
    let conf = "openssl_conf = start\n[start]\nengines = listed\n[listed]\n1.afalg = e\n[e]\nengine_id = afalg\ninit = 0\n";
    project.file("openssl.cnf", conf);
    let include = ["app", "--include", "openssl.cnf:/etc/ssl/openssl.cnf"];
    assert!(Image::of(&project, &include).has_file("afalg.so"));
    project.file("openssl.cnf", conf.replace("engine_id = afalg", "dynamic_path = padlock.so"));
    let image = Image::of(&project, &include);
    assert!(image.has_file("padlock.so") && !image.has_file("afalg.so"));
}
