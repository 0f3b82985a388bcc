//! `$ORIGIN`, `$LIB` and `$PLATFORM`. Source: `_dl_dst_count`, `_dl_dst_substitute`,
//! `elf/dl-load.c`; `_dl_get_origin`, `sysdeps/unix/sysv/linux/dl-origin.c`.

use crate::rules::case::Case;
use crate::rules::elf::{library, program};

#[test]
fn origin_is_the_directory_of_the_program() {
    for list in ["$ORIGIN/../lib", "${ORIGIN}/../lib"] {
        for app in [program().needed("liba.so").rpath(list), program().needed("liba.so").runpath(list)] {
            Case::glibc()
                .elf("/opt/bin/app", &app)
                .elf("/opt/lib/liba.so", &library())
                .maps("/opt/bin/app", &["/opt/bin/../lib/liba.so"]);
        }
    }
}

#[test]
fn origin_of_a_program_in_the_root_is_a_slash() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").runpath("$ORIGIN:$ORIGIN/lib"))
        .elf("/liba.so", &library())
        .elf("/lib/libb.so", &library())
        .maps("/app", &["/liba.so", "//lib/libb.so"]);
}

#[test]
fn origin_of_a_program_is_where_its_links_end() {
    Case::glibc()
        .elf("/opt/bin/app", &program().needed("liba.so").runpath("$ORIGIN/../lib"))
        .elf("/opt/lib/liba.so", &library())
        .elf("/usr/lib/liba.so", &library())
        .link("/usr/bin/app", "../../opt/bin/app")
        .maps("/usr/bin/app", &["/opt/bin/../lib/liba.so"]);
}

#[test]
fn origin_of_a_program_below_a_linked_directory_is_resolved_too() {
    Case::glibc()
        .elf("/opt/v1/bin/app", &program().needed("liba.so").runpath("$ORIGIN/../lib"))
        .elf("/opt/v1/lib/liba.so", &library())
        .link("/opt/current", "v1")
        .maps("/opt/current/bin/app", &["/opt/v1/bin/../lib/liba.so"]);
}

#[test]
fn origin_of_a_library_is_where_it_was_found() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").runpath("/r"))
        .elf("/store/a/liba.so", &library().needed("libb.so").runpath("$ORIGIN/sub"))
        .elf("/store/a/sub/libb.so", &library())
        .elf("/r/sub/libb.so", &library())
        .link("/r/liba.so", "../store/a/liba.so")
        .maps("/app", &["/r/liba.so", "/r/sub/libb.so"]);
}

#[test]
fn origin_in_an_inherited_rpath_is_that_of_its_owner() {
    Case::glibc()
        .elf("/opt/bin/app", &program().needed("liba.so").rpath("$ORIGIN/../lib"))
        .elf("/opt/lib/liba.so", &library().needed("libb.so").rpath("$ORIGIN/deep"))
        .elf("/opt/lib/deep/libb.so", &library().needed("libc.so").needed("libd.so"))
        .elf("/opt/lib/deep/libc.so", &library())
        .elf("/opt/lib/libd.so", &library())
        .maps(
            "/opt/bin/app",
            &[
                "/opt/bin/../lib/liba.so",
                "/opt/bin/../lib/deep/libb.so",
                "/opt/bin/../lib/deep/libc.so",
                "/opt/bin/../lib/libd.so",
            ],
        );
}

#[test]
fn origin_in_the_library_path_is_that_of_the_program() {
    Case::glibc()
        .elf("/opt/bin/app", &program().needed("liba.so"))
        .elf("/opt/lib/liba.so", &library().needed("libb.so"))
        .elf("/opt/lib/libb.so", &library())
        .library_path("$ORIGIN/../lib")
        .maps("/opt/bin/app", &["/opt/bin/../lib/liba.so", "/opt/bin/../lib/libb.so"]);
}

#[test]
fn origin_is_expanded_in_names() {
    Case::glibc()
        .elf("/opt/bin/app", &program().needed("$ORIGIN/../lib/liba.so").needed("${ORIGIN}/libx.so"))
        .elf("/opt/lib/liba.so", &library().needed("$ORIGIN/libb.so"))
        .elf("/opt/lib/libb.so", &library())
        .maps(
            "/opt/bin/app",
            &["/opt/bin/../lib/liba.so", "/opt/bin/../lib/libb.so", "/opt/bin/libx.so => not found"],
        );
}

#[test]
fn a_name_that_is_nothing_but_tokens_is_expanded_before_it_is_searched() {
    Case::glibc()
        .elf("/app", &program().needed("lib$LIB.so").runpath("/r"))
        .elf("/r/lib$LIB.so", &library())
        .elf("/r/liblib/x86_64-linux-gnu.so", &library())
        .maps("/app", &["liblib/x86_64-linux-gnu.so => not found"]);
}

#[test]
fn lib_is_what_the_loader_was_built_with() {
    for list in ["/opt/$LIB", "/opt/${LIB}", "/opt/$LIB/."] {
        let found =
            format!("{}/liba.so", list.replace("${LIB}", "$LIB").replace("$LIB", "lib/x86_64-linux-gnu"));
        Case::glibc()
            .elf("/app", &program().needed("liba.so").runpath(list))
            .elf("/opt/lib/x86_64-linux-gnu/liba.so", &library())
            .elf("/opt/lib/liba.so", &library())
            .maps("/app", &[&found]);
    }
}

#[test]
fn platform_is_what_the_loader_takes_the_cpu_for() {
    let Some(platform) = platform() else { return };
    Case::glibc()
        .elf("/app", &program().needed("liba.so").runpath("/opt/$PLATFORM"))
        .elf(&format!("/opt/{platform}/liba.so"), &library())
        .platform(&platform)
        .maps("/app", &[&format!("/opt/{platform}/liba.so")]);
}

/// Returns the value of `$PLATFORM` of this machine's loader.
pub(crate) fn platform() -> Option<String> {
    let loader =
        std::process::Command::new("/lib64/ld-linux-x86-64.so.2").arg("--list-diagnostics").output().ok()?;
    let text = String::from_utf8(loader.stdout).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("dl_platform="))?;
    Some(line.trim_matches('"').to_owned())
}

#[test]
fn a_token_reaches_as_far_as_a_name_can() {
    Case::glibc()
        .working_dir("/work")
        .elf(
            "/app",
            &program()
                .needed("liba.so")
                .needed("libb.so")
                .needed("libc.so")
                .runpath("$ORIGINAL:/r/$LIB64:/s/$LIBx"),
        )
        .elf("/work/$ORIGINAL/liba.so", &library())
        .elf("/r/$LIB64/libb.so", &library())
        .elf("/s/$LIBx/libc.so", &library())
        .maps("/app", &["$ORIGINAL/liba.so", "/r/$LIB64/libb.so", "/s/$LIBx/libc.so"]);
}

#[test]
fn a_token_ends_where_no_name_goes_on() {
    Case::glibc()
        .elf("/opt/app", &program().needed("liba.so").needed("libb.so").runpath("$ORIGIN-x:${ORIGIN}y"))
        .elf("/opt-x/liba.so", &library())
        .elf("/opty/libb.so", &library())
        .maps("/opt/app", &["/opt-x/liba.so", "/opty/libb.so"]);
}

#[test]
fn what_is_no_token_is_text() {
    for directory in [
        "/r/$FOO",
        "/r/${FOO}",
        "/r/$",
        "/r/${ORIGIN",
        "/r/${LIB/x",
        "/r/$$LIBS",
        "/r/$origin",
        "/r/$ORIGIN_",
    ] {
        Case::glibc()
            .elf("/app", &program().needed("liba.so").runpath(directory))
            .elf(&format!("{directory}/liba.so"), &library())
            .maps("/app", &[&format!("{directory}/liba.so")]);
    }
}

#[test]
fn origin_in_the_middle_of_an_element_is_expanded_too() {
    Case::glibc()
        .elf("/opt/app", &program().needed("liba.so").runpath("/r$ORIGIN/x"))
        .elf("/r/opt/x/liba.so", &library())
        .maps("/opt/app", &["/r/opt/x/liba.so"]);
}

#[test]
fn origin_of_a_library_with_a_relative_path_starts_at_the_working_directory() {
    Case::glibc()
        .working_dir("/work")
        .elf("/app", &program().needed("liba.so").needed("sub/libd.so").runpath("sub"))
        .elf("/work/sub/liba.so", &library().needed("libb.so").runpath("$ORIGIN/deep"))
        .elf("/work/sub/deep/libb.so", &library())
        .elf("/work/sub/libd.so", &library().needed("$ORIGIN/libe.so"))
        .elf("/work/sub/libe.so", &library())
        .maps("/app", &["sub/liba.so", "sub/libd.so", "/work/sub/deep/libb.so", "/work/sub/libe.so"]);
}
