//! The keys of configuration: `[[config]]`, `[[secret]]`, `[[state]]`, `[[variable]]`, `[values]` and
//! `[environments.NAME]`.

use super::kubernetes::KubernetesTable;
use super::spanned_values::{PathOr, Spanned, StrictTable};

/// `[[config]]`
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct ConfigTable {
    /// The directory that the files are mounted at.
    pub(in crate::recipe) mount: Spanned<String>,
    /// The files, or folders of files. A file whose name ends in `.j2` is a template.
    #[serde(default)]
    pub(in crate::recipe) templates: Vec<Spanned<PathOr<TemplateTable>>>,
    /// How a change reaches the program: `restart`, `watch` or `signal:NAME`.
    pub(in crate::recipe) reload: Option<Spanned<String>>,
    /// The program starts without it, too.
    pub(in crate::recipe) optional: Option<bool>,
}

/// `[[secret]]`
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct SecretTable {
    /// The directory that the Secret is mounted at.
    pub(in crate::recipe) mount: Spanned<String>,
    /// The name of the Secret. Default: `NAME-secret`.
    pub(in crate::recipe) name: Option<Spanned<String>>,
    /// The Secret's keys, each a file that the program reads; `{ key = "…", path = "…" }` puts it in a
    /// folder.
    pub(in crate::recipe) keys: Spanned<Vec<KeyOrTable>>,
    /// How a change reaches the program: `restart`, `watch` or `signal:NAME`.
    pub(in crate::recipe) reload: Option<Spanned<String>>,
    /// The program starts without it, too.
    pub(in crate::recipe) optional: Option<bool>,
}

/// `[[state]]`
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct StateTable {
    /// The directory that the program writes to.
    pub(in crate::recipe) mount: Spanned<String>,
    /// The size of a volume claim, such as `10Gi`. Without it, the data ends with the pod.
    pub(in crate::recipe) size: Option<Spanned<String>>,
    /// Whether several pods write to it (ReadWriteMany).
    pub(in crate::recipe) shared: Option<Spanned<bool>>,
}

/// `[[variable]]`
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct VariableTable {
    /// The variable's name.
    pub(in crate::recipe) name: Spanned<String>,
    /// The file: the path of a mount and a key in it.
    pub(in crate::recipe) from: Spanned<String>,
    /// Whether the file may be secret, although environment variables are easily exposed.
    pub(in crate::recipe) secret_in_environment: Option<bool>,
}

/// A file of `[[config]]` with options.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct TemplateTable {
    /// The file, template or folder.
    pub(in crate::recipe) from: Spanned<String>,
    /// Its path in the mount, such as `conf.d/site.conf`. Default: its own name without `.j2`. With `.`,
    /// the files of a folder are at the top of the mount.
    pub(in crate::recipe) path: Option<Spanned<String>>,
    /// Whether to copy the file without rendering or formatting it.
    pub(in crate::recipe) verbatim: Option<bool>,
    /// Six delimiters of the template: start and end of variables, blocks and comments.
    pub(in crate::recipe) delimiters: Option<Spanned<Vec<String>>>,
    /// Whether the line feed behind a block is removed, as by Jinja's `trim_blocks`.
    pub(in crate::recipe) trim_blocks: Option<Spanned<bool>>,
    /// Whether spaces and tabs in front of a block are removed, as by Jinja's `lstrip_blocks`.
    pub(in crate::recipe) lstrip_blocks: Option<Spanned<bool>>,
    /// The format that the file is checked in: `toml`, `yaml`, `json`, `jsonc`, `ini`,
    /// `lenient-ini`, `properties`, `env` or `none`. Default: by its name.
    pub(in crate::recipe) format: Option<Spanned<String>>,
}

/// A key of a Secret, or a table `{ key = "…", path = "…" }`.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "expected a key, or a table with `key` and `path`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::recipe) enum KeyOrTable {
    Key(String),
    Table(SecretKeyTable),
}

/// A key of `[[secret]]` with its path.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::recipe) struct SecretKeyTable {
    /// The key in the Secret.
    pub(in crate::recipe) key: String,
    /// Its path in the mount, such as `tls/server.key`.
    pub(in crate::recipe) path: String,
}

/// `[values]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct ValuesTable {
    /// The JSON Schema of the values; `writeOnly` marks a secret value.
    pub(in crate::recipe) schema: Option<Spanned<String>>,
    /// TOML, YAML or JSON files, merged in order.
    pub(in crate::recipe) files: Vec<Spanned<String>>,
}

/// `[environments.NAME]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(in crate::recipe) struct EnvironmentTable {
    /// TOML, YAML or JSON files, merged in order after those of `[values]`.
    pub(in crate::recipe) values: Vec<Spanned<String>>,
    /// Keys that replace those of `[kubernetes]`; labels, annotations and resources are merged.
    pub(in crate::recipe) kubernetes: StrictTable<KubernetesTable>,
}
