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

use coracle_core::note::Note;
use coracle::recipe::Recipe;
use coracle::{Built, Settings};

use super::args::BuildArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::interrupt;
use super::parallel::Turns;
use super::progress::Progress;
use surroundings::Surroundings;
pub(super) use watch::Watch;

/// How long to wait for cancelled builds to end.
const PATIENCE: Duration = Duration::from_secs(3);

/// The result of one build.
pub(super) struct Ended {
    number: usize,
    pub(super) recipe: Arc<Recipe>,
    /// The notes of the plans, collected so that notes of several images do not mix.
    pub(super) notes: Vec<Note>,
    pub(super) built: Result<Built, Failure>,
}

/// Builds the images of the recipes that `find` returns, and passes each result to `take`, in the
/// order of the recipes.
///
/// Recipes that `find` passes to its callback are started at once, and cancelled if it does not
/// return them, too. `convert_error` converts a build's error. If `find` fails and a cancelled build still
/// waits for a registry, `exit_early` exits the process.
pub(super) fn all(
    args: &BuildArgs,
    find: impl FnOnce(&mut dyn FnMut(Recipe)) -> Result<Vec<Recipe>, Vec<Failure>>,
    convert_error: fn(&coracle::Error) -> Failure,
    exit_early: impl FnOnce(Vec<Failure>) -> Infallible,
    mut take: impl FnMut(Ended),
) -> Result<(), Vec<Failure>> {
    let (progress, turns) = (Progress::later(args.quiet), Turns::new());
    let mut surroundings = Surroundings::of(args);
    let result = thread::scope(|scope| {
        let (sender, ended) = channel();
        let mut builds = Builds {
            scope,
            turns: &turns,
            progress: &progress,
            why: convert_error,
            sender,
            begun: Vec::new(),
        };
        let found = find(&mut |recipe| {
            if let Some((recipe, settings)) = surroundings.of_one(recipe) {
                builds.begin(recipe, settings, true);
            }
        });
        let found = found.and_then(|recipes| Ok(surroundings.of_all(recipes)?));
        let (recipes, settings) = match found {
            Ok(found) => found,
            Err(failures) => {
                turns.call(Vec::new());
                if are_ended(&ended, builds.begun.len()) {
                    return Err(failures);
                }
                match exit_early(failures) {}
            }
        };
        let order = builds.order(recipes, &settings);
        progress.show(if settings.client.is_some() { "packing and sending" } else { "packing" });
        turns.call(order.clone());
        drop(builds);
        in_order(&order, &ended, |ended| progress.hidden(|| take(ended)));
        progress.finish();
        Ok(())
    });
    surroundings.close();
    result
}

/// Waits until `begun` cancelled builds have ended. Returns `false` if one has not after
/// [`PATIENCE`]: a thread that waits for a registry's response can't be interrupted.
fn are_ended(ended: &Receiver<Ended>, begun: usize) -> bool {
    let until = Instant::now() + PATIENCE;
    (0..begun).all(|_| ended.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok())
}

/// Passes results to `take` in the order of `order`, each as soon as possible.
fn in_order(order: &[usize], ended: &Receiver<Ended>, mut take: impl FnMut(Ended)) {
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
struct Builds<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    turns: &'env Turns,
    progress: &'env Progress,
    why: fn(&coracle::Error) -> Failure,
    sender: Sender<Ended>,
    begun: Vec<Arc<Recipe>>,
}

impl Builds<'_, '_> {
    /// Returns the build numbers of `recipes`. Starts those builds that have not started yet.
    fn order(&mut self, recipes: Vec<Recipe>, settings: &Settings) -> Vec<usize> {
        let mut early: BTreeMap<usize, Arc<Recipe>> = self.begun.iter().cloned().enumerate().collect();
        let numbers = recipes.into_iter().map(|recipe| {
            let number = early.iter().find(|(_, begun)| ***begun == recipe).map(|(number, _)| *number);
            match number.and_then(|number| early.remove_entry(&number)) {
                Some((number, _)) => number,
                None => self.begin(recipe, settings.clone(), false),
            }
        });
        numbers.collect()
    }

    fn begin(&mut self, recipe: Recipe, settings: Settings, is_early: bool) -> usize {
        let (number, recipe) = (self.begun.len(), Arc::new(recipe));
        self.begun.push(recipe.clone());
        let (turns, progress, convert_error, sender) =
            (self.turns, self.progress, self.why, self.sender.clone());
        let to_build = recipe.clone();
        let work = move || {
            turns.enter(number);
            let attempt = |is_early| {
                let watch = Watch::beside_others(progress, turns, number, is_early);
                let built = match turns.is_off(number) {
                    true => Err(coracle::Error::interrupted()),
                    false => coracle::build(&to_build, &settings, &watch),
                };
                let had_turn = watch.had_turn();
                (built, watch.notes(), had_turn)
            };
            let (mut built, mut notes, had_turn) = attempt(is_early);
            // Its inputs may have been incomplete when it started early, so try again.
            let is_premature = match &built {
                Ok(_) => false,
                Err(coracle::Error::Changed) => true,
                Err(_) => is_early && !had_turn,
            };
            if is_premature && turns.wait(number).is_continue() && interrupt::go_on().is_continue() {
                (built, notes, _) = attempt(false);
            }
            turns.done(number);
            let _ = sender.send(Ended {
                number,
                recipe: to_build.clone(),
                notes,
                built: built.map_err(|error| convert_error(&error)),
            });
        };
        if let Err(error) = thread::Builder::new().spawn_scoped(self.scope, work) {
            let message = format!("cannot start a thread for another build: {error}");
            let built = Err(Failure { exit: Exit::Failed, message, hint: None });
            self.turns.done(number);
            let _ = self.sender.send(Ended { number, recipe, notes: Vec::new(), built });
        }
        number
    }
}
