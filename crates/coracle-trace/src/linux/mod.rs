//! The recorder for Linux.

mod forward_signals;
mod launcher;
mod observed_paths;
mod program_check;
mod recorded_call;
mod recorder;
mod resume_process;
mod seccomp_filter;
mod system_calls;
mod tracee;
mod tracer;

pub use launcher::run_launcher;
pub use program_check::check_program;
pub use recorder::record;
