//! Renders configuration into Kubernetes manifests, and checks manifests against an image's contract.

pub mod check;
pub mod config;
pub mod contract;
pub mod manifests;
pub mod quantity;
pub mod template;
pub mod values;
pub mod yaml;
