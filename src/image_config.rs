//! The image config of a planned image.

use std::collections::BTreeMap;

use crate::contract::{self, ContractDocument};
use crate::error::Error;
use crate::image_plan::Plan;
use crate::recipe::Recipe;
use coracle_core::path::ImagePath;
use coracle_ld::closure::DEFAULT_PATH_VARIABLE;
use coracle_oci::base::{self, InheritedConfig};
use coracle_oci::image::ImageConfig;

const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// Returns the config of the image planned as `plan`: the base image's, overridden by the recipe's.
///
/// # Errors
/// Fails if a path is not UTF-8, or the contract is too large for a label.
pub(crate) fn image_config(
    recipe: &Recipe,
    plan: &Plan,
    contract: &ContractDocument,
) -> Result<ImageConfig, Error> {
    let nothing = InheritedConfig::default();
    let base = plan.base.as_ref();
    let inherited = base.map_or(&nothing, |base| &base.inherited);
    let mut env = inherited.env.clone();
    env.extend(recipe.image.env.clone());
    if plan.needs_path_variable {
        env.entry("PATH".into()).or_insert_with(|| DEFAULT_PATH_VARIABLE.into());
    }
    let mut labels = inherited.labels.clone();
    // The contract of the base describes another program.
    labels.retain(|label, _| !contract::is_contract_label(label));
    labels.extend(recipe.image.labels.clone());
    contract::add_label(contract, &mut labels)?;
    let ports = recipe.image.exposed_ports.iter().map(ToString::to_string);
    let stop_signal = recipe.image.stop_signal.as_ref().map(ToString::to_string);
    // The recipe may override the annotations about the base image.
    let mut annotations = base.map(base_annotations).unwrap_or_default();
    annotations.extend(recipe.image.annotations.clone());
    Ok(ImageConfig {
        entrypoint: entrypoint(plan)?,
        cmd: recipe.image.args.clone(),
        env,
        user: Some(plan.user.to_string()),
        exposed_ports: inherited.exposed_ports.iter().cloned().chain(ports).collect(),
        working_dir: Some(utf8_path(&plan.working_dir)?),
        stop_signal: stop_signal.or_else(|| inherited.stop_signal.clone()),
        labels,
        annotations,
    })
}

/// Returns the first program, and the script that it starts, if any.
fn entrypoint(plan: &Plan) -> Result<Vec<String>, Error> {
    plan.rootfs.programs().iter().take(1).chain(&plan.entrypoint_script).map(utf8_path).collect()
}

/// Returns the annotations that name the base image: image-spec, `annotations.md`.
fn base_annotations(base: &base::BaseImage) -> BTreeMap<String, String> {
    let digest = Some((BASE_DIGEST.to_owned(), base.digest.to_string()));
    let name = base.name.clone().map(|name| (BASE_NAME.to_owned(), name));
    digest.into_iter().chain(name).collect()
}

/// Returns a path as UTF-8 text.
fn utf8_path(path: &ImagePath) -> Result<String, Error> {
    String::from_utf8(path.as_bytes().to_vec()).map_err(|_| Error::PathNotUtf8(path.clone()))
}
