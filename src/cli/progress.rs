//! Progress of packing, sending and copying: a bar on a terminal, one plain line elsewhere, nothing
//! for short operations.

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};

use super::report;

/// The delay before the bar is shown.
const BAR_AFTER: Duration = Duration::from_millis(250);
/// The delay before the line is printed.
const LINE_AFTER: Duration = Duration::from_secs(5);

/// The progress of all images of one command.
pub(super) struct Progress {
    form: Form,
    /// The label, such as `packing`; nothing is shown before it is set.
    what: OnceLock<&'static str>,
    start: OnceLock<Instant>,
    total: AtomicU64,
    done: AtomicU64,
    bar: OnceLock<ProgressBar>,
    line: OnceLock<()>,
}

enum Form {
    Bar,
    Line,
    Nothing,
}

impl Progress {
    /// Shows progress in the form that suits stderr; `quiet` shows nothing.
    pub(super) fn new(quiet: bool, what: &'static str) -> Self {
        let progress = Self::later(quiet);
        progress.show(what);
        progress
    }

    /// Like [`Progress::new`], but shows nothing before [`Progress::show`] is called, while another
    /// program uses the terminal.
    pub(super) fn later(quiet: bool) -> Self {
        let form = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Form::Nothing,
            (false, true) => Form::Bar,
            (false, false) => Form::Line,
        };
        Self {
            form,
            what: OnceLock::new(),
            start: OnceLock::new(),
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            bar: OnceLock::new(),
            line: OnceLock::new(),
        }
    }

    /// Sets the label and allows progress to be shown.
    pub(super) fn show(&self, what: &'static str) {
        let _ = self.what.set(what);
    }

    /// Shows the progress of an operation of unknown size: the bar only counts.
    pub(super) fn of_unknown(quiet: bool, what: &'static str) -> Self {
        let progress = Self::new(quiet, what);
        progress.start(0);
        progress
    }

    /// Starts the clock; adds `total` bytes to do.
    pub(super) fn start(&self, total: u64) {
        self.total.fetch_add(total, Ordering::Relaxed);
        let _ = self.start.set(Instant::now());
    }

    /// Adds bytes to do.
    pub(super) fn more(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds bytes that are done.
    pub(super) fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let Some((start, what)) = self.start.get().zip(self.what.get()) else { return };
        let total = self.total.load(Ordering::Relaxed);
        match self.form {
            Form::Bar if start.elapsed() >= BAR_AFTER => {
                let bar = self.bar.get_or_init(|| new_bar(what, total));
                bar.set_length(total.max(done));
                bar.set_position(done);
            }
            Form::Line if start.elapsed() >= LINE_AFTER => {
                self.line.get_or_init(|| {
                    let of = if total == 0 { String::new() } else { format!(" of {}", DecimalBytes(total)) };
                    report::talk(&format!("{what}: {}{of}\n", DecimalBytes(done)));
                });
            }
            _ => {}
        }
    }

    /// Hides the bar while `say` writes to stderr.
    pub(super) fn hidden<T>(&self, say: impl FnOnce() -> T) -> T {
        match self.bar.get() {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(what: &'static str, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(what);
    let template = match total {
        0 => "{msg}: {decimal_bytes}, {decimal_bytes_per_sec}",
        _ => "{msg} [{bar:30}] {decimal_bytes} of {decimal_total_bytes}, {eta} left",
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
