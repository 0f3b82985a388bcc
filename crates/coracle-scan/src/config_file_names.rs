//! File names of configuration.

/// Complete names.
const CONFIG_FILE_NAMES: [&str; 40] = [
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
const CONFIG_FILE_ENDINGS: [&str; 17] = [
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
const CONFIG_FILE_PATTERNS: [(&str, &str); 13] = [
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
const EXAMPLE_ENDINGS: [&str; 6] = [".example", ".sample", ".template", ".dist", ".pub", ".md"];

/// Returns whether a file with this name is probably configuration.
pub(super) fn is_config_file_name(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = |ending: &str| name.ends_with(ending.as_bytes());
    let is_whole = CONFIG_FILE_NAMES.iter().any(|whole| name == whole.as_bytes());
    let is_pattern = || {
        CONFIG_FILE_PATTERNS.iter().any(|(start, ending)| name.starts_with(start.as_bytes()) && ends(ending))
    };
    !EXAMPLE_ENDINGS.iter().any(|ending| ends(ending))
        && (is_whole || CONFIG_FILE_ENDINGS.iter().any(|ending| ends(ending)) || is_pattern())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_configuration_by_name() {
        for name in [
            ".env",
            "prod.env",
            ".env.production",
            "nginx.conf",
            "Application-dev.YML",
            "appsettings.Production.json",
            "settings.py",
            "app.toml.j2",
        ] {
            assert!(is_config_file_name(name.as_bytes()), "{name}");
        }
        for name in [
            "index.html",
            ".env.example",
            "logo.png",
            "environment.js",
            "package.json",
            "confetti",
            "id_rsa.pub",
            "app.yml",
        ] {
            assert!(!is_config_file_name(name.as_bytes()), "{name}");
        }
    }
}
