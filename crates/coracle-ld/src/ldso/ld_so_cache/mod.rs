//! `/etc/ld.so.cache`: a reader that follows the loader, and a writer for images that need a cache.
//!
//! A cache may hold the old format, the new format, or the new one after the old one. Only the new
//! format is read. Lookups search the raw bytes as the loader does: no entry is copied, and every
//! offset is checked when it is used. Source: `sysdeps/generic/dl-cache.h`, `elf/dl-cache.c`.

mod format;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{CacheEntry, LdCache};
