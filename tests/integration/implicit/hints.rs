//! Hints about what an image may lack: what ends each of them, and the arguments that add it.

use std::path::Path;

use coracle_testing::skipped;
use serde_json::Value;

use crate::build::cache::SETTLED;
use crate::build::project::Project;
use crate::implicit::built_image::{Image, args_for, hints, refused};

/// Names a file, a directory and a program.
const TOOL: &str = r#"
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    fopen("/usr/share/words/english.txt", "r");
    opendir("/usr/share/pages");
    execl("/usr/libexec/helper", "helper", NULL);
    return 1;
}
"#;

const BUILD: &[&str] = &["/usr/bin/tool", "--root", "root"];
const FILE: &str = "/usr/share/words/english.txt";
const DIRECTORY: &str = "/usr/share/pages";
const COMMAND: &str = "/usr/libexec/helper";

/// The tool in a root of its own, with everything that it names.
fn tool() -> Project {
    let project = Project::new();
    project.program("root/usr/bin/tool", TOOL, &["-static"]);
    project.program("root/usr/libexec/helper", "int main(void) { return 0; }", &["-static"]);
    project.file("root/usr/share/words/english.txt", "words").file("root/usr/share/pages/a/page", "page");
    project
}

/// Starts threads, zones and temporary files, and opens libraries by name.
fn dynamic_program(project: &Project, libraries: usize) {
    let mut source = String::from(
        "#include <dlfcn.h>\n#include <stdlib.h>\n#include <time.h>\nint main(void) {\n\
         time_t now = 0; char name[] = \"/tmp/XXXXXX\"; localtime(&now); mkstemp(name);\n",
    );
    for number in 0..libraries {
        let name = format!("libnamed{number}.so.1");
        project.library(&format!("lib/{name}"), "answer", "1", &[&*format!("-Wl,-soname,{name}")]);
        source.push_str(&format!("dlopen(\"{name}\", RTLD_NOW);\n"));
    }
    source.push_str("return 0; }\n");
    project.program("app", &source, &["-Wl,-rpath,$ORIGIN/lib"]);
}

fn words(args: &[&[&str]]) -> Vec<String> {
    args.concat().iter().map(|arg| (*arg).to_owned()).collect()
}

#[track_caller]
fn hints_with(project: &Project, args: &[String]) -> Vec<Value> {
    hints(project, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// All subjects in one text.
fn subjects(hints: &[Value]) -> String {
    hints.iter().map(|hint| format!("{}\n", hint["subject"].as_str().unwrap_or_default())).collect()
}

#[test]
fn a_hint_ends_with_what_it_names_or_when_it_is_ignored() {
    let project = tool();
    let plain = subjects(&hints(&project, BUILD));
    for subject in [FILE, DIRECTORY, COMMAND] {
        assert!(plain.contains(subject), "{subject}: {plain}");
    }
    let file = format!("root{FILE}:{FILE}");
    let directory = format!("root{DIRECTORY}:{DIRECTORY}");
    let ends: &[(&str, &[&str])] = &[
        (FILE, &["--include", &file]),
        (DIRECTORY, &["--include", &directory]),
        (COMMAND, &[COMMAND]),
        (FILE, &["--ignore", FILE]),
        (DIRECTORY, &["--ignore", DIRECTORY]),
        (COMMAND, &["--ignore", COMMAND]),
    ];
    for (subject, args) in ends {
        let left = subjects(&hints_with(&project, &words(&[BUILD, args])));
        assert!(!left.contains(subject), "{args:?}: {left}");
        let others = [FILE, DIRECTORY, COMMAND].into_iter().filter(|other| other != subject);
        others.for_each(|other| assert!(left.contains(other), "{args:?}: {other}: {left}"));
    }
    project.file(
        "coracle.toml",
        format!(
            "[image]\nprograms = [\"/usr/bin/tool\"]\n[runtime]\nignore = [\"{FILE}\", \"{DIRECTORY}\", \"{COMMAND}\"]\n"
        ),
    );
    let left = hints(&project, &["--root", "root"]);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_hint_about_an_option_ends_with_the_option() {
    let project = Project::new();
    dynamic_program(&project, 1);
    for (subject, option, ignored) in [
        ("libnamed0.so.1", &["--dlopen", "libnamed0.so.1"][..], "libnamed0.so.1"),
        ("time zones", &["--time-zones"], "time zones other than UTC for `localtime`"),
        ("/tmp", &["--state", "/tmp"], "/tmp"),
    ] {
        let plain = hints(&project, &["app"]);
        // Data of one program is one hint.
        assert!(args_for(&plain, subject).join(" ").contains(&option.join(" ")), "{plain:?}");
        for args in [option, &["--ignore", ignored]] {
            let left = subjects(&hints_with(&project, &words(&[&["app"], args])));
            assert!(!left.contains(subject), "{args:?}: {left}");
        }
    }
}

/// Hints are about what the image lacks, whatever has brought the rest.
#[test]
fn a_hint_about_data_ends_with_included_files() {
    let (zone, locale) = ("/usr/share/zoneinfo/Etc/GMT", "/usr/lib/locale/C.utf8");
    if !Path::new(zone).exists() || !Path::new(locale).exists() {
        return skipped("time zones or locales are not installed (on Debian: tzdata, libc-bin)");
    }
    let project = Project::new();
    let library = ["-Wl,-soname,libnamed0.so.1"];
    project.library("lib/libnamed0.so.1", "answer", "1", &library);
    let source = "#include <dlfcn.h>\n#include <locale.h>\n#include <time.h>\nint main(void) {\n\
                  time_t now = 0; localtime(&now); setlocale(LC_ALL, \"\");\n\
                  return !dlopen(\"libnamed0.so.1\", RTLD_NOW); }\n";
    project.program("app", source, &["-Wl,-rpath,$ORIGIN/lib"]);
    let include = |path: &str| format!("{path}:{path}");
    let (zone, locale) = (include(zone), include(locale));
    for (subject, args) in [
        ("time zones", &["--include", &zone][..]),
        ("time zones", &["--ignore", "time-zones"]),
        ("locales", &["--include", &locale]),
        ("locales", &["--ignore", "locale"]),
        ("libnamed0.so.1", &["--include", "lib/libnamed0.so.1:/opt/lib/libnamed0.so.1"]),
        ("libnamed0.so.1", &["--include", "lib:/app/lib"]),
    ] {
        let plain = subjects(&hints(&project, &["app"]));
        assert!(plain.contains(subject), "{subject}: {plain}");
        let left = subjects(&hints_with(&project, &words(&[&["app"], args])));
        assert!(!left.contains(subject) && !left.is_empty(), "{args:?}: {left}");
    }
}

/// Adds the arguments of all hints until there is none left.
#[track_caller]
fn followed(project: &Project, build: &[&str]) -> Vec<String> {
    let mut args = words(&[build]);
    for _ in 0..5 {
        let left = hints_with(project, &args);
        let new: Vec<String> = left
            .iter()
            .flat_map(|hint| hint["args"].as_array().unwrap())
            .map(|arg| arg.as_str().unwrap().to_owned())
            .collect();
        if new.is_empty() {
            return args;
        }
        args.extend(new);
    }
    panic!("still hints after {args:?}")
}

#[test]
fn complete_is_the_same_as_following_all_hints() {
    let (in_root, dynamic) = (tool(), Project::new());
    dynamic_program(&dynamic, 2);
    for (project, build) in [(&in_root, BUILD), (&dynamic, &["app"])] {
        let args = followed(project, build);
        assert!(args.len() > build.len());
        let by_hand = Image::of(project, &args.iter().map(String::as_str).collect::<Vec<_>>());
        let complete = Image::of(project, &[build, &["--complete"]].concat());
        assert_eq!(by_hand.layout.digests(), complete.layout.digests(), "{args:?}");
        assert!(!complete.said.contains("--complete"), "{}", complete.said);
        let (program, flags) = build.split_first().unwrap();
        project.file(
            "coracle.toml",
            format!("[image]\nprograms = [\"{program}\"]\n[runtime]\ncomplete = true\n"),
        );
        let recipe = Image::of(project, flags);
        assert_eq!(recipe.layout.digests(), complete.layout.digests());
    }
}

#[test]
fn the_summary_has_the_first_four_hints() {
    let project = Project::new();
    dynamic_program(&project, 6);
    let all = hints(&project, &["app"]).len();
    assert!(all > 6, "{all}");
    let said = Image::of(&project, &["app"]).said;
    let heading = "hint: the program may need what the image lacks; `--complete` adds it:\n";
    let (_, hint) = said.split_once(heading).unwrap_or_else(|| panic!("{said}"));
    let shown = hint.lines().take_while(|line| line.starts_with("  ") && !line.contains("--dry-run")).count();
    assert_eq!(shown, 4, "{said}");
    assert!(hint.contains(&format!("and {} more; `--dry-run` lists all", all - 4)), "{said}");
    let listed = project.coracle(["build", "app", "--dry-run"]).command().output().unwrap();
    let listed = String::from_utf8(listed.stderr).unwrap();
    (0..6).for_each(|number| {
        assert!(listed.contains(&format!("\n      --dlopen libnamed{number}.so.1\n")), "{listed}");
    });
}

#[test]
fn python_without_its_standard_library_is_an_error() {
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        return skipped("there is no /usr/bin/python3 (on Debian: python3)");
    }
    let project = Project::new();
    let said = refused(&project, &[python]);
    assert!(said.starts_with("error: the image lacks /usr/lib/python3"), "{said}");
    let (_, args) = said.split_once("add `").unwrap_or_else(|| panic!("{said}"));
    let (args, _) = args.split_once('`').unwrap();
    assert!(args.starts_with("--include /usr/lib/python3"), "{args}");
    let mut build = vec![python];
    build.extend(args.split(' '));
    // These fail if it is still an error.
    hints(&project, &build);
    let (directory, _) = args.trim_start_matches("--include ").split_once(':').unwrap();
    hints(&project, &[python, "--ignore", directory]);
}

#[test]
fn a_build_reports_the_hints_of_its_plan() {
    let project = tool();
    let planned = hints(&project, BUILD);
    assert!(!planned.is_empty());
    std::thread::sleep(SETTLED);
    for is_unchanged in [false, true] {
        let mut command =
            project.coracle(["build", "-o", "oci:image", "--format", "json", "--cache-dir=cache"]).command();
        let output = command.args(BUILD).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let image = &report["images"][0];
        assert_eq!(image["unchanged"], is_unchanged);
        assert_eq!(image["hints"].as_array(), Some(&planned));
    }
}
