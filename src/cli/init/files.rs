//! What is written: the files in templates/, with the names of this folder.

use std::path::PathBuf;

use toml::Value;

use super::name;
use super::remote::{Forge, Remote};
use super::subject::{Kind, Subject};
use crate::cli::failure::Failure;

const RECIPE: &str = include_str!("../../../templates/init/coracle.toml");
const PACKAGE: &str = include_str!("../../../templates/init/package.toml");
const WORKSPACE: &str = include_str!("../../../templates/init/workspace.toml");
const TEMPLATE: &str = include_str!("../../../templates/init/config/app.toml.j2");
const VALUES: &str = include_str!("../../../templates/init/config/values.toml");
const SCHEMA: &str = include_str!("../../../templates/init/config/schema.json");
const WORKFLOW: &str = include_str!("../../../templates/ci/github.yml");
const PIPELINE: &str = include_str!("../../../templates/ci/gitlab.yml");

/// How the last paragraph of a recipe begins.
const CONFIGURATION: &str = "\n# Configuration is mounted";

/// Where GitLab looks for the one file with all its jobs.
pub(super) const GITLAB: &str = ".gitlab-ci.yml";

/// A file that is to be written.
pub(super) struct File {
    /// Below the folder.
    pub(super) path: PathBuf,
    /// All of it, or what is added to its end.
    pub(super) text: String,
    /// What the file holds already.
    pub(super) before: Option<String>,
}

impl File {
    fn new(path: impl Into<PathBuf>, text: String) -> Self {
        Self { path: path.into(), text, before: None }
    }

    pub(super) fn is_appended(&self) -> bool {
        self.before.is_some()
    }

    /// The whole file, as it is to be.
    pub(super) fn content(&self) -> String {
        self.before.as_deref().unwrap_or_default().to_owned() + &self.text
    }
}

/// All files for `subject`; the recipe is the last, so that nothing names a file that is not there yet.
pub(super) fn of(
    subject: &Subject,
    remote: Option<&Remote>,
    forge: Option<Forge>,
    has_config: bool,
) -> Result<Vec<File>, Failure> {
    let words = Words::of(subject, remote);
    let mut files = Vec::new();
    if has_config && !matches!(subject.kind, Kind::Workspace(_)) {
        let template = format!("config/{}.toml.j2", subject.name);
        files.push(File::new(template, words.fill(TEMPLATE)));
        files.push(File::new("config/values.toml", words.fill(VALUES)));
        files.push(File::new("config/schema.json", words.fill(SCHEMA)));
    }
    files.extend(forge.map(|forge| match forge {
        Forge::GitHub => File::new(".github/workflows/image.yml", words.fill(&for_each(WORKFLOW, subject))),
        Forge::GitLab => File::new(GITLAB, words.fill(&for_each(PIPELINE, subject))),
    }));
    let recipe = |template: &'static str| match template.split_once(CONFIGURATION) {
        Some((without, _)) if !has_config => words.fill(without),
        _ => words.fill(template),
    };
    files.push(match &subject.kind {
        Kind::Program(_) => File::new(coracle::recipe::FILE_NAME, recipe(RECIPE)),
        Kind::Package(before, _) => appended(before, "package", &recipe(PACKAGE))?,
        Kind::Workspace(before) => appended(before, "workspace", &recipe(WORKSPACE))?,
    });
    Ok(files)
}

/// A line that holds `@BIN@`, once for each of several programs: each image needs a name of its own.
fn for_each(template: &str, subject: &Subject) -> String {
    let programs = match &subject.kind {
        Kind::Package(_, programs) if programs.len() > 1 => programs.as_slice(),
        _ => &[],
    };
    let lines = template.lines().flat_map(|line| match programs {
        several @ [_, ..] if line.contains("@BIN@") => several
            .iter()
            .map(|bin| {
                line.replace("@BIN@", &format!(" --bin {bin}"))
                    .replace("@IMAGE@", &format!("/{}", name::of(bin)))
            })
            .collect(),
        _ => vec![line.replace("@BIN@", "").replace("@IMAGE@", "")],
    });
    lines.map(|line| line + "\n").collect()
}

/// Lines at the end of Cargo.toml, with its own line ends.
fn appended(before: &str, owner: &str, section: &str) -> Result<File, Failure> {
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let mut text = format!("{gap}{section}");
    if before.contains("\r\n") {
        text = text.replace('\n', "\r\n");
    }
    let file = File { before: Some(before.into()), ..File::new("Cargo.toml", text) };
    toml::from_str::<toml::Table>(&file.content()).map_err(|error| {
        Failure::usage(
            format!("`Cargo.toml` takes no further table: {}", error.message()),
            // A table of any other name shows which of the two it is.
            match toml::from_str::<toml::Table>(&format!("{before}\n[{owner}.coracle-takes-further-tables]\n")) {
                Ok(_) => format!(
                    "`metadata` is written there in a way that nothing can be added to; write it as `[{owner}.metadata.…]`"
                ),
                Err(_) => format!(
                    "`{owner}` is written there in a way that nothing can be added to; write it as `[{owner}]`"
                ),
            },
        )
    })?;
    Ok(file)
}

/// What stands in a template between two `@`, and what it is here.
struct Words([(&'static str, String); 6]);

impl Words {
    fn of(subject: &Subject, remote: Option<&Remote>) -> Self {
        let is_cargo = !matches!(subject.kind, Kind::Program(_));
        // Beside a recipe, cargo may build the program all the same.
        let prepare = if is_cargo || subject.folder.join("Cargo.toml").exists() {
            "cargo build --release"
        } else {
            "make"
        };
        let build = if is_cargo { "cargo coracle build" } else { "coracle build" };
        let unknown = || format!("ghcr.io/OWNER/{}", subject.name);
        let program = match &subject.kind {
            Kind::Program(path) => Value::String(path.clone()).to_string(),
            Kind::Package(..) | Kind::Workspace(_) => String::new(),
        };
        Self([
            ("@NAME@", subject.name.clone()),
            ("@REGISTRY@", remote.and_then(Remote::image).unwrap_or_else(unknown)),
            ("@VERSION@", env!("CARGO_PKG_VERSION").into()),
            ("@PREPARE@", prepare.into()),
            ("@BUILD@", build.into()),
            // The last, because it is the only one that may hold anything.
            ("@PROGRAM@", program),
        ])
    }

    fn fill(&self, template: &str) -> String {
        self.0.iter().fold(template.to_owned(), |text, (word, value)| text.replace(word, value))
    }
}
