//! The search order of glibc. Source: `_dl_map_object`, `elf/dl-load.c`;
//! `_dl_map_object_deps`, `elf/dl-deps.c`.

use crate::rules::case::Case;
use crate::rules::elf::{library, program};

/// Returns a case with `libb.so` in three directories.
fn three_directories() -> Case {
    let directories = ["/r/libb.so", "/s/libb.so", "/t/libb.so"];
    directories.iter().fold(Case::glibc(), |case, path| case.elf(path, &library()))
}

#[test]
fn objects_come_breadth_first() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").rpath("/r"))
        .elf("/r/liba.so", &library().needed("libc.so").needed("libb.so"))
        .elf("/r/libb.so", &library().needed("libd.so"))
        .elf("/r/libc.so", &library().needed("libe.so"))
        .elf("/r/libd.so", &library())
        .elf("/r/libe.so", &library().needed("liba.so"))
        .maps("/app", &["/r/liba.so", "/r/libb.so", "/r/libc.so", "/r/libd.so", "/r/libe.so"])
        .starts("/app");
}

#[test]
fn rpath_is_searched_in_its_order() {
    three_directories()
        .elf("/app", &program().needed("libb.so").rpath("/x:/s:/r"))
        .maps("/app", &["/s/libb.so"]);
}

#[test]
fn rpath_of_the_program_serves_its_libraries() {
    three_directories()
        .elf("/app", &program().needed("liba.so").rpath("/r"))
        .elf("/r/liba.so", &library().needed("libb.so"))
        .maps("/app", &["/r/liba.so", "/r/libb.so"]);
}

#[test]
fn rpath_of_the_object_itself_comes_first() {
    three_directories()
        .elf("/app", &program().needed("liba.so").rpath("/r"))
        .elf("/r/liba.so", &library().needed("libb.so").rpath("/s"))
        .maps("/app", &["/r/liba.so", "/s/libb.so"]);
}

#[test]
fn rpath_is_inherited_through_every_object_that_loaded_another() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").rpath("/r"))
        .elf("/r/liba.so", &library().needed("libb.so").rpath("/s"))
        .elf("/s/libb.so", &library().needed("libc.so").rpath("/t"))
        .elf("/t/libc.so", &library().needed("libd.so").needed("libe.so").needed("libf.so"))
        .elf("/r/libd.so", &library())
        .elf("/s/libd.so", &library())
        .elf("/r/libe.so", &library())
        .elf("/t/libf.so", &library())
        .maps("/app", &["/r/liba.so", "/s/libb.so", "/t/libc.so", "/s/libd.so", "/r/libe.so", "/t/libf.so"]);
}

#[test]
fn rpath_is_inherited_from_the_object_that_loaded_it_first_only() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").needed("libb.so").rpath("/r"))
        .elf("/r/liba.so", &library().needed("libc.so"))
        .elf("/r/libb.so", &library().needed("libc.so").rpath("/s"))
        .elf("/r/libc.so", &library().needed("libd.so"))
        .elf("/s/libd.so", &library())
        .maps("/app", &["/r/liba.so", "/r/libb.so", "/r/libc.so", "libd.so => not found"]);
}

#[test]
fn runpath_is_searched_for_the_object_itself() {
    three_directories()
        .elf("/app", &program().needed("libb.so").runpath("/t:/r"))
        .maps("/app", &["/t/libb.so"]);
}

#[test]
fn runpath_is_not_inherited() {
    three_directories()
        .elf("/app", &program().needed("liba.so").runpath("/r"))
        .elf("/r/liba.so", &library().needed("libb.so"))
        .maps("/app", &["/r/liba.so", "libb.so => not found"])
        .does_not_start("/app", "libb.so: cannot open shared object file");
}

#[test]
fn an_object_with_runpath_uses_no_rpath_of_anybody() {
    three_directories()
        .elf("/app", &program().needed("liba.so").rpath("/r"))
        .elf("/r/liba.so", &library().needed("libb.so").runpath("/x"))
        .maps("/app", &["/r/liba.so", "libb.so => not found"]);
}

#[test]
fn runpath_disables_rpath_of_the_object() {
    three_directories()
        .elf("/app", &program().needed("libb.so").rpath("/r").runpath("/s"))
        .maps("/app", &["/s/libb.so"]);
}

#[test]
fn runpath_disables_rpath_for_its_libraries() {
    three_directories()
        .elf("/app", &program().needed("liba.so").rpath("/r").runpath("/s"))
        .elf("/s/liba.so", &library().needed("libb.so"))
        .maps("/app", &["/s/liba.so", "libb.so => not found"]);
}

#[test]
fn empty_runpath_disables_rpath() {
    three_directories()
        .elf("/app", &program().needed("libb.so").rpath("/r").runpath(""))
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn rpath_is_inherited_past_an_object_with_runpath() {
    Case::glibc()
        .elf("/app", &program().needed("liba.so").rpath("/r"))
        .elf("/r/liba.so", &library().needed("libb.so").runpath("/s"))
        .elf("/s/libb.so", &library().needed("libc.so"))
        .elf("/r/libc.so", &library())
        .elf("/s/libc.so", &library())
        .maps("/app", &["/r/liba.so", "/s/libb.so", "/r/libc.so"]);
}

#[test]
fn rpath_comes_before_the_library_path_and_that_before_runpath() {
    let case = || three_directories().library_path("/s");
    case().elf("/app", &program().needed("libb.so").rpath("/r")).maps("/app", &["/r/libb.so"]);
    case().elf("/app", &program().needed("libb.so").runpath("/r")).maps("/app", &["/s/libb.so"]);
    case().elf("/app", &program().needed("libb.so")).maps("/app", &["/s/libb.so"]);
}

#[test]
fn the_library_path_serves_every_object() {
    three_directories()
        .elf("/app", &program().needed("liba.so").runpath("/r"))
        .elf("/r/liba.so", &library().needed("libb.so").runpath("/x"))
        .library_path("/t")
        .maps("/app", &["/r/liba.so", "/t/libb.so"]);
}

#[test]
fn elements_of_the_library_path_end_at_colons_and_semicolons() {
    three_directories()
        .elf("/app", &program().needed("libb.so").needed("liba.so"))
        .elf("/y/liba.so", &library())
        .library_path("/x;/t:/y")
        .maps("/app", &["/t/libb.so", "/y/liba.so"]);
}

#[test]
fn a_semicolon_in_rpath_is_part_of_a_name() {
    three_directories()
        .elf("/app", &program().needed("libb.so").rpath("/r;/s:/t"))
        .maps("/app", &["/t/libb.so"]);
}

#[test]
fn default_directories_come_last_in_the_order_of_the_loader() {
    let directories = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"];
    for (index, first) in directories.iter().enumerate() {
        let case = Case::glibc().elf("/app", &program().needed("libb.so").runpath("/x"));
        let rest = &directories[index..];
        let case = rest.iter().fold(case, |case, path| case.elf(&format!("{path}/libb.so"), &library()));
        case.maps("/app", &[&format!("{first}/libb.so")]);
    }
}

#[test]
fn ld_so_conf_is_for_ldconfig_alone() {
    three_directories()
        .file("/etc/ld.so.conf", "/r\n")
        .elf("/app", &program().needed("libb.so"))
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn an_empty_element_is_the_working_directory() {
    let case = || Case::glibc().working_dir("/work").elf("/work/libb.so", &library());
    case().elf("/app", &program().needed("libb.so").rpath(":/r")).maps("/app", &["libb.so"]);
    case().elf("/app", &program().needed("libb.so").runpath("/r:")).maps("/app", &["libb.so"]);
    case().elf("/app", &program().needed("libb.so").runpath("/x::/r")).maps("/app", &["libb.so"]);
    case().elf("/app", &program().needed("libb.so")).library_path(":/x").maps("/app", &["libb.so"]);
}

#[test]
fn a_list_without_a_byte_is_no_list() {
    let case = || Case::glibc().working_dir("/work").elf("/work/libb.so", &library());
    case().elf("/app", &program().needed("libb.so").rpath("")).maps("/app", &["libb.so => not found"]);
    case().elf("/app", &program().needed("libb.so").runpath("")).maps("/app", &["libb.so => not found"]);
}

#[test]
fn relative_elements_start_at_the_working_directory() {
    Case::glibc()
        .working_dir("/work")
        .elf("/work/lib/libb.so", &library())
        .elf("/work/libc.so", &library())
        .elf("/app", &program().needed("libb.so").needed("libc.so").runpath("lib:."))
        .maps("/app", &["lib/libb.so", "./libc.so"]);
}

#[test]
fn slashes_at_the_end_are_dropped_and_nothing_else_is() {
    Case::glibc()
        .directory("/r/x")
        .elf("/r/libb.so", &library())
        .elf("/s/libc.so", &library())
        .elf("/libd.so", &library())
        .elf(
            "/app",
            &program().needed("libb.so").needed("libc.so").needed("libd.so").runpath("/r/x/..///://s/.:/"),
        )
        .maps("/app", &["/r/x/../libb.so", "//s/./libc.so", "/libd.so"]);
}

#[test]
fn a_name_with_a_slash_is_a_path() {
    Case::glibc()
        .working_dir("/work")
        .elf("/work/sub/libb.so", &library())
        .elf("/work/libc.so", &library())
        .elf("/opt/libd.so", &library())
        .elf(
            "/app",
            &program().needed("sub/libb.so").needed("./libc.so").needed("/opt/libd.so").needed("/r/libe.so"),
        )
        .maps("/app", &["sub/libb.so", "./libc.so", "/opt/libd.so", "/r/libe.so => not found"]);
}

#[test]
fn a_path_is_not_searched_for() {
    three_directories()
        .elf("/app", &program().needed("/usr/libb.so").runpath("/r"))
        .maps("/app", &["/usr/libb.so => not found"]);
}

#[test]
fn a_name_that_is_missed_first_may_be_found_for_a_later_object() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").needed("liba.so").runpath("/r"))
        .elf("/r/liba.so", &library().needed("libb.so").runpath("/s"))
        .elf("/s/libb.so", &library())
        .maps("/app", &["/r/liba.so", "/s/libb.so", "libb.so => not found"])
        .does_not_start("/app", "libb.so: cannot open shared object file");
}

#[test]
fn all_missing_names_are_listed() {
    Case::glibc()
        .elf("/app", &program().needed("libx.so").needed("liba.so").needed("liby.so").runpath("/r"))
        .elf("/r/liba.so", &library().needed("libz.so").needed("libx.so"))
        .maps(
            "/app",
            &["/r/liba.so", "libx.so => not found", "liby.so => not found", "libz.so => not found"],
        );
}

#[test]
fn a_library_as_the_root_is_mapped_by_the_loader_of_its_class() {
    three_directories()
        .elf("/opt/plugin.so", &library().needed("libb.so").needed("libc.so").runpath("$ORIGIN/../r"))
        .maps("/opt/plugin.so", &["/opt/../r/libb.so", "libc.so => not found"]);
}

#[test]
fn the_root_is_no_directory_once_a_name_was_missed_there() {
    // After the miss, `open_path` looks for the directory itself, less the slash at its end: for nothing.
    for path in ["/", "//", "$ORIGIN"] {
        let app = || program().runpath(path);
        Case::glibc()
            .elf("/app", &app().needed("libb.so").needed("libc.so").needed("libd.so"))
            .elf("/libb.so", &library())
            .elf("/libd.so", &library())
            .elf("/lib/libc.so", &library())
            .maps("/app", &["/libb.so", "/lib/libc.so", "/libd.so"]);
        Case::glibc()
            .elf("/app", &app().needed("libc.so").needed("libb.so"))
            .elf("/libb.so", &library())
            .elf("/lib/libc.so", &library())
            .maps("/app", &["/lib/libc.so", "libb.so => not found"]);
    }
}

#[test]
fn a_refusal_in_the_root_does_not_make_it_no_directory() {
    Case::glibc()
        .elf("/app", &program().needed("libb.so").runpath("/"))
        .file("/libb.so", "no library")
        .preload("libb.so")
        .refuses("/app", "/libb.so");
}
