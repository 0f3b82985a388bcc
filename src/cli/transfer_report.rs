//! The reports of images that were sent to registries and loaded into engines: JSON and text.

use coracle::RegistryPush;
use coracle_oci::copy::{CopyOutcome, ImageLocation, PushSummary};
use coracle_oci::engine::{EngineImageName, LoadOutcome, LoadedImage};
use indicatif::DecimalBytes;
use serde::Serialize;

use super::console_output::count_noun;

/// The numbers of blobs and bytes sent to a registry.
#[derive(Serialize)]
pub(super) struct SentReport {
    blobs: usize,
    bytes: u64,
    /// The number of blobs that the registry had.
    present: usize,
    /// The number of blobs that were mounted from another repository.
    mounted: usize,
    unchanged: bool,
}

/// How an image was loaded into an engine.
#[derive(Serialize)]
pub(super) struct LoadedReport {
    layers: usize,
    bytes: u64,
    /// The number of layers that the engine had.
    present: usize,
    unchanged: bool,
    /// The selected platform, if the image has several.
    platform: Option<String>,
    /// `true` if the engine had the image under another name only.
    #[serde(skip)]
    is_renamed: bool,
}

/// The push to one name at a registry.
#[derive(Serialize)]
pub(super) struct RegistryPushReport {
    pub(super) to: String,
    #[serde(flatten)]
    pub(super) sent: SentReport,
}

/// The image that was loaded into one engine.
#[derive(Serialize)]
pub(super) struct EngineLoadReport {
    pub(super) to: String,
    #[serde(flatten)]
    pub(super) loaded: LoadedReport,
}

impl From<&PushSummary> for SentReport {
    fn from(sent: &PushSummary) -> Self {
        let PushSummary { blobs, bytes, present, mounted, is_unchanged } = *sent;
        Self { blobs, bytes, present, mounted, unchanged: is_unchanged }
    }
}

impl From<&LoadedImage> for LoadedReport {
    fn from(loaded: &LoadedImage) -> Self {
        let (layers, present, bytes) = match loaded.outcome {
            LoadOutcome::Sent { layers, present, bytes } => (layers, present, bytes),
            LoadOutcome::Unchanged | LoadOutcome::Named => (0, 0, 0),
        };
        Self {
            layers,
            bytes,
            present,
            unchanged: loaded.outcome == LoadOutcome::Unchanged,
            platform: loaded.selected_platform.as_ref().map(ToString::to_string),
            is_renamed: loaded.outcome == LoadOutcome::Named,
        }
    }
}

impl From<&RegistryPush> for RegistryPushReport {
    fn from(push: &RegistryPush) -> Self {
        Self { to: format!("docker://{}", push.name), sent: SentReport::from(&push.sent) }
    }
}

impl From<&(EngineImageName, LoadedImage)> for EngineLoadReport {
    fn from((name, loaded): &(EngineImageName, LoadedImage)) -> Self {
        Self { to: name.to_string(), loaded: LoadedReport::from(loaded) }
    }
}

impl SentReport {
    pub(super) fn to_text(&self) -> String {
        if self.unchanged {
            return "unchanged".into();
        }
        let mut text = format!("sent {}, {}", count_noun(self.blobs, "blob"), DecimalBytes(self.bytes));
        for (number, how) in
            [(self.present, "there already"), (self.mounted, "mounted from another repository")]
        {
            if number > 0 {
                text.push_str(&format!("; {number} {how}"));
            }
        }
        text
    }
}

impl LoadedReport {
    pub(super) fn to_text(&self) -> String {
        let mut text = if self.unchanged {
            "unchanged".to_owned()
        } else if self.is_renamed {
            "there already, name added".to_owned()
        } else {
            format!("sent {}, {}", count_noun(self.layers, "layer"), DecimalBytes(self.bytes))
        };
        if self.present > 0 {
            text.push_str(&format!("; {} there already", self.present));
        }
        if let Some(platform) = &self.platform {
            text.push_str(&format!("; only {platform}, the engine's platform"));
        }
        text
    }
}

/// Describes in text what was copied.
pub(super) fn transfer_text(sent: Option<&SentReport>, loaded: Option<&LoadedReport>) -> String {
    match (sent, loaded) {
        (Some(sent), _) => sent.to_text(),
        (_, Some(loaded)) => loaded.to_text(),
        (None, None) => "copied".into(),
    }
}

/// Returns the copied image's reference with its digest.
pub(super) fn copied_reference(to: &ImageLocation, copied: &CopyOutcome) -> String {
    match to {
        ImageLocation::Registry(image) => {
            let name =
                image.name().map_or_else(|| image.reference.repository().to_owned(), ToString::to_string);
            format!("{name}@{}", copied.digest)
        }
        ImageLocation::Engine(image) => format!("{}@{}", image.name, copied.digest),
        ImageLocation::OnDisk(_) => copied.digest.to_string(),
    }
}
