//! The contract as an image label.

use super::{CONTRACT_VERSION, Contract, ContractError};
use coracle_core::digest::Digest;
use coracle_core::json;

/// The name of the label.
pub const CONTRACT_LABEL: &str = "io.coracle.config.v1";

/// The largest label value, in bytes. containerd drops labels whose name and value exceed 4,096.
pub const MAX_LABEL_BYTES: usize = 3_500;

impl Contract {
    /// Returns canonical JSON of at most [`MAX_SIZE`] bytes. If the contract is too large, omits
    /// the parameters and adds the digest of the full [`Contract::to_json`].
    ///
    /// # Errors
    /// Fails if the contract is too large even without parameters.
    pub fn to_label(&self) -> Result<String, ContractError> {
        let whole = self.to_json()?;
        if whole.len() <= MAX_LABEL_BYTES {
            return Ok(whole);
        }
        let mut short = Self {
            parameters: Default::default(),
            document: Some(Digest::compute(whole.as_bytes()).to_string()),
            ..self.clone()
        };
        short.mounts.iter_mut().flat_map(|mount| &mut mount.files).for_each(|file| file.uses.clear());
        let short = short.to_json()?;
        if short.len() <= MAX_LABEL_BYTES {
            Ok(short)
        } else {
            Err(ContractError::TooLarge { size: short.len() })
        }
    }

    /// Returns the full contract as canonical JSON.
    ///
    /// # Errors
    /// Fails if serialization fails, which cannot happen for contracts made by this module.
    pub fn to_json(&self) -> Result<String, ContractError> {
        Ok(String::from_utf8_lossy(&json::to_bytes(self)?).into_owned())
    }

    /// Parses a contract from a label or a file.
    ///
    /// # Errors
    /// Fails if the JSON is not a valid contract, or has an unsupported version.
    pub fn parse(text: &str) -> Result<Self, ContractError> {
        let label = |error: serde_json::Error| ContractError::InvalidLabel { why: error.to_string() };
        let value: serde_json::Value = serde_json::from_str(text).map_err(label)?;
        let version = value.get("version").and_then(serde_json::Value::as_u64);
        match version.and_then(|version| u32::try_from(version).ok()) {
            Some(CONTRACT_VERSION) => {}
            Some(other) => return Err(ContractError::UnsupportedVersion(other)),
            None => return Err(ContractError::InvalidLabel { why: "`version` is missing".into() }),
        }
        let contract: Self = serde_json::from_value(value).map_err(label)?;
        contract.validate()?;
        Ok(contract)
    }

    /// Validates paths and keys: the label may come from anywhere.
    fn validate(&self) -> Result<(), ContractError> {
        let mounts = self.mounts.iter().map(|mount| mount.path.as_str());
        let writable = self.writable.iter().map(|writable| writable.path.as_str());
        let variables = self.env.iter().map(|variable| variable.from.as_str());
        for path in mounts.chain(writable).chain(variables) {
            path.parse::<coracle_core::path::ImagePath>()
                .map_err(|error| ContractError::InvalidLabel { why: error.to_string() })?;
        }
        let mut keys = self.mounts.iter().flat_map(|mount| &mount.files).map(|file| file.key.as_str());
        match keys.find(|key| crate::config::keys::invalid_key_reason(key).is_some()) {
            Some(key) => Err(ContractError::InvalidLabel {
                why: format!("`{}` is not a valid key", coracle_core::path::escape_bytes(key.as_bytes())),
            }),
            None => Ok(()),
        }
    }
}
