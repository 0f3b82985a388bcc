//! Images that are built at once. Some are begun before all of them are known; none is written before that.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use coracle::engine::Kind;
use coracle::note::Note;
use coracle::recipe::Recipe;
use coracle::registry::{Client, Repository};
use coracle::transfer::Place;
use coracle::{Built, Observer, Plan, Settings, Turn};

use super::args::BuildArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::parallel::Turns;
use super::progress::Progress;
use super::{build, cache, interrupt};

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
    let made = BTreeSet::new();
    let mut surroundings = Surroundings { args, settings: None, engine: None, client: None, made };
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
    surroundings.made.iter().rev().for_each(|directory| drop(std::fs::remove_dir(directory)));
    if let Some(Ok(settings)) = &surroundings.settings {
        cache::close(settings);
    }
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
                let turn = Some((turns, number));
                let watch = Watch { turn, is_early, ..Watch::alone(progress) };
                let built = match turns.is_off(number) {
                    true => Err(coracle::Error::interrupted()),
                    false => coracle::build(&of, &settings, &watch),
                };
                let had_turn = watch.had_turn.load(Ordering::Relaxed);
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

/// What builds need besides their recipes, as far as somebody has asked for it.
struct Surroundings<'a> {
    args: &'a BuildArgs,
    settings: Option<Result<Settings, Failure>>,
    engine: Option<Result<Kind, Failure>>,
    /// Who talks to registries, and to which by name.
    client: Option<(BTreeSet<String>, Option<Client>)>,
    /// Directories that builds make. One removes those that it has made, but not while another is there; so what is empty in
    /// the end goes.
    made: BTreeSet<PathBuf>,
}

impl Surroundings<'_> {
    /// What the build of `recipe` needs; nothing when something is wrong, or can't be told without the other recipes. Then
    /// [`Surroundings::of_all`] tells it.
    fn of_one(&mut self, mut recipe: Recipe) -> Option<(Recipe, Settings)> {
        if self.args.load {
            let engine = self.engine.get_or_insert_with(build::engine_there).as_ref().ok()?;
            recipe.load = Some(engine.clone()).filter(|_| !recipe.names.is_empty());
            recipe.load.as_ref()?;
        }
        let settings = self.settings().as_ref().ok()?.clone();
        let client = self.client(&recipe, &settings)?;
        self.made.extend(missing(&recipe));
        Some((recipe, Settings { client, ..settings }))
    }

    /// What the builds of `recipes`, which are all, need.
    fn of_all(&mut self, mut recipes: Vec<Recipe>) -> Result<(Vec<Recipe>, Settings), Failure> {
        if self.args.load {
            build::named_for_engine(&recipes)?;
            let engine = self.engine.take().unwrap_or_else(build::engine_there)?;
            recipes.iter_mut().for_each(|recipe| recipe.load = Some(engine.clone()));
        }
        let settings = match self.settings() {
            Ok(settings) => settings.clone(),
            Err(_) => self.settings.take().unwrap_or_else(|| build::surroundings(self.args))?,
        };
        let client = build::client(&recipes, &settings.shared, self.args)?;
        self.made.extend(recipes.iter().flat_map(missing));
        Ok((recipes, Settings { client, ..settings }))
    }

    fn settings(&mut self) -> &Result<Settings, Failure> {
        self.settings.get_or_insert_with(|| build::surroundings(self.args))
    }

    /// Who talks to the registries of `recipe`. A login may be for these alone, so an image at others waits until all are
    /// known.
    fn client(&mut self, recipe: &Recipe, settings: &Settings) -> Option<Option<Client>> {
        let named = coracle::registries(recipe);
        if named.is_empty() && !build::reads_registry(recipe) && settings.shared == Default::default() {
            return Some(None);
        }
        let registry = |reference| Repository::from(reference).registry().to_owned();
        let registries = named.iter().map(|named| registry(&named.reference)).collect();
        if self.client.is_none() {
            let client = build::client(std::slice::from_ref(recipe), &settings.shared, self.args).ok()?;
            self.client = Some((registries, client.clone()));
            return Some(client);
        }
        let (known, client) = self.client.as_ref()?;
        (*known == registries).then(|| client.clone())
    }
}

/// The directories that are not there yet, where the image of `recipe` goes.
fn missing(recipe: &Recipe) -> Vec<PathBuf> {
    let local = recipe.destinations.iter().filter_map(|place| match place {
        Place::Local(destination) => Some(destination.path.as_path()),
        Place::Remote(_) | Place::Engine(_) => None,
    });
    let above = local.flat_map(|path| path.ancestors().skip(1).take_while(|above| !above.exists()));
    above.map(Path::to_owned).filter(|above| !above.as_os_str().is_empty()).collect()
}

/// Watches one build, maybe beside others.
pub(super) struct Watch<'a> {
    progress: &'a Progress,
    turn: Option<(&'a Turns, usize)>,
    /// It was begun before all images were known, and what it is made of may change until then.
    is_early: bool,
    /// It was let go on to publish.
    had_turn: AtomicBool,
    notes: Mutex<Vec<Note>>,
}

impl<'a> Watch<'a> {
    /// Of a build that is the only one.
    pub(super) fn alone(progress: &'a Progress) -> Self {
        Self { progress, turn: None, is_early: false, had_turn: false.into(), notes: Mutex::default() }
    }

    /// What was said of the plans.
    pub(super) fn notes(self) -> Vec<Note> {
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn go_on(&self) -> ControlFlow<()> {
        match self.turn {
            Some((turns, number)) if turns.is_off(number) => ControlFlow::Break(()),
            _ => interrupt::go_on(),
        }
    }
}

impl Observer for Watch<'_> {
    fn planned(&self, plans: &[Plan]) {
        let notes = plans.iter().flat_map(|plan| plan.notes.iter().cloned());
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).extend(notes);
        self.progress.start(plans.iter().map(|plan| plan.rootfs.size()).sum());
    }

    fn packed(&self, bytes: u64) -> ControlFlow<()> {
        self.progress.advance(bytes);
        self.go_on()
    }

    fn sending(&self, bytes: u64) {
        self.progress.more(bytes);
    }

    fn sent(&self, bytes: u64) -> ControlFlow<()> {
        self.progress.advance(bytes);
        self.go_on()
    }

    fn publishing(&self) -> Turn {
        let is_off = self.turn.is_some_and(|(turns, number)| turns.wait(number).is_break());
        let ends = is_off || interrupt::go_on().is_break();
        self.had_turn.store(!ends, Ordering::Relaxed);
        match (ends, self.is_early) {
            (true, _) => Turn::GiveUp,
            (false, true) => Turn::PublishUnlessChanged,
            (false, false) => Turn::Publish,
        }
    }
}
