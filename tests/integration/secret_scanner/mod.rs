//! The secret scanner: planted secrets are rejected, files of distributions are not, and findings
//! can be allowed.

mod allowed_findings;
mod configuration;
mod distribution_files;
mod planted_files;
mod project;
