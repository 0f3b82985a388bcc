//! Recognizes configuration by the name of a file.

use super::data::config_file_names::{
    CONFIG_FILE_ENDINGS, CONFIG_FILE_NAMES, CONFIG_FILE_PATTERNS, EXAMPLE_ENDINGS,
};

/// Returns whether a file with this name is probably configuration.
pub(super) fn is_config_file_name(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = |ending: &str| name.ends_with(ending.as_bytes());
    let is_known_name = CONFIG_FILE_NAMES.iter().any(|known| name == known.as_bytes());
    let is_pattern = || {
        CONFIG_FILE_PATTERNS.iter().any(|(start, ending)| name.starts_with(start.as_bytes()) && ends(ending))
    };
    !EXAMPLE_ENDINGS.iter().any(|ending| ends(ending))
        && (is_known_name || CONFIG_FILE_ENDINGS.iter().any(|ending| ends(ending)) || is_pattern())
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
