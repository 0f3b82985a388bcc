//! The summary of an image: one screen.

use std::fmt::Write as _;

use coracle_core::escape::escape_text;
use coracle_inspect::{ImageReport, LayerReport, PlatformReport, RunConfigReport};
use coracle_kube::contract::{CONTRACT_LABEL, Contract};
use indicatif::DecimalBytes;

use crate::cli::console_output::{BOLD, DIM, count_noun};

/// The width of the column of labels.
const LABEL_WIDTH: usize = 10;
/// The maximum number of packages in the summary.
const MAX_PACKAGES: usize = 8;
/// The number of characters of a value in the summary.
const MAX_VALUE: usize = 120;

/// Formats the report of an image.
pub(super) fn summary_text(report: &ImageReport) -> String {
    let image = &report.image;
    let name = report.names.first().unwrap_or(&report.location);
    let mut text = format!("{BOLD}{}{BOLD:#}  {}", escape_text(name), escape_text(&image.platform));
    if let Some(kind) = &image.artifact_type {
        let _ = write!(text, "  artifact {}", escape_text(kind));
    }
    text.push('\n');
    let mut rows = Rows(&mut text);
    rows.add("digest", report.digest.as_deref().unwrap_or("none: the archive has no manifest"));
    rows.add("size", &sizes(image));
    let platforms = report.platforms.iter().map(|platform| platform.platform.as_str());
    if report.platforms.len() > 1 {
        rows.add("platforms", &platforms.collect::<Vec<_>>().join(", "));
        rows.add("manifest", image.digest.as_deref().unwrap_or_default());
    }
    add_config(&mut rows, &image.config);
    add_origin(&mut rows, image);
    if let Some(contract) = &image.contract {
        rows.add("contract", &contract_line(contract));
    }
    for referrer in &report.referrers {
        rows.add("referrer", &format!("{}  {}  {}", referrer.what, referrer.digest, referrer.artifact_type));
    }
    if let Some(why) = &report.referrers_problem {
        rows.add("referrers", &format!("unknown: {why}"));
    }
    add_layers(&mut text, &image.layers);
    text
}

/// Lines of a label and a value.
struct Rows<'a>(&'a mut String);

impl Rows<'_> {
    /// Adds a line; a value that is too long is cut.
    fn add(&mut self, label: &str, value: &str) {
        let value: String = match value.char_indices().nth(MAX_VALUE) {
            Some((end, _)) => format!("{} …", value.get(..end).unwrap_or_default()),
            None => value.to_owned(),
        };
        let _ = writeln!(self.0, "  {DIM}{label:LABEL_WIDTH$}{DIM:#}  {}", escape_text(&value));
    }

    fn add_list(&mut self, label: &str, values: &[String]) {
        if !values.is_empty() {
            self.add(label, &values.join(", "));
        }
    }
}

fn sizes(image: &PlatformReport) -> String {
    let size = DecimalBytes(image.size);
    let layers = count_noun(image.layers.len(), "layer");
    let Some(unpacked) = image.unpacked_size else { return format!("{size} compressed, {layers}") };
    let files = image.layers.iter().map(|layer| layer.files - layer.removed.min(layer.files)).sum();
    format!("{size} compressed, {} unpacked, {}, {layers}", DecimalBytes(unpacked), count_noun(files, "file"))
}

fn add_config(rows: &mut Rows<'_>, config: &RunConfigReport) {
    if let Some(created) = &config.created {
        rows.add("created", created);
    }
    rows.add("user", config.user.as_deref().unwrap_or("root (none is set)"));
    let command = |words: &[String]| {
        let word = |word: &String| match word.is_empty() || word.contains(char::is_whitespace) {
            true => format!("{word:?}"),
            false => word.clone(),
        };
        words.iter().map(word).collect::<Vec<_>>().join(" ")
    };
    if !config.entrypoint.is_empty() {
        rows.add("entrypoint", &command(&config.entrypoint));
    }
    if !config.cmd.is_empty() {
        rows.add("cmd", &command(&config.cmd));
    }
    for variable in &config.env {
        rows.add("env", variable);
    }
    if let Some(directory) = &config.working_dir {
        rows.add("directory", directory);
    }
    rows.add_list("ports", &config.ports);
    rows.add_list("volumes", &config.volumes);
    if let Some(signal) = &config.stop_signal {
        rows.add("stop", signal);
    }
    for (name, value) in config.labels.iter().filter(|(name, _)| *name != CONTRACT_LABEL) {
        rows.add("label", &format!("{name}={value}"));
    }
}

fn add_origin(rows: &mut Rows<'_>, image: &PlatformReport) {
    if let Some(base) = &image.base {
        let parts = [base.name.clone(), base.digest.clone()];
        rows.add("base", &parts.into_iter().flatten().collect::<Vec<_>>().join("@"));
    }
    if let Some(distribution) = &image.distribution {
        rows.add("system", distribution);
    }
    if let Some(why) = &image.packages_problem {
        rows.add("packages", &format!("unknown: {why}"));
    }
    let Some(packages) = image.packages.as_ref().filter(|_| image.packages_problem.is_none()) else { return };
    let mut names: Vec<&str> =
        packages.iter().take(MAX_PACKAGES).map(|package| package.package.name.as_str()).collect();
    if packages.len() > MAX_PACKAGES {
        names.push("…");
    }
    let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    let unowned = count_noun(image.unowned_files, "file");
    rows.add("packages", &format!("{}{names}; {unowned} of no package", packages.len()));
}

fn contract_line(contract: &Contract) -> String {
    let mounts = contract.mounts.iter().map(|mount| {
        let files: Vec<&str> = mount.files.iter().map(|file| file.key.as_str()).collect();
        format!("{} ({})", mount.path, files.join(", "))
    });
    let writable = contract.writable.iter().map(|directory| format!("{} (writable)", directory.path));
    let parts: Vec<String> = mounts.chain(writable).collect();
    if parts.is_empty() { "nothing is mounted".into() } else { parts.join(", ") }
}

/// The number of characters of a digest that are shown.
const SHORT_DIGEST: usize = "sha256:".len() + 12;

fn add_layers(text: &mut String, layers: &[LayerReport]) {
    if layers.is_empty() {
        text.push_str("\nno layers: the image has no files\n");
        return;
    }
    let _ = writeln!(text, "\n{BOLD}layers{BOLD:#}, the lowest first");
    for (number, layer) in layers.iter().enumerate() {
        let digest = layer.digest.as_deref().unwrap_or("no digest");
        let size = DecimalBytes(layer.size).to_string();
        let unpacked = layer.unpacked_size.map_or("-".to_owned(), |size| DecimalBytes(size).to_string());
        let history = layer.history.as_deref().unwrap_or_default();
        let history: String = history.chars().take(MAX_VALUE).collect();
        let _ = writeln!(
            text,
            "  {:>3}  {size:>10}  {unpacked:>10}  {DIM}{}{DIM:#}  {}",
            number + 1,
            digest.get(..SHORT_DIGEST).unwrap_or(digest),
            escape_text(&history),
        );
        let _ = writeln!(text, "{:32} {}", "", escape_text(&layer_contents(layer)));
    }
}

/// Returns what a layer holds.
fn layer_contents(layer: &LayerReport) -> String {
    if let Some(why) = &layer.problem {
        return format!("cannot be read: {why}");
    }
    if layer.unpacked_size.is_none() {
        return layer.media_type.clone().unwrap_or_default();
    }
    let mut parts = vec![count_noun(layer.files, "file")];
    if layer.removed > 0 {
        parts.push(format!("{} removed", count_noun(layer.removed, "path")));
    }
    let largest = layer
        .largest
        .iter()
        .map(|directory| format!("{} {}", directory.path, DecimalBytes(directory.compressed)));
    let largest: Vec<String> = largest.collect();
    format!("{}: {}", parts.join(", "), largest.join(", "))
}
