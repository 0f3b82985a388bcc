//! The differences of two images as Markdown: a comment for a pull request, and a part of a job's
//! summary.

use std::fmt::Write as _;

use coracle_core::byte_size::ByteSize;
use coracle_inspect::{FileDiff, ImageDiff, PlatformDiff};

use super::diff_text::{
    count_changes, file_details, file_sizes, is_only_index_changed, key_line, layer_line, package_line,
};
use crate::cli::markdown_summary::{code_span, escape_markdown};

/// The maximum number of paths that are listed: comments are limited to 65,536 characters.
const MAX_FILES: usize = 100;
/// The maximum number of lines about one path.
const MAX_DETAILS: usize = 8;

/// Formats the differences of two images.
pub(in crate::cli) fn diff_markdown(diff: &ImageDiff) -> String {
    let mut text =
        format!("### {} → {}\n\n", escape_markdown(&diff.old.location), escape_markdown(&diff.new.location));
    if diff.same {
        let digest = diff.new.digest.as_deref().unwrap_or("no digest");
        let _ = writeln!(text, "The images are the same: {}", code_span(digest));
        return text;
    }
    for (what, platforms) in [("removed", &diff.removed_platforms), ("added", &diff.added_platforms)] {
        for platform in platforms {
            let _ = writeln!(text, "- platform {} {what}", code_span(platform));
        }
    }
    if is_only_index_changed(diff) {
        text.push_str("The images of all platforms are the same; only the index differs.\n\n");
    }
    text.push_str("| platform | old | new | packages | files |\n| --- | ---: | ---: | ---: | --- |\n");
    for platform in &diff.platforms {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            escape_markdown(&platform.platform),
            ByteSize(platform.old_size),
            ByteSize(platform.new_size),
            platform.packages.len(),
            if platform.same { "the same".to_owned() } else { count_changes(&platform.files) },
        );
    }
    text.push('\n');
    for platform in diff.platforms.iter().filter(|platform| !platform.same) {
        add_platform(&mut text, platform);
    }
    text
}

fn add_platform(text: &mut String, diff: &PlatformDiff) {
    let platform = escape_markdown(&diff.platform);
    let breaking = diff.contract.iter().filter(|change| change.breaking).count();
    if breaking > 0 {
        let _ = writeln!(text, "**The contract has {breaking} breaking changes.**\n");
    }
    let contract = diff.contract.iter().map(|change| {
        let label = if change.breaking { "breaking: " } else { "" };
        format!("{label}{} {} {}", change.part, change.name, change.message)
    });
    add_list(text, "contract", contract.collect(), false);
    add_list(text, "packages", diff.packages.iter().map(package_line).collect(), false);
    let files: Vec<String> = diff.files.iter().take(MAX_FILES).map(file_item).collect();
    if !files.is_empty() {
        let _ = writeln!(text, "<details><summary>{platform}: {}</summary>\n", count_changes(&diff.files));
        files.iter().for_each(|item| text.push_str(item));
        if diff.files.len() > MAX_FILES {
            let _ = writeln!(text, "- and {} more", diff.files.len() - MAX_FILES);
        }
        text.push_str("\n</details>\n\n");
    }
    add_list(text, "config", diff.config.iter().chain(&diff.manifest).map(key_line).collect(), true);
    add_list(text, "layers", diff.layers.iter().map(layer_line).collect(), true);
    add_list(text, "problems", diff.problems.clone(), false);
}

fn add_list(text: &mut String, heading: &str, lines: Vec<String>, is_folded: bool) {
    if lines.is_empty() {
        return;
    }
    if is_folded {
        let _ = writeln!(text, "<details><summary>{heading}</summary>\n");
    } else {
        let _ = writeln!(text, "{heading}:\n");
    }
    for line in lines.iter().take(MAX_FILES) {
        let _ = writeln!(text, "- {}", code_span(line));
    }
    text.push_str(if is_folded { "\n</details>\n\n" } else { "\n" });
}

fn file_item(diff: &FileDiff) -> String {
    let what = match diff.change {
        coracle_inspect::FileChange::Added => "added",
        coracle_inspect::FileChange::Removed => "removed",
        coracle_inspect::FileChange::Changed => "changed",
        coracle_inspect::FileChange::HeaderChanged => "header",
    };
    let mut text = format!("- {what} {} {}\n", code_span(&diff.path), escape_markdown(&file_sizes(diff)));
    for detail in file_details(diff).iter().take(MAX_DETAILS) {
        let _ = writeln!(text, "  - {}", code_span(detail));
    }
    text
}
