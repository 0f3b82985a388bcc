//! Several things at once whose results show one after the other, in an order that may be known late.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// More at once would take more memory and be no faster: each keeps several cores busy.
const AT_ONCE: usize = 4;

/// Lets some of many things work at once, and makes them wait for each other where their order shows. They have
/// numbers, in the order in which they came; their turns come as [`Turns::call`] says.
pub(super) struct Turns {
    at_once: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Those that work no longer: they are done, or wait for their turn.
    left: BTreeSet<usize>,
    done: BTreeSet<usize>,
    /// Whose turn comes after whose; nothing while nobody knows.
    order: Option<Vec<usize>>,
}

impl Turns {
    /// As many at once as this machine does well.
    pub(super) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self { at_once: cores.min(AT_ONCE), state: Mutex::default(), changed: Condvar::new() }
    }

    /// Returns when `number` may work: there is room for those that came first.
    pub(super) fn enter(&self, number: usize) {
        self.wait_while(|state| number >= state.left.len() + self.at_once);
    }

    /// `number` makes room, and comes back when everything before it is done; or when it is not called at all.
    pub(super) fn wait(&self, number: usize) -> ControlFlow<()> {
        self.change(|state| state.left.insert(number));
        self.wait_while(|state| !state.is_off(number) && !state.is_due(number));
        if self.is_off(number) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// `number` is done, whether its turn has come or not.
    pub(super) fn done(&self, number: usize) {
        self.change(|state| {
            state.left.insert(number);
            state.done.insert(number)
        });
    }

    /// The order; whatever is not in it is called off.
    pub(super) fn call(&self, order: Vec<usize>) {
        self.change(|state| state.order = Some(order));
    }

    /// Whether `number` is called off.
    pub(super) fn is_off(&self, number: usize) -> bool {
        self.state().is_off(number)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    fn wait_while(&self, condition: impl Fn(&State) -> bool) {
        let waited = self.changed.wait_while(self.state(), |state| condition(state));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_off(&self, number: usize) -> bool {
        self.order.as_ref().is_some_and(|order| !order.contains(&number))
    }

    fn is_due(&self, number: usize) -> bool {
        let order = self.order.as_deref().unwrap_or_default();
        let first = order.iter().find(|number| !self.done.contains(number));
        first == Some(&number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn turns_come_in_order_whatever_takes_longest() {
        let (turns, passed) = (Turns { at_once: 3, ..Turns::new() }, Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for number in 0..20 {
                let (turns, passed) = (&turns, &passed);
                scope.spawn(move || {
                    turns.enter(number);
                    thread::sleep(Duration::from_millis(5 - number as u64 % 5));
                    // As a build that fails early: it has no turn to wait for.
                    if !number.is_multiple_of(3) && turns.wait(number).is_continue() {
                        passed.lock().unwrap().push(number);
                    }
                    turns.done(number);
                });
            }
            thread::sleep(Duration::from_millis(20));
            assert!(passed.lock().unwrap().is_empty());
            turns.call((0..10).rev().collect());
        });
        assert_eq!(*passed.lock().unwrap(), [8, 7, 5, 4, 2, 1]);
    }

    #[test]
    fn who_waits_for_a_turn_makes_room() {
        let (turns, working) = (Turns { at_once: 2, ..Turns::new() }, Mutex::new((0, 0)));
        thread::scope(|scope| {
            for number in 0..10 {
                let (turns, working) = (&turns, &working);
                scope.spawn(move || {
                    turns.enter(number);
                    let mut now = working.lock().unwrap();
                    *now = (now.0 + 1, now.1.max(now.0 + 1));
                    drop(now);
                    thread::sleep(Duration::from_millis(1));
                    working.lock().unwrap().0 -= 1;
                    assert!(turns.wait(number).is_break() && turns.is_off(number));
                    turns.done(number);
                });
            }
            // All of them have worked before anybody is called.
            turns.wait_while(|state| state.left.len() < 10);
            turns.call(Vec::new());
        });
        assert_eq!(*working.lock().unwrap(), (0, 2));
    }
}
