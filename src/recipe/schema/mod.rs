//! The keys of `coracle.toml`, as deserialized by serde. Values are still text, which
//! [`super::validate`] parses.

#[cfg(feature = "kube")]
mod configuration;
#[cfg(feature = "kube")]
mod kubernetes;
mod spanned_values;

use std::collections::BTreeMap;

#[cfg(feature = "kube")]
pub(super) use configuration::{
    ConfigTable, EnvironmentTable, KeyOrTable, SecretTable, StateTable, TemplateTable, ValuesTable,
    VariableTable,
};
#[cfg(feature = "kube")]
pub(super) use kubernetes::{JobTable, KubernetesTable, ProbeTable, ProbesTable, ResourcesTable};
#[cfg(feature = "kube")]
pub(super) use spanned_values::NumberOrString;
pub(super) use spanned_values::{BoolOrNames, BoolOrString, IntOrString, PathOr, Spanned, StrictTable};

/// The whole file.
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct RecipeFile {
    /// The version of the format. Default: 1.
    pub(super) version: Option<Spanned<i64>>,
    /// The image: its programs, names and run configuration.
    pub(super) image: StrictTable<ImageTable>,
    /// Static files that are copied into the image; not for configuration.
    pub(super) include: Vec<StrictTable<IncludeTable>>,
    /// Dependencies that no ELF file names, such as CA certificates and time zones.
    pub(super) runtime: StrictTable<RuntimeTable>,
    /// Configuration directories, which are mounted and never part of the image.
    #[cfg(feature = "kube")]
    pub(super) config: Vec<StrictTable<ConfigTable>>,
    /// Secrets that exist in the cluster and are mounted.
    #[cfg(feature = "kube")]
    pub(super) secret: Vec<StrictTable<SecretTable>>,
    /// Directories that the program writes to.
    #[cfg(feature = "kube")]
    pub(super) state: Vec<StrictTable<StateTable>>,
    /// Environment variables whose value is the text of a mounted file.
    #[cfg(feature = "kube")]
    pub(super) variable: Vec<StrictTable<VariableTable>>,
    /// The values that templates are rendered with, and their schema.
    #[cfg(feature = "kube")]
    pub(super) values: StrictTable<ValuesTable>,
    /// Additional values that `--environment NAME` selects.
    #[cfg(feature = "kube")]
    pub(super) environments: BTreeMap<String, Spanned<StrictTable<EnvironmentTable>>>,
    /// Settings of the generated Kubernetes manifests.
    #[cfg(feature = "kube")]
    pub(super) kubernetes: StrictTable<KubernetesTable>,
    /// Size limits of the image. A larger image fails the build, and nothing is written.
    pub(super) budget: StrictTable<BudgetTable>,
    /// Accepted findings of the secret scanner: a path, or `env:NAME` and the like, and the reason.
    pub(super) allow: BTreeMap<String, Spanned<String>>,
    /// Root or sysroot directories by platform, such as `linux/arm64`.
    pub(super) platform: BTreeMap<String, Spanned<StrictTable<PlatformTable>>>,
}

/// `[image]`
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct ImageTable {
    /// The image's name, with an optional tag: `ghcr.io/acme/shop:1.2`.
    pub(super) name: Option<Spanned<String>>,
    /// The base image: a name at a registry, or `oci:DIR`. Default: none.
    pub(super) base: Option<Spanned<String>>,
    /// The programs, ELF files or `#!` scripts. The first is the entrypoint.
    pub(super) programs: Vec<Spanned<PathOr<ProgramTable>>>,
    /// The entrypoint's default arguments (`Cmd`).
    pub(super) args: Vec<Spanned<String>>,
    /// The numeric user. Default: the base image's, or 65532.
    pub(super) user: Option<Spanned<IntOrString>>,
    /// The numeric group. Default: the number of the user.
    pub(super) group: Option<Spanned<IntOrString>>,
    /// Ports that the program listens on: `8080`, `9000/udp`.
    pub(super) expose: Vec<Spanned<IntOrString>>,
    /// Environment variables that are the same in every deployment.
    pub(super) env: BTreeMap<String, Spanned<String>>,
    /// The program's working directory.
    pub(super) working_dir: Option<Spanned<String>>,
    /// The signal that stops the program, such as `SIGTERM`.
    pub(super) stop_signal: Option<Spanned<IntOrString>>,
    /// The image's labels.
    pub(super) labels: BTreeMap<String, Spanned<String>>,
    /// The manifest's annotations.
    pub(super) annotations: BTreeMap<String, Spanned<String>>,
    /// Whether to strip symbols and debugging sections from programs.
    pub(super) strip: Option<bool>,
    /// Whether the image contains an inventory of its packages, by which scanners find them. Default: true.
    pub(super) inventory: Option<bool>,
    /// Whether the image contains the licence texts of its packages.
    pub(super) licences: Option<bool>,
    /// How programs must be linked: `static`, `dynamic`, or `auto`, which allows both.
    pub(super) linkage: Option<Spanned<String>>,
    /// The compression of layers: `gzip`, `zstd` or `none`, with an optional level: `gzip:9`.
    pub(super) compression: Option<Spanned<String>>,
    /// Attach software bills of materials to the image, as referrers: `spdx`, `cyclonedx`.
    pub(super) sbom: Vec<Spanned<String>>,
    /// Publish the full contract to this image layout or repository: `oci:DIR` or `docker://NAME`.
    pub(super) publish_contract: Option<Spanned<String>>,
    /// The platform, where the ELF header does not determine it: `linux/arm/v7`.
    pub(super) platform: Option<Spanned<String>>,
}

/// A program and its path in the image.
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct ProgramTable {
    /// The program's file.
    pub(super) from: Spanned<String>,
    /// Its path in the image.
    pub(super) to: Option<Spanned<String>>,
}

/// `[[include]]`
#[derive(serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct IncludeTable {
    /// The file or directory to copy.
    pub(super) from: Spanned<String>,
    /// Its path in the image. With a trailing slash, the directory that a file is copied into.
    pub(super) to: Spanned<String>,
    /// Files of the directory that are left out, by patterns as in `.gitignore`: `["**/*.pyc", "/docs/"]`.
    #[serde(default)]
    pub(super) exclude: Vec<Spanned<String>>,
    /// The time of its files: `zero` (1970-01-01, the default) or `epoch` (`SOURCE_DATE_EPOCH`, `--epoch`).
    #[serde(default)]
    pub(super) times: Option<Spanned<String>>,
}

/// `[runtime]`
#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct RuntimeTable {
    /// CA certificates: `auto` (if something uses TLS), `true` or `false`.
    pub(super) certificates: Option<Spanned<BoolOrString>>,
    /// Whether to add the CA certificates, too, that only this machine trusts, besides the distribution's.
    pub(super) local_certificates: Option<bool>,
    /// `nsswitch.conf`, and the NSS modules of a glibc older than 2.34: `auto`, `true` or `false`.
    pub(super) nss: Option<Spanned<BoolOrString>>,
    /// NSS modules, such as `sss`.
    pub(super) nss_modules: Vec<Spanned<String>>,
    /// OpenSSL's configuration: `auto`, `false`, or `true`, which also adds providers and engines.
    pub(super) openssl: Option<Spanned<BoolOrString>>,
    /// `libgcc_s.so.1`, which glibc opens when a thread ends: `auto`, `true` or `false`.
    pub(super) libgcc: Option<Spanned<BoolOrString>>,
    /// Libraries that the program opens with `dlopen`, such as `libpq.so.5`.
    pub(super) dlopen: Vec<Spanned<String>>,
    /// The lowest dlopen note priority to follow: `required`, `recommended`, `suggested`, or `false`.
    pub(super) dlopen_notes: Option<Spanned<BoolOrString>>,
    /// Time zones, such as `Europe/Berlin`, or `true` for all.
    pub(super) time_zones: Option<Spanned<BoolOrNames>>,
    /// Locales, such as `C.UTF-8`.
    pub(super) locales: Option<Vec<Spanned<String>>>,
    /// iconv character sets, such as `UTF-16`.
    pub(super) charsets: Option<Vec<Spanned<String>>>,
    /// PAM services, such as `login`.
    pub(super) pam: Option<Vec<Spanned<String>>>,
    /// Plugin families, such as `gio`.
    pub(super) plugins: Option<Vec<Spanned<String>>>,
    /// Whether to add everything that hints name and that exists.
    pub(super) complete: Option<bool>,
    /// Paths and names that hints leave out, such as `/bin/sh`.
    pub(super) ignore: Vec<Spanned<String>>,
    /// Library variants for newer CPUs (`glibc-hwcaps`): up to this level, or `none`. Default: all.
    pub(super) hwcaps: Option<Spanned<String>>,
}

/// `[budget]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct BudgetTable {
    /// The maximum compressed size of the image of one platform: `5MB`.
    pub(super) image: Option<Spanned<IntOrString>>,
    /// The maximum growth compared with the previous image: `5%` or `200kB`.
    pub(super) growth: Option<Spanned<IntOrString>>,
}

/// `[platform."linux/arm64"]`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct PlatformTable {
    /// A root file system that contains the programs, too; paths of programs start there.
    pub(super) root: Option<Spanned<String>>,
    /// A directory with the platform's dynamic loader and libraries.
    pub(super) sysroot: Option<Spanned<String>>,
}

#[cfg(feature = "kube")]
impl RecipeFile {
    /// Returns `[kubernetes]` with the keys of `[environments.NAME.kubernetes]`, if an environment is
    /// chosen and exists.
    pub(super) fn kubernetes_in(&self, environment: Option<&str>) -> KubernetesTable {
        match environment.and_then(|name| self.environments.get(name)) {
            Some(table) => self.kubernetes.0.overridden_by(&table.get_ref().0.kubernetes.0),
            None => self.kubernetes.0.clone(),
        }
    }
}
