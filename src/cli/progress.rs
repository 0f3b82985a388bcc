//! How far packing, sending or copying is: a bar on a terminal, one plain line elsewhere, and nothing while it is quick.

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};

use super::report;

/// Nobody wants to read about anything quicker.
const BAR_AFTER: Duration = Duration::from_millis(250);
/// When somebody who reads a log may wonder.
const LINE_AFTER: Duration = Duration::from_secs(5);

/// The progress of all images of one call.
pub(super) struct Progress {
    form: Form,
    /// What is going on: `packing`; nothing is shown before that is said.
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
    /// Shown as stderr allows; `quiet` shows nothing.
    pub(super) fn new(quiet: bool, what: &'static str) -> Self {
        let progress = Self::later(quiet);
        progress.show(what);
        progress
    }

    /// Shown when somebody calls [`Progress::show`]: until then the terminal is another's.
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

    /// Lets it be seen that this goes on.
    pub(super) fn show(&self, what: &'static str) {
        let _ = self.what.set(what);
    }

    /// The progress of something whose size nobody knows: a bar that only counts.
    pub(super) fn of_unknown(quiet: bool, what: &'static str) -> Self {
        let progress = Self::new(quiet, what);
        progress.start(0);
        progress
    }

    /// Packing starts; there are `total` more bytes.
    pub(super) fn start(&self, total: u64) {
        self.total.fetch_add(total, Ordering::Relaxed);
        let _ = self.start.set(Instant::now());
    }

    /// There is more to do than was known.
    pub(super) fn more(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many more bytes are done.
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

    /// Lets `say` write to stderr; the bar steps aside.
    pub(super) fn hidden<T>(&self, say: impl FnOnce() -> T) -> T {
        match self.bar.get() {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Packing is over; the bar goes away.
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
