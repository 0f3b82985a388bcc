//! The value types that all crates of Coracle share: paths inside images, digests, platforms,
//! references, contents of files, and read-only views of file systems.
//!
//! | Module | What it has |
//! | --- | --- |
//! | [`path`], [`file_system`] | paths inside a root directory, and their resolution in a view of it |
//! | [`content`], [`entry`] | bytes that are read on demand, and the entries of a planned image |
//! | [`digest`], [`platform`], [`mod@reference`], [`port`], [`signal_name`] | values of the OCI specifications |
//! | [`fs`], [`input_tracker`] | the host's file system, and changes of the files that were read |
//! | [`json`] | canonical JSON |
//! | [`escape`] | untrusted text in messages and reports |
//! | [`content_scanner`] | the interface between a packer and a scanner of contents |
//! | [`hint`], [`note`], [`distribution_directories`] | next steps after errors, notes for users, directories of distributions |
//!
//! The crate does not depend on ELF, registries, Kubernetes or a command line. It is the only one
//! that calls functions which not every host has, all of them in `src/fs`. It prints nothing, and
//! reads neither the environment nor the clock.
//!
//! Sources: the [image specification](https://github.com/opencontainers/image-spec) and the
//! [distribution specification](https://github.com/opencontainers/distribution-spec). Each module
//! names its section.
//!
//! ```
//! use coracle_core::digest::Digest;
//! use coracle_core::file_system::{FileSystem, FsNode, MemoryFs};
//! use coracle_core::path::ImagePath;
//!
//! // A path inside an image is absolute and normal, and does not convert to a host path.
//! let path: ImagePath = "/usr//lib/libz.so.1".parse()?;
//! assert_eq!(path.to_string(), "/usr/lib/libz.so.1");
//! assert_eq!(path.parent(), Some("/usr/lib".parse()?));
//! assert!("/usr/../etc".parse::<ImagePath>().is_err());
//!
//! // Views of a host directory, an image or this text have the same interface.
//! let files = MemoryFs::from_text("/usr/lib/libz.so.1 -> libz.so.1.3");
//! assert!(matches!(files.node(&path)?, Some(FsNode::Link(_))));
//!
//! assert_eq!(
//!     Digest::compute(b"hello").to_string(),
//!     "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod byte_size;
pub mod content;
pub mod content_scanner;
pub mod digest;
pub mod distribution_directories;
pub mod entry;
pub mod escape;
pub mod file_system;
pub mod fs;
pub mod hint;
pub mod input_tracker;
pub mod json;
pub mod note;
pub mod path;
pub mod platform;
pub mod port;
pub mod progress;
pub mod reference;
pub mod signal_name;
