//! The recipe of one image: read from `coracle.toml` and overridden by flags, or from flags alone.
//!
//! Values (ports, names, signals) are parsed and checked here, with their positions in the file. No
//! program is opened. ARCHITECTURE.md, "The recipe", lists the keys.

mod as_json;
mod budget;
mod cargo_toml;
mod error;
mod flag_overrides;
#[cfg(feature = "kube")]
#[cfg(test)]
mod json_schema;
mod known_keys;
mod numeric_user;
mod read_recipe;
mod recipe_document;
mod recipe_paths;
mod recipe_settings;
mod schema;
#[cfg(feature = "kube")]
mod source_positions;
#[cfg(feature = "kube")]
#[cfg(test)]
mod tests;
mod toml_source;
mod validate;

pub use budget::{Budget, BudgetLimit, GrowthLimit};
pub use cargo_toml::CargoPackage;
pub use coracle_core::port::{Port, Protocol};
pub use coracle_core::signal_name::SignalName;
pub use error::{RecipeError, RecipeProblem, SourcePosition};
#[cfg(feature = "kube")]
pub use flag_overrides::ConfigOverrides;
pub use flag_overrides::{RecipeOverrides, RuntimeOverrides};
pub use numeric_user::DEFAULT_USER;
pub use read_recipe::{parse_recipe, read_recipe, read_with_optional_programs, root_overrides_from_flags};
#[cfg(feature = "kube")]
pub use read_recipe::{read_configuration, read_environment_names};
pub use recipe_paths::DEFAULT_FILE_NAME;
pub use recipe_settings::{
    BuildChecks, Contents, FileTimes, ImageSettings, Inventory, Linkage, OutputSettings, Recipe,
    RecipeInclude, RecipeProgram, RecipeSource, RootOverride, RootOverrideKind, SbomOutput,
};
