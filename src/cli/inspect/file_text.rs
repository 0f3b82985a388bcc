//! The paths and packages of an image as tables, and the explanation of one path.

use std::fmt::Write as _;

use coracle_core::escape::{column_width, escape_text};
use coracle_inspect::{FileReport, ImageReport, WhyReport};
use indicatif::DecimalBytes;

use crate::cli::console_output::{BOLD, DIM, count_noun};

/// Formats all paths: one line each.
pub(super) fn files_text(files: &[FileReport]) -> String {
    let total: u64 = files.iter().map(|file| file.compressed).sum();
    let mut text =
        format!("{BOLD}{:>10}  {:>10}  {:>6}  mode  layer  path{BOLD:#}\n", "size", "compressed", "share");
    for file in files {
        let share = match total {
            0 => String::new(),
            total => {
                let tenths = u128::from(file.compressed) * 1000 / u128::from(total);
                format!("{}.{}%", tenths / 10, tenths % 10)
            }
        };
        let target = file.target.as_ref().map(|target| format!(" -> {target}")).unwrap_or_default();
        let about: Vec<&str> = [&file.package, &file.why].into_iter().flatten().map(String::as_str).collect();
        let _ = writeln!(
            text,
            "{:>10}  {:>10}  {share:>6}  {}  {:>5}  {}{}{DIM}{}{DIM:#}",
            size_text(file),
            DecimalBytes(file.compressed).to_string(),
            file.mode,
            file.layer + 1,
            escape_text(&file.path),
            escape_text(&target),
            escape_text(&about.iter().map(|about| format!("  {about}")).collect::<String>()),
        );
    }
    text
}

fn size_text(file: &FileReport) -> String {
    match file.kind {
        "file" | "hard-link" => DecimalBytes(file.size).to_string(),
        kind => kind.to_owned(),
    }
}

/// Formats the packages: one line each, and the number of files that no package owns.
pub(super) fn packages_text(report: &ImageReport) -> String {
    let packages = report.image.packages.as_deref().unwrap_or_default();
    let mut text = String::new();
    if let Some(why) = &report.image.packages_problem {
        let _ = writeln!(text, "packages cannot be read: {}", escape_text(why));
    }
    let names: Vec<String> = packages.iter().map(|package| escape_text(&package.package.name)).collect();
    let versions: Vec<String> =
        packages.iter().map(|package| escape_text(&package.package.version)).collect();
    let name_width = column_width(names.iter().map(String::as_str));
    let version_width = column_width(versions.iter().map(String::as_str));
    for ((package, name), version) in packages.iter().zip(&names).zip(&versions) {
        let _ = writeln!(
            text,
            "{name:name_width$}  {version:version_width$}  {:4}  {:>10}  {:>10}  {}",
            package.package.kind,
            DecimalBytes(package.size).to_string(),
            DecimalBytes(package.compressed).to_string(),
            count_noun(package.files, "file"),
        );
    }
    let unowned = count_noun(report.image.unowned_files, "file");
    let _ = writeln!(text, "{DIM}{unowned} of no package{DIM:#}");
    text
}

/// Formats the explanation of one path.
pub(super) fn why_text(report: &WhyReport) -> String {
    let file = &report.file;
    let mut text = format!(
        "{BOLD}{}{BOLD:#}  {}, {} compressed, layer {}",
        escape_text(&file.path),
        size_text(file),
        DecimalBytes(file.compressed),
        file.layer + 1
    );
    if let Some(package) = &file.package {
        let _ = write!(text, ", {}", escape_text(package));
    }
    text.push('\n');
    for link in &report.links {
        let _ = writeln!(text, "  link: {}", escape_text(link));
    }
    if report.chain.is_empty() {
        text.push_str("  no program in the image is known to load it; it may be opened at run time\n");
    }
    for step in &report.chain {
        let _ = match &step.name {
            None => writeln!(text, "  {}  {DIM}{}{DIM:#}", escape_text(&step.path), escape_text(&step.rule)),
            Some(name) => writeln!(
                text,
                "    needs {}: {}{DIM}, {}{DIM:#}",
                escape_text(name),
                escape_text(&step.path),
                escape_text(&step.rule)
            ),
        };
    }
    for other in &report.also_needed_by {
        let _ = writeln!(text, "  also needed by {}", escape_text(other));
    }
    text
}
