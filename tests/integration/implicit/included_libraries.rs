//! Libraries that are included where the loader of the image searches for them.

use crate::build::project::Project;
use crate::implicit::built_image::{Image, refused};

const PRINTS: &str = "#include <stdio.h>\nint answer(void); int main(void) { printf(\"%d\\n\", answer()); }";

const OPENS: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    void *opened = dlopen("libanswer.so", RTLD_NOW);
    int (*answer)(void) = opened ? dlsym(opened, "answer") : 0;
    printf("%d\n", answer ? answer() : -1);
}
"#;

/// A project with `vendor/libanswer.so`, and programs that need it with these flags.
fn project(flags: &[&str]) -> Project {
    let project = Project::new();
    project
        .library("vendor/libanswer.so", "answer", "42", &["-Wl,-soname,libanswer.so"])
        .program("app", PRINTS, &[&["vendor/libanswer.so"], flags].concat())
        .program("bin/app", PRINTS, &[&["vendor/libanswer.so"], flags].concat());
    project
}

#[track_caller]
fn prints(project: &Project, expected: &str, arguments: &[&str]) -> Image {
    let image = Image::of(project, arguments);
    if let Some(printed) = image.prints() {
        assert_eq!(printed, expected, "{arguments:?}");
    }
    image
}

#[test]
fn finds_included_libraries_through_the_library_path_of_the_image() {
    let project = project(&[]);
    let environment = ["--env", "LD_LIBRARY_PATH=/app/lib", "--include", "vendor:/app/lib"];
    for program in ["app:/app/app", "./app"] {
        prints(&project, "42\n", &[&[program], &environment[..]].concat());
    }
}

#[test]
fn a_script_that_sets_the_library_path_ends_the_warning() {
    let project = project(&[]);
    for (path, is_complete) in [("/app/lib", true), ("\"$(dirname \"$0\")/lib\"", true), ("/srv/lib", false)]
    {
        project.script("run.sh", &format!("#!/bin/sh\nLD_LIBRARY_PATH={path} exec /app/app\n"));
        let [program, library] = ["app:/app/app", "vendor:/app/lib"];
        let arguments =
            ["build", "run.sh:/app/run.sh", "--include", program, "--include", library, "--dry-run"];
        let planned = project.coracle(arguments).command().output().unwrap();
        let messages = String::from_utf8_lossy(&planned.stderr).into_owned();
        assert!(planned.status.success(), "{path}: {messages}");
        assert_eq!(messages.contains("can't be loaded in the image"), !is_complete, "{path}: {messages}");
    }
}

#[test]
fn finds_included_libraries_through_search_paths_of_the_program() {
    for (runpath, program, to) in [
        ("/opt/lib", "app", "vendor:/opt/lib"),
        ("$ORIGIN/lib", "app", "vendor:/app/lib"),
        ("$ORIGIN/../lib", "bin/app:/srv/bin/app", "vendor:/srv/lib"),
    ] {
        let project = project(&[&format!("-Wl,-rpath,{runpath}")]);
        prints(&project, "42\n", &[program, "--include", to]);
    }
}

#[test]
fn an_included_library_hides_one_of_this_machine_where_the_loader_finds_it_first() {
    let project = Project::new();
    project.library("vendor/libz.so.1", "zlibVersion", "0", &["-Wl,-soname,libz.so.1"]).program(
        "app",
        "int zlibVersion(void); int main(void) { return zlibVersion(); }",
        &["vendor/libz.so.1"],
    );
    let environment = ["app", "--env", "LD_LIBRARY_PATH=/opt", "--include", "vendor:/opt"];
    let image = prints(&project, "", &environment);
    assert!(image.has("/opt/libz.so.1") && !image.has("/usr/lib/x86_64-linux-gnu/libz.so.1"));
    let place = "vendor/libz.so.1:/lib/x86_64-linux-gnu/libz.so.1";
    let image = prints(&project, "", &["app", "--include", place]);
    assert!(!image.has_file("libz.so.1.2.13"));
}

#[test]
fn finds_included_libraries_in_directories_of_ld_so_conf() {
    let project = project(&[]);
    project.file("own.conf", "/opt/own/lib\n");
    let conf = ["--include", "own.conf:/etc/ld.so.conf.d/own.conf", "--include", "vendor:/opt/own/lib"];
    // Debian's own configuration lists `/usr/local/lib`.
    for include in [&conf[..], &["--include", "vendor:/usr/local/lib"]] {
        let image = prints(&project, "42\n", &[&["app"], include].concat());
        assert!(image.has("/etc/ld.so.cache"), "{include:?}");
    }
}

#[test]
fn preloads_and_opens_included_libraries() {
    let project = project(&[]);
    project.library("preload/libother.so", "answer", "7", &[]).program("opens", OPENS, &[]);
    let library_path = ["--env", "LD_LIBRARY_PATH=/opt/lib", "--include", "vendor:/opt/lib"];
    let preload = ["--env", "LD_PRELOAD=/opt/libother.so", "--include", "preload/libother.so:/opt/"];
    prints(&project, "7\n", &[&["app"], &library_path[..], &preload].concat());
    prints(&project, "42\n", &[&["opens", "--dlopen", "libanswer.so"], &library_path[..]].concat());
}

#[test]
fn starts_scripts_with_an_included_interpreter() {
    let project = project(&["-Wl,-rpath,/opt/own"]);
    project.script("run", "#!/opt/own/app\n");
    let include = ["--include", "app:/opt/own/app", "--include", "vendor:/opt/own"];
    prints(&project, "42\n", &[&["run"], &include[..]].concat());
}

#[test]
fn says_where_a_library_is_that_the_loader_does_not_find() {
    let project = project(&[]);
    let said = refused(&project, &["app", "--include", "vendor:/opt/lib"]);
    assert!(said.contains("pass `--env LD_LIBRARY_PATH=/opt/lib`"), "{said}");
}
