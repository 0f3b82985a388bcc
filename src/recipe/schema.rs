//! The keys of `coracle.toml`, as serde reads them. Values are text here; [`super::draft`] says what they mean.

mod keys;
mod kubernetes;
mod word;

use std::collections::BTreeMap;

pub(super) use keys::keys_of;
pub(super) use kubernetes::{Kubernetes, Probe, Probes, Resources};
pub(super) use word::{Choice, Names, PathOr, Scalar, Spanned, Table};

/// The whole file.
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct File {
    /// The version of the format; 1 when left out.
    pub(super) version: Option<Spanned<i64>>,
    /// What the image is and how it is run.
    pub(super) image: Table<Image>,
    /// Static data that is not configuration.
    pub(super) include: Vec<Table<Include>>,
    /// What no library asks for by its name.
    pub(super) runtime: Table<Runtime>,
    /// Directories of configuration, which are mounted and never in the image.
    pub(super) config: Vec<Table<Config>>,
    /// Directories of secrets that somebody else makes.
    pub(super) secret: Vec<Table<Secret>>,
    /// Directories that the program writes to.
    pub(super) state: Vec<Table<State>>,
    /// Environment variables that are given the text of a mounted file.
    pub(super) variable: Vec<Table<Variable>>,
    /// What templates are rendered with.
    pub(super) values: Table<Values>,
    /// Values on top, for `--environment NAME`.
    pub(super) environments: BTreeMap<String, Spanned<Table<Environment>>>,
    /// How it runs on Kubernetes.
    pub(super) kubernetes: Table<Kubernetes>,
    /// How large the image may be; a build above it fails before anything is written.
    pub(super) budget: Table<Budget>,
    /// Findings that are accepted on purpose: a path and the reason.
    pub(super) allow: BTreeMap<String, Spanned<String>>,
    /// Where programs or libraries of a platform are, such as `linux/arm64`.
    pub(super) platform: BTreeMap<String, Spanned<Table<Platform>>>,
}

/// `[image]`
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Image {
    /// The name, with a tag if it has one: `ghcr.io/acme/shop:1.2`.
    pub(super) name: Option<Spanned<String>>,
    /// The image that this one stands on: a name at a registry, or `oci:DIR`; none when left out.
    pub(super) base: Option<Spanned<String>>,
    /// ELF files or `#!` scripts; the first is the entrypoint.
    pub(super) programs: Vec<Spanned<PathOr<Placed>>>,
    /// What the program is given.
    pub(super) args: Vec<Spanned<String>>,
    /// Who runs it, by number; 65532 when left out.
    pub(super) user: Option<Spanned<Scalar>>,
    /// The user's group, by number.
    pub(super) group: Option<Spanned<Scalar>>,
    /// Ports that it listens on: `8080`, `9000/udp`.
    pub(super) expose: Vec<Spanned<Scalar>>,
    /// Variables that never change between deployments.
    pub(super) env: BTreeMap<String, Spanned<String>>,
    /// Where it starts.
    pub(super) working_dir: Option<Spanned<String>>,
    /// What asks it to end, such as `SIGTERM`.
    pub(super) stop_signal: Option<Spanned<Scalar>>,
    /// The image's labels.
    pub(super) labels: BTreeMap<String, Spanned<String>>,
    /// The manifest's annotations.
    pub(super) annotations: BTreeMap<String, Spanned<String>>,
    /// Leave out symbols and debugging sections.
    pub(super) strip: Option<bool>,
    /// How the programs have to be linked: `static`, `dynamic`, or `auto`, which takes both and gives advice.
    pub(super) linkage: Option<Spanned<String>>,
    /// How layers are compressed: `gzip`, `zstd` or `none`, with a level: `gzip:9`.
    pub(super) compression: Option<Spanned<String>>,
    /// Write the whole contract to this layout or repository: `oci:DIR` or `docker://NAME`.
    pub(super) publish_contract: Option<Spanned<String>>,
    /// What a program's header can't say, such as the variant of ARM.
    pub(super) platform: Option<Spanned<String>>,
}

/// A program with its place in the image.
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Placed {
    /// The file.
    pub(super) from: Spanned<String>,
    /// Its path in the image.
    pub(super) to: Option<Spanned<String>>,
}

/// `[[include]]`
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Include {
    /// A file or a directory.
    pub(super) from: Spanned<String>,
    /// Its path in the image; a slash at its end makes it the directory for a file.
    pub(super) to: Spanned<String>,
}

/// `[runtime]`
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Runtime {
    /// CA certificates.
    pub(super) certificates: Option<Spanned<Choice>>,
    /// `nsswitch.conf`, and modules where glibc is older than 2.34.
    pub(super) nss: Option<Spanned<Choice>>,
    /// Modules of the name service switch, such as `sss`.
    pub(super) nss_modules: Vec<Spanned<String>>,
    /// OpenSSL's configuration; `true` adds providers and engines.
    pub(super) openssl: Option<Spanned<Choice>>,
    /// `libgcc_s.so.1`, for threads that end.
    pub(super) libgcc: Option<Spanned<Choice>>,
    /// Libraries that the program opens, such as `libpq.so.5`.
    pub(super) dlopen: Vec<Spanned<String>>,
    /// How much of what libraries note about what they open.
    pub(super) dlopen_notes: Option<Spanned<Choice>>,
    /// Time zones, such as `Europe/Berlin`.
    pub(super) time_zones: Option<Spanned<Names>>,
    /// Locales, such as `C.UTF-8`.
    pub(super) locales: Option<Vec<Spanned<String>>>,
    /// Character sets of iconv, such as `UTF-16`.
    pub(super) charsets: Option<Vec<Spanned<String>>>,
    /// Services of PAM, such as `login`.
    pub(super) pam: Option<Vec<Spanned<String>>>,
    /// Families of plugins, such as `gio`.
    pub(super) plugins: Option<Vec<Spanned<String>>>,
    /// Variants of libraries for newer CPUs: up to this level, or `none`.
    pub(super) hwcaps: Option<Spanned<String>>,
}

/// `[[config]]`
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Config {
    /// Where the program finds the files.
    pub(super) mount: Spanned<String>,
    /// The files; a name that ends in `.j2` is a template.
    #[serde(default)]
    pub(super) templates: Vec<Spanned<PathOr<TemplateTable>>>,
    /// How a change reaches the program: `restart`, `watch` or `signal:NAME`.
    pub(super) reload: Option<Spanned<String>>,
    /// The program starts without it, too.
    pub(super) optional: Option<bool>,
}

/// `[[secret]]`
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Secret {
    /// Where the program finds the files.
    pub(super) mount: Spanned<String>,
    /// The Secret; `NAME-secret` when left out.
    pub(super) name: Option<Spanned<String>>,
    /// The files that the program reads.
    pub(super) keys: Spanned<Vec<String>>,
    /// How a change reaches the program: `restart`, `watch` or `signal:NAME`.
    pub(super) reload: Option<Spanned<String>>,
    /// The program starts without it, too.
    pub(super) optional: Option<bool>,
}

/// `[[state]]`
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct State {
    /// The directory.
    pub(super) mount: Spanned<String>,
    /// What outlives the pod has a size, such as `10Gi`.
    pub(super) size: Option<Spanned<String>>,
    /// Several pods write to it.
    pub(super) shared: Option<Spanned<bool>>,
}

/// `[[variable]]`
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Variable {
    /// Its name.
    pub(super) name: Spanned<String>,
    /// The file: a mount and a key of it.
    pub(super) from: Spanned<String>,
    /// The file may be secret, though variables are seen by many.
    pub(super) secret_in_environment: Option<bool>,
}

/// A template with what its name does not say.
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct TemplateTable {
    /// The file.
    pub(super) from: Spanned<String>,
    /// Its name in the mount.
    pub(super) key: Option<Spanned<String>>,
    /// Take it as it is.
    pub(super) verbatim: Option<bool>,
    /// What stands around values, blocks and comments, start and end each.
    pub(super) delimiters: Option<Spanned<Vec<String>>>,
}

/// `[values]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Values {
    /// A JSON Schema; `writeOnly` marks a secret.
    pub(super) schema: Option<Spanned<String>>,
    /// TOML, YAML or JSON, merged in order.
    pub(super) files: Vec<Spanned<String>>,
}

/// `[environments.NAME]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Environment {
    /// TOML, YAML or JSON, merged in order.
    pub(super) values: Vec<Spanned<String>>,
}

/// `[budget]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Budget {
    /// The most that the image of a platform may have, compressed: `5MB`.
    pub(super) image: Option<Spanned<Scalar>>,
    /// How much more than the image before: `5%` or `200kB`.
    pub(super) growth: Option<Spanned<Scalar>>,
}

/// `[platform."linux/arm64"]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Platform {
    /// A whole root file system in which programs are paths.
    pub(super) root: Option<Spanned<String>>,
    /// Where the loader and the libraries are.
    pub(super) sysroot: Option<Spanned<String>>,
}
