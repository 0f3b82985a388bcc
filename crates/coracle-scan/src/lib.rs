//! The secret scanner: finds configuration and secrets in a container image before it is published.
//!
//! Findings come from three sources:
//!
//! - paths and file names of a planned image ([`SecretScanner::scan_plan`]);
//! - contents of files ([`SecretScanner::scan_bytes`]): private keys, tokens of known formats,
//!   passwords in configuration, the secret values of the build, and copies of its configuration.
//!   The scanner implements [`coracle_core::content_scanner::ContentScanner`], so a packer can scan
//!   the blocks that it reads anyway;
//! - variables, labels, annotations and arguments ([`SecretScanner::scan_config_value`]).
//!
//! [`SecretScanner::evaluate`] then applies the [`ForbiddenContents`] to all findings: it fails, or returns
//! notes about what was accepted.
//!
//! The crate does not depend on recipes, tar or registries, does not connect to issuers to verify
//! tokens, and never prints a secret. docs/secret-scanner.md lists what is found and what is not.
//! `src/data/` has the forms of tokens, names and words, and the public lists that they correspond to.
//!
//! ```
//! use coracle_scan::{ForbiddenContents, ScanScope, SecretScanner};
//!
//! let scanner = SecretScanner::new(ForbiddenContents::default());
//! let path = "/srv/app.ini".parse()?;
//! let content = b"user = ada\npassword = tr0ub4dor\n";
//! let findings = scanner.scan_bytes(&path, ScanScope::IncludedConfig, content);
//! for finding in &findings {
//!     println!("{finding}");
//! }
//! assert_eq!(
//!     findings[0].to_string(),
//!     "/srv/app.ini at byte 11: a password in a configuration file (password)"
//! );
//! # Ok::<(), coracle_core::path::ParseImagePathError>(())
//! ```

mod assignments;
mod bytes_around_offset;
mod char_sets;
mod command_line_passwords;
mod compressed_files;
mod config_file_names;
mod credential_runs;
mod credentials_in_text;
mod data;
mod encodings;
mod escapes;
mod evaluate_findings;
mod file_scan;
mod file_segments;
#[cfg(test)]
mod file_tests;
mod finding;
mod finding_list;
mod forbidden_contents;
mod key_files;
mod logins;
mod passwords;
mod plan_scan;
mod private_keys;
mod randomness;
mod scan_scope;
mod scanner;
mod secret_values;
mod signed_tokens;
#[cfg(test)]
mod tests;
mod text_format;
mod token_form;
mod tokens;
mod url_passwords;

pub use finding::{ConfigValueKind, Finding, FindingCategory, FindingSubject, FindingsError, Severity};
pub use forbidden_contents::{ConfigFile, ConfigSource, ForbiddenContents, PackagedFiles, SecretValue};
pub use scan_scope::ScanScope;
pub use scanner::SecretScanner;
