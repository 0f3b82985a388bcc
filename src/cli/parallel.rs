//! Several things at once, and their results in order.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// More at once would take more memory and be no faster: each keeps several cores busy.
const AT_ONCE: usize = 4;

/// Does `work` for each of `items`, some at once, and hands the results to `take` in the order of the items.
pub(super) fn in_order<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(usize, &T) -> R + Sync,
    mut take: impl FnMut(&T, R),
) {
    if let [item] = items {
        return take(item, work(0, item));
    }
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let (next, (sender, results)) = (AtomicUsize::new(0), channel());
    thread::scope(|scope| {
        for _ in 0..cores.min(AT_ONCE).min(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                let take_next = || next.fetch_add(1, Ordering::Relaxed);
                while let Some((index, item)) = Some(take_next()).and_then(|at| Some((at, items.get(at)?))) {
                    let _ = sender.send((index, work(index, item)));
                }
            });
        }
        drop(sender);
        let (mut early, mut due) = (BTreeMap::new(), 0);
        for (index, result) in results {
            early.insert(index, result);
            while let Some((result, item)) = early.remove(&due).zip(items.get(due)) {
                take(item, result);
                due += 1;
            }
        }
    });
}

/// Lets things that are done at once wait for each other where their order shows.
#[derive(Default)]
pub(super) struct Turns {
    due: Mutex<usize>,
    passed: Condvar,
}

impl Turns {
    /// Returns when all before `index` have passed.
    pub(super) fn wait(&self, index: usize) {
        let due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.passed.wait_while(due, |due| *due < index).unwrap_or_else(PoisonError::into_inner));
    }

    /// `index` is done, when its turn comes.
    pub(super) fn pass(&self, index: usize) {
        self.wait(index);
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = index + 1;
        self.passed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whatever_takes_longest() {
        let items: Vec<u64> = (0..20).rev().collect();
        let (turns, published) = (Turns::default(), Mutex::new(Vec::new()));
        let mut taken = Vec::new();
        let work = |index, item: &u64| {
            thread::sleep(std::time::Duration::from_millis(item % 5));
            // As a build that fails early: it has no turn to wait for, and passes it all the same.
            if !item.is_multiple_of(3) {
                turns.wait(index);
                published.lock().unwrap().push(*item);
            }
            turns.pass(index);
            item * 2
        };
        in_order(&items, work, |item, result| taken.push((*item, result)));
        assert_eq!(taken, items.iter().map(|item| (*item, item * 2)).collect::<Vec<_>>());
        let expected: Vec<u64> = items.into_iter().filter(|item| !item.is_multiple_of(3)).collect();
        assert_eq!(*published.lock().unwrap(), expected);
    }
}
