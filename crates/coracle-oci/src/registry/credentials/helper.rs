//! Credential helpers: the programs `docker-credential-NAME`. Source: docker-credential-helpers.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use crate::registry::error::RegistryError;
use crate::registry::escape;
use crate::registry::secret::{Credential, Secret};

/// The user name that marks an identity token.
const TOKEN_USER: &str = "<token>";

/// The message of helpers without credentials for a registry. Their exit status is a failure too.
const NOT_FOUND: &str = "credentials not found";

/// The number of bytes that are read of the output.
const MAX_OUTPUT: u64 = 1 << 20;

#[derive(Deserialize)]
struct HelperOutput {
    #[serde(rename = "Username", default)]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// Asks the helper `name` for the credentials of `registry`, with each of `keys` as the server
/// name. `None` if it has none. The program is looked up in `search`, or else in `PATH`.
pub(super) fn run_helper(
    name: &str,
    registry: &str,
    keys: &[String],
    search: Option<&[PathBuf]>,
) -> Result<Option<Credential>, RegistryError> {
    let shown = escape::escape_untrusted(name, 100);
    let fail = |why: String| RegistryError::CredentialHelper {
        registry: registry.to_owned(),
        helper: format!("docker-credential-{shown}"),
        why,
    };
    if name.is_empty() || name.contains(['/', '\\', '\0']) {
        return Err(fail("a helper name must be a file name, not a path".into()));
    }
    let program = find_program(&format!("docker-credential-{name}"), search)
        .ok_or_else(|| fail("the program was not found".into()))?;
    for key in keys {
        if let Some(credential) = run_get_command(&program, key).map_err(fail)? {
            return Ok(Some(credential));
        }
    }
    Ok(None)
}

fn find_program(program: &str, search: Option<&[PathBuf]>) -> Option<PathBuf> {
    let Some(search) = search else { return Some(program.into()) };
    // An empty or relative entry is relative to the working directory, which is not trusted.
    let directories = search.iter().filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// Runs `PROGRAM get`.
fn run_get_command(program: &Path, key: &str) -> Result<Option<Credential>, String> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().map_err(|error| error.to_string())?;
    let (out, succeeded) = write_key_and_read_output(child, key).map_err(|error| error.to_string())?;
    if !succeeded {
        let output = String::from_utf8_lossy(&out);
        return match output.trim() {
            message if message.contains(NOT_FOUND) => Ok(None),
            "" => Err("it failed without a message".into()),
            // JSON may contain credentials.
            message if message.contains(['{', '"']) => Err("it failed".into()),
            message => Err(format!("it failed: {}", escape::escape_untrusted(message, 200))),
        };
    }
    let output: HelperOutput =
        serde_json::from_slice(&out).map_err(|_| "its output is not JSON with a `Secret`")?;
    let HelperOutput { user, secret } = output;
    Ok(match (user.as_str(), secret.as_str()) {
        // Helpers answer so if there is no login.
        ("" | TOKEN_USER, "") => None,
        (TOKEN_USER, _) => Some(Credential::IdentityToken(Secret::new(secret))),
        _ => Some(Credential::password(user, secret)),
    })
}

/// Writes `key` to the program. Returns its output, and whether it succeeded.
fn write_key_and_read_output(mut child: Child, key: &str) -> std::io::Result<(Vec<u8>, bool)> {
    let mut out = Vec::new();
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input may still print credentials.
        let written = stdin.write_all(key.as_bytes());
        if written.as_ref().is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe) {
            child.kill()?;
            child.wait()?;
            return Err(written.err().unwrap_or_else(|| std::io::ErrorKind::BrokenPipe.into()));
        }
    }
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MAX_OUTPUT).read_to_end(&mut out)?;
    }
    Ok((out, child.wait()?.success()))
}

/// Shell scripts serve as helpers.
#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn run_script(script: &str) -> Result<Option<Credential>, RegistryError> {
        run_named_script("test", script)
    }

    fn run_named_script(name: &str, script: &str) -> Result<Option<Credential>, RegistryError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("docker-credential-{name}"));
        std::fs::write(&path, format!("#!/bin/sh\n[ \"$1\" = get ] || exit 9\nread -r key\n{script}\n"))
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let keys = ["https://index.docker.io/v1/".to_owned(), "docker.io".to_owned()];
        run_helper(name, "docker.io", &keys, Some(&[folder.path().to_owned()]))
    }

    #[test]
    fn asks_helpers_for_every_key() {
        let known = r#"[ "$key" = docker.io ] || { echo "credentials not found in native keychain"; exit 1; }
            echo '{"ServerURL":"x","Username":"me","Secret":"hush"}'"#;
        assert_eq!(run_script(known).unwrap(), Some(Credential::password("me", "hush")));
        let token = r#"echo '{"Username":"<token>","Secret":"hush"}'"#;
        assert_eq!(run_script(token).unwrap(), Some(Credential::IdentityToken(Secret::new("hush"))));
        for script in [
            "echo credentials not found in native keychain; exit 1",
            r#"echo '{"ServerURL":"","Username":"","Secret":""}'"#,
            r#"echo '{"Username":"<token>","Secret":""}'"#,
        ] {
            assert_eq!(run_script(script).unwrap(), None, "{script}");
        }
    }

    #[test]
    fn accepts_helper_names_of_windows_and_others() {
        let script = r#"echo '{"Username":"me","Secret":"hush"}'"#;
        for name in ["desktop.exe", "wincred.exe", "ecr_login", "A b"] {
            let found = run_named_script(name, script).unwrap();
            assert_eq!(found, Some(Credential::password("me", "hush")), "{name}");
        }
    }

    #[test]
    fn reports_failures_of_helpers() {
        for (script, expected) in [
            ("echo 'keyring is locked'; exit 1", "it failed: keyring is locked"),
            ("exit 1", "it failed without a message"),
            (r#"echo '{"Secret":"hush"}'; exit 1"#, "it failed"),
            ("echo hush", "its output is not JSON with a `Secret`"),
        ] {
            let error = run_script(script).unwrap_err();
            let message = format!("{error} {error:?}");
            assert!(error.to_string().ends_with(expected), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
    }

    #[test]
    fn rejects_helper_names_that_are_paths() {
        for name in ["", "../x", "x/y", "/x", r"x\y", "a\0"] {
            let error = run_helper(name, "r.io", &["r.io".into()], None).unwrap_err();
            assert!(error.to_string().contains("not a path"), "{error}");
        }
        let error = run_helper(
            "absent-helper",
            "r.io",
            &["r.io".into()],
            Some(&["/nowhere".into(), ".".into(), "".into()]),
        )
        .unwrap_err();
        assert!(error.to_string().ends_with("the program was not found"), "{error}");
    }
}
