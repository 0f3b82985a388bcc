//! Text and JSON output of built images and plans.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;
use coracle_kube::contract::Contract;
use coracle_oci::engine::{Loaded, Named};
use coracle_core::note::Note;
use coracle::recipe::Recipe;
use coracle::rootfs::{Entry, Node, Stratum};
use coracle_oci::copy::Place;
use coracle::{Below, Built, Delivery, Plan, Previous, Weight};
use indicatif::DecimalBytes;
use serde_json::{Value, json};

use super::copy;
use super::report::{FAINT, STRONG};

/// Returns the line for stdout: the image's reference with its digest, in the first registry it was
/// pushed to, else with its first name; else its digest.
pub(super) fn reference(built: &Built) -> String {
    match built.sent.first().map(|delivery| &delivery.to).or(built.references.first()) {
        Some(reference) => format!("{reference}@{}", built.digest),
        None => built.digest.to_string(),
    }
}

/// Formats a built image: its sizes, layers, contract and destinations.
pub(super) fn built(title: &str, built: &Built) -> String {
    let platforms: Vec<String> = built.platforms.iter().map(ToString::to_string).collect();
    let unpacked = DecimalBytes(built.layers.iter().map(|layer| layer.unpacked).sum());
    let mut text = format!(
        "{STRONG}{title}{STRONG:#}  {}  {}, {unpacked} → {STRONG}{}{STRONG:#} in {}\n",
        platforms.join(", "),
        count(built.files, "file"),
        DecimalBytes(built.size - built.below.iter().map(|base| base.size).sum::<u64>()),
        count(built.layers.len(), "layer"),
    );
    for base in &built.below {
        let (size, layers) = (DecimalBytes(base.size).to_string(), count(base.layers, "layer"));
        let has = if base.shared == 0 {
            String::new()
        } else {
            format!("; already contains {}", count(base.shared, "file"))
        };
        let (name, digest) = (base.name.as_deref().unwrap_or("the base image"), base.digest);
        let _ =
            writeln!(text, "  {:<9}  {size:>9} in {layers} of {name}{has}  {FAINT}{digest}{FAINT:#}", "base");
    }
    for layer in &built.layers {
        let (from, to) = (DecimalBytes(layer.unpacked).to_string(), DecimalBytes(layer.size).to_string());
        let (stratum, digest) = (layer.stratum, layer.digest);
        let _ = writeln!(text, "  {stratum:<9}  {from:>9} → {to:>9}  {FAINT}{digest}{FAINT:#}");
    }
    for weight in &built.weights {
        let platform = if built.weights.len() > 1 { format!(", {}", weight.platform) } else { String::new() };
        if let (Some(change), Some(before)) = (weight.change(), &weight.before) {
            let _ = writeln!(text, "  compared   {}{platform}", change.than(&before.place));
        }
    }
    text.push_str(&expected(&built.contract));
    let how = if built.is_unchanged { "unchanged in" } else { "written to" };
    for destination in &built.destinations {
        match destination {
            Place::Local(destination) => {
                let _ = writeln!(text, "  {how} {destination}");
            }
            // Listed below, with what was sent.
            Place::Remote(_) | Place::Engine(_) => {}
        }
    }
    for Delivery { to, sent } in &built.sent {
        let _ = writeln!(text, "  pushed to  docker://{to}: {}", copy::sent_told(sent));
    }
    for (to, loaded) in &built.loaded {
        let _ = writeln!(text, "  loaded as  {to}: {}", copy::loaded_told(loaded));
    }
    text
}

/// Formats the mounts that the contract requires, with their files.
fn expected(contract: &Contract) -> String {
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
        "reference": reference(built),
        "references": strings(&built.references),
        "digest": built.digest.to_string(),
        "platforms": strings(&built.platforms),
        "layers": layers,
        "bases": built.below.iter().map(base_json).collect::<Vec<_>>(),
        "destinations": strings(&built.destinations),
        "sent": built.sent.iter().map(sent_json).collect::<Vec<_>>(),
        "loaded": built.loaded.iter().map(loaded_json).collect::<Vec<_>>(),
        "size": built.size,
        "sizes": built.weights.iter().map(weight_json).collect::<Vec<_>>(),
        "previous": built.previous.as_ref().map(|previous| previous_json(previous, built.size)),
        "unchanged": built.is_unchanged,
    })
}

fn weight_json(weight: &Weight) -> Value {
    json!({
        "platform": weight.platform.to_string(),
        "size": weight.size,
        "previous": weight.before.as_ref().map(|before| before.size),
        "difference": weight.before.as_ref().map(|before| difference(before.size, weight.size)),
    })
}

fn previous_json(previous: &Previous, now: u64) -> Value {
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

fn base_json(base: &Below) -> Value {
    json!({
        "name": base.name,
        "digest": base.digest.to_string(),
        "layers": base.layers,
        "size": base.size,
        "shared_files": base.shared,
    })
}

/// Returns the JSON of an image that was loaded into an engine.
fn loaded_json((to, loaded): &(Named, Loaded)) -> Value {
    let mut value = copy::loaded_json(loaded);
    if let Some(members) = value.as_object_mut() {
        members.insert("to".into(), json!(to.to_string()));
    }
    value
}

/// Returns the JSON of what was sent to a registry.
fn sent_json(Delivery { to, sent }: &Delivery) -> Value {
    let mut value = copy::sent_json(sent);
    if let Some(members) = value.as_object_mut() {
        members.insert("to".into(), json!(format!("docker://{to}")));
    }
    value
}

/// Formats a plan: every entry with its reason, then the sums.
pub(super) fn plan(plan: &Plan) -> String {
    let rows: Vec<[String; 4]> =
        plan.rootfs.iter().map(|(path, entry)| row(&path.to_string(), entry)).collect();
    let width = rows.iter().map(|[_, _, path, _]| path.chars().count()).max().unwrap_or_default();
    let heading = ["SIZE", "MODE", "PATH", "REASON"].map(String::from);
    let mut text = String::new();
    for (index, [size, mode, path, reason]) in std::iter::once(heading).chain(rows).enumerate() {
        let style = if index == 0 { STRONG } else { Style::new() };
        let _ = writeln!(text, "{style}{size:>9}  {mode:>4}  {path:<width$}  {reason}{style:#}");
    }
    let layers = layers(plan);
    let sum = layers.values().fold(Sum::default(), Sum::and);
    let _ = writeln!(
        text,
        "\n{STRONG}{}{STRONG:#} for {}: {}, {}, {}, in {}",
        DecimalBytes(sum.size),
        plan.platform,
        count(sum.files, "file"),
        count(sum.links, "link"),
        directories(sum.directories),
        count(layers.len(), "layer"),
    );
    if let Some(base) = &plan.base {
        let (name, shared) = (base.name.as_deref().unwrap_or("the base image"), count(plan.shared, "file"));
        let _ = writeln!(
            text,
            "  based on {name}, which already contains {shared}  {FAINT}{}{FAINT:#}",
            base.digest
        );
    }
    for (stratum, Sum { files, size, .. }) in &layers {
        let _ = writeln!(
            text,
            "  {stratum:<9}  {:>9}  {}",
            DecimalBytes(*size).to_string(),
            count(*files, "file")
        );
    }
    text
}

fn row(path: &str, entry: &Entry) -> [String; 4] {
    let nothing = || "-".to_owned();
    let mode = format!("{:04o}", entry.mode);
    let reason = entry.reason.to_string();
    match &entry.node {
        Node::Directory if path == "/" => [nothing(), mode, path.to_owned(), reason],
        Node::Directory => [nothing(), mode, format!("{path}/"), reason],
        Node::File(content) => [DecimalBytes(content.size()).to_string(), mode, path.to_owned(), reason],
        Node::Link(target) => [nothing(), nothing(), format!("{path} -> {target}"), reason],
        Node::HardLink(target) => [nothing(), mode, format!("{path} = {target}"), reason],
    }
}

/// Returns a plan for `--format json`.
pub(super) fn plan_json(recipe: &Recipe, plan: &Plan) -> Value {
    let entries: Vec<Value> =
        plan.rootfs.iter().map(|(path, entry)| entry_json(&path.to_string(), entry)).collect();
    let layers: Vec<Value> = layers(plan)
        .iter()
        .map(|(stratum, sum)| json!({ "stratum": stratum.to_string(), "files": sum.files, "size": sum.size }))
        .collect();
    json!({
        "references": strings(&recipe.names),
        "platforms": [plan.platform.to_string()],
        "entries": entries,
        "layers": layers,
        "warnings": strings(&only(&plan.notes, |note| matches!(note, Note::Warning(_)))),
        "hints": strings(&only(&plan.notes, |note| matches!(note, Note::Hint(_)))),
    })
}

fn entry_json(path: &str, entry: &Entry) -> Value {
    let mut value = json!({
        "path": path,
        "uid": entry.owner.uid,
        "gid": entry.owner.gid,
        "mode": format!("{:04o}", entry.mode),
        "reason": entry.reason.to_string(),
        "stratum": entry.stratum.to_string(),
    });
    let (kind, key, more) = match &entry.node {
        Node::Directory => ("directory", "size", json!(0)),
        Node::File(content) => ("file", "size", json!(content.size())),
        Node::Link(target) => ("link", "target", json!(target.to_string())),
        Node::HardLink(target) => ("hardlink", "target", json!(target.to_string())),
    };
    if let Some(members) = value.as_object_mut() {
        members.insert("type".into(), json!(kind));
        members.insert(key.into(), more);
    }
    value
}

/// The number of entries of each kind, and the files' size in bytes.
#[derive(Default)]
struct Sum {
    files: usize,
    links: usize,
    directories: usize,
    size: u64,
}

impl Sum {
    fn and(self, other: &Self) -> Self {
        Self {
            files: self.files + other.files,
            links: self.links + other.links,
            directories: self.directories + other.directories,
            size: self.size + other.size,
        }
    }

    fn add(&mut self, node: &Node) {
        match node {
            Node::Directory => self.directories += 1,
            Node::Link(_) | Node::HardLink(_) => self.links += 1,
            Node::File(content) => {
                self.files += 1;
                self.size += content.size();
            }
        }
    }
}

/// Sums up the entries of each layer. A directory is counted only in its own layer.
fn layers(plan: &Plan) -> BTreeMap<Stratum, Sum> {
    let mut layers: BTreeMap<Stratum, Sum> =
        plan.rootfs.strata().into_iter().map(|s| (s, Sum::default())).collect();
    for (_, entry) in plan.rootfs.iter() {
        if let Some(sum) = layers.get_mut(&entry.stratum) {
            sum.add(&entry.node);
        }
    }
    layers
}

pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn directories(number: usize) -> String {
    if number == 1 { "1 directory".into() } else { format!("{number} directories") }
}

fn only(notes: &[Note], kind: impl Fn(&Note) -> bool) -> Vec<Note> {
    notes.iter().filter(|note| kind(note)).cloned().collect()
}

fn strings(items: &[impl ToString]) -> Vec<String> {
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
            unpacked: size * 3,
            stratum,
        };
        Built {
            references: names.iter().map(|name| name.parse().unwrap()).collect(),
            digest,
            platforms: vec!["linux/amd64".parse().unwrap()],
            layers: vec![layer(Stratum::Libraries, 7_600_000), layer(Stratum::Program, 300_000)],
            destinations: vec!["oci:curl.oci".parse().unwrap()],
            sent: vec![],
            loaded: vec![],
            size: 7_901_234,
            weights: vec![],
            previous: None,
            files: 37,
            is_unchanged: false,
            contract: Contract::default(),
            notes: vec![],
            below: vec![],
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
        let text = built("curl:8", &image(&["curl:8"]));
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
