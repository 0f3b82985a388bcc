//! Credential lookup: in the caller's settings, then in the credential files in order, each with
//! its helpers.

mod credential_file;
mod helper;

use super::error::RegistryError;
use super::repository::{Repository, canonical_registry};
use super::secret::Credential;
use super::settings::RegistrySettings;

/// Looks up the credentials for `repository`. `None` if there are none: access is anonymous then.
pub(super) fn find_credential(
    settings: &RegistrySettings,
    repository: &Repository,
) -> Result<Option<Credential>, RegistryError> {
    let explicit =
        settings.credentials.iter().find(|(name, _)| canonical_registry(name) == repository.registry());
    if let Some((_, credential)) = explicit {
        return Ok(Some(credential.clone()));
    }
    for path in &settings.credential_files {
        let Some(file) = credential_file::read_credential_file(path)? else { continue };
        let directories = settings.helper_directories.as_deref();
        if let Some(helper) = file.helper_for(repository.registry()) {
            let keys = file.helper_keys(repository.registry());
            if let Some(found) = helper::run_helper(&helper, repository.registry(), &keys, directories)? {
                return Ok(Some(found));
            }
        }
        if let Some(found) = file.find_credential(repository) {
            return Ok(Some(found?));
        }
    }
    Ok(None)
}
