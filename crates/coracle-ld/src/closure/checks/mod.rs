//! Checks of a complete link map: will the loader start the program with it, on every CPU and in
//! every working directory?

mod environment_dependence;
pub(super) mod mixed_c_libraries;
mod symbol_versions;
mod symbols;

pub use environment_dependence::{check_environment_dependence, check_isa_level};
pub use mixed_c_libraries::check_c_libraries;
pub use symbol_versions::check_symbol_versions;
pub use symbols::check_symbols;

use super::link_map::LinkMap;
use super::problem::Problem;
use coracle_core::fs;

/// Returns the problems that all checks find in `map`: C libraries, versions, symbols, CPU levels,
/// then the environment.
///
/// # Errors
/// Fails if a file can't be read.
pub fn find_problems(map: &LinkMap) -> fs::Result<Vec<Problem>> {
    let mut problems = check_c_libraries(map)?;
    problems.extend(check_symbol_versions(map)?);
    problems.extend(check_symbols(map)?);
    problems.extend(check_isa_level(map)?);
    problems.extend(check_environment_dependence(map));
    Ok(problems)
}
