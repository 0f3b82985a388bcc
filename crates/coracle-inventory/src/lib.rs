//! The inventory of a file system: its distribution, the installed packages, and the files that
//! each of them owns.
//!
//! | Database | Read from |
//! | --- | --- |
//! | dpkg | `/var/lib/dpkg/status`, `info/*.list`, `info/*.md5sums`, `diversions`; `status.d` of images without dpkg |
//! | apk | `/lib/apk/db/installed` |
//! | RPM | `rpmdb.sqlite`, `Packages.db`, `Packages` in `/usr/lib/sysimage/rpm` or `/var/lib/rpm`; `/var/lib/rpmmanifest` |
//!
//! [`Inventory::read`] reads any [`FileSystem`](coracle_core::file_system::FileSystem): the host, a
//! sysroot, or the files of an image. It either returns all packages, or only those that own given
//! paths, which reads much less.
//!
//! Databases are untrusted: sizes and counts are limited, links stay inside the root, and an error
//! names the file and the reason. The crate does not run package managers, knows no image format,
//! and prints nothing.
//!
//! Sources: `deb-control(5)`, `dpkg-query(1)`, "package metadata" of the distroless images.
//!
//! ```
//! use coracle_core::file_system::MemoryFs;
//! use coracle_inventory::{FileSelection, Inventory};
//!
//! let mut files = MemoryFs::from_text("/usr/lib/libz.so.1.3 = z");
//! files.add_file(
//!     "/var/lib/dpkg/status",
//!     b"Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.3-1\n",
//! );
//! files.add_file("/var/lib/dpkg/info/zlib1g.list", b"/.\n/lib\n/lib/libz.so.1.3\n");
//!
//! let wanted = ["/usr/lib/libz.so.1.3".parse()?].into();
//! let inventory = Inventory::read(&files, FileSelection::Paths(&wanted))?;
//! assert_eq!(inventory.packages[0].to_string(), "zlib1g 1:1.3-1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apk;
mod checksum;
mod database_file;
mod distribution;
mod dpkg;
mod error;
mod evidence;
mod inventory;
mod modules;
mod package;
mod path_keys;
mod rpm;
pub mod sbom;

pub use checksum::{Checksum, ChecksumAlgorithm};
pub use distribution::Distribution;
pub use error::InventoryError;
pub use evidence::{EvidenceFile, distribution_evidence, package_evidence};
pub use inventory::Inventory;
pub use modules::{Module, ModuleList, ProgramModules};
pub use package::{Package, PackageKind, SourcePackage};
pub use path_keys::FileSelection;
