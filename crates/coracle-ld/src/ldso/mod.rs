//! How the dynamic loaders of glibc and musl search a file system for a library.
//!
//! The constants of a loader are read from its own file, not assumed from the distribution. This
//! module handles search paths and candidate files; `closure` tracks what is already loaded.
//! Nothing is read from the host's environment. Source: `elf/dl-load.c`, `ldso/dynlink.c`.

mod candidate;
mod cpu_levels;
mod default_interpreter;
mod dynamic_string_tokens;
mod error;
mod glibc;
mod glibc_constants;
mod glibc_search;
mod ld_so_cache;
pub mod ld_so_conf;
mod legacy_hwcaps;
mod loader;
mod loader_environment;
mod musl;
mod search;

pub use candidate::{AcceptedFile, Rejection};
pub use default_interpreter::default_interpreters;
pub use error::Error;
pub use ld_so_cache::{CacheEntry, CacheTooLarge, LdCache};
pub use loader::Loader;
pub use loader_environment::{HwcapsSelection, LoaderEnvironment};
pub use musl::is_c_library;
pub use search::{Dependent, FoundLibrary, SearchLocation, SearchRule, SearchTrace};
