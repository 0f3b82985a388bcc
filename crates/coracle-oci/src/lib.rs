//! Deterministic layers, OCI images, image layouts, registries and container engines.
//!
//! The crate packs files into layers, creates the config, manifest and index of an image, writes
//! images to image layouts, archives, registries and engines, and reads and copies images of any
//! tool. The same input always has the same bytes: no clock, environment, user or number of cores
//! reaches them.
//!
//! - [`layer`] packs entries into one compressed layer, and [`cache`] and [`remote_cache`] keep packed
//!   layers for later builds.
//! - [`image`] creates the JSON documents, and [`base`] reads what a new image inherits.
//! - [`layout`] writes and reads image layouts and archives.
//! - [`registry`] is a client of the distribution API, and [`engine`] loads images into Docker, Podman
//!   and containerd.
//! - [`copy`] moves images between all of these.
//!
//! The crate does not depend on recipes, ELF files or Kubernetes. It does not read the environment,
//! prints nothing, and takes all settings as plain values. Long operations report to a
//! [`Progress`](coracle_core::progress::Progress), which can also cancel them.
//!
//! Sources: OCI image-spec 1.1 and distribution-spec 1.1; RFC 1952 and 8878 for compression; POSIX
//! `pax` for tar. Each module names its sections.
//!
//! # Features
//!
//! `registry` (default): the HTTP transport. Without it, neither `ureq` nor `rustls` is compiled,
//! and no [`registry::RegistryClient`] can be created; everything else works.
//!
//! # Example
//!
//! Packs two files into a layer, writes an image of it to a layout, and reads it back.
//!
//! ```
//! use coracle_core::content::Content;
//! use coracle_core::content_scanner::NoScanner;
//! use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind, Owner};
//! use coracle_core::fs::Durability;
//! use coracle_core::path::ImagePath;
//! use coracle_core::reference::ImageReference;
//! use coracle_oci::image::{Image, ImageConfig, ImageSet, InheritedBase};
//! use coracle_oci::layer::{Compression, PackRequest};
//! use coracle_oci::layout::{self, DiskLocation, Staging};
//!
//! let file = |text: &str| Entry {
//!     node: EntryNode::File(Content::from_bytes(text)),
//!     owner: Owner::ROOT,
//!     mode: 0o644,
//!     modified: 0,
//!     reason: EntryReason::Program,
//!     layer_kind: LayerKind::Data,
//! };
//! let (greeting, motd) = (file("hello"), file("be kind"));
//! let paths: [ImagePath; 2] = ["/srv/greeting".parse()?, "/etc/motd".parse()?];
//!
//! let directory = tempfile::tempdir()?;
//! let location = DiskLocation::layout(directory.path().join("greeter.oci"));
//! let staging = Staging::new(&location, Durability::Synced)?;
//! let request = PackRequest {
//!     entries: &[(&paths[0], &greeting), (&paths[1], &motd)],
//!     kind: LayerKind::Data,
//!     compression: Compression::default(),
//!     progress: &(),
//! };
//! let layer = staging.pack_layer(&request, None, &mut NoScanner)?;
//!
//! let config = ImageConfig { cmd: vec!["/bin/cat".into(), "/etc/motd".into()], ..Default::default() };
//! let base = InheritedBase::default();
//! let image = Image::new(&config, &"linux/amd64".parse()?, &base, &[layer], 0)?;
//! let images = ImageSet::new(vec![image])?;
//! let names = ["greeter:1.0".parse::<ImageReference>()?];
//! layout::write_image(&images, &staging, names.as_slice().into(), &location)?;
//!
//! let read = layout::read_disk_image(&location)?;
//! assert_eq!(read.source.digest(), Some(images.digest()));
//! let files = read.read_files(&read.images[0])?;
//! assert!(files.get(&paths[1]).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod base;
pub mod cache;
pub mod copy;
pub mod engine;
pub mod image;
pub mod layer;
pub mod layout;
pub mod registry;
pub mod remote_cache;
