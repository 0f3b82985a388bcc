//! `coracle run --print`: the same container for Podman, Docker, Compose or a Quadlet, with the commands
//! that make the image and the configuration available to it.

use coracle_run::BindMount;
use std::collections::BTreeSet;

use coracle_core::path::ImagePath;
use coracle_run::engine_command::{
    EngineFormat, compose_file, docker_arguments, podman_arguments, quadlet_file,
};

use super::configuration::RunConfiguration;
use super::container::{DEFAULT_PATH, container_of};
use super::image::PreparedImage;
use crate::cli::args::{PrintFormat, RunArgs};
use crate::cli::console_output;
use crate::cli::error::{CliError, CliExit};
use crate::cli::missing_dependencies::shell_words;

/// Where the printed commands write the configuration.
const CONFIG_DIRECTORY: &str = "run-config";

/// Prints the equivalent of a run.
pub(super) fn print_equivalent(
    prepared: &PreparedImage,
    args: &RunArgs,
    format: PrintFormat,
) -> Result<CliExit, CliError> {
    let secrets = prepared.recipe.config.secrets.iter();
    if let Some(secret) = secrets.into_iter().find(|secret| !secret.is_optional && !secret.files.is_empty()) {
        let given = |key: &String| {
            args.secret_files.iter().any(|text| text.to_string_lossy().starts_with(&format!("{key}=")))
        };
        if let Some(key) = secret.files.iter().map(|file| &file.key).find(|key| !given(key)) {
            return Err(CliError::usage(
                format!("no file is given for the key `{key}` of the Secret at `{}`", secret.path),
                format!("name the file: `--secret-file {key}=FILE`"),
            ));
        }
    }
    let configuration = RunConfiguration::declared(&prepared.recipe, prepared);
    let mut container = container_of(prepared, &configuration, &prepared.title, args)?;
    container.temporary_directories = configuration.state.iter().map(ToString::to_string).collect();
    container.mounts = mounts(prepared, format);
    // Engines set these themselves.
    container.env.retain(|(name, value)| name != "HOSTNAME" && (name != "PATH" || value != DEFAULT_PATH));
    container.volume_group = None;
    let image = format!("localhost/{}:latest", prepared.title.to_lowercase());
    let text = match EngineFormat::from(format) {
        EngineFormat::Podman => {
            script(prepared, args, &image, command("podman", podman_arguments(&container, &image, &["--rm"])))
        }
        EngineFormat::Docker => {
            script(prepared, args, &image, command("docker", docker_arguments(&container, &image, &["--rm"])))
        }
        EngineFormat::Compose => {
            commented(prepared, args, &image, "docker-daemon", &compose_file(&container, &image))
        }
        EngineFormat::Quadlet => {
            commented(prepared, args, &image, "containers-storage", &quadlet_file(&container, &image))
        }
    };
    console_output::print_bytes(text.as_bytes())?;
    Ok(CliExit::Success)
}

fn command(program: &str, args: Vec<String>) -> String {
    let words: Vec<String> = [vec![program.to_owned()], args].concat();
    shell_words(&words)
}

/// Returns the commands before the container's.
fn preparations(prepared: &PreparedImage, args: &RunArgs, image: &str, transport: &str) -> Vec<String> {
    let words =
        |words: &[&str]| shell_words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let mut lines =
        vec![words(&["coracle", "copy", "-q", &prepared.location, &format!("{transport}:{image}")])];
    if !prepared.recipe.config.mounts.is_empty() {
        let mut render =
            vec!["coracle".to_owned(), "config".to_owned(), "render".to_owned(), "-q".to_owned()];
        if let Some(file) = &args.file {
            render.extend(["-f".to_owned(), file.display().to_string()]);
        }
        render.extend(args.render_args());
        render.extend(["-o".to_owned(), CONFIG_DIRECTORY.to_owned()]);
        lines.push(shell_words(&render));
    }
    for secret in &prepared.recipe.config.secrets {
        for text in &args.secret_files {
            let text = text.to_string_lossy();
            let Some((key, file)) = text.split_once('=') else { continue };
            for known in secret.files.iter().filter(|known| known.key == key) {
                let target = format!("{}/{}", config_directory(&secret.path), known.path);
                lines.push(words(&["install", "-D", file, &target]));
            }
        }
    }
    if lines.len() > 1 {
        // Secret files are readable by their owner alone, and the program is another user.
        lines.push(format!("chmod -R a+rX {CONFIG_DIRECTORY}"));
    }
    lines
}

fn script(prepared: &PreparedImage, args: &RunArgs, image: &str, run: String) -> String {
    let transport = if run.starts_with("docker") { "docker-daemon" } else { "containers-storage" };
    let mut lines = preparations(prepared, args, image, transport);
    lines.push(run);
    lines.join("\n") + "\n"
}

fn commented(prepared: &PreparedImage, args: &RunArgs, image: &str, transport: &str, file: &str) -> String {
    let lines = preparations(prepared, args, image, transport);
    lines.iter().map(|line| format!("# {line}\n")).collect::<String>() + file
}

/// Returns the mounts: the directories with rendered files and Secrets.
fn mounts(prepared: &PreparedImage, format: PrintFormat) -> Vec<BindMount> {
    let config = &prepared.recipe.config;
    // systemd and engines need absolute paths.
    let here = match format {
        PrintFormat::Quadlet | PrintFormat::Docker | PrintFormat::Podman => {
            std::env::current_dir().unwrap_or_default()
        }
        PrintFormat::Compose => ".".into(),
    };
    let rendered = config.mounts.iter().map(|mount| &mount.path);
    let paths: BTreeSet<&ImagePath> =
        rendered.chain(config.secrets.iter().map(|secret| &secret.path)).collect();
    let mount = |path: &ImagePath| BindMount {
        source: here.join(config_directory(path)),
        destination: path.to_string(),
        is_writable: false,
    };
    paths.into_iter().map(mount).collect()
}

/// Returns the directory with the files of a mount, relative to the working directory.
fn config_directory(mount: &ImagePath) -> String {
    format!("{CONFIG_DIRECTORY}/{}", mount.to_string().trim_start_matches('/'))
}

impl RunConfiguration {
    /// Returns the configuration without any files, for targets that read them elsewhere.
    fn declared(recipe: &coracle::Recipe, prepared: &PreparedImage) -> Self {
        let state = super::configuration::state_directories(recipe, prepared);
        Self { volumes: Vec::new(), variables: Vec::new(), state }
    }
}

#[cfg(test)]
mod tests {
    use coracle_run::Container;

    use super::*;

    #[test]
    fn commands_are_quoted_for_a_shell() {
        let container = Container { args: vec!["/app".into(), "a b".into()], ..Container::new("app") };
        let text = command("podman", podman_arguments(&container, "localhost/app:latest", &["--rm"]));
        assert!(
            text.starts_with("podman run --rm ") && text.ends_with(" localhost/app:latest 'a b'"),
            "{text}"
        );
    }
}
