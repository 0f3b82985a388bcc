//! A helper for tests of single checks, without an image.

use super::{Expectations, ManifestFile, check_manifests};
use crate::contract::Contract;

/// Returns the findings for a pod with this container and these further fields.
pub(super) fn pod_findings(contract: &str, user: Option<&str>, container: &str, pod: &str) -> Vec<String> {
    let contract = Contract::parse(&format!(r#"{{"version":1,{contract}}}"#)).unwrap();
    let text = format!(
        "kind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, {container}}}], {pod}}}\n"
    );
    let inputs = [ManifestFile { name: "p.yaml".into(), text }];
    let expected = Expectations {
        contract: &contract,
        image_files: None,
        user,
        digests: Vec::new(),
        names: Vec::new(),
        container_name: None,
        contract_document: None,
    };
    let report = check_manifests(&inputs, &expected);
    report.findings.iter().map(|finding| format!("{} {}", finding.rule, finding.message)).collect()
}
