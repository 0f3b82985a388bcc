//! The Markdown summary of a build, for CI jobs.

use std::fmt::Write as _;

use coracle::{Built, PlatformSize};
use coracle_core::byte_size::ByteSize;

use super::error::CliError;
use super::image_report;

/// Returns the section of one image: its sizes, changes, layers and contract.
pub(super) fn built_section(title: &str, built: &Built) -> String {
    let mut text = format!(
        "### {}\n\n{}\n\n",
        escape_markdown(title),
        code_span(&image_report::digest_reference(built))
    );
    text.push_str(&size_table(built));
    text.push_str(&layer_table(built));
    text.push_str(&contract_table(built));
    text
}

/// Returns the section of an image that was not built.
pub(super) fn failed_section(failure: &CliError) -> String {
    let hint = failure.hint.as_deref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    let text = format!("error: {}\n{hint}", failure.message);
    // The message may contain a fence of the same length, which would end this one.
    format!("### No image\n\n~~~~~~~~text\n{}\n~~~~~~~~\n\n", text.trim_end().replace("~~~~~~~~", "~~~~"))
}

fn size_table(built: &Built) -> String {
    let row = |weight: &PlatformSize| [weight.platform.to_string(), ByteSize(weight.size).to_string()];
    let rows = built.platform_sizes.iter().map(row);
    let Some(previous) = &built.previous else {
        return markdown_table(&["platform", "size"], "-r", &rows.collect::<Vec<_>>());
    };
    let changes = built.platform_sizes.iter().map(|weight| match (weight.delta(), &weight.previous) {
        (Some(change), Some(before)) if before.location != previous.place => {
            change.compared_with(&code_span(&before.location))
        }
        (Some(change), _) => change.to_string(),
        (None, _) => "new".into(),
    });
    let rows: Vec<_> = rows.zip(changes).map(|([platform, size], change)| [platform, size, change]).collect();
    markdown_table(
        &["platform", "size", &format!("compared with {}", code_span(&previous.place))],
        "-r-",
        &rows,
    )
}

fn layer_table(built: &Built) -> String {
    let many = built.platform_sizes.len() > 1;
    let platforms = built
        .platform_sizes
        .iter()
        .flat_map(|weight| std::iter::repeat_n(&weight.platform, weight.layer_count));
    let own = built.layers.iter().zip(platforms).map(|(layer, platform)| {
        let what = layer.kind.to_string();
        [
            if many { format!("{what}, {platform}") } else { what },
            ByteSize(layer.size).to_string(),
            ByteSize(layer.unpacked_size).to_string(),
            code_span(layer.media_type),
            code_span(&layer.digest.to_string()),
        ]
    });
    let below = built.bases.iter().map(|base| {
        let (name, layers) = (
            base.name.as_deref().unwrap_or("the base image"),
            image_report::count_noun(base.layer_count, "layer"),
        );
        let (size, digest) = (ByteSize(base.size).to_string(), code_span(&base.digest.to_string()));
        [format!("{layers} of {}", code_span(name)), size, String::new(), String::new(), digest]
    });
    let rows: Vec<[String; 5]> = below.chain(own).collect();
    markdown_table(&["layer", "size", "unpacked", "media type", "digest"], "-rr--", &rows)
}

/// Returns the table of mounts that the contract requires.
fn contract_table(built: &Built) -> String {
    let mounts = built.contract.mounts.iter().map(|mount| {
        let secret = |is_secret| if is_secret { " (secret)" } else { "" };
        let file = |file: &coracle_kube::contract::ContractFile| {
            format!("{}{}", code_span(&file.key), secret(file.secret))
        };
        let files: Vec<String> = mount.files.iter().map(file).collect();
        [code_span(&mount.path), files.join(", ")]
    });
    let writable = built.contract.writable.iter().map(|place| [code_span(&place.path), "writable".into()]);
    let rows: Vec<[String; 2]> = mounts.chain(writable).collect();
    if rows.is_empty() { String::new() } else { markdown_table(&["mounted at", "files"], "--", &rows) }
}

/// Formats a table, followed by an empty line. An `r` in `columns` right-aligns the column.
fn markdown_table<const N: usize>(heading: &[&str; N], columns: &str, rows: &[[String; N]]) -> String {
    let mut text = format!("| {} |\n", heading.join(" | "));
    let rules: Vec<&str> = columns.chars().map(|c| if c == 'r' { "---:" } else { "---" }).collect();
    let _ = writeln!(text, "| {} |", rules.join(" | "));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text.push('\n');
    text
}

/// Escapes Markdown and control characters.
fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => out.extend(c.escape_default()),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!' => {
                out.extend(['\\', c]);
            }
            c => out.push(c),
        }
    }
    out
}

/// Formats text as code. Backticks are replaced, because they can't be escaped in code; a bar would
/// end a table's cell.
fn code_span(text: &str) -> String {
    let mut out = String::from("`");
    for c in text.chars() {
        match c {
            c if c.is_control() => out.extend(c.escape_default()),
            '`' => out.push('\''),
            '|' => out.push_str("\\|"),
            c => out.push(c),
        }
    }
    out.push('`');
    out
}
