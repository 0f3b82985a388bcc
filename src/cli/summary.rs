//! The Markdown summary of a build, for CI jobs.

use std::fmt::Write as _;

use coracle_core::size::Size;
use coracle::{Built, Weight};

use super::failure::Failure;
use super::table;

/// Returns the section of one image: its sizes, changes, layers and contract.
pub(super) fn built(title: &str, built: &Built) -> String {
    let mut text = format!("### {}\n\n{}\n\n", plain(title), code(&table::reference(built)));
    text.push_str(&sizes(built));
    text.push_str(&layers(built));
    text.push_str(&expected(built));
    text
}

/// Returns the section of an image that was not built.
pub(super) fn failed(failure: &Failure) -> String {
    let hint = failure.hint.as_deref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    let text = format!("error: {}\n{hint}", failure.message);
    // The message may contain a fence of the same length, which would end this one.
    format!("### No image\n\n~~~~~~~~text\n{}\n~~~~~~~~\n\n", text.trim_end().replace("~~~~~~~~", "~~~~"))
}

fn sizes(built: &Built) -> String {
    let row = |weight: &Weight| [weight.platform.to_string(), Size(weight.size).to_string()];
    let rows = built.weights.iter().map(row);
    let Some(previous) = &built.previous else {
        return table(&["platform", "size"], "-r", &rows.collect::<Vec<_>>());
    };
    let changes = built.weights.iter().map(|weight| match (weight.change(), &weight.before) {
        (Some(change), Some(before)) if before.place != previous.place => change.than(&code(&before.place)),
        (Some(change), _) => change.to_string(),
        (None, _) => "new".into(),
    });
    let rows: Vec<_> = rows.zip(changes).map(|([platform, size], change)| [platform, size, change]).collect();
    table(&["platform", "size", &format!("compared with {}", code(&previous.place))], "-r-", &rows)
}

fn layers(built: &Built) -> String {
    let many = built.weights.len() > 1;
    let platforms =
        built.weights.iter().flat_map(|weight| std::iter::repeat_n(&weight.platform, weight.layers));
    let own = built.layers.iter().zip(platforms).map(|(layer, platform)| {
        let what = layer.stratum.to_string();
        [
            if many { format!("{what}, {platform}") } else { what },
            Size(layer.size).to_string(),
            Size(layer.unpacked).to_string(),
            code(layer.media_type),
            code(&layer.digest.to_string()),
        ]
    });
    let below = built.below.iter().map(|base| {
        let (name, layers) =
            (base.name.as_deref().unwrap_or("the base image"), table::count(base.layers, "layer"));
        let (size, digest) = (Size(base.size).to_string(), code(&base.digest.to_string()));
        [format!("{layers} of {}", code(name)), size, String::new(), String::new(), digest]
    });
    let rows: Vec<[String; 5]> = below.chain(own).collect();
    table(&["layer", "size", "unpacked", "media type", "digest"], "-rr--", &rows)
}

/// Returns the table of mounts that the contract requires.
fn expected(built: &Built) -> String {
    let mounts = built.contract.mounts.iter().map(|mount| {
        let secret = |is_secret| if is_secret { " (secret)" } else { "" };
        let file = |file: &coracle_kube::contract::File| format!("{}{}", code(&file.key), secret(file.secret));
        let files: Vec<String> = mount.files.iter().map(file).collect();
        [code(&mount.path), files.join(", ")]
    });
    let writable = built.contract.writable.iter().map(|place| [code(&place.path), "writable".into()]);
    let rows: Vec<[String; 2]> = mounts.chain(writable).collect();
    if rows.is_empty() { String::new() } else { table(&["mounted at", "files"], "--", &rows) }
}

/// Formats a table, followed by an empty line. An `r` in `columns` right-aligns the column.
fn table<const N: usize>(heading: &[&str; N], columns: &str, rows: &[[String; N]]) -> String {
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
fn plain(text: &str) -> String {
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
fn code(text: &str) -> String {
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
