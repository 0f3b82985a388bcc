//! The observer of a build: progress, notes, cancellation.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use coracle_core::note::Note;
use coracle::{Observer, Plan, Turn};

use crate::cli::interrupt;
use crate::cli::parallel::Turns;
use crate::cli::progress::Progress;

/// Observes one build, which may run concurrently with others.
pub(in crate::cli) struct Watch<'a> {
    progress: &'a Progress,
    turn: Option<(&'a Turns, usize)>,
    /// Whether the build started before all recipes were known, so that its inputs may still
    /// change.
    is_early: bool,
    had_turn: AtomicBool,
    notes: Mutex<Vec<Note>>,
}

impl<'a> Watch<'a> {
    /// Observes the only build.
    pub(in crate::cli) fn alone(progress: &'a Progress) -> Self {
        Self { progress, turn: None, is_early: false, had_turn: false.into(), notes: Mutex::default() }
    }

    /// Observes one of several builds, which waits for its turn to publish.
    pub(super) fn beside_others(
        progress: &'a Progress,
        turns: &'a Turns,
        number: usize,
        is_early: bool,
    ) -> Self {
        Self { turn: Some((turns, number)), is_early, ..Self::alone(progress) }
    }

    /// Whether the build was allowed to publish.
    pub(super) fn had_turn(&self) -> bool {
        self.had_turn.load(Ordering::Relaxed)
    }

    /// Returns the notes of the plans.
    pub(in crate::cli) fn notes(self) -> Vec<Note> {
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
