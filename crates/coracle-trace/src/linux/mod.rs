//! The recorder for Linux.

mod filter;
mod launcher;
mod observed_paths;
mod pending_call;
mod program_check;
mod recorder;
mod resume;
mod signals;
mod system_calls;
mod tracee;
mod tracer;

pub use launcher::run_launcher;
pub use program_check::check_program;
pub use recorder::record;
