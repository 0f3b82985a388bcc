//! The differences of two images as text.

use std::fmt::Write as _;

use coracle_core::escape::escape_text;
use coracle_inspect::{
    ElfDiff, FileChange, FileDiff, ImageDiff, KeyChange, LayerDiff, LayerDifference, PackageChange,
    PlatformDiff,
};
use indicatif::DecimalBytes;

use crate::cli::console_output::{BOLD, DIM, count_noun};

/// Formats the differences of two images.
pub(super) fn diff_text(diff: &ImageDiff) -> String {
    let digest = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "no digest".into());
    let mut text = format!(
        "{DIM}old{DIM:#}  {}  {}\n{DIM}new{DIM:#}  {}  {}\n",
        escape_text(&diff.old.location),
        digest(&diff.old.digest),
        escape_text(&diff.new.location),
        digest(&diff.new.digest)
    );
    if diff.same {
        text.push_str("the images are the same\n");
        return text;
    }
    for (mark, platforms) in [("-", &diff.removed_platforms), ("+", &diff.added_platforms)] {
        for platform in platforms {
            let _ = writeln!(text, "{mark} platform {}", escape_text(platform));
        }
    }
    if is_only_index_changed(diff) {
        text.push_str("the images of all platforms are the same; only the index differs\n");
    }
    for platform in &diff.platforms {
        add_platform(&mut text, platform);
    }
    text
}

/// Returns whether two indexes have the same images, and differ in something else.
pub(super) fn is_only_index_changed(diff: &ImageDiff) -> bool {
    !diff.same
        && diff.platforms.iter().all(|platform| platform.same)
        && diff.removed_platforms.is_empty()
        && diff.added_platforms.is_empty()
}

fn add_platform(text: &mut String, diff: &PlatformDiff) {
    let _ = write!(text, "\n{BOLD}{}{BOLD:#}", escape_text(&diff.platform));
    if diff.same {
        text.push_str("  the same\n");
        return;
    }
    let _ = writeln!(text, "  {}", size_change(diff.old_size, diff.new_size));
    for problem in &diff.problems {
        let _ = writeln!(text, "  {}", escape_text(problem));
    }
    let packages = diff.packages.iter().map(package_line);
    add_section(text, "packages", packages);
    add_section(text, "files", diff.files.iter().map(file_lines));
    let contract = diff.contract.iter().map(|change| {
        let label = if change.breaking { "breaking: " } else { "" };
        escape_text(&format!("{label}{} {} {}", change.part, change.name, change.message))
    });
    add_section(text, "contract", contract);
    add_section(text, "config", diff.config.iter().map(key_line));
    add_section(text, "manifest", diff.manifest.iter().map(key_line));
    add_section(text, "layers", diff.layers.iter().map(layer_line));
}

fn add_section(text: &mut String, heading: &str, lines: impl Iterator<Item = String>) {
    let mut is_empty = true;
    for line in lines {
        if is_empty {
            let _ = writeln!(text, "  {BOLD}{heading}{BOLD:#}");
            is_empty = false;
        }
        let _ = writeln!(text, "    {line}");
    }
}

/// Returns two sizes and their difference.
pub(super) fn size_change(old: u64, new: u64) -> String {
    let (old_text, new_text) = (DecimalBytes(old), DecimalBytes(new));
    match (new > old, old == new) {
        (_, true) => old_text.to_string(),
        (true, _) => format!("{old_text} → {new_text}, +{}", DecimalBytes(new - old)),
        (false, _) => format!("{old_text} → {new_text}, −{}", DecimalBytes(old - new)),
    }
}

pub(super) fn package_line(change: &PackageChange) -> String {
    let name = escape_text(&change.name);
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("~ {name} {} → {}", escape_text(old), escape_text(new)),
        (Some(old), None) => format!("- {name} {}", escape_text(old)),
        (None, new) => format!("+ {name} {}", escape_text(new.as_deref().unwrap_or_default())),
    }
}

fn file_lines(diff: &FileDiff) -> String {
    let mut text =
        format!("{} {}  {DIM}{}{DIM:#}", mark(diff.change), escape_text(&diff.path), file_sizes(diff));
    for detail in file_details(diff) {
        let _ = write!(text, "\n        {}", escape_text(&detail));
    }
    text
}

fn mark(change: FileChange) -> &'static str {
    match change {
        FileChange::Added => "+",
        FileChange::Removed => "-",
        FileChange::Changed => "~",
        FileChange::HeaderChanged => "·",
    }
}

/// Returns the sizes of a path that differs.
pub(super) fn file_sizes(diff: &FileDiff) -> String {
    match (&diff.old, &diff.new) {
        (Some(old), Some(new)) if diff.change == FileChange::HeaderChanged || old.size == new.size => {
            let compressed = (old.compressed != new.compressed)
                .then(|| format!(", {} compressed", size_change(old.compressed, new.compressed)));
            format!("{}{}", DecimalBytes(new.size), compressed.unwrap_or_default())
        }
        (Some(old), Some(new)) => format!(
            "{}, {} compressed",
            size_change(old.size, new.size),
            size_change(old.compressed, new.compressed)
        ),
        (Some(one), None) | (None, Some(one)) => {
            format!("{}, {} compressed", DecimalBytes(one.size), DecimalBytes(one.compressed))
        }
        (None, None) => String::new(),
    }
}

/// Returns what differs in a path, one line each.
pub(super) fn file_details(diff: &FileDiff) -> Vec<String> {
    let mut lines: Vec<String> = diff
        .fields
        .iter()
        .map(|change| format!("{}: {} → {}", change.field, or_none(&change.old), or_none(&change.new)))
        .collect();
    if let Some(offset) = diff.first_difference {
        lines.push(format!("first difference at byte {offset}"));
    }
    lines.extend(diff.elf.iter().flat_map(elf_details));
    lines.extend(diff.keys.iter().map(key_line));
    lines
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn elf_details(diff: &ElfDiff) -> Vec<String> {
    let mut lines = Vec::new();
    for (mark, what, names) in [
        ("+", "needs", &diff.added_libraries),
        ("-", "needs", &diff.removed_libraries),
        ("+", "wants", &diff.added_versions),
        ("-", "wants", &diff.removed_versions),
    ] {
        lines.extend(names.iter().map(|name| format!("{mark} {what} {name}")));
    }
    lines.extend(diff.loader_fields.iter().map(|(field, old, new)| format!("{field}: {old} → {new}")));
    let sections = diff.sections.iter().map(|section| match (section.old, section.new) {
        (Some(old), Some(new)) => format!("{} {}", section.name, size_change(old, new)),
        (Some(old), None) => format!("-{} {}", section.name, DecimalBytes(old)),
        (None, new) => format!("+{} {}", section.name, DecimalBytes(new.unwrap_or_default())),
    });
    let sections: Vec<String> = sections.collect();
    if !sections.is_empty() {
        lines.push(format!("sections: {}", sections.join(", ")));
    }
    lines
}

pub(super) fn key_line(change: &KeyChange) -> String {
    let (key, old, new) = (&change.key, &change.old, &change.new);
    escape_text(&match (old, new) {
        (Some(old), Some(new)) => format!("~ {key}: {old} → {new}"),
        (Some(old), None) => format!("- {key}: {old}"),
        (None, new) => format!("+ {key}: {}", new.as_deref().unwrap_or_default()),
    })
}

/// Returns what differs between two layers, as one line.
pub(super) fn layer_line(diff: &LayerDiff) -> String {
    let text = match (&diff.old, &diff.new) {
        (Some(old), Some(new)) => {
            let moved = if old.number == new.number {
                format!("{}", old.number + 1)
            } else {
                format!("{} → {}", old.number + 1, new.number + 1)
            };
            let what = match &diff.difference {
                None => "the same".to_owned(),
                Some(difference) => describe_difference(difference),
            };
            format!("{moved}: {}; {what}", size_change(old.size, new.size))
        }
        (Some(old), None) => format!("- {}: {}", old.number + 1, DecimalBytes(old.size)),
        (None, new) => {
            let (number, size) = new.as_ref().map_or((0, 0), |new| (new.number + 1, new.size));
            format!("+ {number}: {}", DecimalBytes(size))
        }
    };
    escape_text(&text)
}

fn describe_difference(difference: &LayerDifference) -> String {
    match difference {
        LayerDifference::Compression { offset, part } => {
            format!("the same tar, compressed differently: byte {offset} of the blob, {part}")
        }
        LayerDifference::Tar { offset, path, part, order } => {
            let of = path.as_ref().map(|path| format!(" of {path}")).unwrap_or_default();
            let order = if *order { "; the same paths in another order" } else { "" };
            format!("first difference at byte {offset} of the tar: {part}{of}{order}")
        }
        LayerDifference::Unknown { part } => format!("cannot be compared: {part}"),
    }
}

/// Returns the numbers of changed paths, such as `2 added, 1 changed`.
pub(super) fn count_changes(files: &[FileDiff]) -> String {
    let count = |wanted| files.iter().filter(|diff| diff.change == wanted).count();
    let parts = [
        (count(FileChange::Added), "added"),
        (count(FileChange::Removed), "removed"),
        (count(FileChange::Changed), "changed"),
        (count(FileChange::HeaderChanged), "with another tar header"),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, what)| format!("{number} {what}")).collect();
    if parts.is_empty() { count_noun(0, "path") } else { parts.join(", ") }
}
