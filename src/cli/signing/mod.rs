//! `coracle sign` and `coracle key`, and the signing settings of builds.

mod keys;
mod sign;

use std::sync::Arc;
use std::time::SystemTime;

use coracle::attestations::{AttestationSettings, ProvenanceSettings, Signer, SignerProgram};
use coracle_core::note::Note;

pub(super) use keys::{read_public_key, run_key};
pub(super) use sign::run_sign;

use super::args::{BuildSigningArgs, SignerArgs};
use super::console_output;
use super::environment::env_text;
use super::error::CliError;

/// Returns what a build signs and attests.
pub(super) fn attestation_settings(
    args: &BuildSigningArgs,
    quiet: bool,
) -> Result<AttestationSettings, CliError> {
    let signer = signer("--sign-key", args.sign_key.as_deref(), &args.signer, quiet)?;
    let provenance = args.provenance.then(|| ProvenanceSettings {
        builder_id: args.builder_id.clone().or_else(ci_builder),
        invocation_id: ci_run(),
        finished_on: args.provenance_time.then(current_time),
    });
    if args.signer.simple_signing && signer.is_none() {
        return Err(CliError::usage(
            "`--simple-signing` needs a key",
            "pass the key: `--sign-key KEY`; `coracle key generate` creates one",
        ));
    }
    Ok(AttestationSettings {
        signer: signer.map(Arc::new),
        simple_signing: args.signer.simple_signing,
        provenance,
    })
}

/// Returns the signer that the flags describe, and prints warnings about the key. `None` without such
/// flags.
fn signer(flag: &str, key: Option<&str>, args: &SignerArgs, quiet: bool) -> Result<Option<Signer>, CliError> {
    match (key, &args.signer) {
        (Some(_), Some(_)) => Err(CliError::usage(
            format!("`{flag}` and `--signer` can't be used together: each makes the signature"),
            "use one of them",
        )),
        (Some(key), None) => {
            let (key, warning) = keys::read_signing_key(flag, key)?;
            console_output::print_notes(&warning.into_iter().map(Note::Warning).collect::<Vec<_>>(), quiet);
            Ok(Some(Signer::Key(key)))
        }
        (None, Some(program)) => {
            let program = SignerProgram { program: program.clone(), args: args.signer_arg.clone() };
            Ok(Some(Signer::Program(program)))
        }
        (None, None) => Ok(None),
    }
}

/// Returns the URI of the workflow of this CI job. Source: GitHub's "Default environment variables",
/// GitLab's "Predefined CI/CD variables".
fn ci_builder() -> Option<String> {
    if let (Some(server), Some(workflow)) = (env_text("GITHUB_SERVER_URL"), env_text("GITHUB_WORKFLOW_REF")) {
        return Some(format!("{server}/{workflow}"));
    }
    let (project, runner) = (env_text("CI_PROJECT_URL")?, env_text("CI_RUNNER_ID")?);
    Some(format!("{project}/-/runners/{runner}"))
}

/// Returns the URI of the run of this CI job.
fn ci_run() -> Option<String> {
    if let (Some(server), Some(repository), Some(run)) =
        (env_text("GITHUB_SERVER_URL"), env_text("GITHUB_REPOSITORY"), env_text("GITHUB_RUN_ID"))
    {
        let attempt = env_text("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".into());
        return Some(format!("{server}/{repository}/actions/runs/{run}/attempts/{attempt}"));
    }
    env_text("CI_JOB_URL")
}

/// Returns the current time in the form of RFC 3339, in whole seconds.
#[allow(clippy::disallowed_methods, reason = "`--provenance-time` asks for the clock")]
fn current_time() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
