//! Which of the files that a run used are proposed, and at which path of the image.

use std::path::Path;

use coracle_testing::planted_secrets::token_with_checksum;
use coracle_testing::skipped;
use serde_json::Value;

use super::{recorded, report};
use crate::build::project::Project;

/// A project with `app`, whose main function has this body.
fn app(body: &str) -> Project {
    let project = Project::new();
    let source = format!(
        "#define _GNU_SOURCE\n#include <dirent.h>\n#include <fcntl.h>\n#include <iconv.h>\n#include <locale.h>\n\
         #include <netdb.h>\n#include <stdio.h>\n#include <string.h>\n#include <stdlib.h>\n#include <sys/stat.h>\n\
         #include <unistd.h>\nint main(int count, char **args) {{ struct stat found; {body} return 0; }}\n"
    );
    project.program("app", &source, &[]);
    project
}

/// The sources and targets of the proposed includes.
#[track_caller]
fn includes(report: &Value) -> Vec<(String, String)> {
    let includes = report["proposals"]["include"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    includes.map(|include| (text(&include["from"]), text(&include["to"]))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
}

#[test]
fn paths_that_are_only_checked_are_included() {
    let project = app(r#"
        char target[100];
        stat("data/a/stat", &found); lstat("data/b/lstat", &found); access("data/c/access", R_OK);
        faccessat(AT_FDCWD, "data/d/faccessat", R_OK, AT_EACCESS); readlink("data/e/link", target, sizeof target);
        closedir(opendir("data/f")); stat("missing", &found); stat(".", &found); stat("data", &found);
        fstatat(AT_FDCWD, "data/g/fstatat", &found, 0);
    "#);
    for name in ["a/stat", "b/lstat", "c/access", "d/faccessat", "e/file", "f/in/directory", "g/fstatat"] {
        project.file(&format!("data/{name}"), "x");
    }
    project.link("data/e/link", "file");
    // So many that the directory is not included as a whole.
    (0..20).for_each(|number| {
        project.file(&format!("data/unused/{number}"), "x");
    });
    let found = includes(&report(&project, 0, &["--", "./app"]));
    let wanted = ["a/stat", "b/lstat", "c/access", "d/faccessat", "e/link", "f", "g/fstatat"];
    let wanted = wanted.map(|name| (format!("data/{name}"), format!("/data/{name}")));
    assert_eq!(found.iter().collect::<std::collections::BTreeSet<_>>(), wanted.iter().collect());
}

#[test]
fn files_below_the_working_directory_are_input_if_no_program_is_there() {
    let project = Project::new();
    project.file("words", "word\n").file("list/entry", "");
    let report = report(&project, 0, &["--", "/bin/sh", "-c", "read word < words; stat list/entry; ls list"]);
    assert_eq!(includes(&report), []);
}

#[test]
fn files_beside_the_program_keep_their_place_beside_it() {
    let project = app(r#"
        char path[4000] = ""; readlink("/proc/self/exe", path, sizeof path - 100);
        strcpy(strrchr(path, '/'), "/_internal/words");
        FILE *words = fopen(path, "r"); char line[100];
        if (!words || !fgets(line, sizeof line, words)) return 1;
        fputs(line, stdout);
    "#);
    project.file("_internal/words", "word\n").file("job/.keep", "");
    let app = project.path("app");
    let mut run = project.coracle(["record", "--no-cache", "--write", "--"]).command();
    let output = run.arg(&app).current_dir(project.path("job")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let recipe = std::fs::read_to_string(project.path("job/coracle.toml")).unwrap();
    let from = app.with_file_name("_internal/words");
    let line = format!("from = \"{}\"\nto = \"/app/_internal/words\"\n", from.display());
    assert!(recipe.contains(&line), "{recipe}");
    let layout = project.built(&["-f", "job/coracle.toml", "-o", "oci:app.oci"], "app.oci");
    assert_eq!(layout.below(&["/app/_internal/"]), ["/app/_internal/", "/app/_internal/words"]);
}

#[test]
fn what_the_run_writes_is_not_included() {
    let project = app(r#"
        mkdir("out", 0755); fclose(fopen("out/a", "w")); fclose(fopen("made", "w"));
        char *made = realpath("made", NULL), *a = realpath("out/a", NULL);
        fopen(made, "r"); fopen(a, "r"); stat(a, &found); closedir(opendir("out"));
        DIR *out = opendir("out"); readdir(out);
    "#);
    assert_eq!(includes(&report(&project, 0, &["--", "./app"])), []);
}

#[test]
fn locales_character_sets_and_services_are_proposed() {
    let project = app(r#"
        setlocale(LC_ALL, "C.UTF-8"); iconv_open("EUC-KR", "UTF-8"); getservbyname("http", "tcp");
    "#);
    let report = report(&project, 0, &["--", "./app"]);
    if Path::new("/usr/lib/locale/C.utf8").exists() {
        assert_eq!(report["proposals"]["locales"], serde_json::json!(["C.UTF-8"]), "{report}");
    }
    let found = includes(&report);
    let is_proposed = |end: &str| found.iter().any(|(from, to)| from.ends_with(end) && from == to);
    assert!(is_proposed("/gconv"), "{found:?}");
    if Path::new("/etc/services").exists() {
        assert!(is_proposed("/etc/services"), "{found:?}");
    }
    recorded(&project, &["--write", "--", "./app"]);
    assert_eq!(recorded(&project, &["--", "./app"]), "");
    project.built(&["-o", "oci:app.oci"], "app.oci");
}

#[test]
fn configuration_of_packages_is_included_with_advice() {
    let file = "/etc/issue";
    let is_listed =
        |list: &Path| std::fs::read_to_string(list).is_ok_and(|text| text.contains("/etc/issue\n"));
    if !is_listed(Path::new("/var/lib/dpkg/info/base-files.list")) {
        return skipped("/etc/issue is not in a list of dpkg");
    }
    let project = app("return !fopen(\"/etc/issue\", \"r\");");
    let lines = recorded(&project, &["--write", "--", "./app"]);
    assert!(lines.contains(&format!("[[include]]\nfrom = \"{file}\"\nto = \"{file}\"\n")), "{lines}");
    assert!(lines.contains("use a [[config]] with mount = \"/etc\""), "{lines}");
    assert!(!project.built(&["-o", "oci:app.oci"], "app.oci").below(&[file]).is_empty());
}

#[test]
fn files_that_the_scanner_rejects_are_remarks() {
    let project = app("fopen(\"data/token\", \"r\"); fopen(\"data/words\", \"r\");");
    project.file("data/token", format!("{}\n", token_with_checksum("ghp_"))).file("data/words", "word\n");
    let report = report(&project, 0, &["--", "./app"]);
    assert_eq!(includes(&report), pairs(&[("data/words", "/data/words")]));
    assert!(
        report["proposals"]["remarks"].to_string().contains("rejected by the secret scanner"),
        "{report}"
    );
    recorded(&project, &["--write", "--", "./app"]);
    project.built(&["-o", "oci:app.oci"], "app.oci");
}

#[test]
fn packages_of_python_are_included_with_their_modules() {
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        return skipped("there is no /usr/bin/python3 (on Debian: python3)");
    }
    let project = Project::new();
    project.script(
        "app",
        "#!/usr/bin/python3\nimport pkg.one, pkg.two\nprint(pkg.one.ANSWER + pkg.two.ANSWER)\n",
    );
    project
        .file("pkg/__init__.py", "")
        .file("pkg/one.py", "ANSWER = 40\n")
        .file("pkg/two.py", "ANSWER = 2\n");
    // The second run reads only what the first has compiled.
    for _ in 0..2 {
        let report = report(&project, 0, &["--", "./app"]);
        let found = includes(&report);
        assert!(found.contains(&("pkg".into(), "/app/pkg".into())), "{found:?}");
        assert!(found.iter().any(|(from, _)| from.starts_with("/usr/lib/python3.")), "{found:?}");
        assert!(!found.iter().any(|(from, _)| from.contains("__pycache__")), "{found:?}");
    }
}

/// The same directories as in a recipe: whatever Kubernetes can mount, unless it hides what programs
/// need.
#[test]
fn writable_directories_are_proposed_wherever_a_recipe_may_have_them() {
    for (path, is_proposed) in [
        ("/etc/tool", true),
        ("/opt/tool", true),
        ("/usr/share/tool", true),
        ("/srv/tool", false),
        ("/usr/bin", false),
        ("/usr/lib", false),
        ("/lib64", false),
        ("/etc", false),
        ("/dev", false),
        ("/sys/tool", false),
    ] {
        let project = Project::new();
        let (above, name) = path.rsplit_once('/').unwrap();
        let above = if above.is_empty() { "/" } else { above };
        let program = "programs = [{ from = \"app\", to = \"/srv/tool/app\" }]";
        project.file("coracle.toml", format!("[image]\n{program}\nworking-dir = \"{above}\"\n"));
        project.file(&format!("{name}/.keep"), "");
        project.script("app", &format!("#!/bin/sh\necho x > {name}/out.txt\n"));
        let proposals = &report(&project, 0, &["--", "./app"])["proposals"];
        let expected = if is_proposed { serde_json::json!([path]) } else { serde_json::json!([]) };
        assert_eq!(proposals["state"], expected, "{path}: {proposals}");
        let remarks = proposals["remarks"].to_string();
        let is_impossible = remarks.contains("where nothing can be mounted");
        assert_eq!(is_impossible, !is_proposed, "{path}: {proposals}");
    }
}
