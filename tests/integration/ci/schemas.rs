//! Files of CI services, held to the schemas that the services publish.

use std::fs;
use std::path::Path;
use std::process::Command;

use coracle_testing::skipped;

use crate::ci::gitlab_component;

/// Whether `text` is what the schema of this name asks for.
pub(crate) fn check(schema: &str, text: &str) -> Result<(), String> {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin/check-jsonschema");
    if !tool.exists() {
        skipped("check-jsonschema is not there: `bash .ci/tools` installs it into target/tools");
        return Ok(());
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file.yml"), text).unwrap();
    let mut command = Command::new(tool);
    command.args(["--builtin-schema", &format!("vendor.{schema}"), "file.yml"]).current_dir(folder.path());
    let output = command.output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8(output.stdout).unwrap()) }
}

#[test]
fn the_action_matches_githubs_schema() {
    let text = fs::read_to_string("action.yml").unwrap();
    assert_eq!(check("github-actions", &text), Ok(()));
    let wrong = text.replace("shell: bash", "shel: bash");
    assert!(
        !Path::new("target/tools/bin/check-jsonschema").exists() || check("github-actions", &wrong).is_err()
    );
}

#[test]
fn the_component_matches_gitlabs_schema() {
    let (header, job) = gitlab_component::documents();
    assert_eq!(check("gitlab-ci", &header), Ok(()));
    let job = job.replace("$[[ inputs.job ]]", "coracle").replace("$[[ inputs.stage ]]", "deploy");
    assert_eq!(check("gitlab-ci", &job), Ok(()));
    let wrong = job.replace("  artifacts:", "  artefacts:");
    assert!(!Path::new("target/tools/bin/check-jsonschema").exists() || check("gitlab-ci", &wrong).is_err());
}
