//! Resolves the shared libraries of an ELF program as glibc's and musl's dynamic loaders do, without
//! running it.
//!
//! - [`elf`] parses one ELF file as a loader does: by program headers and addresses.
//! - [`ldso`] searches a file system for one library, by the rules of the program's own loader.
//! - [`closure`] follows a program to everything that its start opens, and finds what would keep it
//!   from starting: missing libraries, versions and symbols.
//! - [`implicit`] finds what a program needs although no loader maps it: libraries that it opens with
//!   `dlopen`, certificates, time zones, configuration.
//!
//! All files are read through [`coracle_core::file_system::FileSystem`], so a sysroot or an unpacked
//! image works as well as the host. The host's environment is never read, and no program is run: the
//! file system may be for another machine. This crate does not depend on images, recipes or
//! registries.
//!
//! Each rule cites the function that it follows: of glibc (`elf/dl-load.c`, `elf/dl-deps.c`,
//! `elf/dl-lookup.c`, …), of musl (`ldso/dynlink.c`) or of the kernel (`fs/binfmt_script.c`). The test
//! `loader` of this repository compares the results with the real loaders.
//!
//! # Example
//!
//! The libraries of `/usr/bin/env` on this machine, each with the rule that found it:
//!
//! ```
//! use coracle_core::file_system::HostFs;
//! use coracle_core::path::RawPath;
//! use coracle_ld::closure::{Closure, MapReason, ResolveOptions};
//!
//! # fn main() -> Result<(), coracle_ld::closure::Error> {
//! let host = HostFs::new("/");
//! let closure = Closure::resolve(&host, &RawPath::new("/usr/bin/env"), &ResolveOptions::default())?;
//! for program in closure.elf_programs() {
//!     for object in &program.link_map.objects {
//!         match &object.reason {
//!             MapReason::Program => println!("{}", object.raw_path),
//!             MapReason::Interpreter => println!("  {}  interpreter", object.raw_path),
//!             MapReason::Needed { rule, .. } => println!("  {}  {rule}", object.raw_path),
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

pub mod closure;
pub mod elf;
pub mod implicit;
pub mod ldso;
