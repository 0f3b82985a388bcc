//! Progress of packing, sending and copying: a bar on a terminal, one plain line elsewhere, nothing
//! for short operations.

use std::fmt;
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use super::{console_output, interrupt};

/// The delay before the bar is shown.
const BAR_DELAY: Duration = Duration::from_millis(250);
/// The delay before the line is printed.
const LINE_DELAY: Duration = Duration::from_secs(5);

/// The progress of all images of one command.
pub(super) struct ProgressDisplay {
    form: ProgressForm,
    /// The label, such as `packing`; nothing is shown before it is set.
    label: OnceLock<&'static str>,
    start: OnceLock<Instant>,
    total: AtomicU64,
    done: AtomicU64,
    bar: OnceLock<ProgressBar>,
    /// Set when the line has been printed.
    line: OnceLock<()>,
}

enum ProgressForm {
    Bar,
    Line,
    Hidden,
}

impl ProgressDisplay {
    /// Shows progress in the form that suits stderr; `quiet` shows nothing.
    pub(super) fn new(quiet: bool, label: &'static str) -> Self {
        let progress = Self::without_label(quiet);
        progress.set_label(label);
        progress
    }

    /// Like [`ProgressDisplay::new`], but shows nothing before [`ProgressDisplay::set_label`] is called, while
    /// another program uses the terminal.
    pub(super) fn without_label(quiet: bool) -> Self {
        let form = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => ProgressForm::Hidden,
            (false, true) => ProgressForm::Bar,
            (false, false) => ProgressForm::Line,
        };
        Self {
            form,
            label: OnceLock::new(),
            start: OnceLock::new(),
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            bar: OnceLock::new(),
            line: OnceLock::new(),
        }
    }

    /// Sets the label and allows progress to be shown.
    pub(super) fn set_label(&self, label: &'static str) {
        let _ = self.label.set(label);
    }

    /// Shows the progress of an operation of unknown size: the bar only counts.
    pub(super) fn with_unknown_total(quiet: bool, label: &'static str) -> Self {
        let progress = Self::new(quiet, label);
        progress.start_with_total(0);
        progress
    }

    /// Starts the clock; adds `total` bytes to do.
    pub(super) fn start_with_total(&self, total: u64) {
        self.total.fetch_add(total, Ordering::Relaxed);
        let _ = self.start.set(Instant::now());
    }

    /// Adds bytes to do.
    pub(super) fn add_total(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds bytes that are done.
    pub(super) fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let Some((start, label)) = self.start.get().zip(self.label.get()) else { return };
        let total = self.total.load(Ordering::Relaxed);
        match self.form {
            ProgressForm::Bar if start.elapsed() >= BAR_DELAY => {
                let bar = self.bar.get_or_init(|| new_bar(label, total, *start));
                bar.set_length(total.max(done));
                bar.set_position(done);
            }
            ProgressForm::Line if start.elapsed() >= LINE_DELAY => {
                self.line.get_or_init(|| {
                    let of = if total == 0 { String::new() } else { format!(" of {}", DecimalBytes(total)) };
                    console_output::print_message(&format!("{label}: {}{of}\n", DecimalBytes(done)));
                });
            }
            _ => {}
        }
    }

    /// Hides the bar while `print` writes to stderr.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match self.bar.get() {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

impl coracle_core::progress::Progress for ProgressDisplay {
    fn advance(&self, bytes: u64) {
        self.advance(bytes);
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_cancelled()
    }
}

fn new_bar(label: &'static str, total: u64, start: Instant) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(label);
    let template = match total {
        0 => "{msg}: {decimal_bytes}, {decimal_bytes_per_sec}",
        _ => "{msg} [{bar:30}] {decimal_bytes} of {decimal_total_bytes}{left}",
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => {
            let left = move |state: &ProgressState, text: &mut dyn fmt::Write| {
                let left = time_left(start.elapsed(), state.pos(), state.len().unwrap_or_default());
                let _ = left.map(|left| write!(text, ", {} left", HumanDuration(left)));
            };
            bar.with_style(style.with_key("left", left).progress_chars("=> "))
        }
        Err(_) => bar,
    }
}

/// Returns the time until `total` bytes are done, at the average speed so far, in whole seconds and at least one.
/// `None` in the first second, and before a hundredth is done: the speed is not known yet.
fn time_left(elapsed: Duration, done: u64, total: u64) -> Option<Duration> {
    let is_known = elapsed >= Duration::from_secs(1) && done > 0 && done >= total / 100;
    if !is_known || done >= total {
        return None;
    }
    let left = elapsed.as_millis() * u128::from(total - done) / u128::from(done);
    let seconds = u64::try_from(left.div_ceil(1000)).unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_time_left_once_the_speed_is_known() {
        const MB: u64 = 1_000_000;
        for (elapsed_ms, done, total, left) in [
            (300, 10 * MB, 342 * MB, None),
            (1000, 0, 342 * MB, None),
            (1000, MB, 342 * MB, None),
            (1000, 34 * MB, 342 * MB, Some(10)),
            (2000, 341 * MB, 342 * MB, Some(1)),
            (2000, 342 * MB, 342 * MB, None),
            (2000, 1, 0, None),
        ] {
            let found = time_left(Duration::from_millis(elapsed_ms), done, total);
            assert_eq!(found, left.map(Duration::from_secs), "{done} of {total} in {elapsed_ms} ms");
        }
    }
}
