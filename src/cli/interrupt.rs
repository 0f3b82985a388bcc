//! Ctrl-C: the first one ends the build as soon as nothing half-written stays behind, the second one ends it at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Takes SIGINT and SIGTERM from now on. Where that can't be had, they end the process as ever.
pub(super) fn listen() {
    let asked = ASKED.get_or_init(Arc::default);
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, asked.clone());
        let _ = signal_hook::flag::register(signal, asked.clone());
    }
}

/// Whether to go on, or somebody has asked to end.
pub(super) fn go_on() -> ControlFlow<()> {
    let asked = ASKED.get().is_some_and(|asked| asked.load(Ordering::Relaxed));
    if asked { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
