//! How a build goes: progress, notes, and whether it goes on.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use coracle_core::note::Note;
use coracle::{Observer, Plan, Turn};

use crate::cli::interrupt;
use crate::cli::parallel::Turns;
use crate::cli::progress::Progress;

/// Watches one build, maybe beside others.
pub(in crate::cli) struct Watch<'a> {
    progress: &'a Progress,
    turn: Option<(&'a Turns, usize)>,
    /// It was begun before all images were known, and what it is made of may change until then.
    is_early: bool,
    had_turn: AtomicBool,
    notes: Mutex<Vec<Note>>,
}

impl<'a> Watch<'a> {
    /// Of a build that is the only one.
    pub(in crate::cli) fn alone(progress: &'a Progress) -> Self {
        Self { progress, turn: None, is_early: false, had_turn: false.into(), notes: Mutex::default() }
    }

    /// Of one that waits for its turn.
    pub(super) fn beside_others(
        progress: &'a Progress,
        turns: &'a Turns,
        number: usize,
        is_early: bool,
    ) -> Self {
        Self { turn: Some((turns, number)), is_early, ..Self::alone(progress) }
    }

    /// Whether its turn has come, and it was let go on to publish.
    pub(super) fn had_turn(&self) -> bool {
        self.had_turn.load(Ordering::Relaxed)
    }

    /// What was said of the plans.
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
