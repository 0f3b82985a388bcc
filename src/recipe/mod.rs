//! The recipe of one image: read from `coracle.toml` and overridden by flags, or from flags alone.
//!
//! Values (ports, names, signals) are parsed and checked here, with their positions in the file. No
//! program is opened. ARCHITECTURE.md, "The recipe", lists the keys.

mod budget;
mod cargo_toml;
mod document;
mod error;
mod groups;
#[cfg(test)]
mod json_schema;
mod linkage;
mod overrides;
mod paths;
mod read;
mod schema;
mod source_positions;
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
    Contents, ImageSettings, Output, Policy, Recipe, RecipeInclude, RecipeProgram, RecipeSource,
    RootOverride, RootOverrideKind,
};
pub use linkage::Linkage;
pub use overrides::{ConfigOverrides, RecipeOverrides, RuntimeOverrides};
pub use paths::DEFAULT_FILE_NAME;
pub use read::{
    parse_recipe, read_configuration, read_environment_names, read_recipe, read_with_optional_programs,
    root_overrides_from_flags,
};
pub use user::DEFAULT_USER;
