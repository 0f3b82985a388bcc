//! `coracle reload-image`: the image of the sidecar that sends the signal of
//! `reload = "signal:NAME"`, and the reference to it in manifests.

use std::fs;

use coracle::recipe::{Recipe, RecipeOverrides};
use coracle::{Built, Settings, destinations};
use coracle_core::note::Note;
use coracle_core::platform::Platform;
use coracle_kube::config::{Configuration, ReloadMethod};
use coracle_kube::manifests::PinnedImage;
use coracle_kube::manifests::workload_settings::{ReloadSidecar, WorkloadSettings};
use coracle_reload::PROGRAMS;

use super::args::{OutputFormat, ReloadImageArgs};
use super::concurrent_builds::BuildMonitor;
use super::environment::new_registry_client;
use super::error::{CliError, CliExit};
use super::image_reader::ImageOpener;
use super::image_report::ImageReport;
use super::progress::ProgressDisplay;
use super::{build, build_inputs, console_output, generated_dir, interrupt, manifest_image};

/// Runs `coracle reload-image`.
pub(super) fn run_reload_image(args: &ReloadImageArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let built = build_image(&args.destinations, |recipe| {
        let written = destinations::registry_destinations(recipe);
        let client = new_registry_client(&args.registry, &written.iter().collect::<Vec<_>>())?;
        let settings = Settings {
            registry_client: Some(client),
            durability: args.disk.durability(),
            ..library_settings()?
        };
        build::build_with_progress(recipe, &settings, args.quiet)
    })?;
    let report = ImageReport::new(coracle_reload::NAME, built);
    if !args.quiet {
        console_output::print_message(&report.to_text());
    }
    match args.format {
        OutputFormat::Text => console_output::print_data(&format!("{}\n", report.reference))?,
        OutputFormat::Json => console_output::print_json(&report)?,
    }
    Ok(CliExit::Success)
}

/// Returns whether the program of `config` gets a signal when a mounted file changes.
pub(super) fn needs_signal(config: &Configuration) -> bool {
    let of_mounts = config.mounts.iter().map(|mount| &mount.reload);
    let of_secrets = config.secrets.iter().map(|secret| &secret.reload);
    of_mounts.chain(of_secrets).any(|reload| matches!(reload, ReloadMethod::Signal(_)))
}

/// Sets the sidecar of `settings` that have none to Coracle's own image, in the registry and namespace
/// of the program's image. Returns what the user has to do. `platforms` are those of the program's
/// image, as far as they are known; With `registry`, the registry is asked for the sidecar's image.
pub(super) fn set_default_sidecar<'a>(
    settings: impl Iterator<Item = &'a mut WorkloadSettings>,
    image: &PinnedImage,
    platforms: &[Platform],
    registry: Option<&ImageOpener<'_>>,
) -> Result<Vec<Note>, CliError> {
    let unset: Vec<_> =
        settings.map(|settings| &mut settings.reload_sidecar).filter(|sidecar| sidecar.is_none()).collect();
    if unset.is_empty() {
        return Ok(Vec::new());
    }
    let directory = generated_dir::create_temporary_dir()?;
    let layout = format!("oci:{}", directory.path().join("image").display());
    let built = build_image(&[layout], |recipe| {
        let progress = ProgressDisplay::new(true, "packing");
        Ok(coracle::build(recipe, &library_settings()?, &BuildMonitor::single(&progress))?)
    })?;
    let namespace =
        image.name.rsplit_once('/').map_or(String::new(), |(namespace, _)| format!("{namespace}/"));
    let reload_image = PinnedImage {
        name: format!("{namespace}{}", coracle_reload::NAME),
        tag: Some(env!("CARGO_PKG_VERSION").to_owned()),
        digest: built.digest,
    };
    for sidecar in unset {
        *sidecar =
            Some(ReloadSidecar { image: reload_image.to_string(), command: Vec::new(), args: Vec::new() });
    }
    let notes = [platform_note(platforms, &built.platforms), push_note(&reload_image, registry)?];
    Ok(notes.into_iter().flatten().collect())
}

/// Returns a warning if the sidecar does not run on a platform of the program's image.
fn platform_note(of_program: &[Platform], of_sidecar: &[Platform]) -> Option<Note> {
    let runs_on = |wanted: &Platform| of_sidecar.iter().any(|found| found.matches_ignoring_variant(wanted));
    let missing = of_program.iter().find(|platform| !runs_on(platform))?;
    let found: Vec<String> = of_sidecar.iter().map(ToString::to_string).collect();
    Some(Note::Warning(format!(
        "the image of the reload sidecar is for {}, not for {missing}: set `reload-image` in `[kubernetes]`, or use a \
         Coracle that was compiled with the helper for it",
        found.join(", ")
    )))
}

/// Returns how the sidecar's image gets to its registry; `None` if it is there.
fn push_note(image: &PinnedImage, registry: Option<&ImageOpener<'_>>) -> Result<Option<Note>, CliError> {
    let name = format!("{}:{}", image.name, env!("CARGO_PKG_VERSION"));
    if manifest_image::missing_registry_warning(image).is_some() {
        return Ok(Some(Note::Hint(format!(
            "the reload sidecar runs `{name}`: load it into the nodes like the program's image; \
             `coracle reload-image oci-archive:FILE` writes it"
        ))));
    }
    let command = format!("`coracle reload-image docker://{name}`");
    Ok(match registry {
        None => Some(Note::Hint(format!("the reload sidecar runs `{name}`; push it once: {command}"))),
        Some(registry) if registry.is_in_registry(image)? => None,
        Some(_) => Some(Note::Warning(format!(
            "the registry does not have the reload sidecar's image, so pods will not start: push it with {command}"
        ))),
    })
}

/// Builds the image with `build`. The programs are temporary files.
fn build_image(
    destinations: &[String],
    build: impl FnOnce(&Recipe) -> Result<Built, CliError>,
) -> Result<Built, CliError> {
    if PROGRAMS.is_empty() {
        return Err(CliError::failed_with_hint(
            "this Coracle was compiled without the program of the reload sidecar",
            "set `reload-image` in `[kubernetes]`, or install a release of Coracle; to compile it, rustc needs the target \
             `x86_64-unknown-linux-musl` or `aarch64-unknown-linux-musl`",
        ));
    }
    let directory = generated_dir::create_temporary_dir()?;
    let mut roots = Vec::new();
    for (architecture, program) in PROGRAMS {
        let root = directory.path().join(architecture);
        fs::create_dir(&root)
            .and_then(|()| fs::write(root.join(coracle_reload::NAME), program))
            .map_err(|error| CliError::failed(format!("cannot write to `{}`: {error}", root.display())))?;
        roots.push(format!("linux/{architecture}={}", root.display()).into());
    }
    let path = format!("/{}", coracle_reload::NAME);
    let mut recipe = Recipe::from_flags(&RecipeOverrides {
        names: vec![format!("{}:{}", coracle_reload::NAME, env!("CARGO_PKG_VERSION"))],
        programs: vec![format!("{path}:{path}").into()],
        roots,
        destinations: destinations.to_vec(),
        ..RecipeOverrides::default()
    })?;
    // The helper contains no crate and no file of a package.
    recipe.contents.inventory.packages = false;
    build(&recipe)
}

/// Returns the settings of a build that depends on no flag and on no variable.
fn library_settings() -> Result<Settings, CliError> {
    build_inputs::library_settings(Some("0"), None, None)
}
