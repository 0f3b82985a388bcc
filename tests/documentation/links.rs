//! Links between pages lead to pages and headings that are there.

use std::path::Path;

use crate::page;

#[test]
fn links_lead_to_existing_headings() {
    let mut dead = Vec::new();
    for path in page::all() {
        let text = page::text(path.to_str().unwrap());
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.is_empty() {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = match file {
                "" => page::root().join(&path),
                _ => page::root().join(path.parent().unwrap_or(Path::new(""))).join(file),
            };
            let is_there = match anchor {
                "" => to.exists(),
                _ => {
                    std::fs::read_to_string(&to).is_ok_and(|page| anchors(&page).any(|known| known == anchor))
                }
            };
            if !is_there {
                dead.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "links lead nowhere:\n{}", dead.join("\n"));
}

/// The anchors that GitHub makes for headings.
fn anchors(page: &str) -> impl Iterator<Item = String> {
    page.lines().filter(|line| line.starts_with('#')).map(|line| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    })
}
