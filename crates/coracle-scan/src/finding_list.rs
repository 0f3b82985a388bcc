//! Lists findings in messages: each, or if there are many, one line for a folder.

use std::collections::{BTreeMap, BTreeSet};

use coracle_core::path::ImagePath;

use super::finding::{Finding, FindingSubject};

/// The maximum number of lines.
pub(super) const MAX_LINES: usize = 16;

/// The key of one line: the folder, or another subject, with rule and description.
type LineKey<'a> = (FindingSubject, &'static str, &'a str);

/// Returns the lines that list `findings`, at most [`MAX_LINES`] and one with the number of the others.
pub(super) fn finding_lines(findings: &[Finding]) -> Vec<String> {
    if findings.len() <= MAX_LINES {
        return findings.iter().map(ToString::to_string).collect();
    }
    let groups = group_by_folder(findings);
    let more: usize = groups.values().skip(MAX_LINES).map(Vec::len).sum();
    let mut lines: Vec<String> =
        groups.iter().take(MAX_LINES).map(|(key, group)| format_line(key, group)).collect();
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}

/// Returns the smallest folder with all files of `findings`, if they are folded.
pub(super) fn common_folder(findings: &[Finding]) -> Option<ImagePath> {
    if findings.len() <= MAX_LINES {
        return None;
    }
    let folders: Option<Vec<ImagePath>> = findings
        .iter()
        .map(|finding| match &finding.subject {
            FindingSubject::File(path) => path.parent(),
            FindingSubject::ConfigValue(..) => None,
        })
        .collect();
    let folders = folders?;
    let mut common = folders.first()?.clone();
    while !folders.iter().all(|folder| folder.is_within(&common)) {
        common = common.parent()?;
    }
    common.parent().is_some().then_some(common)
}

/// Groups findings by folder, by the deepest folders that give few lines.
fn group_by_folder(findings: &[Finding]) -> BTreeMap<LineKey<'_>, Vec<&Finding>> {
    let depth_of = |finding: &Finding| match &finding.subject {
        FindingSubject::File(path) => path.components().count().saturating_sub(1),
        FindingSubject::ConfigValue(..) => 0,
    };
    let mut depth = findings.iter().map(depth_of).max().unwrap_or_default();
    loop {
        let mut groups: BTreeMap<LineKey<'_>, Vec<&Finding>> = BTreeMap::new();
        for finding in findings {
            let key = (folder_of(&finding.subject, depth), finding.rule, finding.description.as_str());
            groups.entry(key).or_default().push(finding);
        }
        if groups.len() <= MAX_LINES || depth <= 1 {
            return groups;
        }
        depth -= 1;
    }
}

/// Returns the folder of a file, with at most `depth` components.
fn folder_of(subject: &FindingSubject, depth: usize) -> FindingSubject {
    let FindingSubject::File(path) = subject else { return subject.clone() };
    let Some(parent) = path.parent() else { return subject.clone() };
    FindingSubject::File(ImagePath::root().join_components(parent.components().take(depth)))
}

fn format_line((folder, rule, description): &LineKey<'_>, group: &[&Finding]) -> String {
    let subjects: BTreeSet<&FindingSubject> = group.iter().map(|finding| &finding.subject).collect();
    match (group, subjects.first(), folder) {
        ([only], ..) => only.to_string(),
        (_, Some(first), FindingSubject::File(_)) if subjects.len() > 1 => {
            format!("{folder}: {} files such as {first}: {description} ({rule})", subjects.len())
        }
        (_, first, _) => {
            format!("{}: {description} ({rule}), {} times", first.unwrap_or(&folder), group.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(path: &str, description: &str) -> Finding {
        Finding::new_error(FindingSubject::File(path.parse().unwrap()), "token", description.into())
    }

    #[test]
    fn lists_few_findings_one_by_one() {
        let few: Vec<Finding> =
            (0..MAX_LINES).map(|index| finding(&format!("/srv/{index}"), "a token")).collect();
        assert_eq!(finding_lines(&few)[0], "/srv/0: a token (token)");
        assert_eq!((finding_lines(&few).len(), common_folder(&few)), (MAX_LINES, None));
    }

    #[test]
    fn folds_many_findings_by_folder() {
        let mut many: Vec<Finding> =
            (0..700).map(|index| finding(&format!("/srv/m/{}/{index}", index % 100), "a token")).collect();
        many.push(finding("/srv/key.pem", "a private key"));
        assert_eq!(
            finding_lines(&many),
            ["/srv/key.pem: a private key (token)", "/srv/m: 700 files such as /srv/m/0/0: a token (token)"]
        );
        assert_eq!(common_folder(&many), Some("/srv".parse().unwrap()));
        let in_two: Vec<Finding> = many.iter().filter(|finding| finding.offset.is_none()).cloned().collect();
        assert_eq!(finding_lines(&in_two).len(), 2);
    }

    #[test]
    fn counts_what_is_in_no_line() {
        let many: Vec<Finding> =
            (0..30).map(|index| finding("/srv/a", &format!("a token {index}"))).collect();
        let lines = finding_lines(&many);
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), (MAX_LINES + 1, "and 14 more"));
        let repeated: Vec<Finding> = (0..30).map(|_| finding("/srv/a", "a token")).collect();
        assert_eq!(finding_lines(&repeated), ["/srv/a: a token (token), 30 times"]);
    }
}
