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
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "yourtoken",
    "yourkey",
    "yoursecret",
    "yourpass",
    "your_",
    "your-",
    "dummy",
    "redacted",
    "notreal",
    "not-a-real",
    "replace_me",
    "replaceme",
    "foobar",
    "1234567890",
    "xxxxxx",
];

/// Words in passwords that people choose, and in names.
pub(crate) const PASSWORD_WORDS: &[&str] = &[
    "pass", "word", "secret", "admin", "test", "user", "login", "token", "demo", "sample", "12345", "qwerty", "letmein",
    "welcome", "temp", "default", "hello", "abc123", "asdf", "root", "guest", "mysql", "postgres", "horse", "hunter2",
    "key_", "_key", "apikey", "value", "client", "string", "auth",
];

/// Ends of names whose values are passwords, even if they are words. Names are in lower case, with
/// `_` between words.
pub(crate) const PASSWORD_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passwort",
    "passphrase",
    "pass_phrase",
    "_pass",
    "_pwd",
    "_pw",
    "_psk",
    "_passwd",
    "userpass",
    "dbpass",
    "requirepass",
    "masterauth",
    "bindpw",
    "rootpw",
    "identified by",
    "_secret",
    "secret_key",
    "secretkey",
    "secret_key_base",
    "_api_key",
    "apikey",
    "_token",
    "authtoken",
    "private_key",
    "access_key",
    "accesskey",
    "encryption_key",
    "signing_key",
    "master_key",
    "_auth",
    "clientsecret",
    "_credential",
    "_credentials",
];

/// Words of names whose values are secrets if they are random.
pub(crate) const SECRET_WORDS: &[&str] = &[
    "key", "token", "secret", "password", "passwd", "pass", "pwd", "auth", "authorization", "credential",
    "credentials", "creds", "salt", "psk", "apikey", "passphrase", "authtoken", "secretkey", "webhook", "dsn",
    "cookie", "bearer", "sas", "pat",
];

/// Words of names whose values are not secrets, although another word says so.
pub(crate) const PUBLIC_WORDS: &[&str] = &[
    "public", "pub", "next", "page", "pagination", "continuation", "csrf", "xsrf", "idempotency", "etag", "hash",
    "checksum", "sha", "sha1", "sha256", "sha512", "md5", "digest", "integrity", "fingerprint", "thumbprint", "signature", "nonce",
    "type", "url", "uri", "file", "path", "name", "field", "header", "label", "length", "size", "format", "id", "ids",
    "version", "expires", "expiry", "ttl", "code", "request", "resource", "marker", "cursor",
    "sort", "primary", "foreign", "partition", "cache", "index", "keyword", "keyboard", "hint", "prompt",
    "arn", "alg", "algorithm", "endpoint", "host", "method", "scheme", "mode", "policy", "ref", "description",
    "regex", "pattern", "sample", "mock", "fake", "commit", "revision", "snapshot", "trusted", "author", "delta", "uuid", "guid",
];

/// Words by which names of secrets are searched for, in lower case.
pub(crate) const NAME_ANCHORS: &[&str] = &[
    "pass", "pwd", "secret", "token", "key", "auth", "cred", "psk", "salt", "bindpw", "rootpw", "identified by", "_pw",
    "dsn", "webhook", "cookie",
];

/// Values of such names that are keywords or types, not passwords.
pub(crate) const NOT_PASSWORDS: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "secret",
    "user",
    "username",
    "token",
    "true",
    "false",
    "null",
    "none",
    "nil",
    "required",
    "requisite",
    "string",
    "optional",
    "sufficient",
    "include",
    "substack",
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
    "prompt",
    "value",
    "enabled",
    "disabled",
    "text",
];

/// Starts of values that are references to a secret elsewhere, or encrypted: SOPS, Jasypt, Spring
/// Cloud, Ansible, 1Password, vals, AWS, Azure, Google.
pub(crate) const REFERENCE_STARTS: &[&str] = &[
    "file:", "env:", "env.", "vault:", "pass:", "op://", "ref+", "ssm:", "arn:", "sm://", "secret://",
    "secrets/", "projects/", "keyring:", "enc[", "enc(", "{cipher}", "!vault", "!ref", "!sub", "!env", "$ansible_vault",
    "@microsoft.keyvault(", "secretref:", "gcp:", "aws:", "az:", "azurekeyvault", "awsssm", "process.env", "os.environ", "...", "var.", "local.", "data.", "module.",
    "self.", "this.", "config.", "settings.", "secretkeyref", "random_password", "fromjson", "lookup(",
];

/// Kinds of documents whose secrets are encrypted.
pub(crate) const ENCRYPTED_DOCUMENTS: &[&str] = &["SealedSecret"];

/// Words of host names in examples.
pub(crate) const EXAMPLE_HOSTS: &[&str] = &["example", "host", "server", "domain", "proxy.", "www.bogus"];
