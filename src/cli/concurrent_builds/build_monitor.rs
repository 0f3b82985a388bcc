//! The observer of a build: progress, notes, cancellation, and its turn to publish among concurrent builds.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use coracle::{Observer, Plan, PublishDecision};
use coracle_core::note::Note;

use crate::cli::interrupt;
use crate::cli::progress::ProgressDisplay;

/// The most concurrent jobs. More would use more memory without being faster, because each uses
/// several cores.
const MAX_CONCURRENT: usize = 4;

/// Limits how many jobs run concurrently, and lets them publish one after the other. Jobs are
/// numbered in the order in which they start; they publish in the order that [`PublishOrder::set_order`] sets.
pub(super) struct PublishOrder {
    max_concurrent: usize,
    state: Mutex<OrderState>,
    changed: Condvar,
}

#[derive(Default)]
struct OrderState {
    /// Jobs that no longer count as running: they have ended or wait for their turn.
    not_running: BTreeSet<usize>,
    ended: BTreeSet<usize>,
    /// The order of the turns; `None` until it is set.
    order: Option<Vec<usize>>,
}

impl PublishOrder {
    /// Chooses the number of concurrent jobs from the number of cores.
    pub(super) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self { max_concurrent: cores.min(MAX_CONCURRENT), state: Mutex::default(), changed: Condvar::new() }
    }

    /// Waits until job `number` may run.
    pub(super) fn wait_to_run(&self, number: usize) {
        self.wait_while(|state| number >= state.not_running.len() + self.max_concurrent);
    }

    /// Lets another job run, and waits for the turn of job `number`. Returns `Break` if it is
    /// cancelled.
    pub(super) fn wait_for_turn(&self, number: usize) -> ControlFlow<()> {
        self.change_state(|state| state.not_running.insert(number));
        self.wait_while(|state| !state.is_cancelled(number) && !state.has_turn(number));
        if self.is_cancelled(number) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Marks job `number` as ended, whether its turn has come or not.
    pub(super) fn mark_ended(&self, number: usize) {
        self.change_state(|state| {
            state.not_running.insert(number);
            state.ended.insert(number)
        });
    }

    /// Sets the order of the turns. Jobs that are not in it are cancelled.
    pub(super) fn set_order(&self, order: Vec<usize>) {
        self.change_state(|state| state.order = Some(order));
    }

    /// Returns whether job `number` is cancelled.
    pub(super) fn is_cancelled(&self, number: usize) -> bool {
        self.lock_state().is_cancelled(number)
    }

    fn change_state<T>(&self, change: impl FnOnce(&mut OrderState) -> T) {
        change(&mut self.lock_state());
        self.changed.notify_all();
    }

    fn wait_while(&self, condition: impl Fn(&OrderState) -> bool) {
        let waited = self.changed.wait_while(self.lock_state(), |state| condition(state));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock_state(&self) -> MutexGuard<'_, OrderState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OrderState {
    fn is_cancelled(&self, number: usize) -> bool {
        self.order.as_ref().is_some_and(|order| !order.contains(&number))
    }

    fn has_turn(&self, number: usize) -> bool {
        let order = self.order.as_deref().unwrap_or_default();
        let first = order.iter().find(|number| !self.ended.contains(number));
        first == Some(&number)
    }
}

/// Observes one build, which may run concurrently with others.
pub(in crate::cli) struct BuildMonitor<'a> {
    progress: &'a ProgressDisplay,
    /// The order in which builds publish, and the number of this build; `None` for the only build.
    turn: Option<(&'a PublishOrder, usize)>,
    /// `true` if the build started before all recipes were known, so that its inputs may still
    /// change.
    is_early: bool,
    was_allowed_to_publish: AtomicBool,
    notes: Mutex<Vec<Note>>,
}

impl<'a> BuildMonitor<'a> {
    /// Observes the only build.
    pub(in crate::cli) fn single(progress: &'a ProgressDisplay) -> Self {
        Self {
            progress,
            turn: None,
            is_early: false,
            was_allowed_to_publish: false.into(),
            notes: Mutex::default(),
        }
    }

    /// Observes one of several builds, which waits for its turn to publish.
    pub(super) fn concurrent(
        progress: &'a ProgressDisplay,
        order: &'a PublishOrder,
        number: usize,
        is_early: bool,
    ) -> Self {
        Self { turn: Some((order, number)), is_early, ..Self::single(progress) }
    }

    /// Returns whether the build was allowed to publish.
    pub(super) fn was_allowed_to_publish(&self) -> bool {
        self.was_allowed_to_publish.load(Ordering::Relaxed)
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
        self.progress.start_with_total(plans.iter().map(|plan| plan.rootfs.total_size()).sum());
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
        self.was_allowed_to_publish.store(!is_cancelled, Ordering::Relaxed);
        match (is_cancelled, self.is_early) {
            (true, _) => PublishDecision::Cancel,
            (false, true) => PublishDecision::PublishIfUnchanged,
            (false, false) => PublishDecision::Publish,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn jobs_publish_in_order() {
        let (order, published) =
            (PublishOrder { max_concurrent: 3, ..PublishOrder::new() }, Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for number in 0..20 {
                let (order, published) = (&order, &published);
                scope.spawn(move || {
                    order.wait_to_run(number);
                    thread::sleep(Duration::from_millis(5 - number as u64 % 5));
                    // Like a build that fails early, which does not wait for its turn.
                    if !number.is_multiple_of(3) && order.wait_for_turn(number).is_continue() {
                        published.lock().unwrap().push(number);
                    }
                    order.mark_ended(number);
                });
            }
            thread::sleep(Duration::from_millis(20));
            assert!(published.lock().unwrap().is_empty());
            order.set_order((0..10).rev().collect());
        });
        assert_eq!(*published.lock().unwrap(), [8, 7, 5, 4, 2, 1]);
    }

    #[test]
    fn waiting_job_lets_another_run() {
        let (order, running) =
            (PublishOrder { max_concurrent: 2, ..PublishOrder::new() }, Mutex::new((0, 0)));
        thread::scope(|scope| {
            for number in 0..10 {
                let (order, running) = (&order, &running);
                scope.spawn(move || {
                    order.wait_to_run(number);
                    let mut now = running.lock().unwrap();
                    *now = (now.0 + 1, now.1.max(now.0 + 1));
                    drop(now);
                    thread::sleep(Duration::from_millis(1));
                    running.lock().unwrap().0 -= 1;
                    assert!(order.wait_for_turn(number).is_break() && order.is_cancelled(number));
                    order.mark_ended(number);
                });
            }
            // All of them have run before the order is set.
            order.wait_while(|state| state.not_running.len() < 10);
            order.set_order(Vec::new());
        });
        assert_eq!(*running.lock().unwrap(), (0, 2));
    }
}
