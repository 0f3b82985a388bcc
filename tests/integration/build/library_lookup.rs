//! Libraries that are missing, refused, or found where no other machine has them.

use coracle_testing::skipped;
use snapbox::str;

use crate::build::project::Project;

const ASKS: &str = "int answer(void); int more(void); int main(void) { return answer() + more(); }";

/// `asks`, which needs `libanswer.so` and `libmore.so`; `libanswer.so` needs `libdeep.so`.
fn asks(runpath: &str) -> Project {
    let project = Project::new();
    project
        .library("build/libdeep.so", "deep", "1", &["-Wl,-soname,libdeep.so"])
        .library("build/libanswer.so", "answer", "deep()", &["-Wl,-soname,libanswer.so", "build/libdeep.so"])
        .library("build/libmore.so", "more", "2", &["-Wl,-soname,libmore.so"])
        .program(
            "asks",
            ASKS,
            &[
                "build/libanswer.so",
                "build/libmore.so",
                "-Wl,-rpath-link,build",
                &format!("-Wl,-rpath,{runpath}"),
            ],
        );
    project
}

#[test]
fn reports_all_missing_libraries_together() {
    asks("$ORIGIN/lib:/opt/nothing").coracle(["build", "asks"]).ends(
        1,
        str![],
        str![[r#"
error: cannot find 2 libraries

  `libanswer.so`, needed by `[FOLDER]/asks`
    searched, in order:
      [FOLDER]/lib [..] RUNPATH of [FOLDER]/asks
      /opt/nothing [..] RUNPATH of [FOLDER]/asks
      /etc/ld.so.cache [..] the loader's cache
...

  `libmore.so`, needed by `[FOLDER]/asks`
    searched, in order:
      [FOLDER]/lib [..] RUNPATH of [FOLDER]/asks
      /opt/nothing [..] RUNPATH of [FOLDER]/asks
      /etc/ld.so.cache [..] the loader's cache
...

hint: install the package that has the library, give the program a RUNPATH that leads to it, or link it statically

"#]],
    );
}

#[test]
fn reports_the_dependent_of_a_missing_library() {
    let project = asks("$ORIGIN/build");
    std::fs::remove_file(project.path("build/libdeep.so")).unwrap();
    project.coracle(["build", "asks"]).ends(
        1,
        str![],
        str![[r#"
error: cannot find `libdeep.so`, needed by `[FOLDER]/build/libanswer.so`, needed by `[FOLDER]/asks`
  searched, in order:
    /etc/ld.so.cache [..] the loader's cache
...

hint: install the package that has the library, give the program a RUNPATH that leads to it, or link it statically

"#]],
    );
}

#[test]
fn reports_rejected_libraries_with_the_reason() {
    let project = asks("$ORIGIN/lib");
    let mut foreign = std::fs::read(project.path("build/libanswer.so")).unwrap();
    foreign[18..20].copy_from_slice(&183_u16.to_le_bytes());
    project.file("lib/libanswer.so", foreign).file("lib/libmore.so", "GROUP ( libmore.so.1 )\n");
    if !cfg!(target_arch = "x86_64") {
        return skipped("the messages are those of x86-64");
    }
    project.coracle(["build", "asks"]).ends(
        1,
        str![],
        str![[r#"
error: cannot find 2 libraries

  `libanswer.so`, needed by `[FOLDER]/asks`
    searched, in order:
      [FOLDER]/lib [..] RUNPATH of [FOLDER]/asks
      /etc/ld.so.cache [..] the loader's cache
...
    found but refused:
      [FOLDER]/lib/libanswer.so  it is for aarch64, not for x86-64

  `libmore.so`, needed by `[FOLDER]/asks`
    searched, in order:
      [FOLDER]/lib  RUNPATH of [FOLDER]/asks
    found but refused:
      [FOLDER]/lib/libmore.so  it is not an ELF file

hint: install the library for the program's machine, or link the program statically
hint: replace the refused file with a shared library: the loader would stop there, too

"#]],
    );
}

#[test]
fn a_truncated_library_ends_the_search() {
    let project = asks("$ORIGIN/build");
    let whole = std::fs::read(project.path("build/libmore.so")).unwrap();
    project.file("build/libmore.so", &whole[..600]);
    project.coracle(["build", "asks"]).ends(
        1,
        str![],
        str![[r#"
error: cannot find 2 libraries

  `libmore.so`, needed by `[FOLDER]/asks`
    searched, in order:
      [FOLDER]/build  RUNPATH of [FOLDER]/asks
    found but refused:
      [FOLDER]/build/libmore.so  it is truncated: its loaded segments would end after the end of the file

  `libdeep.so`, needed by `[FOLDER]/build/libanswer.so`, needed by `[FOLDER]/asks`
    searched, in order:
      /etc/ld.so.cache [..] the loader's cache
...

hint: install the package that has the library, give the program a RUNPATH that leads to it, or link it statically
hint: replace the refused file with a shared library: the loader would stop there, too

"#]],
    );
}

#[test]
fn rejects_host_directories_unless_allowed() {
    let project = asks("PLACE/build");
    let place = project.folder().display().to_string();
    project.program(
        "asks",
        ASKS,
        &[
            "build/libanswer.so",
            "build/libmore.so",
            "-Wl,-rpath-link,build",
            &format!("-Wl,--disable-new-dtags,-rpath,{place}/build"),
        ],
    );
    project.coracle(["build", "asks"]).ends(
        1,
        str![],
        str![[r#"
error: the image would depend on paths that exist only on this machine
  [FOLDER]/build/libanswer.so would be in the image: needed by [FOLDER]/asks, RPATH of [FOLDER]/asks
  [FOLDER]/build/libmore.so would be in the image: needed by [FOLDER]/asks, RPATH of [FOLDER]/asks
  [FOLDER]/build/libdeep.so would be in the image: needed by [FOLDER]/build/libanswer.so, RPATH of [FOLDER]/asks

hint: link with an RPATH that starts with `$ORIGIN`, or install the library in a system directory
hint: to accept it on purpose, write `"/the/directory" = "the reason"` below `[allow]` in a recipe, and name the recipe with `-f`

"#]],
    );
    let allow =
        |directory: &str| format!("[image]\nprograms = [\"asks\"]\n[allow]\n\"{directory}\" = \"a test\"\n");
    project.file("coracle.toml", allow("/somewhere/else"));
    assert!(!project.coracle(["build"]).command().output().unwrap().status.success());
    project.file("coracle.toml", allow(&format!("{place}/build")));
    let layout = project.built(&[], "asks.oci");
    assert_eq!(layout.below(&[&format!("{place}/build/libmore.so")]).len(), 1);
    project.built(&["asks", "-f", "coracle.toml"], "asks.oci");
}

#[test]
fn warns_of_search_paths_relative_to_the_working_directory() {
    let project = Project::hello(&["-Wl,-rpath,$ORIGIN/build:lib:/opt/$PLATFORM"]);
    project.coracle(["build", "hello", "--quiet"]).ends(
        0,
        str![[r#"
hello:latest@sha256:[..]

"#]],
        str![[r#"
warning: RUNPATH of `[FOLDER]/hello` contains `$PLATFORM`, which depends on the CPU: `$ORIGIN/build:lib:/opt/$PLATFORM`
warning: RUNPATH of `[FOLDER]/hello` has a relative element, which depends on the working directory: `$ORIGIN/build:lib:/opt/$PLATFORM`

"#]],
    );
}

#[test]
fn allowed_host_paths_must_be_paths() {
    let project = Project::hello(&["-static"]);
    project.file("coracle.toml", "[image]\nprograms = [\"hello\"]\n[allow]\nlib = \"a test\"\n");
    project.coracle(["build"]).ends(
        2,
        str![],
        str![[r#"
error: `lib` is not a path inside an image: it must start with `/`
   --> coracle.toml:4:7
  4 | lib = "a test"
    |       ^^^^^^^^

hint: write an absolute path before the reason

"#]],
    );
}

/// `asks`, which is bound at its start, with `libanswer.so` for every CPU and a variant for newer ones.
#[cfg(target_arch = "x86_64")]
fn with_variant() -> Project {
    let project = Project::new();
    project
        .library("lib/libanswer.so", "answer", "1", &["-Wl,-soname,libanswer.so"])
        .library("lib/glibc-hwcaps/x86-64-v2/libanswer.so", "answer", "2", &["-Wl,-soname,libanswer.so"])
        .program(
            "asks",
            "int answer(void); int main(void) { return answer(); }",
            &["-s", "lib/libanswer.so", "-Wl,-rpath,$ORIGIN/lib,-z,now"],
        );
    project
}

#[test]
#[cfg(target_arch = "x86_64")]
fn includes_hwcaps_variants_for_every_cpu() {
    let project = with_variant();
    let layout = project.built(&["asks"], "asks.oci");
    let libraries = layout.below(&["/app/lib"]);
    for library in ["/app/lib/libanswer.so", "/app/lib/glibc-hwcaps/x86-64-v2/libanswer.so"] {
        assert!(libraries.iter().any(|path| path == library), "{library} in {libraries:?}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn warns_once_of_a_library_for_newer_cpus() {
    let project = with_variant();
    std::fs::remove_file(project.path("lib/libanswer.so")).unwrap();
    project.coracle(["build", "asks", "--quiet"]).ends(
        0,
        str![[r#"
asks:latest@sha256:[..]

"#]],
        str![[r#"
warning: `libanswer.so`, needed by `[FOLDER]/asks`, exists only as a variant for newer CPUs; on older ones the program does not start

"#]],
    );
}
