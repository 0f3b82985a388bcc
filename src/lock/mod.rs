//! `coracle.lock`: every file that an image is made of, so that a build can fail when one of them moves.
//!
//! The lock is JSON with one file a line, sorted, so that a diff of two versions reads well. It contains
//! no path, time or name of the machine.

mod changes;
mod document;

use std::path::{Path, PathBuf};

pub use changes::{LockChange, LockMismatch};
pub use document::{Lock, LockError};

use crate::error::Error;
use crate::image_plan::Plan;
use crate::recipe::Recipe;

/// The name of the lock in the directory of the recipe.
pub const DEFAULT_LOCK_FILE: &str = "coracle.lock";

/// Returns the path of the lock of `recipe`.
pub fn lock_path(recipe: &Recipe, file: Option<&Path>) -> PathBuf {
    let directory = &recipe.source.recipe_dir;
    let default = || match directory == Path::new(".") {
        true => DEFAULT_LOCK_FILE.into(),
        false => directory.join(DEFAULT_LOCK_FILE),
    };
    file.map_or_else(default, Path::to_owned)
}

/// Fails if the planned images differ from the lock at `path`.
///
/// # Errors
/// Fails if there is no lock, it cannot be read, or anything in it has changed.
pub(crate) fn check_locked(recipe: &Recipe, plans: &[Plan], path: &Path) -> Result<(), Error> {
    let locked = Lock::read(path)?.ok_or_else(|| LockError::Missing { path: path.to_owned() })?;
    let changes = Lock::of_plans(recipe, plans)?.changes_since(&locked);
    if changes.is_empty() {
        return Ok(());
    }
    Err(Error::Locked(LockMismatch { path: path.to_owned(), changes }))
}
