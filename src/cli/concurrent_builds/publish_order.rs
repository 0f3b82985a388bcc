//! Concurrent jobs that publish in a fixed order, which may be determined late.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

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
        self.change(|state| state.not_running.insert(number));
        self.wait_while(|state| !state.is_cancelled(number) && !state.has_turn(number));
        if self.is_cancelled(number) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Marks job `number` as ended, whether its turn has come or not.
    pub(super) fn mark_ended(&self, number: usize) {
        self.change(|state| {
            state.not_running.insert(number);
            state.ended.insert(number)
        });
    }

    /// Sets the order of the turns. Jobs that are not in it are cancelled.
    pub(super) fn set_order(&self, order: Vec<usize>) {
        self.change(|state| state.order = Some(order));
    }

    /// Whether job `number` is cancelled.
    pub(super) fn is_cancelled(&self, number: usize) -> bool {
        self.state().is_cancelled(number)
    }

    fn change<T>(&self, change: impl FnOnce(&mut OrderState) -> T) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    fn wait_while(&self, condition: impl Fn(&OrderState) -> bool) {
        let waited = self.changed.wait_while(self.state(), |state| condition(state));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> MutexGuard<'_, OrderState> {
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
