//! Several programs, several images.

use coracle_testing::Coracle;
use snapbox::str;

use crate::cargo::fake_cargo::{self, built, compiled};
use crate::cargo::project::Project;

/// Two crates with a program each.
fn shop() -> Project {
    let project = Project::empty();
    project.file("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n");
    project.krate("crates/shop", "shop", "").krate("crates/admin", "admin", "");
    project
}

#[test]
fn each_program_is_an_image() {
    let project = shop();
    project.built(&["--debug"]);
    for name in ["admin", "shop"] {
        assert_eq!(project.layout(name).names(), [format!("latest docker.io/library/{name}:latest")]);
    }
}

#[test]
fn builds_the_selected_packages() {
    let project = shop();
    project.cargo(["build", "-q", "--debug", "-p", "shop", "-t", "ghcr.io/acme/front:1.2"]).ends(
        0,
        str![[r#"
ghcr.io/acme/front:1.2@sha256:[..]

"#]],
        str![],
    );
    assert!(project.path("target/coracle/front.oci").exists());
    assert!(!project.path("target/coracle/admin.oci").exists());
    project.built(&["--debug", "--workspace", "--exclude", "shop"]);
    project.layout("admin");
    assert!(!project.path("target/coracle/shop.oci").exists());
}

#[test]
fn prints_paths_relative_to_the_working_directory() {
    let project = shop();
    project.built(&["--debug"]);
    project.cargo_in("crates/shop", ["build", "--debug", "--strip"]).ends(
        0,
        str![[r#"
shop:latest@sha256:[..]

"#]],
        str![[r#"
    Finished [..]
hint: `shop` needs nothing but the C library, [..]
hint: scanners do not see the crates of `/app/shop`: `cargo auditable build` adds a list of them, as does `cargo coracle build --auditable`
shop:latest  linux/amd64  [..]
  libraries  [..]
  program  [..]
  inventory  [..]
  written to oci:[..]/target/coracle/shop.oci

"#]],
    );
}

#[test]
fn rejects_one_tag_for_several_images() {
    let project = shop();
    project.cargo(["build", "--quiet", "--debug", "-t", "shop"]).ends(2, str![], str![[r#"
error: `--tag`, an archive and a name in a registry can't be used with several images: `admin`, `shop` are one image each

hint: select one with `--bin NAME` or `-p PACKAGE`, or set each image's name in Cargo.toml: `name` in `[package.metadata.coracle.image]`

"#]]);
}

#[test]
fn rejects_one_engine_name_for_several_images() {
    let project = shop();
    for place in ["docker-daemon:foo:1", "containers-storage:foo:1", "containerd:foo:1"] {
        project.cargo(["build", "--quiet", "--debug", "-o", place]).ends(2, str![], str![[r#"
error: `--tag`, an archive and a name in a registry can't be used with several images: `admin`, `shop` are one image each

hint: select one with `--bin NAME` or `-p PACKAGE`, or set each image's name in Cargo.toml: `name` in `[package.metadata.coracle.image]`

"#]]);
    }
}

#[test]
fn rejects_two_programs_with_the_same_file() {
    let project = shop();
    for name in ["admin", "shop"] {
        let settings = format!(
            "[[bin]]\nname = \"server\"\npath = \"src/main.rs\"\n\n[package.metadata.coracle.image]\nname = \"{name}:1\"\n"
        );
        project.krate(&format!("crates/{name}"), name, &settings);
    }
    project.cargo(["build", "-q", "--debug"]).ends(2, str![], str![[r#"
...
error: cargo has written two programs to the same file, `target/debug/server`, which now contains only one of them
  --> `server` of crates/admin/Cargo.toml
  --> `server` of crates/shop/Cargo.toml

hint: rename one of them in its `[[bin]]`, or build them one at a time with `-p PACKAGE`, each with its own `--target-dir`

"#]]);
    project.built(&["--debug", "-p", "shop"]);
}

#[test]
fn a_layout_for_several_images_needs_a_tag_for_each() {
    let project = shop();
    project.cargo(["build", "-q", "--debug", "-o", "oci:all"]).ends(2, str![], str![[r#"
error: the images of `admin` and `shop` would replace each other in `oci:all`: they have the same tag

hint: leave out `--output` to write each to its own layout, or give each its own tag in Cargo.toml: `name = "NAME:TAG"` in `[package.metadata.coracle.image]`

"#]]);
    for name in ["shop", "admin"] {
        let settings = format!("[package.metadata.coracle.image]\nname = \"{name}:{name}\"\n");
        project.krate(&format!("crates/{name}"), name, &settings);
    }
    project.built(&["--debug", "-o", "oci:all"]);
    let all = crate::build::layout::Layout::open(project.path("all"));
    assert_eq!(all.names(), ["admin docker.io/library/admin:admin", "shop docker.io/library/shop:shop"]);
}

#[test]
fn reports_all_failed_images() {
    let project = shop();
    project.krate("crates/admin", "admin", "[package.metadata.coracle.image]\nbase = \"oci:nothing\"\n");
    project.cargo(["build", "-q", "--debug", "-p", "shop"]).ends(
        0,
        str![[r#"
shop:latest@sha256:[..]

"#]],
        str![],
    );
    project.cargo(["build", "-q", "--debug"]).ends(1, str![[r#"
shop:latest@sha256:[..]

"#]], str![[r#"
error: cannot use the base image `oci:crates/admin/nothing`: cannot read `crates/admin/nothing`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]]);
}

#[test]
fn several_programs_of_a_package_are_several_images() {
    let project = Project::app("");
    project.file("src/bin/tool.rs", crate::cargo::project::MAIN);
    project.cargo(["build", "-q", "--debug"]).ends(
        0,
        str![[r#"
app:latest@sha256:[..]
tool:latest@sha256:[..]

"#]],
        str![],
    );
}

/// Where it does not matter what a failed run has written.
fn others_are_written(run: Coracle) -> Coracle {
    run.through(env!("CARGO_BIN_EXE_cargo-coracle"), |_| true)
}

#[test]
fn a_secret_in_one_image_does_not_stop_the_others() {
    let project = shop();
    let settings = "[[package.metadata.coracle.include]]\nfrom = \".env\"\nto = \"/srv/.env\"\n";
    project.krate("crates/admin", "admin", settings).file("crates/admin/.env", "PASSWORD=correct-horse-9\n");
    others_are_written(project.cargo(["build", "-q", "--debug"])).ends(
        4,
        str![[r#"
shop:latest@sha256:[..]

"#]],
        str![[r#"
error: [..]
...
"#]],
    );
    assert_eq!(project.layout("shop").names(), ["latest docker.io/library/shop:latest"]);
    assert!(!project.path("target/coracle/admin.oci").exists());
}

#[test]
fn a_missing_library_stops_only_its_image() {
    let project = Project::app("");
    compiled(&project, "cc", &["-shared"], "target/libgone.so").unwrap();
    let library = project.path("target/libgone.so");
    compiled(&project, "cc", &["-Wl,--no-as-needed", library.to_str().unwrap()], "target/release/first")
        .unwrap();
    std::fs::remove_file(library).unwrap();
    compiled(&project, "cc", &["-static"], "target/release/second").unwrap();
    let messages = ["second", "first"].map(|name| built(&project, name, &format!("target/release/{name}")));
    project.file("target/messages", messages.concat());
    fake_cargo::cargo(&project, "cat target/messages");
    others_are_written(fake_cargo::run(&project, ["build", "-q"])).ends(
        1,
        str![[r#"
second:latest@sha256:[..]

"#]],
        str![[r#"
error: cannot find [..]libgone.so`, needed by [..]
...
"#]],
    );
    project.layout("second");
    assert!(!project.path("target/coracle/first.oci").exists());
}
