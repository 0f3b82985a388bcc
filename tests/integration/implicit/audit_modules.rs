//! Audit modules, which the loader opens before the program's libraries.

use crate::build::project::Project;
use crate::implicit::built_image::{Image, planned};

/// A module that prints its name as soon as the loader asks for its version.
fn module(project: &Project, path: &str, name: &str, flags: &[&str]) {
    let source = format!(
        "#include <unistd.h>\nint extra(void);\n\
         unsigned la_version(unsigned version) {{ write(1, \"{name}\\n\", 2); return version + 0 * extra(); }}\n"
    );
    project.compile("cc", path, &source, &[&["-s", "-shared", "-fPIC"], flags].concat());
}

/// A project with the modules `a` and `d`, which need a library each, and the program `app`.
fn project(flags: &[&str]) -> Project {
    let project = Project::new();
    for (name, directory) in [("a", "audit"), ("d", "deps")] {
        let library = format!("{directory}/libextra{name}.so");
        let soname = format!("-Wl,-soname,libextra{name}.so");
        project.library(&library, "extra", "0", &[&soname]);
        let path = format!("{directory}/lib{name}.so");
        module(&project, &path, name, &[&library, "-Wl,-rpath,$ORIGIN"]);
    }
    project.program("app", "int main(void) { return 0; }", flags);
    project
}

#[test]
fn adds_the_audit_modules_of_a_program_with_their_libraries() {
    let project =
        project(&["-Wl,--audit=/opt/audit/liba.so:/opt/none.so", "-Wl,--depaudit=/opt/deps/libd.so"]);
    let include = ["--include", "audit:/opt/audit", "--include", "deps:/opt/deps"];
    let arguments = [&["app"], &include[..]].concat();
    for (path, source) in [("/opt/audit/liba.so", "DT_AUDIT"), ("/opt/deps/libd.so", "DT_DEPAUDIT")] {
        let reason = planned(&project, &arguments, path).unwrap()["reason"].clone();
        assert!(reason.as_str().unwrap().ends_with(&format!("audit module of {source}")), "{path}: {reason}");
    }
    let image = Image::of(&project, &arguments);
    assert!(
        image.said.contains("cannot open `/opt/none.so` (audit module of DT_AUDIT): it was not found"),
        "{}",
        image.said
    );
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "a\nd\n");
    }
}

#[test]
fn searches_for_audit_modules_as_for_libraries_of_the_program() {
    for flags in
        ["-Wl,--enable-new-dtags,-rpath,$ORIGIN/audit", "-Wl,--disable-new-dtags,-rpath,$ORIGIN/audit"]
    {
        let project = project(&["-Wl,--audit=liba.so", flags]);
        let image = Image::of(&project, &["app"]);
        assert!(image.has("/app/audit/liba.so") && image.has("/app/audit/libextraa.so"), "{flags}");
        if let Some(printed) = image.prints() {
            assert_eq!(printed, "a\n", "{flags}");
        }
    }
}

#[test]
fn adds_the_audit_modules_of_the_image_s_environment() {
    let project = project(&[]);
    let run = ["app", "--env", "LD_AUDIT=liba.so:/opt/audit/../audit/libd.so", "--env"];
    let rest =
        ["LD_LIBRARY_PATH=/opt/audit", "--include", "audit:/opt/audit", "--include", "deps/:/opt/audit"];
    let image = Image::of(&project, &[&run[..], &rest].concat());
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "a\nd\n");
    }
}
