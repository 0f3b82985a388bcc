//! Copies images unchanged between registries, image layouts, archives and local engines.
//!
//! Existing blobs are not sent again, and a tag is written only after all content, including the
//! referrers of an image if these are copied. Blobs are streamed. The module does not depend on how images are built.

mod copy_image;
mod copy_referrers;
mod create_index;
mod error;
mod image_location;
mod open_image;
mod push_image;
mod registry_image_name;
mod upload_queue;

pub use copy_image::{CopyOutcome, CopySettings, copy_image, load_into_engine};
pub use copy_referrers::{attach_artifacts, push_artifact, push_artifacts};
pub use create_index::{CreatedIndex, IndexImage, create_index};
pub use error::CopyError;
pub use image_location::{ImageLocation, ParseLocationError, ParseNewImageLocationError};
pub use open_image::{has_manifest, open_any_source, open_source, read_image, resolve_digest};
pub use push_image::{ImagePush, PushSummary, push_image};
pub use registry_image_name::{ParseRegistryImageNameError, RegistryImageName};
pub use upload_queue::{PushTargets, UploadQueue};
