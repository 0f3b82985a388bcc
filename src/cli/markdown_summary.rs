//! The Markdown summary of a build, for CI jobs.

use std::fmt::Write as _;

use coracle_core::byte_size::ByteSize;
use coracle_core::escape::{escape_text, push_escaped};
use coracle_kube::contract::{Contract, ContractFile};

use super::console_output::count_noun;
use super::error::CliError;
use super::image_report::ImageReport;
use super::recipe_tables::with_table_names_of_recipe;

/// Returns the section of one image: its sizes, changes, layers and contract.
pub(super) fn image_section(image: &ImageReport) -> String {
    let mut text = format!("### {}\n\n{}\n\n", escape_markdown(&image.title), code_span(&image.reference));
    text.push_str(&size_table(image));
    text.push_str(&layer_table(image));
    text.push_str(&contract_table(&image.contract));
    text
}

/// Returns the section of an image that was not built.
pub(super) fn failure_section(failure: &CliError) -> String {
    let hint = failure.hint.as_deref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    let text = format!("error: {}\n{hint}", failure.message);
    let text = with_table_names_of_recipe(&text);
    let text = text.trim_end().lines().map(escape_text).collect::<Vec<_>>().join("\n");
    // The message may contain a fence of the same length, which would end this one.
    format!("### No image\n\n~~~~~~~~text\n{}\n~~~~~~~~\n\n", text.replace("~~~~~~~~", "~~~~"))
}

fn size_table(image: &ImageReport) -> String {
    let sizes = image.sizes.iter().map(|size| [size.platform.clone(), ByteSize(size.size).to_string()]);
    let Some(previous) = &image.previous else {
        return markdown_table(&["platform", "size"], "-r", &sizes.collect::<Vec<_>>());
    };
    let changes = image.sizes.iter().map(|size| match &size.change {
        Some((change, location)) if *location != previous.image => change.compared_with(&code_span(location)),
        Some((change, _)) => change.to_string(),
        None => "new".into(),
    });
    let rows: Vec<_> =
        sizes.zip(changes).map(|([platform, size], change)| [platform, size, change]).collect();
    let heading = ["platform", "size", &format!("compared with {}", code_span(&previous.image))];
    markdown_table(&heading, "-r-", &rows)
}

fn layer_table(image: &ImageReport) -> String {
    let has_several_platforms = image.sizes.len() > 1;
    let platforms = image.sizes.iter().flat_map(|size| std::iter::repeat_n(&size.platform, size.layer_count));
    let layers = image.layers.iter().zip(platforms).map(|(layer, platform)| {
        let kind = &layer.kind;
        [
            if has_several_platforms { format!("{kind}, {platform}") } else { kind.clone() },
            ByteSize(layer.size).to_string(),
            ByteSize(layer.unpacked_size).to_string(),
            code_span(layer.media_type),
            code_span(&layer.digest),
        ]
    });
    let bases = image.bases.iter().map(|base| {
        let layers = count_noun(base.layers, "layer");
        [
            format!("{layers} of {}", code_span(base.display_name())),
            ByteSize(base.size).to_string(),
            String::new(),
            String::new(),
            code_span(&base.digest),
        ]
    });
    let rows: Vec<[String; 5]> = bases.chain(layers).collect();
    markdown_table(&["layer", "size", "unpacked", "media type", "digest"], "-rr--", &rows)
}

/// Returns the table of mounts that the contract requires.
fn contract_table(contract: &Contract) -> String {
    let mounts = contract.mounts.iter().map(|mount| {
        let secret = |is_secret| if is_secret { " (secret)" } else { "" };
        let file = |file: &ContractFile| format!("{}{}", code_span(file.path()), secret(file.secret));
        let files: Vec<String> = mount.files.iter().map(file).collect();
        [code_span(&mount.path), files.join(", ")]
    });
    let writable = contract.writable.iter().map(|writable| [code_span(&writable.path), "writable".into()]);
    let rows: Vec<[String; 2]> = mounts.chain(writable).collect();
    if rows.is_empty() { String::new() } else { markdown_table(&["mounted at", "files"], "--", &rows) }
}

/// Formats a table, followed by an empty line. An `r` in `columns` right-aligns the column.
fn markdown_table<const N: usize>(heading: &[&str; N], columns: &str, rows: &[[String; N]]) -> String {
    let mut text = format!("| {} |\n", heading.join(" | "));
    let alignments = columns.chars().map(|c| if c == 'r' { "---:" } else { "---" });
    let _ = writeln!(text, "| {} |", alignments.collect::<Vec<_>>().join(" | "));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text.push('\n');
    text
}

/// Escapes Markdown and unsafe characters.
pub(super) fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!' => {
                out.extend(['\\', c]);
            }
            c => push_escaped(&mut out, c),
        }
    }
    out
}

/// Formats text as code. Backticks are replaced, because they can't be escaped in code; a bar would
/// end a table's cell.
pub(super) fn code_span(text: &str) -> String {
    let mut out = String::from("`");
    for c in text.chars() {
        match c {
            '`' => out.push('\''),
            '|' => out.push_str("\\|"),
            c => push_escaped(&mut out, c),
        }
    }
    out.push('`');
    out
}
