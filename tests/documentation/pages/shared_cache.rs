//! Programs with the same libraries, and the jobs that build them.

use coracle_kube::yaml::Node;

use super::{NONE, Page};
use crate::doc_runner::DocRunner;
use crate::{page, registry_hosts};

pub(super) const PAGE: Page = Page { path: "docs/shared-cache.md", engines: NONE, prepare, checks: &[] };

fn prepare(runner: &DocRunner) {
    runner.programs(["shop", "cart"]);
}

/// The commands of the GitHub and GitLab jobs, with values for their variables.
#[test]
fn documented_jobs_fill_and_use_the_cache() {
    if !registry_hosts::missing().is_empty() {
        return coracle_testing::skipped("there is no docker-registry (on Debian: docker-registry openssl)");
    }
    let runner = DocRunner::new(None);
    runner.registries();
    prepare(&runner);
    for (word, meaning) in [
        (
            "${{ github.event_name == 'push' && '--cache-to ghcr.io/acme/cache' || '' }}",
            "--cache-to ghcr.io/acme/cache",
        ),
        ("${{ github.sha }}", "abc"),
        ("${{ matrix.service }}", "$SERVICE"),
    ] {
        runner.word(word, meaning);
    }
    let text = page::text(PAGE.path);
    let jobs: Vec<&str> =
        text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let commands: Vec<String> = jobs.iter().flat_map(|job| commands(job)).collect();
    assert_eq!(commands.len(), 2, "one of GitHub, one of GitLab: {commands:#?}");
    for command in commands {
        for service in ["shop", "cart"] {
            let variables = "export CI_REGISTRY_IMAGE=registry.acme.example/group CI_COMMIT_SHORT_SHA=abc";
            let command = runner.meant(&command);
            let said = runner.done(&format!("{variables} SERVICE={service}; ({command} --no-cache) 2>&1"));
            assert!(said.contains(&format!("/{service}:abc@sha256:")), "{command}: {said}");
        }
    }
}

/// The commands of a job that are Coracle's.
fn commands(job: &str) -> Vec<String> {
    let mut found = Vec::new();
    for document in coracle_kube::yaml::parse_nodes(job).unwrap() {
        collect(&document, &mut found);
    }
    found
}

fn collect(node: &Node, found: &mut Vec<String>) {
    if let Some(text) = node.text().filter(|text| text.starts_with("coracle ")) {
        found.push(text.trim_end().to_owned());
    }
    node.items().iter().for_each(|item| collect(item, found));
    node.entries().for_each(|(_, member)| collect(member, found));
}
