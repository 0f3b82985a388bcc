//! Names of files that probably have configuration or credentials. This file has only data.
//!
//! Files of credentials and keys correspond to the signatures `filename` and `extension` in
//! `config.yaml` of <https://github.com/eth0izzle/shhgit>. The other names are those that frameworks
//! and tools read by default: Django, Rails, WordPress, Spring, ASP.NET, Docker Compose, Helm,
//! Terraform and Kubernetes.

/// Complete names, in lower case.
pub(crate) const CONFIG_FILE_NAMES: &[&str] = &[
    ".env",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    ".dockerconfigjson",
    "kubeconfig",
    "credentials",
    "settings.py",
    "local_settings.py",
    "wp-config.php",
    "database.yml",
    "secrets.yml",
    "parameters.yml",
    "config.php",
    "config.rb",
    "config.py",
    "config.js",
    "config.json",
    "config.yml",
    "config.yaml",
    "config.toml",
    "settings.json",
    "settings.yml",
    "settings.yaml",
    "settings.toml",
    "values.toml",
    "values.yaml",
    "values.yml",
    "secrets.json",
    "secrets.yaml",
    "secrets.toml",
    "web.config",
    "app.config",
    "authorized_keys",
];

/// Endings of names.
pub(crate) const CONFIG_FILE_ENDINGS: &[&str] = &[
    ".env",
    ".conf",
    ".cfg",
    ".cnf",
    ".ini",
    ".properties",
    ".j2",
    ".tfvars",
    ".tfstate",
    ".kubeconfig",
    ".ovpn",
    ".key",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".kdbx",
];

/// Beginnings and endings of names.
pub(crate) const CONFIG_FILE_PATTERNS: &[(&str, &str)] = &[
    (".env.", ""),
    ("application", ".yml"),
    ("application", ".yaml"),
    ("bootstrap", ".yml"),
    ("bootstrap", ".yaml"),
    ("appsettings", ".json"),
    ("docker-compose", ".yml"),
    ("docker-compose", ".yaml"),
    ("client_secret", ".json"),
    ("service-account", ".json"),
    ("secret", ".yaml"),
    ("id_rsa", ""),
    ("id_ed25519", ""),
];

/// Endings of examples and other files that are not configuration.
pub(crate) const EXAMPLE_ENDINGS: &[&str] = &[".example", ".sample", ".template", ".dist", ".pub", ".md"];
