//! Builds several images concurrently. Some may start before all recipes are known, but no image is
//! published before that.

mod build_monitor;
mod shared_settings;

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
use super::interrupt;
use super::progress::ProgressDisplay;
pub(super) use build_monitor::BuildMonitor;
use build_monitor::PublishOrder;
use shared_settings::SharedSettings;

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

/// Builds the images of the recipes that `find_recipes` returns, and passes each result to `on_finished`, in
/// the order of the recipes.
///
/// Builds of recipes that `find_recipes` passes to its callback are started at once, and cancelled if
/// it does not return them, too. `convert_error` converts a build's error. If `find_recipes` fails and
/// a cancelled build still waits for a registry, `exit_early` exits the process.
pub(super) fn build_all(
    args: &BuildArgs,
    find_recipes: impl FnOnce(&mut dyn FnMut(Recipe)) -> Result<Vec<Recipe>, Vec<CliError>>,
    convert_error: fn(&coracle::Error) -> CliError,
    exit_early: impl FnOnce(Vec<CliError>) -> Infallible,
    mut on_finished: impl FnMut(FinishedBuild),
) -> Result<(), Vec<CliError>> {
    let progress = ProgressDisplay::without_label(args.quiet);
    let publish_order = PublishOrder::new();
    let mut shared = SharedSettings::new(args);
    let result = thread::scope(|scope| {
        let (sender, finished) = channel();
        let mut builds = BuildStarter {
            scope,
            publish_order: &publish_order,
            progress: &progress,
            convert_error,
            sender,
            started: Vec::new(),
        };
        let recipes = find_recipes(&mut |recipe| {
            if let Some((recipe, settings)) = shared.for_early_build(recipe) {
                builds.start(recipe, settings, true);
            }
        });
        let all = recipes.and_then(|recipes| Ok(shared.for_all_builds(recipes)?));
        let (recipes, settings) = match all {
            Ok(all) => all,
            Err(failures) => {
                publish_order.set_order(Vec::new());
                if wait_for_cancelled(&finished, builds.started.len()) {
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
        publish_order.set_order(order.clone());
        drop(builds);
        deliver_in_order(&order, &finished, |build| progress.suspend(|| on_finished(build)));
        progress.finish();
        Ok(())
    });
    shared.clean_up();
    result
}

/// Waits until `started` cancelled builds have ended. Returns `false` if one has not after
/// [`CANCEL_TIMEOUT`]: a thread that waits for a registry's response can't be interrupted.
fn wait_for_cancelled(finished: &Receiver<FinishedBuild>, started: usize) -> bool {
    let deadline = Instant::now() + CANCEL_TIMEOUT;
    (0..started).all(|_| finished.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok())
}

/// Passes results to `on_finished` in the order of `order`, each as soon as possible.
fn deliver_in_order(
    order: &[usize],
    finished: &Receiver<FinishedBuild>,
    mut on_finished: impl FnMut(FinishedBuild),
) {
    let mut waiting = BTreeMap::new();
    for number in order {
        while !waiting.contains_key(number)
            && let Ok(build) = finished.recv()
        {
            waiting.insert(build.number, build);
        }
        waiting.remove(number).into_iter().for_each(&mut on_finished);
    }
}

/// Starts builds, each in its own thread, numbered in the order in which they start.
struct BuildStarter<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    publish_order: &'env PublishOrder,
    progress: &'env ProgressDisplay,
    convert_error: fn(&coracle::Error) -> CliError,
    sender: Sender<FinishedBuild>,
    started: Vec<Arc<Recipe>>,
}

impl BuildStarter<'_, '_> {
    /// Returns the build numbers of `recipes`. Starts those builds that have not started yet.
    fn build_order(&mut self, recipes: Vec<Recipe>, settings: &Settings) -> Vec<usize> {
        let mut early: BTreeMap<usize, Arc<Recipe>> = self.started.iter().cloned().enumerate().collect();
        let numbers = recipes.into_iter().map(|recipe| {
            let number = early.iter().find(|(_, started)| ***started == recipe).map(|(number, _)| *number);
            match number.and_then(|number| early.remove_entry(&number)) {
                Some((number, _)) => number,
                None => self.start(recipe, settings.clone(), false),
            }
        });
        numbers.collect()
    }

    /// Starts a build. Returns its number. `is_early`: not all recipes are known yet.
    fn start(&mut self, recipe: Recipe, settings: Settings, is_early: bool) -> usize {
        let (number, recipe) = (self.started.len(), Arc::new(recipe));
        self.started.push(recipe.clone());
        let (publish_order, progress, convert_error, sender) =
            (self.publish_order, self.progress, self.convert_error, self.sender.clone());
        let to_build = recipe.clone();
        let work = move || {
            publish_order.wait_to_run(number);
            let attempt = |is_early| {
                let monitor = BuildMonitor::concurrent(progress, publish_order, number, is_early);
                let built = match publish_order.is_cancelled(number) {
                    true => Err(coracle::Error::cancelled()),
                    false => coracle::build(&to_build, &settings, &monitor),
                };
                let was_allowed_to_publish = monitor.was_allowed_to_publish();
                (built, monitor.into_notes(), was_allowed_to_publish)
            };
            let (mut built, mut notes, was_allowed_to_publish) = attempt(is_early);
            // Its inputs may have been incomplete when it started early, so try again.
            let is_premature = match &built {
                Ok(_) => false,
                Err(coracle::Error::InputsChanged) => true,
                Err(_) => is_early && !was_allowed_to_publish,
            };
            if is_premature && publish_order.wait_for_turn(number).is_continue() && !interrupt::is_cancelled()
            {
                (built, notes, _) = attempt(false);
            }
            publish_order.mark_ended(number);
            let _ = sender.send(FinishedBuild {
                number,
                recipe: to_build.clone(),
                notes,
                result: built.map_err(|error| convert_error(&error)),
            });
        };
        if let Err(error) = thread::Builder::new().spawn_scoped(self.scope, work) {
            let failure = CliError::failed(format!("cannot start a thread for another build: {error}"));
            self.publish_order.mark_ended(number);
            let _ =
                self.sender.send(FinishedBuild { number, recipe, notes: Vec::new(), result: Err(failure) });
        }
        number
    }
}
