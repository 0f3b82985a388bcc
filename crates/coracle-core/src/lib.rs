//! Shared value types of Coracle: paths inside images, digests, platforms, references, file system views.

pub mod byte_size;
pub mod content;
pub mod content_scanner;
pub mod digest;
pub mod entry;
pub mod file_system;
pub mod fs;
pub mod input_tracker;
pub mod json;
pub mod note;
pub mod path;
pub mod platform;
pub mod port;
pub mod quantity;
pub mod reference;
pub mod signal;
pub mod suggest;
pub mod system_directories;
