//! Reads keys from files and variables, and creates them. A key is never an argument: other users of the
//! machine see those.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use coracle::attestations::SigningKey;
use coracle_core::fs::{self, Context as _, FinalLink};
use coracle_core::hint::Hint as _;
use coracle_sign::error::KeyError;
use coracle_sign::public_key::PublicKey;

use crate::cli::args::{KeyCommand, KeyGenerateArgs};
use crate::cli::console_output;
use crate::cli::environment::env_var;
use crate::cli::error::{CliError, CliExit, error_chain};

/// The maximum size of a key file, in bytes.
const MAX_KEY_SIZE: u64 = 64 << 10;
/// The prefix of the name of a variable, as cosign has it.
const VARIABLE_PREFIX: &str = "env://";
/// The variables with the passphrase of a private key; the first that is set is used.
const PASSPHRASE_VARIABLES: [&str; 2] = ["CORACLE_KEY_PASSWORD", "COSIGN_PASSWORD"];

/// Reads the private key that `flag` names. Returns a warning if other users can read it.
pub(super) fn read_signing_key(flag: &str, source: &str) -> Result<(SigningKey, Option<String>), CliError> {
    let (text, warning) = read_key_text(flag, source)?;
    let passphrase = passphrase();
    let key = SigningKey::from_pem(&text, passphrase.as_deref());
    Ok((key.map_err(|error| key_error(flag, source, &error))?, warning))
}

/// Reads the public key that `flag` names.
pub(in crate::cli) fn read_public_key(flag: &str, source: &str) -> Result<PublicKey, CliError> {
    let (text, _) = read_key_text(flag, source)?;
    PublicKey::from_pem(&text).map_err(|error| key_error(flag, source, &error))
}

/// Reads the text of a key from a file or a variable.
fn read_key_text(flag: &str, source: &str) -> Result<(Vec<u8>, Option<String>), CliError> {
    if source.contains("-----BEGIN") {
        return Err(CliError::usage(
            format!("`{flag}` takes the path of a key, not the key: other users can see arguments"),
            format!("write it to a file, or set a variable and pass `{flag} {VARIABLE_PREFIX}NAME`"),
        ));
    }
    if let Some(name) = source.strip_prefix(VARIABLE_PREFIX) {
        let text = env_var(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            CliError::usage(
                format!("`{flag}`: the variable `{name}` is not set"),
                format!("set `{name}` to the content of the key file"),
            )
        })?;
        return Ok((fs::path_to_bytes(Path::new(&text)), None));
    }
    if let Some((scheme, _)) = source.split_once("://") {
        return Err(CliError::usage(
            format!("`{flag}`: keys in `{scheme}` are not supported"),
            "sign with a program that has access to the key: `--signer PROGRAM`; see docs/signing.md",
        ));
    }
    let path = Path::new(source);
    let text = fs::read_regular_file(path, FinalLink::Follow, MAX_KEY_SIZE).map_err(|error| {
        let hint = error.hint().unwrap_or_else(|| "name a file with a key in PEM format".into());
        CliError::usage(format!("`{flag}`: {}", error_chain(&error)), hint)
    })?;
    let is_private = String::from_utf8_lossy(&text).contains("PRIVATE KEY");
    let is_open = is_private && fs::stat(path).is_ok_and(|stat| stat.mode & 0o077 != 0);
    let warning = is_open
        .then(|| format!("`{source}` can be read by other users of this machine: `chmod 600 {source}`"));
    Ok((text, warning))
}

fn passphrase() -> Option<Vec<u8>> {
    let set = PASSPHRASE_VARIABLES.iter().find_map(|name| env_var(name))?;
    Some(fs::path_to_bytes(Path::new(&set)))
}

fn key_error(flag: &str, source: &str, error: &KeyError) -> CliError {
    CliError {
        exit: CliExit::Usage,
        message: format!("`{flag}`: cannot use the key `{source}`: {error}"),
        hint: error.hint(),
    }
}

/// Runs `coracle key`.
pub(in crate::cli) fn run_key(command: &KeyCommand) -> Result<CliExit, CliError> {
    match command {
        KeyCommand::Generate(args) => generate(args),
    }
}

fn generate(args: &KeyGenerateArgs) -> Result<CliExit, CliError> {
    let passphrase = passphrase();
    if passphrase.is_none() && !args.unencrypted {
        return Err(CliError::usage(
            "there is no passphrase for the private key",
            "set CORACLE_KEY_PASSWORD, or pass `--unencrypted`",
        ));
    }
    let with_extension = |extension: &str| {
        let mut path = args.output.clone().into_os_string();
        path.push(extension);
        PathBuf::from(path)
    };
    let (private, public) = (with_extension(".key"), with_extension(".pub"));
    let failed = |error: KeyError| CliError::failed(error.to_string());
    let key = SigningKey::generate().map_err(failed)?;
    let pem = match passphrase.filter(|_| !args.unencrypted) {
        Some(passphrase) => key.to_encrypted_pem(&passphrase),
        None => key.to_pkcs8_pem(),
    };
    let pem = pem.map_err(failed)?;
    for path in [&private, &public] {
        if fs::symlink_metadata(path)
            .map_err(|error| CliError::from_error(CliExit::Failed, &error))?
            .is_some()
        {
            return Err(already_exists(path));
        }
    }
    write_new_file(&private, pem.as_bytes())?;
    write_new_file(&public, key.public_key().to_pem().as_bytes())?;
    if !args.quiet {
        let (key, public) = (private.display(), public.display());
        console_output::print_message(&format!("{public} verifies what {key} signs; keep {key} secret\n"));
    }
    console_output::print_data(&format!("{}\n{}\n", private.display(), public.display()))?;
    Ok(CliExit::Success)
}

/// Writes a file that only this user can read. Fails if it exists.
fn write_new_file(path: &Path, content: &[u8]) -> Result<(), CliError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        // A temporary file has the mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map(drop).map_err(|error| error.error)
    };
    match write() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(already_exists(path)),
        result => {
            result.context("write", path).map_err(|error| CliError::from_error(CliExit::Failed, &error))
        }
    }
}

fn already_exists(path: &Path) -> CliError {
    CliError::failed_with_hint(
        format!("`{}` exists, and a key is never overwritten", path.display()),
        "choose another name: `--output PREFIX`",
    )
}
