//! Words that distinguish secrets from examples. This file has only data.
//!
//! The lists correspond to two parts of `config/gitleaks.toml` of
//! <https://github.com/gitleaks/gitleaks>, version 8.30: the global allowlist (placeholders,
//! references to variables, keywords) and the identifiers of the rule `generic-api-key` (names of
//! secrets). Other keywords are from files of distributions, such as `nsswitch.conf` and those of
//! PAM.

/// Words in example credentials.
pub(crate) const PLACEHOLDERS: &[&str] = &[
    "example",
    "xxxx",
    "0000000",
    "1234567",
    "abcdef",
    "aaaaaa",
    "placeholder",
    "changeme",
    "yourtoken",
    "your_",
    "your-",
    "dummy",
    "redacted",
    "insert",
    "notreal",
    "deadbeef",
];

/// Endings of names whose values are secrets.
pub(crate) const SECRET_NAME_ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "secret_key",
    "secretkey",
    "api_key",
    "apikey",
    "token",
    "private_key",
    "passphrase",
    "access_key",
    "pwd",
];

/// Values of such names that are keywords or types, not passwords.
pub(crate) const NOT_PASSWORDS: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "secret",
    "user",
    "token",
    "true",
    "false",
    "null",
    "none",
    "nil",
    "required",
    "string",
    "optional",
    "sufficient",
    "undefined",
    "default",
    "auto",
    "port",
    "login",
    "word",
    "pwd",
    "files",
    "compat",
    "systemd",
];

/// Starts of values that refer to a secret elsewhere, such as `${NAME}` and `file:PATH`.
pub(crate) const REFERENCE_STARTS: &[&str] =
    &["$", "{", "<", "%", "@", "/", "*", "!", "(", "[", "file:", "env:", "vault:", "pass:", "..."];

/// Parts of values that are replaced later, such as `${NAME}` and `%s`.
pub(crate) const REFERENCE_PARTS: &[&str] = &["${", "{{", "$(", "%s", "..", "()"];

/// Starts of host names in examples.
pub(crate) const EXAMPLE_HOST_STARTS: &[&str] =
    &["example", "host", "server", "domain", "proxy.", "www.bogus"];
