//! What the recipe says about running the program, in the words of an image.

use super::{Error, Plan};
use crate::closure::SEARCH_PATH;
use crate::contract::{self, Contract};
use crate::image::Config;
use crate::path::ImagePath;
use crate::recipe::Recipe;

/// The config of an image of `recipe`, planned as `plan`.
pub(super) fn of(recipe: &Recipe, plan: &Plan, contract: &Contract) -> Result<Config, Error> {
    let mut env = recipe.env.clone();
    if plan.needs_search_path {
        env.entry("PATH".into()).or_insert_with(|| SEARCH_PATH.into());
    }
    let mut labels = recipe.labels.clone();
    if !contract.is_trivial() {
        labels.insert(contract::LABEL.into(), contract.to_label()?);
    }
    Ok(Config {
        entrypoint: plan.rootfs.programs().iter().take(1).map(text).collect::<Result<_, _>>()?,
        cmd: recipe.args.clone(),
        env,
        user: Some(recipe.user.to_string()),
        exposed_ports: recipe.expose.iter().map(ToString::to_string).collect(),
        working_dir: Some(text(&recipe.working_dir)?),
        stop_signal: recipe.stop_signal.as_ref().map(ToString::to_string),
        labels,
        annotations: recipe.annotations.clone(),
    })
}

/// A path as JSON can hold it.
fn text(path: &ImagePath) -> Result<String, Error> {
    String::from_utf8(path.as_bytes().to_vec()).map_err(|_| Error::NotText(path.clone()))
}
