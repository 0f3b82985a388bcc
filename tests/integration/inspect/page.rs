//! The HTML pages in a real browser: headless Chromium.

use std::process::Command;

use coracle_testing::requirement;
use serde_json::json;

use super::layout::{GZIP, Layout, Member, build, coracle, gzip, tar};

/// Returns the document of a page after its script ran; `None` without a browser.
fn rendered(page: &str, width: u32) -> Option<String> {
    let chromium = requirement::find("chromium");
    if !requirement::is_available("chromium", chromium.is_some(), "chromium") {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("page.html");
    std::fs::write(&path, page).unwrap();
    let output = Command::new(chromium?)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=5000"])
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", directory.path().join("profile").display()))
        .arg(format!("file://{}", path.display()))
        .output()
        .unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn page_of_an_image_draws_files_and_dependencies() {
    let (_directory, image) = build("/usr/bin/curl", &[]);
    let page = coracle(&["inspect", &image, "--format", "html"]).with_code(0).stdout;
    for width in [400, 1200] {
        let Some(document) = rendered(&page, width) else { return };
        for part in
            ["What takes the space", "class=\"cell", "Who needs whom", "libcurl.so.4", "aria-label=\"Treemap"]
        {
            assert!(document.contains(part), "{width}: {part} is missing");
        }
    }
}

#[test]
fn names_of_an_image_run_no_script() {
    let name = "<img src=x onerror=document.title='owned'>";
    let members =
        [Member(name, b"1", 0o644, 0), Member("</script><script>document.title='owned'", b"2", 0o644, 0)];
    let config = json!({"Labels": {"<b>x": "</dd><script>document.title='owned'</script>"}, "User": "<i>"});
    let layout = Layout::new(&[(GZIP, gzip(&tar(&members), 6))], config);
    let page = coracle(&["inspect", &layout.location(), "--format", "html"]).with_code(0).stdout;
    let Some(document) = rendered(&page, 1200) else { return };
    assert!(!document.contains("<title>owned") && !document.contains("<img"), "{document}");
    assert!(document.contains("&lt;img src=x onerror"), "the name is not shown");
}

#[test]
fn page_of_a_diff_lists_what_changed() {
    let image = |content: &[u8]| {
        Layout::new(&[(GZIP, gzip(&tar(&[Member("app", content, 0o755, 0)]), 6))], json!({}))
    };
    let (old, new) = (image(b"one"), image(b"two"));
    let page = coracle(&["diff", &old.location(), &new.location(), "--format", "html"]).with_code(4).stdout;
    let Some(document) = rendered(&page, 800) else { return };
    assert!(document.contains("the images differ") && document.contains("class=\"changed\""), "{document}");
    let same = coracle(&["diff", &old.location(), &old.location(), "--format", "html"]).with_code(0).stdout;
    assert!(rendered(&same, 800).unwrap().contains("the images are the same"));
}
