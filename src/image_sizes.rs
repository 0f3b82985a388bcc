//! Image sizes, and the change from the previous image.

use std::fmt;

use coracle_core::byte_size::ByteSize;
use coracle_core::platform::Platform;
use coracle_oci::image::{Image, ImageSet};

/// The size of the image of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlatformSize {
    /// The platform.
    pub platform: Platform,
    /// The size of the image's layers including the base image's, of its config and its manifest,
    /// in bytes: what a node pulls.
    pub size: u64,
    /// The number of the image's layers in [`crate::Built::layers`], which are in the order of the
    /// platforms.
    pub layer_count: usize,
    /// The previous image for this platform. `None` if there is none, or no comparison was
    /// requested.
    pub previous: Option<PreviousSize>,
}

/// The size of the previous image of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PreviousSize {
    /// The location of the previous image, as an argument of commands.
    pub location: String,
    /// The size of the previous image in bytes, counted as [`PlatformSize::size`].
    pub size: u64,
}

/// The difference of two sizes.
#[derive(Clone, Copy, Debug)]
pub struct SizeDelta {
    /// The previous size, in bytes.
    pub before: u64,
    /// The new size, in bytes.
    pub now: u64,
}

impl PlatformSize {
    fn from_image(image: &Image) -> Self {
        let (platform, layer_count) = (image.platform().clone(), image.packed_layers().len());
        Self { platform, size: image.total_size(), layer_count, previous: None }
    }

    /// Returns the sizes of the image of each platform of `image_set`.
    pub(crate) fn sizes_of_all_platforms(image_set: &ImageSet) -> Vec<Self> {
        image_set.images().iter().map(Self::from_image).collect()
    }

    /// Returns the change from the previous image.
    pub fn delta(&self) -> Option<SizeDelta> {
        self.previous.as_ref().map(|before| SizeDelta { before: before.size, now: self.size })
    }
}

impl SizeDelta {
    /// Formats the change compared with the image at `location`.
    pub fn compared_with(&self, location: &str) -> String {
        if self.now == self.before {
            format!("the same size as {location}")
        } else {
            format!("{self} than {location}")
        }
    }
}

impl fmt::Display for SizeDelta {
    /// `1.10 MB (9.8 %) more`, `100 B (0.1 %) less`, or `the same`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, word) = match self.now.checked_sub(self.before) {
            Some(0) => return f.write_str("the same"),
            Some(more) => (more, "more"),
            None => (self.before - self.now, "less"),
        };
        write!(f, "{}", ByteSize(by))?;
        if self.before > 0 {
            let before = u128::from(self.before);
            let tenths = (u128::from(by) * 1000 + before / 2) / before;
            write!(f, " ({}.{} %)", tenths / 10, tenths % 10)?;
        }
        write!(f, " {word}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_changes() {
        for (before, now, expected) in [
            (11_200_000, 12_300_000, "1.10 MB (9.8 %) more"),
            (1000, 999, "1 B (0.1 %) less"),
            (5, 5, "the same"),
            (0, 7, "7 B more"),
            (2, 5, "3 B (150.0 %) more"),
        ] {
            assert_eq!(SizeDelta { before, now }.to_string(), expected);
        }
    }
}
