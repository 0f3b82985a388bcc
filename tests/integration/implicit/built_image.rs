//! An image that is built of a program, with all that was said about it.

use serde_json::Value;

use crate::build::layout::Layout;
use crate::build::project::Project;

/// The image and the messages of a build.
pub(crate) struct Image {
    pub(crate) layout: Layout,
    pub(crate) said: String,
}

impl Image {
    /// Builds the image of `arguments` in the project.
    #[track_caller]
    pub(crate) fn of(project: &Project, arguments: &[&str]) -> Self {
        let layouts = std::fs::read_dir(project.folder()).unwrap().count();
        let (name, mut command) = (format!("image{layouts}"), project.coracle(["build"]).command());
        let output = command.args(["--output", &format!("oci:{name}")]).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        Self { layout: project.layout(&name), said }
    }

    /// The output of the image; `None` if containers can't be run here.
    pub(crate) fn prints(&self) -> Option<String> {
        self.layout.run()
    }

    /// Whether something stands at a path of the image.
    pub(crate) fn has(&self, path: &str) -> bool {
        let line = |line: &String| line.split(" -> ").next() == Some(path);
        self.layout.entries().iter().flatten().any(line)
    }

    /// Whether a file of this name is in the image.
    pub(crate) fn has_file(&self, name: &str) -> bool {
        let end = format!("/{name}");
        self.layout.entries().iter().flatten().any(|line| line.ends_with(&end))
    }
}

/// Why an image is not built.
#[track_caller]
pub(crate) fn refused(project: &Project, arguments: &[&str]) -> String {
    let output =
        project.coracle(["build", "--output", "oci:image"]).command().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

/// The hints of what would be built, which are about what the image may lack.
#[track_caller]
pub(crate) fn hints(project: &Project, arguments: &[&str]) -> Vec<Value> {
    let hints = plan(project, arguments)["images"][0]["hints"].clone();
    hints.as_array().cloned().unwrap_or_default()
}

/// The arguments of one of the `hints` whose subject contains `subject`.
#[track_caller]
pub(crate) fn args_for(hints: &[Value], subject: &str) -> Vec<String> {
    let is_named = |hint: &&Value| hint["subject"].as_str().is_some_and(|text| text.contains(subject));
    let Some(hint) = hints.iter().find(is_named) else { panic!("no hint about {subject}: {hints:?}") };
    hint["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned()).collect()
}

/// The planned image.
#[track_caller]
pub(crate) fn plan(project: &Project, arguments: &[&str]) -> Value {
    let mut command = project.coracle(["build", "--dry-run", "--format", "json"]).command();
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The entry at `path` of what would be built.
pub(crate) fn planned(project: &Project, arguments: &[&str], path: &str) -> Option<Value> {
    let plan = plan(project, arguments);
    plan["images"][0]["entries"].as_array().unwrap().iter().find(|entry| entry["path"] == path).cloned()
}
