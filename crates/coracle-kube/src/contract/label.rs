//! A contract as a label of the image.

use super::{Contract, Error, VERSION};
use coracle_core::digest::Digest;
use coracle_core::json;

/// The label's name.
pub const LABEL: &str = "io.coracle.config.v1";

/// The most bytes that the label has; containerd drops labels over 4,096 with their names.
pub const MAX_SIZE: usize = 3_500;

impl Contract {
    /// The contract as canonical JSON, short enough for a label. One that is too large leaves out its parameters, and
    /// names the digest of the whole: the same as that of [`Contract::to_json`].
    ///
    /// # Errors
    /// When files and mounts alone are too large.
    pub fn to_label(&self) -> Result<String, Error> {
        let whole = self.to_json()?;
        if whole.len() <= MAX_SIZE {
            return Ok(whole);
        }
        let mut short = Self {
            parameters: Default::default(),
            document: Some(Digest::of(whole.as_bytes()).to_string()),
            ..self.clone()
        };
        short.mounts.iter_mut().flat_map(|mount| &mut mount.files).for_each(|file| file.uses.clear());
        let short = short.to_json()?;
        if short.len() <= MAX_SIZE { Ok(short) } else { Err(Error::TooLarge { size: short.len() }) }
    }

    /// The whole contract as canonical JSON.
    ///
    /// # Errors
    /// Never with what this module makes.
    pub fn to_json(&self) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&json::to_bytes(self)?).into_owned())
    }

    /// Reads a contract, from a label or by itself.
    ///
    /// # Errors
    /// When it is none, or one of a later version.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let label = |error: serde_json::Error| Error::Label { why: error.to_string() };
        let value: serde_json::Value = serde_json::from_str(text).map_err(label)?;
        let version = value.get("version").and_then(serde_json::Value::as_u64);
        match version.and_then(|version| u32::try_from(version).ok()) {
            Some(VERSION) => {}
            Some(other) => return Err(Error::Version(other)),
            None => return Err(Error::Label { why: "it has no version".into() }),
        }
        let contract: Self = serde_json::from_value(value).map_err(label)?;
        contract.check()?;
        Ok(contract)
    }

    /// Whoever wrote the label: its paths are paths and its keys are keys.
    fn check(&self) -> Result<(), Error> {
        let mounts = self.mounts.iter().map(|mount| mount.path.as_str());
        let writable = self.writable.iter().map(|writable| writable.path.as_str());
        let variables = self.env.iter().map(|variable| variable.from.as_str());
        for path in mounts.chain(writable).chain(variables) {
            path.parse::<coracle_core::path::ImagePath>()
                .map_err(|error| Error::Label { why: error.to_string() })?;
        }
        let mut keys = self.mounts.iter().flat_map(|mount| &mount.files).map(|file| file.key.as_str());
        match keys.find(|key| crate::config::key::illegal(key).is_some()) {
            Some(key) => {
                Err(Error::Label { why: format!("`{}` is no key", coracle_core::path::printable(key.as_bytes())) })
            }
            None => Ok(()),
        }
    }
}
