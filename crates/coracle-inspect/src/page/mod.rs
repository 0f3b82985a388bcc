//! Self-contained pages for a browser: HTML, style, script and data in one file, without network.
//!
//! The data is JSON in a script element. `<`, `>` and `&` in it are escaped, so that no name ends
//! the element; the script writes text only as text.

use serde::Serialize;

use crate::dependency_graph::DependencyGraph;
use crate::diff::ImageDiff;
use crate::image_report::ImageReport;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The data of a page.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum PageData<'a> {
    Image { report: &'a ImageReport, graph: GraphData },
    Diff { diff: &'a ImageDiff },
}

/// Who needs whom, by the indices of paths.
#[derive(Serialize, Default)]
struct GraphData {
    nodes: Vec<NodeData>,
    edges: Vec<EdgeData>,
}

#[derive(Serialize)]
struct NodeData {
    path: String,
    root: Option<crate::dependency_graph::RootKind>,
}

#[derive(Serialize)]
struct EdgeData {
    from: usize,
    to: usize,
    name: String,
    rule: String,
}

impl From<&DependencyGraph> for GraphData {
    fn from(graph: &DependencyGraph) -> Self {
        let nodes = graph.nodes.iter().map(|node| NodeData { path: node.path.to_string(), root: node.root });
        let edges = graph.edges.iter().map(|edge| EdgeData {
            from: edge.from,
            to: edge.to,
            name: edge.name.clone(),
            rule: edge.rule.clone(),
        });
        Self { nodes: nodes.collect(), edges: edges.collect() }
    }
}

/// Returns the page of an image: a treemap of its files, and the graph of who needs whom.
///
/// # Errors
/// Fails if the report cannot be written as JSON.
pub fn image_page(report: &ImageReport, graph: Option<&DependencyGraph>) -> serde_json::Result<String> {
    let graph = graph.map(GraphData::from).unwrap_or_default();
    render(&report.location, &PageData::Image { report, graph })
}

/// Returns the page of the differences of two images.
///
/// # Errors
/// Fails if the report cannot be written as JSON.
pub fn diff_page(diff: &ImageDiff) -> serde_json::Result<String> {
    let title = format!("{} → {}", diff.old.location, diff.new.location);
    render(&title, &PageData::Diff { diff })
}

fn render(title: &str, data: &PageData<'_>) -> serde_json::Result<String> {
    let data = String::from_utf8_lossy(&coracle_core::json::to_bytes(data)?).into_owned();
    let data = coracle_core::escape::escape_json(&data);
    let parts = [
        ("title", escape_html(title)),
        ("style", STYLE.to_owned()),
        ("data", escape_script_data(&data)),
        ("script", SCRIPT.to_owned()),
    ];
    // Each part is inserted once, in the order of the page: inserted text is never searched.
    let (mut page, mut rest) = (String::new(), PAGE);
    for (name, text) in parts {
        let mark = format!("<!--{name}-->");
        let (before, after) = rest.split_once(&mark).unwrap_or((rest, ""));
        page.push_str(before);
        page.push_str(&text);
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

/// Escapes text for an HTML element, with unsafe characters made visible.
fn escape_html(text: &str) -> String {
    let text = coracle_core::escape::escape_text(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes JSON for a script element. The document has the same value.
fn escape_script_data(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_end_the_data_or_the_title() {
        let title = "a</title><script>alert(1)</script>\u{202e}<!--style-->";
        let diff = crate::diff::ImageDiff {
            version: 1,
            same: true,
            old: crate::diff::DiffSide { location: title.into(), digest: None },
            new: crate::diff::DiffSide { location: "<!--script-->&".into(), digest: None },
            platforms: Vec::new(),
            removed_platforms: Vec::new(),
            added_platforms: Vec::new(),
        };
        let page = diff_page(&diff).unwrap();
        assert!(!page.contains("<script>alert"), "{page}");
        assert_eq!(page.matches("</title>").count(), 1);
        let start = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
        let data = page[start..].split("</script>").next().unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["diff"]["old"]["location"], title);
        assert!(!page.contains("http://") && !page.contains("https://"), "the page refers to the network");
    }
}
