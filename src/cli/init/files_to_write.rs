//! The files that `init` writes: those in templates/ with their placeholders filled in.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use toml::Value;

use super::build_system::BuildSystem;
use super::config_files::RecipeConfiguration;
use super::proposed_names::{self, Forge, GitRemote};
use super::repository::{GITLAB_CI_FILE, Repository};
use super::subject::{InitSubject, SubjectKind};
use crate::cli::error::CliError;

const RECIPE_TEMPLATE: &str = include_str!("../../../templates/init/coracle.toml");
const PACKAGE_TEMPLATE: &str = include_str!("../../../templates/init/package.toml");
const WORKSPACE_TEMPLATE: &str = include_str!("../../../templates/init/workspace.toml");
const GITHUB_WORKFLOW: &str = include_str!("../../../templates/ci/github.yml");
const GITLAB_PIPELINE: &str = include_str!("../../../templates/ci/gitlab.yml");

/// How the last paragraph of a recipe template begins; left out with `--no-config`.
const CONFIGURATION_PARAGRAPH: &str = "\n# Configuration is mounted";

/// The table of a recipe for a script, which starts only with its interpreter's files.
const RUNTIME_SECTION: &str = "\n[runtime]\n# Adds the modules, commands and data files that the script and its interpreter need.\ncomplete = true";

/// More templates than these are written one per line.
const MAX_TEMPLATES_PER_LINE: usize = 2;

/// A file to write.
pub(super) struct InitFile {
    /// The directory of the project, or the root of its repository. No link leads out of it.
    pub(super) folder: PathBuf,
    /// Relative to `folder`.
    pub(super) path: PathBuf,
    /// The file's content, or the text to append.
    pub(super) text: String,
    /// The content before the appended text; `None` for a new file.
    pub(super) existing: Option<String>,
    /// `true` if the file is a job of the repository's CI.
    pub(super) is_for_ci: bool,
}

impl InitFile {
    fn new(folder: &Path, path: impl Into<PathBuf>, text: String) -> Self {
        Self { folder: folder.to_owned(), path: path.into(), text, existing: None, is_for_ci: false }
    }

    pub(super) fn full_path(&self) -> PathBuf {
        self.folder.join(&self.path)
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
/// exist yet. `config` is `None` if the recipe has no configuration.
pub(super) fn init_files(
    subject: &InitSubject,
    repository: Option<&Repository>,
    forge: Option<Forge>,
    config: Option<&RecipeConfiguration>,
) -> Result<Vec<InitFile>, CliError> {
    let placeholders = Placeholders::new(subject, repository, config);
    let folder = &subject.folder;
    let mut files: Vec<InitFile> = config
        .iter()
        .flat_map(|config| &config.new_files)
        .map(|(path, text)| InitFile::new(folder, path, placeholders.fill(text)))
        .collect();
    if let (Some(repository), Some(forge)) = (repository, forge) {
        files.push(ci_file(subject, repository, forge, &placeholders));
    }
    let recipe = |template: &'static str| match template.split_once(CONFIGURATION_PARAGRAPH) {
        Some((without, _)) if config.is_none() => placeholders.fill(without),
        _ => placeholders.fill(template),
    };
    files.push(match &subject.kind {
        SubjectKind::Program(_) => {
            InitFile::new(folder, coracle::recipe::DEFAULT_FILE_NAME, recipe(RECIPE_TEMPLATE))
        }
        SubjectKind::Package(before, _) => {
            append_to_manifest(folder, before, "package", &recipe(PACKAGE_TEMPLATE))?
        }
        SubjectKind::Workspace(before) => {
            append_to_manifest(folder, before, "workspace", &recipe(WORKSPACE_TEMPLATE))?
        }
    });
    Ok(files)
}

/// Returns the file for CI, at the root of the repository.
fn ci_file(
    subject: &InitSubject,
    repository: &Repository,
    forge: Forge,
    placeholders: &Placeholders,
) -> InitFile {
    let (path, template) = match forge {
        Forge::GitHub => (".github/workflows/image@SUFFIX@.yml", GITHUB_WORKFLOW),
        Forge::GitLab => (GITLAB_CI_FILE, GITLAB_PIPELINE),
    };
    let text = placeholders.fill(&repeat_for_programs(template, subject, repository));
    let file = InitFile::new(&repository.root, placeholders.fill(path), text);
    InitFile { is_for_ci: true, ..file }
}

/// Repeats each line with `@BIN@` for each program, if there are several: each image has its own
/// name. The image of a project below the repository's root has its own name, too.
fn repeat_for_programs(template: &str, subject: &InitSubject, repository: &Repository) -> String {
    let programs = match &subject.kind {
        SubjectKind::Package(_, programs) if programs.len() > 1 => programs.as_slice(),
        _ => &[],
    };
    let only_image = repository.project_name().map_or_else(String::new, |name| format!("/{name}"));
    let lines = template.lines().flat_map(|line| match programs {
        several @ [_, ..] if line.contains("@BIN@") => several
            .iter()
            .map(|bin| {
                line.replace("@BIN@", &format!(" --bin {bin}"))
                    .replace("@IMAGE@", &format!("/{}", proposed_names::to_application_name(bin)))
            })
            .collect(),
        _ => vec![line.replace("@BIN@", "").replace("@IMAGE@", &only_image)],
    });
    lines.map(|line| line + "\n").collect()
}

/// Returns Cargo.toml with `section` appended, with the file's own line endings.
fn append_to_manifest(
    folder: &Path,
    manifest: &str,
    table: &str,
    section: &str,
) -> Result<InitFile, CliError> {
    let gap = if manifest.is_empty() || manifest.ends_with('\n') { "" } else { "\n" };
    let mut text = format!("{gap}{section}");
    if manifest.contains("\r\n") {
        text = text.replace('\n', "\r\n");
    }
    let file = InitFile { existing: Some(manifest.into()), ..InitFile::new(folder, "Cargo.toml", text) };
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

/// The placeholders `@NAME@` of the templates, and their values. A line with a placeholder whose value is `None` is
/// left out.
struct Placeholders(Vec<(&'static str, Option<String>)>);

impl Placeholders {
    fn new(
        subject: &InitSubject,
        repository: Option<&Repository>,
        config: Option<&RecipeConfiguration>,
    ) -> Self {
        let is_cargo = !matches!(subject.kind, SubjectKind::Program(_));
        let system = BuildSystem::detect(&subject.folder, subject.is_script);
        let build = if is_cargo { "cargo coracle build" } else { "coracle build" };
        let project =
            repository.map(|repository| repository.project.as_str()).filter(|path| !path.is_empty());
        let project_name = repository.and_then(Repository::project_name);
        let remote = repository.and_then(|repository| repository.remote.as_ref());
        let registry = match remote.and_then(GitRemote::image_name) {
            Some(name) => project_name.iter().fold(name, |name, project| format!("{name}/{project}")),
            None => format!("registry.example/{}", subject.name),
        };
        let program = match &subject.kind {
            SubjectKind::Program(path) => Value::String(path.clone()).to_string(),
            SubjectKind::Package(..) | SubjectKind::Workspace(_) => String::new(),
        };
        let prefix = if is_cargo { "package.metadata.coracle." } else { "" };
        // A string of JSON is one of YAML.
        let quoted = |text: String| serde_json::Value::String(text).to_string();
        Self(vec![
            ("@TEMPLATES@", config.map(|config| toml_list(&config.templates))),
            ("@VALUES@", config.and_then(|config| values_section(config, prefix))),
            ("@RUNTIME@", subject.is_script.then(|| RUNTIME_SECTION.into())),
            ("@NAME@", Some(subject.name.clone())),
            ("@SUFFIX@", Some(project_name.map_or_else(String::new, |name| format!("-{name}")))),
            ("@REGISTRY@", Some(registry)),
            ("@VERSION@", Some(env!("CARGO_PKG_VERSION").into())),
            ("@PREPARE@", system.as_ref().map(|system| system.command.into())),
            ("@CI_IMAGE@", Some(system.map_or(BuildSystem::PLAIN_IMAGE, |system| system.ci_image).into())),
            ("@BUILD@", Some(build.into())),
            ("@DIRECTORY@", project.map(|path| quoted(path.into()))),
            (
                "@CHANGE_DIRECTORY@",
                project.map(|path| quoted(format!("cd {}", super::shell_quote(path.as_ref())))),
            ),
            // Last, because its value may contain a placeholder.
            ("@PROGRAM@", Some(program)),
        ])
    }

    fn fill(&self, template: &str) -> String {
        let is_left_out =
            |line: &&str| self.0.iter().any(|(name, value)| value.is_none() && line.contains(name));
        let lines = template.split_inclusive('\n').filter(|line| !is_left_out(line));
        let values = self.0.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        values.fold(lines.collect(), |text: String, (name, value)| text.replace(name, value))
    }
}

/// Returns a TOML array of strings, of which several are one per line.
fn toml_list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| Value::String(item.clone()).to_string()).collect();
    match quoted.len() {
        0..=MAX_TEMPLATES_PER_LINE => format!("[{}]", quoted.join(", ")),
        _ => format!("[\n    {},\n]", quoted.join(",\n    ")),
    }
}

/// Returns the table `[values]`; `None` without a schema and without values.
fn values_section(config: &RecipeConfiguration, prefix: &str) -> Option<String> {
    if config.schema.is_none() && config.values.is_empty() {
        return None;
    }
    let mut text = format!("\n[{prefix}values]");
    if let Some(schema) = &config.schema {
        let _ = write!(text, "\nschema = {}", Value::String(schema.clone()));
    }
    if !config.values.is_empty() {
        let _ = write!(text, "\nfiles = {}", toml_list(&config.values));
    }
    Some(text)
}
