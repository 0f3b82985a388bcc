//! The files that `init` writes: those in templates/ with their placeholders filled in.

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

/// How the last paragraph of a recipe template begins; left out with `--no-config`.
const CONFIGURATION: &str = "\n# Configuration is mounted";

/// GitLab's pipeline, a single file with all jobs.
pub(super) const GITLAB: &str = ".gitlab-ci.yml";

/// A file to write.
pub(super) struct File {
    /// Relative to the project's directory.
    pub(super) path: PathBuf,
    /// The file's content, or the text to append.
    pub(super) text: String,
    /// The content before the appended text; `None` for a new file.
    pub(super) before: Option<String>,
}

impl File {
    fn new(path: impl Into<PathBuf>, text: String) -> Self {
        Self { path: path.into(), text, before: None }
    }

    pub(super) fn is_appended(&self) -> bool {
        self.before.is_some()
    }

    /// Returns the whole new content.
    pub(super) fn content(&self) -> String {
        self.before.as_deref().unwrap_or_default().to_owned() + &self.text
    }
}

/// Returns all files for `subject`. The recipe is last, so that it never names a file that does not
/// exist yet.
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

/// Repeats each line with `@BIN@` for each program, if there are several: each image has its own
/// name.
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

/// Returns Cargo.toml with `section` appended, with the file's own line endings.
fn appended(before: &str, owner: &str, section: &str) -> Result<File, Failure> {
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let mut text = format!("{gap}{section}");
    if before.contains("\r\n") {
        text = text.replace('\n', "\r\n");
    }
    let file = File { before: Some(before.into()), ..File::new("Cargo.toml", text) };
    toml::from_str::<toml::Table>(&file.content()).map_err(|error| {
        Failure::usage(
            format!("cannot append a table to `Cargo.toml`: {}", error.message()),
            // Appending another table shows which key prevents it.
            match toml::from_str::<toml::Table>(&format!("{before}\n[{owner}.coracle-takes-further-tables]\n")) {
                Ok(_) => format!(
                    "`metadata` is an inline table or has dotted keys, so it can't be extended; write it as `[{owner}.metadata.…]`"
                ),
                Err(_) => format!(
                    "`{owner}` is an inline table or has dotted keys, so it can't be extended; write it as `[{owner}]`"
                ),
            },
        )
    })?;
    Ok(file)
}

/// The placeholders `@NAME@` of the templates, and their values.
struct Words([(&'static str, String); 6]);

impl Words {
    fn of(subject: &Subject, remote: Option<&Remote>) -> Self {
        let is_cargo = !matches!(subject.kind, Kind::Program(_));
        // The recipe's program may be built by cargo.
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
            // Last, because its value may contain a placeholder.
            ("@PROGRAM@", program),
        ])
    }

    fn fill(&self, template: &str) -> String {
        self.0.iter().fold(template.to_owned(), |text, (word, value)| text.replace(word, value))
    }
}
