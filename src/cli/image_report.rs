//! Text and JSON output of built images and plans.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;
use coracle::recipe::Recipe;
use coracle::rootfs::{Entry, EntryNode, LayerKind};
use coracle::{BaseInfo, Built, Plan, PlatformSize, PreviousImage, RegistryPush};
use coracle_core::note::Note;
use coracle_kube::contract::Contract;
use coracle_oci::copy::ImageLocation;
use coracle_oci::engine::{EngineImageName, LoadedImage};
use indicatif::DecimalBytes;
use serde_json::{Value, json};

use super::copy;
use super::stderr::{BOLD, DIM};

/// Returns the line for stdout: the image's reference with its digest, in the first registry it was
/// pushed to, else with its first name; else its digest.
pub(super) fn digest_reference(built: &Built) -> String {
    match built.pushes.first().map(|delivery| &delivery.name).or(built.references.first()) {
        Some(reference) => format!("{reference}@{}", built.digest),
        None => built.digest.to_string(),
    }
}

/// Formats a built image: its sizes, layers, contract and destinations.
pub(super) fn built_text(title: &str, built: &Built) -> String {
    let platforms: Vec<String> = built.platforms.iter().map(ToString::to_string).collect();
    let unpacked = DecimalBytes(built.layers.iter().map(|layer| layer.unpacked_size).sum());
    let mut text = format!(
        "{BOLD}{title}{BOLD:#}  {}  {}, {unpacked} → {BOLD}{}{BOLD:#} in {}\n",
        platforms.join(", "),
        count_noun(built.file_count, "file"),
        DecimalBytes(built.size - built.bases.iter().map(|base| base.size).sum::<u64>()),
        count_noun(built.layers.len(), "layer"),
    );
    for base in &built.bases {
        let (size, layers) = (DecimalBytes(base.size).to_string(), count_noun(base.layer_count, "layer"));
        let has = if base.shared_files == 0 {
            String::new()
        } else {
            format!("; already contains {}", count_noun(base.shared_files, "file"))
        };
        let (name, digest) = (base.name.as_deref().unwrap_or("the base image"), base.digest);
        let _ = writeln!(text, "  {:<9}  {size:>9} in {layers} of {name}{has}  {DIM}{digest}{DIM:#}", "base");
    }
    for layer in &built.layers {
        let (from, to) =
            (DecimalBytes(layer.unpacked_size).to_string(), DecimalBytes(layer.size).to_string());
        let (stratum, digest) = (layer.kind, layer.digest);
        let _ = writeln!(text, "  {stratum:<9}  {from:>9} → {to:>9}  {DIM}{digest}{DIM:#}");
    }
    for weight in &built.platform_sizes {
        let platform =
            if built.platform_sizes.len() > 1 { format!(", {}", weight.platform) } else { String::new() };
        if let (Some(change), Some(before)) = (weight.delta(), &weight.previous) {
            let _ = writeln!(text, "  compared   {}{platform}", change.compared_with(&before.location));
        }
    }
    text.push_str(&contract_text(&built.contract));
    let how = if built.is_unchanged { "unchanged in" } else { "written to" };
    for destination in &built.destinations {
        match destination {
            ImageLocation::OnDisk(destination) => {
                let _ = writeln!(text, "  {how} {destination}");
            }
            // Listed below, with what was sent.
            ImageLocation::Registry(_) | ImageLocation::Engine(_) => {}
        }
    }
    for RegistryPush { name: to, sent } in &built.pushes {
        let _ = writeln!(text, "  pushed to  docker://{to}: {}", copy::sent_text(sent));
    }
    for (to, loaded) in &built.loaded {
        let _ = writeln!(text, "  loaded as  {to}: {}", copy::loaded_text(loaded));
    }
    text
}

/// Formats the mounts that the contract requires, with their files.
fn contract_text(contract: &Contract) -> String {
    let secret = |is_secret| if is_secret { " (secret)" } else { "" };
    let mounts = contract.mounts.iter().map(|mount| {
        let files: Vec<String> =
            mount.files.iter().map(|file| format!("{}{}", file.key, secret(file.secret))).collect();
        (&mount.path, files.join(", "))
    });
    let writable = contract.writable.iter().map(|writable| (&writable.path, "writable".to_owned()));
    mounts.chain(writable).fold(String::new(), |mut text, (path, what)| {
        let _ = writeln!(text, "  expects    {path}: {what}");
        text
    })
}

/// Returns a built image for `--format json`.
pub(super) fn built_json(built: &Built) -> Value {
    let layers: Vec<Value> = built
        .layers
        .iter()
        .map(|layer| {
            json!({
                "media_type": layer.media_type,
                "digest": layer.digest.to_string(),
                "diff_id": layer.diff_id.to_string(),
                "size": layer.size,
            })
        })
        .collect();
    json!({
        "reference": digest_reference(built),
        "references": to_strings(&built.references),
        "digest": built.digest.to_string(),
        "platforms": to_strings(&built.platforms),
        "layers": layers,
        "bases": built.bases.iter().map(base_json).collect::<Vec<_>>(),
        "destinations": to_strings(&built.destinations),
        "sent": built.pushes.iter().map(sent_json).collect::<Vec<_>>(),
        "loaded": built.loaded.iter().map(loaded_json).collect::<Vec<_>>(),
        "size": built.size,
        "sizes": built.platform_sizes.iter().map(platform_size_json).collect::<Vec<_>>(),
        "previous": built.previous.as_ref().map(|previous| previous_json(previous, built.size)),
        "unchanged": built.is_unchanged,
    })
}

fn platform_size_json(weight: &PlatformSize) -> Value {
    json!({
        "platform": weight.platform.to_string(),
        "size": weight.size,
        "previous": weight.previous.as_ref().map(|before| before.size),
        "difference": weight.previous.as_ref().map(|before| difference(before.size, weight.size)),
    })
}

fn previous_json(previous: &PreviousImage, now: u64) -> Value {
    json!({
        "image": previous.place,
        "digest": previous.digest.to_string(),
        "size": previous.size,
        "difference": difference(previous.size, now),
    })
}

fn difference(before: u64, now: u64) -> i128 {
    i128::from(now) - i128::from(before)
}

fn base_json(base: &BaseInfo) -> Value {
    json!({
        "name": base.name,
        "digest": base.digest.to_string(),
        "layers": base.layer_count,
        "size": base.size,
        "shared_files": base.shared_files,
    })
}

/// Returns the JSON of an image that was loaded into an engine.
fn loaded_json((to, loaded): &(EngineImageName, LoadedImage)) -> Value {
    let mut value = copy::loaded_json(loaded);
    if let Some(members) = value.as_object_mut() {
        members.insert("to".into(), json!(to.to_string()));
    }
    value
}

/// Returns the JSON of what was sent to a registry.
fn sent_json(RegistryPush { name: to, sent }: &RegistryPush) -> Value {
    let mut value = copy::sent_json(sent);
    if let Some(members) = value.as_object_mut() {
        members.insert("to".into(), json!(format!("docker://{to}")));
    }
    value
}

/// Formats a plan: every entry with its reason, then the sums.
pub(super) fn plan_text(plan: &Plan) -> String {
    let rows: Vec<[String; 4]> =
        plan.rootfs.iter().map(|(path, entry)| plan_row(&path.to_string(), entry)).collect();
    let width = rows.iter().map(|[_, _, path, _]| path.chars().count()).max().unwrap_or_default();
    let heading = ["SIZE", "MODE", "PATH", "REASON"].map(String::from);
    let mut text = String::new();
    for (index, [size, mode, path, reason]) in std::iter::once(heading).chain(rows).enumerate() {
        let style = if index == 0 { BOLD } else { Style::new() };
        let _ = writeln!(text, "{style}{size:>9}  {mode:>4}  {path:<width$}  {reason}{style:#}");
    }
    let layers = layer_counts(plan);
    let sum = layers.values().fold(EntryCounts::default(), EntryCounts::merged);
    let _ = writeln!(
        text,
        "\n{BOLD}{}{BOLD:#} for {}: {}, {}, {}, in {}",
        DecimalBytes(sum.size),
        plan.platform,
        count_noun(sum.files, "file"),
        count_noun(sum.links, "link"),
        count_directories(sum.directories),
        count_noun(layers.len(), "layer"),
    );
    if let Some(base) = &plan.base {
        let (name, shared) =
            (base.name.as_deref().unwrap_or("the base image"), count_noun(plan.shared_files, "file"));
        let _ =
            writeln!(text, "  based on {name}, which already contains {shared}  {DIM}{}{DIM:#}", base.digest);
    }
    for (stratum, EntryCounts { files, size, .. }) in &layers {
        let _ = writeln!(
            text,
            "  {stratum:<9}  {:>9}  {}",
            DecimalBytes(*size).to_string(),
            count_noun(*files, "file")
        );
    }
    text
}

fn plan_row(path: &str, entry: &Entry) -> [String; 4] {
    let nothing = || "-".to_owned();
    let mode = format!("{:04o}", entry.mode);
    let reason = entry.reason.to_string();
    match &entry.node {
        EntryNode::Directory if path == "/" => [nothing(), mode, path.to_owned(), reason],
        EntryNode::Directory => [nothing(), mode, format!("{path}/"), reason],
        EntryNode::File(content) => [DecimalBytes(content.size()).to_string(), mode, path.to_owned(), reason],
        EntryNode::Symlink(target) => [nothing(), nothing(), format!("{path} -> {target}"), reason],
        EntryNode::HardLink(target) => [nothing(), mode, format!("{path} = {target}"), reason],
    }
}

/// Returns a plan for `--format json`.
pub(super) fn plan_json(recipe: &Recipe, plan: &Plan) -> Value {
    let entries: Vec<Value> =
        plan.rootfs.iter().map(|(path, entry)| entry_json(&path.to_string(), entry)).collect();
    let layers: Vec<Value> = layer_counts(plan)
        .iter()
        .map(|(stratum, sum)| json!({ "stratum": stratum.to_string(), "files": sum.files, "size": sum.size }))
        .collect();
    json!({
        "references": to_strings(&recipe.image.names),
        "platforms": [plan.platform.to_string()],
        "entries": entries,
        "layers": layers,
        "warnings": to_strings(&filter_notes(&plan.notes, |note| matches!(note, Note::Warning(_)))),
        "hints": to_strings(&filter_notes(&plan.notes, |note| matches!(note, Note::Hint(_)))),
    })
}

fn entry_json(path: &str, entry: &Entry) -> Value {
    let mut value = json!({
        "path": path,
        "uid": entry.owner.uid,
        "gid": entry.owner.gid,
        "mode": format!("{:04o}", entry.mode),
        "reason": entry.reason.to_string(),
        "stratum": entry.layer_kind.to_string(),
    });
    let (kind, key, more) = match &entry.node {
        EntryNode::Directory => ("directory", "size", json!(0)),
        EntryNode::File(content) => ("file", "size", json!(content.size())),
        EntryNode::Symlink(target) => ("link", "target", json!(target.to_string())),
        EntryNode::HardLink(target) => ("hardlink", "target", json!(target.to_string())),
    };
    if let Some(members) = value.as_object_mut() {
        members.insert("type".into(), json!(kind));
        members.insert(key.into(), more);
    }
    value
}

/// The number of entries of each kind, and the files' size in bytes.
#[derive(Default)]
struct EntryCounts {
    files: usize,
    links: usize,
    directories: usize,
    size: u64,
}

impl EntryCounts {
    fn merged(self, other: &Self) -> Self {
        Self {
            files: self.files + other.files,
            links: self.links + other.links,
            directories: self.directories + other.directories,
            size: self.size + other.size,
        }
    }

    fn add_node(&mut self, node: &EntryNode) {
        match node {
            EntryNode::Directory => self.directories += 1,
            EntryNode::Symlink(_) | EntryNode::HardLink(_) => self.links += 1,
            EntryNode::File(content) => {
                self.files += 1;
                self.size += content.size();
            }
        }
    }
}

/// Sums up the entries of each layer. A directory is counted only in its own layer.
fn layer_counts(plan: &Plan) -> BTreeMap<LayerKind, EntryCounts> {
    let mut layers: BTreeMap<LayerKind, EntryCounts> =
        plan.rootfs.layer_kinds().into_iter().map(|s| (s, EntryCounts::default())).collect();
    for (_, entry) in plan.rootfs.iter() {
        if let Some(sum) = layers.get_mut(&entry.layer_kind) {
            sum.add_node(&entry.node);
        }
    }
    layers
}

pub(super) fn count_noun(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn count_directories(number: usize) -> String {
    if number == 1 { "1 directory".into() } else { format!("{number} directories") }
}

fn filter_notes(notes: &[Note], kind: impl Fn(&Note) -> bool) -> Vec<Note> {
    notes.iter().filter(|note| kind(note)).cloned().collect()
}

fn to_strings(items: &[impl ToString]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::digest::{DiffId, Digest};
    use coracle_oci::layer::Layer;

    fn image(names: &[&str]) -> Built {
        let digest = format!("sha256:{}", "ab".repeat(32)).parse::<Digest>().unwrap();
        let layer = |stratum, size| Layer {
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip",
            digest,
            diff_id: DiffId::new(digest),
            size,
            unpacked_size: size * 3,
            kind: stratum,
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
  written to oci:curl.oci
"
        );
        let text = built_text("curl:8", &image(&["curl:8"]));
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), expected);
    }

    #[test]
    fn formats_image_as_json() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let named = built_json(&image(&["curl:8", "ghcr.io/a/curl"]));
        assert_eq!(named["reference"], json!(format!("curl:8@{digest}")));
        assert_eq!(named["references"], json!(["curl:8", "ghcr.io/a/curl:latest"]));
        let [media_type, size] = ["media_type", "size"].map(|key| named["layers"][1][key].clone());
        assert_eq!(
            (media_type, size),
            (json!("application/vnd.oci.image.layer.v1.tar+gzip"), json!(300_000))
        );
        assert_eq!(built_json(&image(&[]))["reference"], json!(digest));
    }
}
