//! The `coracle` binary.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run_command_line(std::env::args_os())
}
