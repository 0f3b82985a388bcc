//! The program of the sidecar that sends a signal when Kubernetes has updated a mounted directory.
//!
//! A kubelet updates the files of a ConfigMap or Secret while a program runs, and sends no signal.
//! The program in `helper/` watches the directories and sends it. It is a static program of some
//! kilobytes for Linux on x86-64 and ARM64, without a C library; `build.rs` compiles it, and this
//! crate contains its bytes. It depends on no other crate, and it neither packs nor runs the program.
//!
//! ```
//! // Programs are missing for architectures whose target is not installed in the toolchain.
//! for (architecture, program) in coracle_reload::PROGRAMS {
//!     println!("{architecture}: {} bytes", program.len());
//! }
//! ```
//!
//! The program reads three variables: `WATCH_DIRS`, directories separated by colons; `SIGNAL`, such
//! as `SIGHUP`; and `PROCESS`, the file name of the program that gets the signal.
//!
//! - An update is a rename of `DIR/..data`. Updates within 200 ms are one signal.
//! - Of several processes, the one that has started first gets the signal, among those that this
//!   user may signal. The name is that in `/proc/PID/exe`, that by which the process was started, or
//!   that of its script.
//! - A process that does not handle the signal yet gets it as soon as it does, for up to a minute,
//!   because the signal would end it.
//! - A process that starts after an update reads the new files itself and gets no signal. One that
//!   already runs when this program starts gets a signal, because an update may have been missed.
//! - SIGTERM, SIGINT, SIGQUIT and SIGHUP end the program, also as PID 1. It exits with 1 if a
//!   directory cannot be watched or is removed, and with 2 if a variable is invalid.

/// The name of the program and of its image.
pub const NAME: &str = "coracle-reload";

/// The program for each architecture that could be compiled, named as in image configs.
pub const PROGRAMS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/programs.rs"));
