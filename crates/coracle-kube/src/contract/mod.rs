//! The configuration contract: which mounts, files, parameters, variables, ports and writable
//! directories an image expects. It contains no values.
//!
//! Stored as canonical JSON in an image label; with templates and schema it is a
//! [`ContractDocument`]. Does not depend on recipes or Kubernetes objects.

mod contract_changes;
mod contract_label;
mod full_contract;
#[cfg(test)]
mod tests;

pub use contract_changes::{ContractChange, diff_contracts};
pub use contract_label::{
    CONTRACT_LABEL, CONTRACT_VERSION, Contract, ContractDirectory, ContractError, ContractFile,
    ContractMount, ContractParameter, ContractVariable, MAX_LABEL_BYTES,
};
pub use full_contract::ImagePortsAndUser;
pub use full_contract::{CONTRACT_MEDIA_TYPE, ContractDocument, ContractTemplate};
