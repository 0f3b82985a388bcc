//! The recipe of one image: read from `coracle.toml` and overridden by flags, or from flags alone.
//!
//! Values (ports, names, signals) are parsed and checked here, with their positions in the file. No
//! program is opened. ARCHITECTURE.md, "The recipe", lists the keys.

mod as_json;
mod budget;
mod cargo_toml;
mod document;
mod error;
mod groups;
#[cfg(feature = "kube")]
#[cfg(test)]
mod json_schema;
mod known_keys;
mod overrides;
mod paths;
mod read;
mod schema;
#[cfg(feature = "kube")]
mod source_positions;
#[cfg(feature = "kube")]
#[cfg(test)]
mod tests;
mod toml_source;
mod user;
mod validate;

pub use budget::{Budget, BudgetLimit, GrowthLimit};
pub use cargo_toml::CargoPackage;
pub use coracle_core::port::{Port, Protocol};
pub use coracle_core::signal::Signal;
pub use error::{RecipeError, RecipeProblem, SourcePosition};
pub use groups::{
    Contents, FileTimes, ImageSettings, Inventory, Linkage, Output, Policy, Recipe, RecipeInclude,
    RecipeProgram, RecipeSource, RootOverride, RootOverrideKind,
};
#[cfg(feature = "kube")]
pub use overrides::ConfigOverrides;
pub use overrides::{RecipeOverrides, RuntimeOverrides};
pub use paths::DEFAULT_FILE_NAME;
pub use read::{parse_recipe, read_recipe, read_with_optional_programs, root_overrides_from_flags};
#[cfg(feature = "kube")]
pub use read::{read_configuration, read_environment_names};
pub use user::DEFAULT_USER;
