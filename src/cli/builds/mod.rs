//! Images that are built at once. Some are begun before all of them are known; none is written before that.

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

/// How long builds that were called off are waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a build has come to.
pub(super) struct Ended {
    number: usize,
    pub(super) recipe: Arc<Recipe>,
    /// What was said of the plans; lines of several images must not mix.
    pub(super) notes: Vec<Note>,
    pub(super) built: Result<Built, Failure>,
}

/// Builds the images of the recipes that `find` finds; `take` is handed what each has come to, in their order, and `why` says
/// what is wrong where there is none. Those that `find` hands out early are begun at once, and given up when they are not
/// among the recipes in the end. Where there is none in the end, and something still waits for a registry, `leave` ends the
/// process.
pub(super) fn all(
    args: &BuildArgs,
    find: impl FnOnce(&mut dyn FnMut(Recipe)) -> Result<Vec<Recipe>, Vec<Failure>>,
    why: fn(&coracle::Error) -> Failure,
    leave: impl FnOnce(Vec<Failure>) -> Infallible,
    mut take: impl FnMut(Ended),
) -> Result<(), Vec<Failure>> {
    let (progress, turns) = (Progress::later(args.quiet), Turns::new());
    let mut surroundings = Surroundings::of(args);
    let result = thread::scope(|scope| {
        let (sender, ended) = channel();
        let mut builds = Builds { scope, turns: &turns, progress: &progress, why, sender, begun: Vec::new() };
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
                match leave(failures) {}
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

/// Whether so many builds, which were called off, have ended; they are given some time. Who waits for an answer of a registry
/// hears of nothing else, and nobody wants what it sends.
fn are_ended(ended: &Receiver<Ended>, begun: usize) -> bool {
    let until = Instant::now() + PATIENCE;
    (0..begun).all(|_| ended.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok())
}

/// Hands over what has ended, as soon as everything before it has.
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

/// Begins builds, each in a thread of its own, numbered as they come.
struct Builds<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    turns: &'env Turns,
    progress: &'env Progress,
    why: fn(&coracle::Error) -> Failure,
    sender: Sender<Ended>,
    begun: Vec<Arc<Recipe>>,
}

impl Builds<'_, '_> {
    /// The numbers of the builds of `recipes`. Those that were not begun are.
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
        let (turns, progress, why, sender) = (self.turns, self.progress, self.why, self.sender.clone());
        let of = recipe.clone();
        let work = move || {
            turns.enter(number);
            let attempt = |is_early| {
                let watch = Watch::beside_others(progress, turns, number, is_early);
                let built = match turns.is_off(number) {
                    true => Err(coracle::Error::interrupted()),
                    false => coracle::build(&of, &settings, &watch),
                };
                let had_turn = watch.had_turn();
                (built, watch.notes(), had_turn)
            };
            let (mut built, mut notes, had_turn) = attempt(is_early);
            // What it is made of may not have been finished then. Now it is.
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
                recipe: of.clone(),
                notes,
                built: built.map_err(|error| why(&error)),
            });
        };
        if let Err(error) = thread::Builder::new().spawn_scoped(self.scope, work) {
            let message = format!("cannot begin another build: {error}");
            let built = Err(Failure { exit: Exit::Failed, message, hint: None });
            self.turns.done(number);
            let _ = self.sender.send(Ended { number, recipe, notes: Vec::new(), built });
        }
        number
    }
}
