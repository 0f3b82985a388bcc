//! `coracle lock`.

use std::path::{Path, PathBuf};

use coracle::Settings;
use coracle::lock::{Lock, LockChange, LockMismatch, lock_path};
use coracle::recipe::Recipe;
use coracle::replaced_file::replace_file;
use coracle_core::fs::Context as _;

use super::args::{LockArgs, OutputFormat};
use super::error::{CliError, CliExit};
use super::interrupt::SignalCancellation;
use super::{build_inputs, cache, console_output, interrupt};

/// Runs `coracle lock`: plans the images, and writes their locks or compares with them.
pub(super) fn run_lock(args: &LockArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let failed = |failures| {
        console_output::print_all_but_last(failures)
            .unwrap_or_else(|| CliError::internal("no recipe was read"))
    };
    let recipes = build_inputs::read_recipes(&args.build).map_err(failed)?;
    check_one_lock_each(&recipes, args)?;
    let has_base = recipes.iter().any(|recipe| recipe.image.base.is_some());
    let cache = match has_base {
        true => cache::open_cache_without_records(&args.build.cache, args.build.quiet)?,
        false => None,
    };
    let client = build_inputs::client_for_reading(&recipes, &args.build.registry)?;
    let settings = build_inputs::library_settings(args.build.epoch.as_deref(), cache, client)?;
    let mut all_changes = Vec::new();
    for recipe in &recipes {
        let path = lock_path(recipe, args.build.lock_file.as_deref());
        let outcome = lock_recipe(recipe, &settings, &path, args)?;
        if !args.build.quiet {
            console_output::print_message(&outcome.to_text(&path));
        }
        if let LockOutcome::Updated(changes) = outcome {
            all_changes.extend(changes);
        }
    }
    if args.build.format == OutputFormat::Json {
        console_output::print_json(&all_changes)?;
    }
    Ok(CliExit::Success)
}

/// Fails if two recipes have the same lock.
fn check_one_lock_each(recipes: &[Recipe], args: &LockArgs) -> Result<(), CliError> {
    let mut paths: Vec<PathBuf> =
        recipes.iter().map(|recipe| lock_path(recipe, args.build.lock_file.as_deref())).collect();
    paths.sort();
    match paths.iter().zip(paths.iter().skip(1)).find(|(a, b)| a == b) {
        None => Ok(()),
        Some((path, _)) => Err(CliError::usage(
            format!("two recipes would have the lock `{}`", path.display()),
            "lock one recipe at a time, each with its own `--lock-file FILE`",
        )),
    }
}

/// What happened to a lock.
enum LockOutcome {
    Written,
    UpToDate,
    /// With the changes that were accepted.
    Updated(Vec<LockChange>),
}

/// Writes the lock of a recipe.
fn lock_recipe(
    recipe: &Recipe,
    settings: &Settings,
    path: &Path,
    args: &LockArgs,
) -> Result<LockOutcome, CliError> {
    let plans = coracle::plan(recipe, settings, &SignalCancellation)?;
    let new = Lock::of_plans(recipe, &plans)?;
    // An unreadable lock is only replaced on request.
    let updates_all = args.update.iter().any(String::is_empty);
    let old = match Lock::read(path) {
        Err(coracle::Error::Lock(_)) if updates_all => None,
        old => old?,
    };
    let Some(old) = old else {
        write(&new, path)?;
        return Ok(LockOutcome::Written);
    };
    let changes = new.changes_since(&old);
    if changes.is_empty() {
        return Ok(LockOutcome::UpToDate);
    }
    if args.update.is_empty() {
        let error = coracle::Error::Locked(LockMismatch { path: path.to_owned(), changes });
        return Err(CliError::from_build_error(&error));
    }
    let updated = if updates_all { new } else { old.clone().with_updates_of(&args.update, &new) };
    let accepted = updated.changes_since(&old);
    if accepted.is_empty() {
        let names = args.update.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(CliError::usage(
            format!("nothing of {names} has changed"),
            format!("name a package or a path that has: {}", changed_names(&changes)),
        ));
    }
    write(&updated, path)?;
    Ok(LockOutcome::Updated(accepted))
}

fn changed_names(changes: &[LockChange]) -> String {
    changes.iter().map(|change| change.name.clone()).collect::<Vec<_>>().join(", ")
}

fn write(lock: &Lock, path: &Path) -> Result<(), CliError> {
    let text = lock.to_text().map_err(|error| CliError::internal(&error.to_string()))?;
    replace_file(path, text.as_bytes())
        .context("write", path)
        .map_err(|error| CliError::from_error(CliExit::Failed, &error))
}

impl LockOutcome {
    fn to_text(&self, path: &Path) -> String {
        let (what, changes) = match self {
            Self::Written => ("written", &[][..]),
            Self::UpToDate => ("up to date", &[][..]),
            Self::Updated(changes) => ("updated", changes.as_slice()),
        };
        let mut text = format!("{}: {what}\n", path.display());
        for change in changes {
            text += &format!("  {change}\n");
        }
        text
    }
}
