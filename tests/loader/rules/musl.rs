//! Rules of musl's loader. Source: `load_library`, `path_open`, `fixup_rpath` and `__dls3`,
//! `ldso/dynlink.c`.

use crate::rules::case::Case;
use crate::rules::elf::{DF_1_NODEFLIB, DF_1_PIE, EI_OSABI, EI_PAD, I386, library, musl_program};

const LOADER: &str = "/lib/ld-musl-x86_64.so.1";

#[test]
fn objects_come_breadth_first() {
    Case::musl()
        .elf("/app", &musl_program().needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba.so", &library().needed("libc0.so").needed("libb.so"))
        .elf("/r/libb.so", &library().needed("libd.so"))
        .elf("/r/libc0.so", &library())
        .elf("/r/libd.so", &library().needed("liba.so"))
        .maps("/app", &["/r/liba.so", "/r/libb.so", "/r/libc0.so", "/r/libd.so"])
        .starts("/app");
}

#[test]
fn whatever_is_linked_into_the_loader_is_the_loader_under_every_name() {
    Case::musl()
        .elf("/app", &musl_program().needed("libm.so.6").needed("liba.so").needed("libc.so").runpath("/r"))
        .elf("/r/liba.so", &library().needed("libc.so.6").needed("libpthread.so.0"))
        .elf("/r/libc.so.6", &library())
        .maps("/app", &[LOADER, "/r/liba.so"])
        .starts("/app");
}

#[test]
fn runpath_and_rpath_are_inherited() {
    for app in [musl_program().runpath("/r"), musl_program().rpath("/r")] {
        Case::musl()
            .elf("/app", &app.needed("liba.so"))
            .elf("/r/liba.so", &library().needed("libb.so").runpath("/s"))
            .elf("/r/libb.so", &library().needed("libd.so"))
            .elf("/s/libd.so", &library())
            .maps("/app", &["/r/liba.so", "/r/libb.so", "/s/libd.so"]);
    }
}

#[test]
fn runpath_replaces_rpath() {
    Case::musl()
        .elf("/app", &musl_program().needed("liba.so").needed("libb.so").rpath("/r").runpath("/s"))
        .elf("/r/liba.so", &library())
        .elf("/s/libb.so", &library())
        .maps("/app", &["/s/libb.so", "liba.so => not found"]);
}

#[test]
fn the_library_path_comes_before_everything() {
    Case::musl()
        .elf("/app", &musl_program().needed("libb.so").rpath("/r"))
        .elf("/r/libb.so", &library())
        .elf("/s/libb.so", &library())
        .library_path("/x:/s")
        .maps("/app", &["/s/libb.so"]);
}

#[test]
fn the_system_s_directories_come_last() {
    let directories = ["/lib", "/usr/local/lib", "/usr/lib"];
    for (index, first) in directories.iter().enumerate() {
        let case = Case::musl().elf("/app", &musl_program().needed("libb.so").runpath("/x"));
        let rest = &directories[index..];
        let case = rest.iter().fold(case, |case, path| case.elf(&format!("{path}/libb.so"), &library()));
        case.maps("/app", &[&format!("{first}/libb.so")]);
    }
}

#[test]
fn path_file_replaces_default_directories() {
    for list in ["/x:/opt/b\n/opt/a\n", "/opt/a\n", "/x\n\n/opt/a", "::/opt/a:"] {
        Case::musl()
            .elf("/app", &musl_program().needed("libb.so").needed("libd.so"))
            .elf("/opt/a/libb.so", &library())
            .elf("/usr/lib/libd.so", &library())
            .file("/etc/ld-musl-x86_64.path", list)
            .maps("/app", &["/opt/a/libb.so", "libd.so => not found"]);
    }
}

#[test]
fn an_empty_path_file_leaves_no_directory() {
    Case::musl()
        .elf("/app", &musl_program().needed("libb.so"))
        .elf("/usr/lib/libb.so", &library())
        .file("/etc/ld-musl-x86_64.path", "")
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn origin_is_the_directory_of_its_object() {
    Case::musl()
        .elf("/opt/bin/app", &musl_program().needed("liba.so").runpath("$ORIGIN/../lib"))
        .elf("/opt/lib/liba.so", &library().needed("libb.so").rpath("${ORIGIN}/deep"))
        .elf("/opt/lib/deep/libb.so", &library())
        .maps("/opt/bin/app", &["/opt/bin/../lib/liba.so", "/opt/bin/../lib/deep/libb.so"])
        .starts("/opt/bin/app");
}

#[test]
fn origin_of_a_linked_program_is_where_its_links_end() {
    Case::musl()
        .elf("/opt/bin/app", &musl_program().needed("liba.so").runpath("$ORIGIN/../lib"))
        .elf("/opt/lib/liba.so", &library())
        .link("/usr/bin/app", "../../opt/bin/app")
        .starts("/usr/bin/app")
        .inspect(|tree, options| {
            coracle_ld::closure::Closure::resolve(
                tree,
                &coracle_core::path::RawPath::new("/usr/bin/app"),
                options,
            )
            .unwrap();
        });
}

#[test]
fn any_other_token_voids_the_whole_list() {
    for list in ["/r:/opt/$LIB", "$PLATFORM:/r", "/r:$", "/r:/$ORIGINAL/x$", "/r:${ORIGIN"] {
        Case::musl()
            .elf("/app", &musl_program().needed("libb.so").runpath(list))
            .elf("/r/libb.so", &library())
            .maps("/app", &["libb.so => not found"]);
    }
}

#[test]
fn a_token_ends_where_its_letters_end() {
    Case::musl()
        .elf("/opt/app", &musl_program().needed("libb.so").runpath("$ORIGINAL/x"))
        .elf("/optAL/x/libb.so", &library())
        .maps("/opt/app", &["/optAL/x/libb.so"]);
}

#[test]
fn names_have_no_tokens() {
    Case::musl()
        .elf("/opt/app", &musl_program().needed("$ORIGIN/libb.so"))
        .elf("/opt/libb.so", &library())
        .maps("/opt/app", &["$ORIGIN/libb.so => not found"]);
}

#[test]
fn the_soname_means_nothing() {
    Case::musl()
        .elf("/app", &musl_program().needed("liba-1.so").needed("liba.so.1").runpath("/r:/s"))
        .elf("/r/liba-1.so", &library().soname("liba.so.1"))
        .elf("/s/liba.so.1", &library())
        .maps("/app", &["/r/liba-1.so", "/s/liba.so.1"]);
}

#[test]
fn the_name_under_which_it_was_found_means_the_object() {
    Case::musl()
        .elf("/app", &musl_program().needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba.so", &library())
        .elf("/r/libb.so", &library().needed("liba.so").runpath("/s"))
        .elf("/s/liba.so", &library())
        .maps("/app", &["/r/liba.so", "/r/libb.so"]);
}

#[test]
fn a_path_gives_its_object_no_name() {
    Case::musl()
        .elf("/app", &musl_program().needed("/r/liba.so").needed("liba.so").runpath("/s"))
        .elf("/r/liba.so", &library())
        .elf("/s/liba.so", &library())
        .maps("/app", &["/r/liba.so", "/s/liba.so"]);
}

#[test]
fn two_names_of_one_inode_are_one_object() {
    Case::musl()
        .elf("/app", &musl_program().needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba.so", &library())
        .link("/r/libb.so", "liba.so")
        .elf("/r/libd.so", &library())
        .inspect(|tree, options| {
            let closure = coracle_ld::closure::Closure::resolve(
                tree,
                &coracle_core::path::RawPath::new("/app"),
                options,
            )
            .unwrap();
            assert_eq!(closure.elf_programs().next().unwrap().link_map.aliases.len(), 1);
        })
        .starts("/app");
}

#[test]
fn parts_of_the_c_library_are_the_loader() {
    for name in [
        "libc.so",
        "libc.so.6",
        "libc.musl-x86_64.so.1",
        "libm.so.6",
        "libpthread.so.0",
        "librt.so.1",
        "libdl.so.2",
        "libutil.so.1",
        "libxnet.so",
    ] {
        Case::musl()
            .elf("/app", &musl_program().needed("liba.so").needed(name).runpath("/r"))
            .elf("/r/liba.so", &library())
            .elf(&format!("/r/{name}"), &library())
            .maps("/app", &["/r/liba.so", LOADER]);
    }
}

#[test]
fn what_only_starts_like_them_is_not() {
    Case::musl()
        .elf(
            "/app",
            &musl_program().needed("libcrypt.so").needed("libmath.so").needed("libc-2.so").runpath("/r"),
        )
        .elf("/r/libcrypt.so", &library())
        .elf("/r/libmath.so", &library())
        .elf("/r/libc-2.so", &library())
        .maps("/app", &["/r/libcrypt.so", "/r/libmath.so", "/r/libc-2.so"]);
}

#[test]
fn a_second_c_library_is_replaced_by_the_loader() {
    Case::musl()
        .elf("/app", &musl_program().needed("/r/other.so").needed("liba.so").runpath("/r"))
        .elf("/r/other.so", &library().exports("__libc_start_main").exports("stdin"))
        .elf("/r/liba.so", &library().exports("stdin"))
        .maps("/app", &[LOADER, "/r/liba.so"]);
}

#[test]
fn the_first_file_decides_even_for_another_class() {
    Case::musl()
        .elf("/app", &musl_program().needed("libb.so").runpath("/r:/s"))
        .elf("/r/libb.so", &library().machine(I386))
        .elf("/s/libb.so", &library())
        .refuses("/app", "libb.so");
}

#[test]
fn the_first_file_decides_even_if_it_is_none() {
    Case::musl()
        .elf("/app", &musl_program().needed("libb.so").runpath("/r:/s"))
        .file("/r/libb.so", [b'#'; 100])
        .elf("/s/libb.so", &library())
        .refuses("/app", "libb.so");
}

#[test]
fn a_link_to_nothing_and_a_file_as_a_directory_are_passed_over() {
    Case::musl()
        .elf("/app", &musl_program().needed("libb.so").runpath("/q:/r:/s"))
        .link("/r/libb.so", "nowhere")
        .file("/q", "")
        .elf("/s/libb.so", &library())
        .maps("/app", &["/s/libb.so"]);
}

#[test]
fn filters_caches_hwcaps_and_nodeflib_are_not_for_musl() {
    Case::musl()
        .elf("/app", &musl_program().needed("liba.so").needed("libb.so").flags_1(DF_1_NODEFLIB))
        .elf("/usr/lib/liba.so", &library().filter("libf.so").auxiliary("libg.so"))
        .elf("/usr/lib/libf.so", &library())
        .elf("/usr/lib/libb.so", &library())
        .elf("/usr/lib/glibc-hwcaps/x86-64-v2/libb.so", &library())
        .file("/etc/ld.so.preload", "/usr/lib/libf.so")
        .maps("/app", &["/usr/lib/liba.so", "/usr/lib/libb.so"]);
}

#[test]
fn preloads_come_first() {
    Case::musl()
        .elf("/app", &musl_program().needed("libn.so").runpath("/r"))
        .elf("/r/libn.so", &library())
        .elf("/r/libq.so", &library())
        .elf("/usr/lib/libp.so", &library().needed("libq.so").runpath("/r"))
        .elf("/s/libs.so", &library())
        .preload("/s/libs.so:libp.so")
        .maps("/app", &["/s/libs.so", "/usr/lib/libp.so", "/r/libn.so", "/r/libq.so"]);
}

#[test]
fn a_preload_is_not_searched_for_where_the_program_s_needs_are() {
    Case::musl()
        .elf("/app", &musl_program().needed("libn.so").runpath("/r"))
        .elf("/r/libn.so", &library())
        .elf("/r/libp.so", &library())
        .elf("/usr/lib/libq.so", &library())
        .preload("libp.so libq.so")
        .maps("/app", &["/usr/lib/libq.so", "/r/libn.so"]);
}

#[test]
fn names_with_a_slash_are_paths() {
    Case::musl()
        .working_dir("/work")
        .elf("/app", &musl_program().needed("sub/libb.so").needed("/r/libx.so"))
        .elf("/work/sub/libb.so", &library())
        .maps("/app", &["sub/libb.so", "/r/libx.so => not found"]);
}

#[test]
fn empty_elements_do_not_count() {
    Case::musl()
        .working_dir("/work")
        .elf("/app", &musl_program().needed("libb.so").runpath(":/r:"))
        .elf("/work/libb.so", &library())
        .maps("/app", &["libb.so => not found"]);
}

#[test]
fn slashes_are_kept_as_they_are() {
    Case::musl()
        .elf("/app", &musl_program().needed("libb.so").runpath("/r//"))
        .elf("/r/libb.so", &library())
        .maps("/app", &["/r///libb.so"]);
}

#[test]
fn a_name_that_led_to_a_second_c_library_is_searched_for_again() {
    Case::musl()
        .elf("/app", &musl_program().needed("liba.so").needed("libb.so").runpath("/r"))
        .elf("/r/liba.so", &library().needed("libb.so").runpath("/s"))
        .elf("/r/libb.so", &library())
        .elf("/s/libb.so", &library().exports("__libc_start_main").exports("stdin"))
        .maps("/app", &["/r/liba.so", "/r/libb.so"]);
    Case::musl()
        .elf("/app", &musl_program().needed("libb.so").needed("liba.so").runpath("/s"))
        .elf("/s/liba.so", &library().needed("libb.so").runpath("/r"))
        .elf("/r/libb.so", &library())
        .elf("/s/libb.so", &library().exports("__libc_start_main").exports("stdin"))
        .maps("/app", &[LOADER, "/s/liba.so", "/r/libb.so"]);
}

#[test]
fn links_in_a_circle_end_it() {
    for app in [musl_program().needed("libb.so").runpath("/r:/s"), musl_program().needed("/r/libb.so")] {
        Case::musl()
            .elf("/app", &app)
            .link("/r/libb.so", "libb.so")
            .elf("/s/libb.so", &library())
            .refuses("/app", "libb.so");
    }
}

#[test]
fn a_program_and_any_abi_will_do() {
    for libb in [library().flags_1(DF_1_PIE), library().byte(EI_OSABI, 9), library().byte(EI_PAD, 1)] {
        Case::musl()
            .elf("/app", &musl_program().needed("libb.so").runpath("/r"))
            .elf("/r/libb.so", &libb)
            .maps("/app", &["/r/libb.so"]);
    }
}

#[test]
fn origin_of_a_file_in_the_root_is_empty() {
    Case::musl()
        .elf("/app", &musl_program().needed("liba.so").runpath("$ORIGIN/r:$ORIGIN/"))
        .elf("/r/libb.so", &library())
        .elf("/liba.so", &library().needed("libb.so").rpath("$ORIGIN/r"))
        .maps("/app", &["//liba.so", "//r/libb.so"]);
}

#[test]
fn an_object_has_one_name_at_most() {
    let case = || {
        Case::musl()
            .elf("/r/liba.so", &library())
            .link("/r/libb.so", "liba.so")
            .elf("/r/libd.so", &library().needed("libb.so").needed("liba.so").runpath("/s"))
            .elf("/s/liba.so", &library())
            .elf("/s/libb.so", &library())
    };
    case()
        .elf("/app", &musl_program().needed("liba.so").needed("libb.so").needed("libd.so").runpath("/r"))
        .maps("/app", &["/r/liba.so", "/r/libd.so", "/s/libb.so"]);
    case()
        .elf("/app", &musl_program().needed("/r/liba.so").needed("libb.so").needed("libd.so").runpath("/r"))
        .maps("/app", &["/r/liba.so", "/r/libd.so", "/s/libb.so"]);
}
