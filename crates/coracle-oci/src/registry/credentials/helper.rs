//! Credential helpers: programs that know credentials, `docker-credential-NAME`. Source: docker-credential-helpers.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use crate::registry::{Credential, Error, Secret, text};

/// What a helper calls the user of an identity token.
const TOKEN_USER: &str = "<token>";

/// What helpers say of a registry that they do not know; they end as if they had failed.
const UNKNOWN: &str = "credentials not found";

/// No answer is a hundredth of it.
const LARGEST: u64 = 1 << 20;

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// Asks the helper `name` for the credentials of `registry`, which it may know by any of `keys`.
pub(super) fn ask(
    name: &str,
    registry: &str,
    keys: &[String],
    search: Option<&[PathBuf]>,
) -> Result<Option<Credential>, Error> {
    let shown = text::shown(name, 100);
    let fail = |why: String| Error::Helper {
        registry: registry.to_owned(),
        helper: format!("docker-credential-{shown}"),
        why,
    };
    // Anything else could be a path, or hold an option.
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(fail("a helper's name has lower-case letters, digits and `-` alone".into()));
    }
    let program =
        find(&format!("docker-credential-{name}"), search).ok_or_else(|| fail("no such program".into()))?;
    for key in keys {
        if let Some(credential) = get(&program, key).map_err(fail)? {
            return Ok(Some(credential));
        }
    }
    Ok(None)
}

fn find(program: &str, search: Option<&[PathBuf]>) -> Option<PathBuf> {
    let Some(search) = search else { return Some(program.into()) };
    // An empty or relative entry would be found from the working directory, where anybody may have put a program.
    let directories = search.iter().filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(program)).find(|path| path.is_file())
}

fn get(program: &Path, key: &str) -> Result<Option<Credential>, String> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().map_err(|error| error.to_string())?;
    let (out, succeeded) = talk(child, key).map_err(|error| error.to_string())?;
    if !succeeded {
        let said = String::from_utf8_lossy(&out);
        return match said.trim() {
            said if said.contains(UNKNOWN) => Ok(None),
            "" => Err("it failed and said nothing".into()),
            // What it knows would stand in JSON.
            said if said.contains(['{', '"']) => Err("it failed".into()),
            said => Err(format!("it failed and said `{}`", text::shown(said, 200))),
        };
    }
    let answer: Answer =
        serde_json::from_slice(&out).map_err(|_| "its answer is not JSON with a `Secret`")?;
    let Answer { user, secret } = answer;
    Ok(Some(match user.as_str() {
        TOKEN_USER => Credential::IdentityToken(Secret::new(secret)),
        _ => Credential::password(user, secret),
    }))
}

fn talk(mut child: Child, key: &str) -> std::io::Result<(Vec<u8>, bool)> {
    let mut out = Vec::new();
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read has still its say.
        let written = stdin.write_all(key.as_bytes());
        if written.as_ref().is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe) {
            child.kill()?;
            child.wait()?;
            return Err(written.err().unwrap_or_else(|| std::io::ErrorKind::BrokenPipe.into()));
        }
    }
    if let Some(stdout) = child.stdout.take() {
        stdout.take(LARGEST).read_to_end(&mut out)?;
    }
    Ok((out, child.wait()?.success()))
}
