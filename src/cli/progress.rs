//! How far packing is: a bar on a terminal, one plain line elsewhere, and nothing while it is quick.

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
    pub(super) fn new(quiet: bool) -> Self {
        let form = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Form::Nothing,
            (false, true) => Form::Bar,
            (false, false) => Form::Line,
        };
        Self {
            form,
            start: OnceLock::new(),
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            bar: OnceLock::new(),
            line: OnceLock::new(),
        }
    }

    /// Packing starts; there are `total` more bytes.
    pub(super) fn start(&self, total: u64) {
        self.total.fetch_add(total, Ordering::Relaxed);
        let _ = self.start.set(Instant::now());
    }

    /// So many more bytes are done.
    pub(super) fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let Some(start) = self.start.get() else { return };
        let total = self.total.load(Ordering::Relaxed);
        match self.form {
            Form::Bar if start.elapsed() >= BAR_AFTER => {
                let bar = self.bar.get_or_init(|| new_bar(total));
                bar.set_length(total);
                bar.set_position(done);
            }
            Form::Line if start.elapsed() >= LINE_AFTER => {
                self.line.get_or_init(|| {
                    report::talk(&format!("packing: {} of {}\n", DecimalBytes(done), DecimalBytes(total)));
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

fn new_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    match ProgressStyle::with_template(
        "packing [{bar:30}] {decimal_bytes} of {decimal_total_bytes}, {eta} left",
    ) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
