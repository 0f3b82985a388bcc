//! The observer of a build: progress, notes, cancellation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use coracle::{Observer, Plan, PublishDecision};
use coracle_core::note::Note;

use super::publish_order::PublishOrder;
use crate::cli::interrupt;
use crate::cli::progress::Progress;

/// Observes one build, which may run concurrently with others.
pub(in crate::cli) struct BuildMonitor<'a> {
    progress: &'a Progress,
    /// The order in which builds publish, and the number of this one; `None` for the only build.
    turn: Option<(&'a PublishOrder, usize)>,
    /// Whether the build started before all recipes were known, so that its inputs may still
    /// change.
    is_early: bool,
    had_turn: AtomicBool,
    notes: Mutex<Vec<Note>>,
}

impl<'a> BuildMonitor<'a> {
    /// Observes the only build.
    pub(in crate::cli) fn single(progress: &'a Progress) -> Self {
        Self { progress, turn: None, is_early: false, had_turn: false.into(), notes: Mutex::default() }
    }

    /// Observes one of several builds, which waits for its turn to publish.
    pub(super) fn concurrent(
        progress: &'a Progress,
        order: &'a PublishOrder,
        number: usize,
        is_early: bool,
    ) -> Self {
        Self { turn: Some((order, number)), is_early, ..Self::single(progress) }
    }

    /// Whether the build was allowed to publish.
    pub(super) fn had_turn(&self) -> bool {
        self.had_turn.load(Ordering::Relaxed)
    }

    /// Returns the notes of the plans.
    pub(in crate::cli) fn into_notes(self) -> Vec<Note> {
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for BuildMonitor<'_> {
    fn on_planned(&self, plans: &[Plan]) {
        let notes = plans.iter().flat_map(|plan| plan.notes.iter().cloned());
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).extend(notes);
        self.progress.add_work(plans.iter().map(|plan| plan.rootfs.total_size()).sum());
    }

    fn on_packed(&self, bytes: u64) {
        self.progress.advance(bytes);
    }

    fn on_upload_queued(&self, bytes: u64) {
        self.progress.add_total(bytes);
    }

    fn on_uploaded(&self, bytes: u64) {
        self.progress.advance(bytes);
    }

    fn is_cancelled(&self) -> bool {
        self.turn.is_some_and(|(order, number)| order.is_cancelled(number)) || interrupt::is_cancelled()
    }

    fn before_publish(&self) -> PublishDecision {
        let has_no_turn = self.turn.is_some_and(|(order, number)| order.wait_for_turn(number).is_break());
        let is_cancelled = has_no_turn || interrupt::is_cancelled();
        self.had_turn.store(!is_cancelled, Ordering::Relaxed);
        match (is_cancelled, self.is_early) {
            (true, _) => PublishDecision::Cancel,
            (false, true) => PublishDecision::PublishIfUnchanged,
            (false, false) => PublishDecision::Publish,
        }
    }
}
