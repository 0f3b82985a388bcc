//! Scripts of Python's virtual environments, whose path exists only on this machine.

use coracle_testing::skipped;

use crate::build::project::Project;
use crate::implicit::built_image::{Image, refused};

/// A virtual environment with one package and one script.
fn environment() -> Project {
    let project = Project::new();
    let folder = project.folder().display().to_string();
    project
        .link("venv/bin/python3", "/usr/bin/python3")
        .file(
            "venv/pyvenv.cfg",
            format!("home = /usr/bin\ninclude-system-site-packages = false\ncommand = {folder}/venv\n"),
        )
        .file("venv/lib/python3.11/site-packages/shop.py", "def answer(): return 42\n")
        .script(
            "venv/bin/shop",
            &format!("#!{folder}/venv/bin/python3\nimport shop, sys\nprint(shop.answer(), sys.argv[1:])\n"),
        );
    project
}

#[test]
fn a_script_of_a_virtual_environment_runs_in_its_image() {
    if !std::path::Path::new("/usr/lib/python3.11/os.py").exists() {
        return skipped("Python 3.11 is not installed");
    }
    let project = environment();
    let said = refused(&project, &["venv/bin/shop"]);
    for part in ["/usr/lib/python3.11", "site-packages:/app/venv/lib/python3.11/site-packages", "--complete"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let image = Image::of(&project, &["venv/bin/shop", "--complete", "--", "-v"]);
    let config = &image.layout.config()["config"];
    assert_eq!(config["Entrypoint"], serde_json::json!(["/app/venv/bin/python3", "/app/venv/bin/shop"]));
    assert_eq!(config["Cmd"], serde_json::json!(["-v"]));
    let folder = project.folder().display().to_string();
    let root = image.layout.unpack();
    let script = std::fs::read_to_string(root.path().join("app/venv/bin/shop")).unwrap();
    assert!(script.starts_with("#!/app/venv/bin/python3\nimport shop"), "{script}");
    assert!(!root.path().join("tmp").exists());
    let configuration = std::fs::read_to_string(root.path().join("app/venv/pyvenv.cfg")).unwrap();
    assert!(!configuration.contains(&folder), "{configuration}");
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "42 ['-v']\n");
    }
}

#[test]
fn an_image_of_a_virtual_environment_does_not_depend_on_its_path() {
    if !std::path::Path::new("/usr/lib/python3.11/os.py").exists() {
        return skipped("Python 3.11 is not installed");
    }
    let digests = |start: fn(&Project)| {
        let projects = [environment(), environment()];
        projects.map(|project| {
            start(&project);
            project.link("start", "venv/bin/shop").link("venv/bin/other", "shop");
            let programs = ["venv/bin/shop", "start", "venv/bin/other", "venv/bin/shop:/srv/start"];
            programs.map(|program| Image::of(&project, &[program, "--complete"]).layout.digests())
        })
    };
    let [one, other] = digests(|_| {});
    assert_eq!(one, other);
    // pip writes this where the path of the interpreter is long.
    let [one, other] = digests(|project| {
        let folder = project.folder().display();
        let start =
            format!("#!/bin/sh\n'''exec' {folder}/venv/bin/python3 \"$0\" \"$@\"\n' '''\nimport shop\n");
        project.script("venv/bin/shop", &start);
    });
    assert_eq!(one, other);
}

#[test]
fn a_link_to_an_interpreter_in_a_private_directory_is_refused() {
    let project = Project::new();
    let folder = project.folder().display().to_string();
    project.link("sh", "/bin/sh").script("start", &format!("#!{folder}/sh\necho\n"));
    let said = refused(&project, &["start"]);
    let expected = format!(
        "that exist only on this machine\n  {folder}/sh would be in the image: interpreter of {folder}/start\n"
    );
    assert!(said.contains(&expected), "{said}");
}
