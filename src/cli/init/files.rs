//! The files that `init` writes: those in templates/ with their placeholders filled in.

use std::path::PathBuf;

use toml::Value;

use super::names::{self, Forge, GitRemote};
use super::subject::{InitSubject, SubjectKind};
use crate::cli::error::CliError;

const RECIPE_TEMPLATE: &str = include_str!("../../../templates/init/coracle.toml");
const PACKAGE_TEMPLATE: &str = include_str!("../../../templates/init/package.toml");
const WORKSPACE_TEMPLATE: &str = include_str!("../../../templates/init/workspace.toml");
const CONFIG_TEMPLATE: &str = include_str!("../../../templates/init/config/app.toml.j2");
const VALUES_TEMPLATE: &str = include_str!("../../../templates/init/config/values.toml");
const SCHEMA_TEMPLATE: &str = include_str!("../../../templates/init/config/schema.json");
const GITHUB_WORKFLOW: &str = include_str!("../../../templates/ci/github.yml");
const GITLAB_PIPELINE: &str = include_str!("../../../templates/ci/gitlab.yml");

/// How the last paragraph of a recipe template begins; left out with `--no-config`.
const CONFIGURATION_PARAGRAPH: &str = "\n# Configuration is mounted";

/// GitLab's pipeline, a single file with all jobs.
pub(super) const GITLAB_CI_FILE: &str = ".gitlab-ci.yml";

/// A file to write.
pub(super) struct InitFile {
    /// Relative to the project's directory.
    pub(super) path: PathBuf,
    /// The file's content, or the text to append.
    pub(super) text: String,
    /// The content before the appended text; `None` for a new file.
    pub(super) existing: Option<String>,
}

impl InitFile {
    fn new(path: impl Into<PathBuf>, text: String) -> Self {
        Self { path: path.into(), text, existing: None }
    }

    pub(super) fn is_appended(&self) -> bool {
        self.existing.is_some()
    }

    /// Returns the whole new content.
    pub(super) fn new_content(&self) -> String {
        self.existing.as_deref().unwrap_or_default().to_owned() + &self.text
    }
}

/// Returns all files for `subject`. The recipe is last, so that it never names a file that does not
/// exist yet.
pub(super) fn init_files(
    subject: &InitSubject,
    remote: Option<&GitRemote>,
    forge: Option<Forge>,
    has_config: bool,
) -> Result<Vec<InitFile>, CliError> {
    let placeholders = Placeholders::new(subject, remote);
    let mut files = Vec::new();
    if has_config && !matches!(subject.kind, SubjectKind::Workspace(_)) {
        let template = format!("config/{}.toml.j2", subject.name);
        files.push(InitFile::new(template, placeholders.fill(CONFIG_TEMPLATE)));
        files.push(InitFile::new("config/values.toml", placeholders.fill(VALUES_TEMPLATE)));
        files.push(InitFile::new("config/schema.json", placeholders.fill(SCHEMA_TEMPLATE)));
    }
    files.extend(forge.map(|forge| match forge {
        Forge::GitHub => InitFile::new(
            ".github/workflows/image.yml",
            placeholders.fill(&repeat_for_programs(GITHUB_WORKFLOW, subject)),
        ),
        Forge::GitLab => {
            InitFile::new(GITLAB_CI_FILE, placeholders.fill(&repeat_for_programs(GITLAB_PIPELINE, subject)))
        }
    }));
    let recipe = |template: &'static str| match template.split_once(CONFIGURATION_PARAGRAPH) {
        Some((without, _)) if !has_config => placeholders.fill(without),
        _ => placeholders.fill(template),
    };
    files.push(match &subject.kind {
        SubjectKind::Program(_) => InitFile::new(coracle::recipe::DEFAULT_FILE_NAME, recipe(RECIPE_TEMPLATE)),
        SubjectKind::Package(before, _) => append_to_manifest(before, "package", &recipe(PACKAGE_TEMPLATE))?,
        SubjectKind::Workspace(before) => {
            append_to_manifest(before, "workspace", &recipe(WORKSPACE_TEMPLATE))?
        }
    });
    Ok(files)
}

/// Repeats each line with `@BIN@` for each program, if there are several: each image has its own
/// name.
fn repeat_for_programs(template: &str, subject: &InitSubject) -> String {
    let programs = match &subject.kind {
        SubjectKind::Package(_, programs) if programs.len() > 1 => programs.as_slice(),
        _ => &[],
    };
    let lines = template.lines().flat_map(|line| match programs {
        several @ [_, ..] if line.contains("@BIN@") => several
            .iter()
            .map(|bin| {
                line.replace("@BIN@", &format!(" --bin {bin}"))
                    .replace("@IMAGE@", &format!("/{}", names::to_application_name(bin)))
            })
            .collect(),
        _ => vec![line.replace("@BIN@", "").replace("@IMAGE@", "")],
    });
    lines.map(|line| line + "\n").collect()
}

/// Returns Cargo.toml with `section` appended, with the file's own line endings.
fn append_to_manifest(manifest: &str, table: &str, section: &str) -> Result<InitFile, CliError> {
    let gap = if manifest.is_empty() || manifest.ends_with('\n') { "" } else { "\n" };
    let mut text = format!("{gap}{section}");
    if manifest.contains("\r\n") {
        text = text.replace('\n', "\r\n");
    }
    let file = InitFile { existing: Some(manifest.into()), ..InitFile::new("Cargo.toml", text) };
    toml::from_str::<toml::Table>(&file.new_content()).map_err(|error| {
        CliError::usage(
            format!("cannot append a table to `Cargo.toml`: {}", error.message()),
            // Appending another table shows which key prevents it.
            match toml::from_str::<toml::Table>(&format!("{manifest}\n[{table}.coracle-takes-further-tables]\n")) {
                Ok(_) => format!(
                    "`metadata` is an inline table or has dotted keys, so it can't be extended; write it as `[{table}.metadata.…]`"
                ),
                Err(_) => format!(
                    "`{table}` is an inline table or has dotted keys, so it can't be extended; write it as `[{table}]`"
                ),
            },
        )
    })?;
    Ok(file)
}

/// The placeholders `@NAME@` of the templates, and their values.
struct Placeholders([(&'static str, String); 6]);

impl Placeholders {
    fn new(subject: &InitSubject, remote: Option<&GitRemote>) -> Self {
        let is_cargo = !matches!(subject.kind, SubjectKind::Program(_));
        // The recipe's program may be built by cargo.
        let prepare = if is_cargo || subject.folder.join("Cargo.toml").exists() {
            "cargo build --release"
        } else {
            "make"
        };
        let build = if is_cargo { "cargo coracle build" } else { "coracle build" };
        let unknown = || format!("ghcr.io/OWNER/{}", subject.name);
        let program = match &subject.kind {
            SubjectKind::Program(path) => Value::String(path.clone()).to_string(),
            SubjectKind::Package(..) | SubjectKind::Workspace(_) => String::new(),
        };
        Self([
            ("@NAME@", subject.name.clone()),
            ("@REGISTRY@", remote.and_then(GitRemote::image_name).unwrap_or_else(unknown)),
            ("@VERSION@", env!("CARGO_PKG_VERSION").into()),
            ("@PREPARE@", prepare.into()),
            ("@BUILD@", build.into()),
            // Last, because its value may contain a placeholder.
            ("@PROGRAM@", program),
        ])
    }

    fn fill(&self, template: &str) -> String {
        self.0.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}
