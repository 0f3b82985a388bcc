//! Lines for the recipe, and the image that is built with them.

use std::os::unix::net::UnixListener;
use std::path::Path;

use coracle_testing::launch::{launch, namespaces};
use snapbox::str;

use super::{record, recorded};
use crate::build::project::Project;

/// Opens a file, lists a directory, opens a library, connects to a socket, and starts a program that
/// writes a file.
const APP: &str = r#"
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    char line[100];
    FILE *words = fopen("data/words.txt", "r");
    if (!words || !fgets(line, sizeof line, words)) return 1;
    fputs(line, stdout);
    DIR *plugins = opendir("data/plugins");
    if (!plugins) return 2;
    int count = 0;
    while (readdir(plugins)) count++;
    printf("%d entries\n", count);
    if (!dlopen("libm.so.6", RTLD_NOW)) return 3;
    if (!dlopen("./modules/answer.so", RTLD_NOW)) return 4;
    fflush(stdout);
    int status = 0;
    pid_t child = fork();
    if (!child) execl("./helper", "./helper", "state/out.txt", NULL);
    if (waitpid(child, &status, 0) != child || status) return 5;
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "sockets/app"};
    connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&to, sizeof to);
    return 0;
}
"#;

const HELPER: &str = r#"
#include <stdio.h>
int main(int count, char **args) {
    FILE *out = fopen(args[count - 1], "w");
    return !out || fputs("done\n", out) < 0;
}
"#;

const RECIPE: &str = r#"# The recipe of an application.
[image]
name = "app"
programs = ["app"] # the entrypoint
working-dir = "/srv/app"
"#;

/// The application, its data and a listening socket, which ends with the second value.
fn application() -> (Project, UnixListener) {
    let project = Project::new();
    project.program("app", APP, &[]).program("helper", HELPER, &[]);
    project.library("modules/answer.so", "answer", "42", &[]);
    project.file("data/words.txt", "hello\n").file("data/plugins/a", "").file("data/plugins/b", "");
    project.file("data/unused/large", "not read").file("state/.keep", "").file("sockets/.keep", "");
    let listener = UnixListener::bind(project.path("sockets/app")).unwrap();
    project.file("coracle.toml", RECIPE);
    (project, listener)
}

#[test]
fn proposes_everything_that_the_image_lacks() {
    let (project, _listener) = application();
    project.coracle(["record", "--no-cache"]).ends(
        0,
        str![[r##"
[image]
programs = [
    "app",
    # started by the program
    { from = "helper", to = "/srv/app/helper" },
] # the entrypoint

[runtime]
dlopen = [
    # opened with dlopen
    "libm.so.6",
]

# a directory that the program lists
[[include]]
from = "data/plugins"
to = "/srv/app/data/plugins"

# read by the program
[[include]]
from = "data/words.txt"
to = "/srv/app/data/words.txt"

# read by the program
[[include]]
from = "modules/answer.so"
to = "/srv/app/modules/answer.so"

# written to by the program
[[state]]
mount = "/srv/app/state"

# `/srv/app/sockets/app` is a Unix socket that the program connects to: mount its directory.

"##]],
        str![[r#"
hello
4 entries
recorded 1 run; `--write` merges these lines into the recipe

"#]],
    );
    assert_eq!(std::fs::read_to_string(project.path("coracle.toml")).unwrap(), RECIPE);
}

#[test]
fn after_write_nothing_is_missing_and_the_image_runs() {
    let (project, _listener) = application();
    recorded(&project, &["--write"]);
    let recipe = std::fs::read_to_string(project.path("coracle.toml")).unwrap();
    assert!(recipe.starts_with("# The recipe of an application.\n[image]\nname = \"app\"\n"), "{recipe}");
    assert!(recipe.contains("] # the entrypoint\nworking-dir = \"/srv/app\"\n"), "{recipe}");
    project.coracle(["record", "--no-cache", "--write"]).ends(
        0,
        str![""],
        str![[r#"
hello
4 entries
recorded 1 run: the planned image has all that was opened

"#]],
    );
    assert_eq!(std::fs::read_to_string(project.path("coracle.toml")).unwrap(), recipe);
    let root = project.built(&["-o", "oci:app.oci"], "app.oci").unpack();
    assert!(!root.path().join("srv/app/data/unused").exists());
    if !namespaces() {
        return coracle_testing::skipped("namespaces are not allowed");
    }
    let output = launch(root.path(), "/srv/app", "-").args(["--", "/app/app"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "hello\n4 entries\n");
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(std::fs::read_to_string(root.path().join("srv/app/state/out.txt")).unwrap(), "done\n");
}

#[test]
fn without_a_recipe_one_is_written() {
    let project = Project::new();
    project.program("app", APP, &[]).program("helper", HELPER, &[]);
    project.library("modules/answer.so", "answer", "42", &[]);
    project.file("data/words.txt", "hello\n").file("data/plugins/a", "").file("state/.keep", "");
    recorded(&project, &["--write", "--", "./app"]);
    let recipe = std::fs::read_to_string(project.path("coracle.toml")).unwrap();
    assert!(recipe.contains("# The first program is the entrypoint."), "{recipe}");
    assert!(recipe.contains("from = \"data/words.txt\"\nto = \"/data/words.txt\"\n"), "{recipe}");
    assert_eq!(recorded(&project, &["--", "./app"]), "");
}

#[test]
fn cargo_toml_is_changed_below_its_metadata() {
    let project = Project::new();
    project.program(
        "target/release/app",
        "#include <stdio.h>\nint main(void) { return !fopen(\"words\", \"r\"); }",
        &[],
    );
    project.file("words", "hello\n").file("src/main.rs", "fn main() {}\n");
    project.file(
        "Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"1.0.0\"\n\n[package.metadata.coracle.image]\nprograms = [\"target/release/app\"]\n",
    );
    recorded(&project, &["--write", "-f", "Cargo.toml"]);
    let manifest = std::fs::read_to_string(project.path("Cargo.toml")).unwrap();
    assert!(
        manifest.ends_with("[[package.metadata.coracle.include]]\nfrom = \"words\"\nto = \"/words\"\n"),
        "{manifest}"
    );
    assert_eq!(recorded(&project, &["-f", "Cargo.toml"]), "");
}

#[test]
fn a_recipe_in_another_directory_has_relative_paths() {
    let project = Project::new();
    let source = "#include <stdio.h>\nint main(void) { return !fopen(\"data/words\", \"r\"); }";
    project.program("app", source, &[]).file("data/words", "hello\n");
    project.file("deploy/coracle.toml", "[image]\nname = \"app\"\nprograms = [\"../app\"]\n");
    let lines = recorded(&project, &["--write", "-f", "deploy/coracle.toml", "--", "./app"]);
    assert!(lines.contains("from = \"../data/words\"\nto = \"/data/words\"\n"), "{lines}");
    assert_eq!(recorded(&project, &["-f", "deploy/coracle.toml"]), "");
}

#[test]
fn files_of_a_base_image_are_not_proposed() {
    let project = Project::new();
    project
        .file("coracle.toml", "[image]\nname = \"app\"\nbase = \"oci:base.oci\"\nprograms = [\"/bin/sh\"]\n");
    project.built(&["/usr/bin/sort", "-o", "oci:base.oci"], "base.oci");
    let lines = recorded(&project, &["--", "/bin/sh", "-c", "sort /dev/null; tail /dev/null"]);
    assert!(lines.contains("\"/usr/bin/tail\"") && !lines.contains("\"/usr/bin/sort\""), "{lines}");
}

#[test]
fn a_recipe_that_could_not_be_built_is_not_written() {
    let project = Project::new();
    let source = "#include <stdlib.h>\nint main(void) { return system(\"/bin/true\"); }";
    project.program("app", source, &["-static"]);
    // The programs that it starts are not static.
    let recipe = "[image]\nname = \"app\"\nprograms = [\"app\"]\nlinkage = \"static\"\n";
    project.file("coracle.toml", recipe);
    let output = record(&project, &["--write"]);
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(stdout.contains("\"/bin/true\","), "{stdout}");
    assert!(
        stderr.contains(
            "error: `coracle.toml` is not changed, because it could not be built with these lines: "
        ),
        "{stderr}"
    );
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(project.path("coracle.toml")).unwrap(), recipe);
}

#[test]
fn configuration_is_a_comment_that_is_made_once() {
    let project = Project::new();
    project.program(
        "app",
        "#include <stdio.h>\nint main(void) { return !fopen(\"etc/app.conf\", \"r\"); }",
        &[],
    );
    project
        .file("etc/app.conf", "port = 1\n")
        .file("coracle.toml", "[image]\nname = \"app\"\nprograms = [\"app\"]\n");
    let lines = recorded(&project, &["--write"]);
    assert_eq!(
        lines.trim(),
        "# Looks like configuration: /etc/app.conf\n# `/etc` cannot be mounted: let the program read it from another \
         directory, and mount that with [[config]]."
    );
    assert_eq!(recorded(&project, &[]), "");
    assert!(project.built(&["-o", "oci:app.oci"], "app.oci").below(&["/etc/app.conf"]).is_empty());
}

#[test]
fn git_of_this_machine_runs_in_its_image() {
    if !Path::new("/usr/bin/git").exists() || !namespaces() {
        return coracle_testing::skipped("git is not installed, or namespaces are not allowed");
    }
    let project = Project::new();
    let stderr = record(&project, &["--write", "--", "/usr/bin/git", "init", "repository"]).stderr;
    assert!(project.path("repository/.git/HEAD").exists(), "{}", String::from_utf8_lossy(&stderr));
    let root = project.built(&["-o", "oci:git.oci"], "git.oci").unpack();
    for directory in ["work", "dev"] {
        std::fs::create_dir(root.path().join(directory)).unwrap();
    }
    let git = ["--", "/usr/bin/git", "init", "repository"];
    let output = launch(root.path(), "/work", "-").args(git).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // git copies these from the directory of templates that the run has listed.
    assert!(root.path().join("work/repository/.git/description").exists());
}
