//! The leak gate as its users meet it: what is planted is refused, what is ordinary is not, and what is meant is allowed.

mod allowed_findings;
mod configuration;
mod distribution_files;
mod planted_files;
mod project;
