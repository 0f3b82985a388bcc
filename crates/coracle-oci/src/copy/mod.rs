//! Copies images unchanged between registries, image layouts, archives and local engines.
//!
//! Existing blobs are not sent again, and a tag is written only after all content, including the
//! referrers of an image if these are copied. Blobs are streamed. The module does not depend on how images are built.

mod copy_image;
mod create_index;
mod error;
mod location;
mod push;
mod referrers;
mod registry_image_name;
mod source;
mod upload_queue;

pub use copy_image::{CopyOutcome, CopySettings, copy_image, load_into_engine};
pub use create_index::{CreatedIndex, IndexImage, create_index};
pub use error::CopyError;
pub use location::{ImageLocation, ParseLocationError, ParseNewImageLocationError};
pub use push::{ImagePush, PushSummary, push_image};
pub use referrers::{attach_artifacts, push_artifact, push_artifacts};
pub use registry_image_name::{ParseRegistryImageNameError, RegistryImageName};
pub use source::{has_manifest, open_any_source, open_source, read_image, resolve_digest};
pub use upload_queue::{PushTargets, UploadQueue};
