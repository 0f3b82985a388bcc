//! The report of a built image: text for people, one line for stdout, and JSON.

use std::fmt::Write as _;

use coracle::inventory::InventorySummary;
use coracle::{BaseInfo, Built, PlatformSize, SizeDelta};
use coracle_core::escape::escape_text;
use coracle_core::note::DependencyNote;
use coracle_kube::contract::Contract;
use coracle_oci::copy::ImageLocation;
use coracle_oci::layer::Layer;
use indicatif::DecimalBytes;
use serde::Serialize;

use super::console_output::{BOLD, DIM, count_noun};
use super::transfer_report::{EngineLoadReport, RegistryPushReport};

/// A built image. Fields that are skipped in JSON are only for text and Markdown.
#[derive(Serialize)]
pub(super) struct ImageReport {
    /// The image's name, or its program's name.
    #[serde(skip)]
    pub(super) title: String,
    /// The image's reference with its digest, in the first registry that it was pushed to, else with
    /// its first name; else its digest.
    pub(super) reference: String,
    references: Vec<String>,
    pub(super) digest: String,
    platforms: Vec<String>,
    /// The number of files, without the base image's files.
    #[serde(skip)]
    file_count: usize,
    /// The layers, without the base image's layers.
    pub(super) layers: Vec<LayerReport>,
    pub(super) bases: Vec<BaseReport>,
    /// What scanners see in the image of each platform.
    inventories: Vec<InventorySummary>,
    #[serde(skip)]
    pub(super) contract: Contract,
    destinations: Vec<String>,
    /// The destinations on disk.
    #[serde(skip)]
    disk_destinations: Vec<String>,
    sent: Vec<RegistryPushReport>,
    loaded: Vec<EngineLoadReport>,
    /// The size of all layers, configs, manifests and the index, in bytes.
    pub(super) size: u64,
    pub(super) sizes: Vec<PlatformSizeReport>,
    pub(super) previous: Option<PreviousReport>,
    unchanged: bool,
    /// The things that the programs may need and the image lacks.
    hints: Vec<DependencyNote>,
}

/// A layer of a built image.
#[derive(Serialize)]
pub(super) struct LayerReport {
    pub(super) media_type: &'static str,
    pub(super) digest: String,
    diff_id: String,
    pub(super) size: u64,
    #[serde(skip)]
    pub(super) unpacked_size: u64,
    #[serde(skip)]
    pub(super) kind: String,
}

/// The base image of one platform.
#[derive(Serialize)]
pub(super) struct BaseReport {
    name: Option<String>,
    pub(super) digest: String,
    pub(super) layers: usize,
    pub(super) size: u64,
    /// The number of files that the image omits because the base image has them.
    shared_files: usize,
}

/// The size of the image of one platform, and the size of the previous image.
#[derive(Serialize)]
pub(super) struct PlatformSizeReport {
    pub(super) platform: String,
    pub(super) size: u64,
    previous: Option<u64>,
    size_delta: Option<i128>,
    /// The number of its layers in [`ImageReport::layers`].
    #[serde(skip)]
    pub(super) layer_count: usize,
    /// The change, and the location of the previous image.
    #[serde(skip)]
    pub(super) change: Option<(SizeDelta, String)>,
}

/// The image that a built image is compared with.
#[derive(Serialize)]
pub(super) struct PreviousReport {
    pub(super) image: String,
    digest: String,
    size: u64,
    size_delta: i128,
}

impl ImageReport {
    pub(super) fn new(title: &str, built: Built) -> Self {
        let reference = match built.pushes.first().map(|push| &push.name).or(built.references.first()) {
            Some(reference) => format!("{reference}@{}", built.digest),
            None => built.digest.to_string(),
        };
        let on_disk = built.destinations.iter().filter_map(|destination| match destination {
            ImageLocation::OnDisk(destination) => Some(destination.to_string()),
            ImageLocation::Registry(_) | ImageLocation::Engine(_) => None,
        });
        let previous = built.previous.as_ref().map(|previous| PreviousReport {
            image: previous.location.clone(),
            digest: previous.digest.to_string(),
            size: previous.size,
            size_delta: size_difference(previous.size, built.size),
        });
        Self {
            title: title.to_owned(),
            reference,
            references: to_strings(&built.references),
            digest: built.digest.to_string(),
            platforms: to_strings(&built.platforms),
            file_count: built.file_count,
            layers: built.layers.iter().map(LayerReport::from).collect(),
            bases: built.bases.iter().map(BaseReport::from).collect(),
            inventories: built.inventories,
            destinations: to_strings(&built.destinations),
            disk_destinations: on_disk.collect(),
            sent: built.pushes.iter().map(RegistryPushReport::from).collect(),
            loaded: built.loaded.iter().map(EngineLoadReport::from).collect(),
            size: built.size,
            sizes: built.platform_sizes.iter().map(PlatformSizeReport::from).collect(),
            previous,
            unchanged: built.is_unchanged,
            hints: Vec::new(),
            contract: built.contract,
        }
    }

    /// Returns the report with what the programs may need and the image lacks.
    pub(super) fn with_hints(self, hints: Vec<DependencyNote>) -> Self {
        Self { hints, ..self }
    }

    /// Formats the image: its sizes, layers, contract and destinations.
    pub(super) fn to_text(&self) -> String {
        let unpacked = DecimalBytes(self.layers.iter().map(|layer| layer.unpacked_size).sum());
        let mut text = format!(
            "{BOLD}{}{BOLD:#}  {}  {}, {unpacked} → {BOLD}{}{BOLD:#} in {}\n",
            escape_text(&self.title),
            self.platforms.join(", "),
            count_noun(self.file_count, "file"),
            DecimalBytes(self.size - self.bases.iter().map(|base| base.size).sum::<u64>()),
            count_noun(self.layers.len(), "layer"),
        );
        self.bases.iter().for_each(|base| write_base(&mut text, base));
        for layer in &self.layers {
            let (unpacked, packed) =
                (DecimalBytes(layer.unpacked_size).to_string(), DecimalBytes(layer.size).to_string());
            let LayerReport { kind, digest, .. } = layer;
            let _ = writeln!(text, "  {kind:<9}  {unpacked:>9} → {packed:>9}  {DIM}{digest}{DIM:#}");
        }
        for size in &self.sizes {
            let platform = if self.sizes.len() > 1 { format!(", {}", size.platform) } else { String::new() };
            if let Some((change, previous)) = &size.change {
                let _ =
                    writeln!(text, "  compared   {}{platform}", change.compared_with(&escape_text(previous)));
            }
        }
        write_inventories(&mut text, &self.inventories);
        write_contract(&mut text, &self.contract);
        let verb = if self.unchanged { "unchanged in" } else { "written to" };
        for destination in &self.disk_destinations {
            let _ = writeln!(text, "  {verb} {}", escape_text(destination));
        }
        for RegistryPushReport { to, sent } in &self.sent {
            let _ = writeln!(text, "  pushed to  {to}: {}", sent.to_text());
        }
        for EngineLoadReport { to, loaded } in &self.loaded {
            let _ = writeln!(text, "  loaded as  {to}: {}", loaded.to_text());
        }
        text
    }
}

impl BaseReport {
    pub(super) fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or("the base image")
    }
}

impl From<&Layer> for LayerReport {
    fn from(layer: &Layer) -> Self {
        Self {
            media_type: layer.media_type,
            digest: layer.digest.to_string(),
            diff_id: layer.diff_id.to_string(),
            size: layer.size,
            unpacked_size: layer.unpacked_size,
            kind: layer.kind.to_string(),
        }
    }
}

impl From<&BaseInfo> for BaseReport {
    fn from(base: &BaseInfo) -> Self {
        Self {
            name: base.name.clone(),
            digest: base.digest.to_string(),
            layers: base.layer_count,
            size: base.size,
            shared_files: base.shared_files,
        }
    }
}

impl From<&PlatformSize> for PlatformSizeReport {
    fn from(size: &PlatformSize) -> Self {
        let previous = size.previous.as_ref();
        Self {
            platform: size.platform.to_string(),
            size: size.size,
            previous: previous.map(|previous| previous.size),
            size_delta: previous.map(|previous| size_difference(previous.size, size.size)),
            layer_count: size.layer_count,
            change: size.delta().zip(previous.map(|previous| previous.location.clone())),
        }
    }
}

fn write_base(text: &mut String, base: &BaseReport) {
    let (size, layers) = (DecimalBytes(base.size).to_string(), count_noun(base.layers, "layer"));
    let shared = match base.shared_files {
        0 => String::new(),
        files => format!("; already contains {}", count_noun(files, "file")),
    };
    let (name, digest) = (escape_text(base.display_name()), &base.digest);
    let _ = writeln!(text, "  {:<9}  {size:>9} in {layers} of {name}{shared}  {DIM}{digest}{DIM:#}", "base");
}

/// Writes what scanners see in each image.
fn write_inventories(text: &mut String, inventories: &[InventorySummary]) {
    for inventory in inventories {
        let counts = [
            (inventory.packages, "package"),
            (inventory.crates, "crate"),
            (inventory.go_modules, "Go module"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let visible: Vec<String> = counts.map(|(count, noun)| count_noun(count, noun)).collect();
        let visible = if visible.is_empty() { "nothing".to_owned() } else { visible.join(", ") };
        let unowned = match inventory.unowned_files {
            0 => String::new(),
            files => format!("; {} of no package", count_noun(files, "file")),
        };
        let platform =
            if inventories.len() > 1 { format!(", {}", inventory.platform) } else { String::new() };
        let _ = writeln!(text, "  inventory  {visible} visible to scanners{platform}{unowned}");
    }
}

/// Writes the mounts that the contract requires, with their files.
fn write_contract(text: &mut String, contract: &Contract) {
    let secret = |is_secret| if is_secret { " (secret)" } else { "" };
    for mount in &contract.mounts {
        let files =
            mount.files.iter().map(|file| format!("{}{}", escape_text(file.path()), secret(file.secret)));
        let files: Vec<String> = files.collect();
        let _ = writeln!(text, "  expects    {}: {}", escape_text(&mount.path), files.join(", "));
    }
    for writable in &contract.writable {
        let _ = writeln!(text, "  expects    {}: writable", escape_text(&writable.path));
    }
}

fn size_difference(before: u64, now: u64) -> i128 {
    i128::from(now) - i128::from(before)
}

/// Formats each item.
pub(super) fn to_strings(items: &[impl ToString]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle::rootfs::LayerKind;
    use coracle_core::digest::{DiffId, Digest};
    use coracle_oci::layer::Layer;

    fn image(names: &[&str]) -> Built {
        let digest = format!("sha256:{}", "ab".repeat(32)).parse::<Digest>().unwrap();
        let layer = |kind, size| Layer {
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip",
            digest,
            diff_id: DiffId::new(digest),
            size,
            unpacked_size: size * 3,
            kind,
        };
        Built {
            references: names.iter().map(|name| name.parse().unwrap()).collect(),
            digest,
            platforms: vec!["linux/amd64".parse().unwrap()],
            layers: vec![layer(LayerKind::Libraries, 7_600_000), layer(LayerKind::Program, 300_000)],
            destinations: vec!["oci:curl.oci".parse().unwrap()],
            pushes: vec![],
            loaded: vec![],
            size: 7_901_234,
            platform_sizes: vec![],
            previous: None,
            file_count: 37,
            is_unchanged: false,
            contract: Contract::default(),
            notes: vec![],
            bases: vec![],
            inventories: vec![InventorySummary {
                platform: "linux/amd64".into(),
                packages: 28,
                crates: 214,
                go_modules: 0,
                unowned_files: 1,
            }],
            user: coracle::recipe::DEFAULT_USER,
        }
    }

    #[test]
    fn formats_image_as_text() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let expected = format!(
            "\
curl:8  linux/amd64  37 files, 23.70 MB → 7.90 MB in 2 layers
  libraries   22.80 MB →   7.60 MB  {digest}
  program    900.00 kB → 300.00 kB  {digest}
  inventory  28 packages, 214 crates visible to scanners; 1 file of no package
  written to oci:curl.oci
"
        );
        let text = ImageReport::new("curl:8", image(&["curl:8"])).to_text();
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), expected);
    }

    #[test]
    fn formats_image_as_json() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let json = |names: &[&str]| serde_json::to_value(ImageReport::new("curl", image(names))).unwrap();
        let named = json(&["curl:8", "ghcr.io/a/curl"]);
        assert_eq!(named["reference"], format!("curl:8@{digest}"));
        assert_eq!(named["references"], serde_json::json!(["curl:8", "ghcr.io/a/curl:latest"]));
        let layer = &named["layers"][1];
        assert_eq!(layer["media_type"], "application/vnd.oci.image.layer.v1.tar+gzip");
        assert_eq!(layer["size"], 300_000);
        assert_eq!(json(&[])["reference"], digest);
    }
}
