//! The configuration contract: which mounts, files, parameters, variables, ports and writable
//! directories an image expects. It contains no values.
//!
//! Stored as canonical JSON in an image label; with templates and schema it is a
//! [`ContractDocument`]. Does not depend on recipes or Kubernetes objects.

mod diff;
mod document;
mod label;
#[cfg(test)]
mod tests;

pub use diff::{ContractChange, diff_contracts};
pub use document::ImageFacts;
pub use document::{CONTRACT_MEDIA_TYPE, ContractDocument, ContractTemplate};
pub use label::{
    CONTRACT_LABEL, CONTRACT_VERSION, Contract, ContractDirectory, ContractError, ContractFile,
    ContractMount, ContractParameter, ContractVariable, MAX_LABEL_BYTES,
};
