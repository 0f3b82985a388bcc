//! Builds several images concurrently. Some may start before all recipes are known, but no image is
//! published before that.

mod surroundings;
mod watch;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use coracle::recipe::Recipe;
use coracle::{Built, Settings};
use coracle_core::note::Note;

use super::args::BuildArgs;
use super::error::CliError;
use super::exit::CliExit;
use super::interrupt;
use super::parallel::PublishOrder;
use super::progress::Progress;
use surroundings::SharedSettings;
pub(super) use watch::BuildMonitor;

/// How long to wait for cancelled builds to end.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(3);

/// The result of one build.
pub(super) struct FinishedBuild {
    number: usize,
    pub(super) recipe: Arc<Recipe>,
    /// The notes of the plans, collected so that notes of several images do not mix.
    pub(super) notes: Vec<Note>,
    pub(super) result: Result<Built, CliError>,
}

/// Builds the images of the recipes that `find` returns, and passes each result to `take`, in the
/// order of the recipes.
///
/// Recipes that `find` passes to its callback are started at once, and cancelled if it does not
/// return them, too. `convert_error` converts a build's error. If `find` fails and a cancelled build still
/// waits for a registry, `exit_early` exits the process.
pub(super) fn build_all(
    args: &BuildArgs,
    find: impl FnOnce(&mut dyn FnMut(Recipe)) -> Result<Vec<Recipe>, Vec<CliError>>,
    convert_error: fn(&coracle::Error) -> CliError,
    exit_early: impl FnOnce(Vec<CliError>) -> Infallible,
    mut take: impl FnMut(FinishedBuild),
) -> Result<(), Vec<CliError>> {
    let (progress, turns) = (Progress::hidden_until_shown(args.quiet), PublishOrder::new());
    let mut surroundings = SharedSettings::new(args);
    let result = thread::scope(|scope| {
        let (sender, ended) = channel();
        let mut builds = BuildStarter {
            scope,
            publish_order: &turns,
            progress: &progress,
            convert_error,
            sender,
            started: Vec::new(),
        };
        let found = find(&mut |recipe| {
            if let Some((recipe, settings)) = surroundings.for_early_build(recipe) {
                builds.start(recipe, settings, true);
            }
        });
        let found = found.and_then(|recipes| Ok(surroundings.for_all_builds(recipes)?));
        let (recipes, settings) = match found {
            Ok(found) => found,
            Err(failures) => {
                turns.set_order(Vec::new());
                if wait_for_cancelled(&ended, builds.started.len()) {
                    return Err(failures);
                }
                match exit_early(failures) {}
            }
        };
        let order = builds.build_order(recipes, &settings);
        progress.set_label(if settings.registry_client.is_some() {
            "packing and sending"
        } else {
            "packing"
        });
        turns.set_order(order.clone());
        drop(builds);
        deliver_in_order(&order, &ended, |ended| progress.suspend(|| take(ended)));
        progress.finish();
        Ok(())
    });
    surroundings.clean_up();
    result
}

/// Waits until `begun` cancelled builds have ended. Returns `false` if one has not after
/// [`PATIENCE`]: a thread that waits for a registry's response can't be interrupted.
fn wait_for_cancelled(ended: &Receiver<FinishedBuild>, begun: usize) -> bool {
    let until = Instant::now() + CANCEL_TIMEOUT;
    (0..begun).all(|_| ended.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok())
}

/// Passes results to `take` in the order of `order`, each as soon as possible.
fn deliver_in_order(order: &[usize], ended: &Receiver<FinishedBuild>, mut take: impl FnMut(FinishedBuild)) {
    let mut early = BTreeMap::new();
    for due in order {
        while !early.contains_key(due)
            && let Ok(next) = ended.recv()
        {
            early.insert(next.number, next);
        }
        early.remove(due).into_iter().for_each(&mut take);
    }
}

/// Starts builds, each in its own thread, numbered in the order in which they start.
struct BuildStarter<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    publish_order: &'env PublishOrder,
    progress: &'env Progress,
    convert_error: fn(&coracle::Error) -> CliError,
    sender: Sender<FinishedBuild>,
    started: Vec<Arc<Recipe>>,
}

impl BuildStarter<'_, '_> {
    /// Returns the build numbers of `recipes`. Starts those builds that have not started yet.
    fn build_order(&mut self, recipes: Vec<Recipe>, settings: &Settings) -> Vec<usize> {
        let mut early: BTreeMap<usize, Arc<Recipe>> = self.started.iter().cloned().enumerate().collect();
        let numbers = recipes.into_iter().map(|recipe| {
            let number = early.iter().find(|(_, begun)| ***begun == recipe).map(|(number, _)| *number);
            match number.and_then(|number| early.remove_entry(&number)) {
                Some((number, _)) => number,
                None => self.start(recipe, settings.clone(), false),
            }
        });
        numbers.collect()
    }

    fn start(&mut self, recipe: Recipe, settings: Settings, is_early: bool) -> usize {
        let (number, recipe) = (self.started.len(), Arc::new(recipe));
        self.started.push(recipe.clone());
        let (turns, progress, convert_error, sender) =
            (self.publish_order, self.progress, self.convert_error, self.sender.clone());
        let to_build = recipe.clone();
        let work = move || {
            turns.wait_to_run(number);
            let attempt = |is_early| {
                let watch = BuildMonitor::concurrent(progress, turns, number, is_early);
                let built = match turns.is_cancelled(number) {
                    true => Err(coracle::Error::cancelled()),
                    false => coracle::build(&to_build, &settings, &watch),
                };
                let had_turn = watch.may_publish();
                (built, watch.notes(), had_turn)
            };
            let (mut built, mut notes, had_turn) = attempt(is_early);
            // Its inputs may have been incomplete when it started early, so try again.
            let is_premature = match &built {
                Ok(_) => false,
                Err(coracle::Error::InputsChanged) => true,
                Err(_) => is_early && !had_turn,
            };
            if is_premature
                && turns.wait_for_turn(number).is_continue()
                && interrupt::check_cancelled().is_continue()
            {
                (built, notes, _) = attempt(false);
            }
            turns.mark_ended(number);
            let _ = sender.send(FinishedBuild {
                number,
                recipe: to_build.clone(),
                notes,
                result: built.map_err(|error| convert_error(&error)),
            });
        };
        if let Err(error) = thread::Builder::new().spawn_scoped(self.scope, work) {
            let message = format!("cannot start a thread for another build: {error}");
            let built = Err(CliError { exit: CliExit::Failed, message, hint: None });
            self.publish_order.mark_ended(number);
            let _ = self.sender.send(FinishedBuild { number, recipe, notes: Vec::new(), result: built });
        }
        number
    }
}
