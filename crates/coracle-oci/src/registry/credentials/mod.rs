//! Credential lookup: those of the caller, then the credential files in order, each with its
//! helpers.

mod file;
mod helper;

use super::repository::canonical;
use super::{Credential, Error, Repository, Settings};

/// Looks up the credentials for `repository`. `None` if there are none: access is anonymous then.
pub(super) fn find(settings: &Settings, repository: &Repository) -> Result<Option<Credential>, Error> {
    let explicit = settings.credentials.iter().find(|(name, _)| canonical(name) == repository.registry());
    if let Some((_, credential)) = explicit {
        return Ok(Some(credential.clone()));
    }
    for path in &settings.credential_files {
        let Some(file) = file::read(path)? else { continue };
        let directories = settings.helper_directories.as_deref();
        if let Some(helper) = file.helper(repository.registry()) {
            let keys = file.keys(repository.registry());
            if let Some(found) = helper::ask(&helper, repository.registry(), &keys, directories)? {
                return Ok(Some(found));
            }
        }
        if let Some(found) = file.find(repository) {
            return Ok(Some(found?));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
