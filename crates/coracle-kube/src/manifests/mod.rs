//! Generates Kubernetes manifests: ConfigMaps and Secrets, the workload that runs the image, and
//! its Service.
//!
//! Uses the image only by name and digest. docs/manifests.md explains what is generated and why.
//! Source: Kubernetes API reference, Pod Security Standards ("restricted").

mod api_rules;
mod application;
mod apply_patch;
mod config_object;
mod config_volumes;
pub mod helm;
pub mod kustomize;
mod manifest_patch;
mod name_references;
pub mod name_rules;
mod object_data;
mod object_edits;
mod overlay_changes;
mod pinned_image;
mod pod_template;
mod program_container;
mod workload_objects;
pub mod workload_settings;
mod writable_volumes;
pub mod yaml_writer;

use coracle_core::note::Note;
use coracle_core::path::escape_bytes;

pub use application::{Application, Manifests, OutputFiles};
pub use config_object::ConfigObject;
pub use manifest_patch::ManifestPatch;
pub use object_data::ConfigObjectKind;
pub use pinned_image::{ParsePinnedImageError, PinnedImage};
pub use workload_settings::WorkloadSettings;

use application::ObjectNaming;
use config_volumes::ConfigVolume;

use crate::config;
use crate::located_problem::LocatedProblem;
use crate::resource_rules;

pub use crate::located_problem::ManifestsError;

/// Generates the objects of an application.
///
/// # Errors
/// Fails with every problem: settings that Kubernetes rejects, or that contradict each other.
pub fn generate_manifests(application: &Application<'_>) -> Result<Manifests, ManifestsError> {
    let mut manifests = generate_with_names(
        application,
        &ObjectNaming { name_prefix: application.name.to_owned(), has_hash_suffixes: true },
    )?;
    manifests.add_apply_size_warnings();
    Ok(manifests)
}

/// Generates the objects of an application, named by `names`.
fn generate_with_names(
    application: &Application<'_>,
    naming: &ObjectNaming,
) -> Result<Manifests, ManifestsError> {
    let mut problems = Vec::new();
    if let Err(why) = name_rules::check_application_name(application.name) {
        problems.push(
            LocatedProblem::new(
                format!(
                    "`{}` is not a valid application name: {why}",
                    escape_bytes(application.name.as_bytes())
                ),
                "set `name` in `[kubernetes]`: lower-case letters, digits and `-`, at most 52 bytes",
            )
            .at_key("name"),
        );
    }
    let mut config_objects = config_volumes::all_config_objects(application, naming);
    let config_volumes = config_volumes::config_volumes(application, naming, &config_objects, &mut problems);
    config_objects
        .retain(|config_object| config_object.kind == ConfigObjectKind::ConfigMap || application.has_secrets);
    let mut manifests = Manifests {
        config_objects,
        objects: workload_objects::workload_objects(application, naming, &config_volumes, &mut problems),
        notes: security_and_secret_notes(application, &config_volumes),
    };
    problems.extend(manifests.config_objects.iter().filter_map(ConfigObject::size_problem));
    problems.extend(api_problems(&manifests));
    problems.extend(apply_patch::apply_patches(application, naming, &mut manifests));
    // Two probes may have the same problem.
    problems.dedup();
    if problems.is_empty() { Ok(manifests) } else { Err(ManifestsError(problems)) }
}

/// Returns what the API server rejects in the generated objects, located in the recipe.
fn api_problems(manifests: &Manifests) -> impl Iterator<Item = LocatedProblem> {
    let all = manifests.objects.iter().flat_map(api_rules::object_problems);
    all.map(|problem| {
        let located = LocatedProblem::new(problem.message, problem.hint);
        problem.key.map_or(located.clone(), |key| located.at_key(key))
    })
}

fn security_and_secret_notes(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
) -> Vec<Note> {
    let mut notes: Vec<Note> = config_volumes::missing_secret_notes(application, config_volumes)
        .into_iter()
        .map(Note::Hint)
        .collect();
    notes.extend(config::format_warnings(application.rendered_mounts));
    let resources = &application.settings.resources;
    notes.extend(
        resource_rules::fraction_warnings(&resources.requests, &resources.limits)
            .into_iter()
            .map(Note::Warning),
    );
    if application.uid == 0 {
        notes.push(Note::Warning(
            "the program runs as root, which restricted pod security forbids: set `user` in `[image]`".into(),
        ));
    }
    notes
}
