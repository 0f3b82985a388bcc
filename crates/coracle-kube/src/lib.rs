//! Configuration for Kubernetes: renders templates and values to files, generates the objects that
//! mount them, and checks manifests from any source against what an image expects.
//!
//! | module | |
//! | --- | --- |
//! | [`values`] | values from files and flags, merged in order and validated by a JSON Schema |
//! | [`template`] | Jinja templates: strict, bounded, rendered byte for byte |
//! | [`config`] | the files of mounted directories, rendered from templates and values |
//! | [`contract`] | what an image expects at run time, stored in a label of the image |
//! | [`manifests`] | generated ConfigMaps, Secrets, workload and Service; as YAML, kustomize or Helm |
//! | [`check`] | manifests against a contract; image names replaced by digests |
//! | [`yaml`] | YAML 1.2 with the position of every node |
//!
//! The crate connects to no cluster and no registry, and reads no image: callers pass an image's name, digest and
//! contract. It does not depend on the syntax of recipes: callers fill the types of [`config`] and [`manifests`]. It
//! writes no files.
//!
//! Secret values (`writeOnly` in the schema) are not shown by any error, and are never part of a
//! contract, a Helm chart or a kustomize base.
//!
//! Sources: the Kubernetes API reference and `k8s.io/kubernetes/pkg/apis/core/validation`, JSON Schema
//! (drafts 4, 6, 7, 2019-09 and 2020-12), and for names of ConfigMaps kustomize's `api/hasher`.
//!
//! A template is rendered with values, and its file becomes a ConfigMap:
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use coracle_kube::config::{self, ConfigMount, Configuration, MountFileSource, ReloadMethod};
//! use coracle_kube::manifests::{self, Application, PinnedImage, WorkloadSettings};
//! use coracle_kube::values::ValueSource;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = |name: &str| directory.path().join(name);
//! std::fs::write(path("shop.toml.j2"), "host = {{ db.host|toml }}\nport = {{ db.port }}\n")?;
//! std::fs::write(
//!     path("schema.json"),
//!     r#"{"properties": {"db": {"properties": {
//!         "host": {"type": "string"}, "port": {"type": "integer", "default": 5432}
//!     }}}}"#,
//! )?;
//! let configuration = Configuration {
//!     mounts: vec![ConfigMount {
//!         path: "/etc/shop".parse()?,
//!         files: vec![MountFileSource::from_path(path("shop.toml.j2"), None, false)],
//!         reload: ReloadMethod::Watch,
//!         is_optional: false,
//!     }],
//!     values: vec![ValueSource::Set { key: "db.host".parse()?, text: "db.shop.svc".into() }],
//!     schema: Some(path("schema.json")),
//!     ..Configuration::default()
//! };
//! let rendered = config::render_all(&configuration)?;
//! assert_eq!(rendered[0].files[0].bytes, b"host = \"db.shop.svc\"\nport = 5432\n");
//!
//! let image: PinnedImage = format!("ghcr.io/acme/shop:1.2@sha256:{}", "0".repeat(64)).parse()?;
//! let manifests = manifests::generate_manifests(&Application {
//!     name: "shop",
//!     image: &image,
//!     process_name: Some("shop"),
//!     uid: 65532,
//!     gid: 65532,
//!     ports: &BTreeSet::new(),
//!     configuration: &configuration,
//!     rendered_mounts: &rendered,
//!     settings: &WorkloadSettings::default(),
//!     patches: &[],
//!     has_secrets: false,
//!     render_args: "",
//! })?;
//! let config_map = manifests.config_objects[0].to_object();
//! assert_eq!(config_map["kind"], "ConfigMap");
//! assert_eq!(config_map["data"]["shop.toml"], "host = \"db.shop.svc\"\nport = 5432\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod check;
pub mod config;
pub mod contract;
mod cron_schedule;
mod kubernetes_limits;
mod located_problem;
pub mod manifests;
mod mounted_path;
mod quantity;
pub mod resource_rules;
mod strict_json;
pub mod template;
pub mod values;
pub mod yaml;

pub use cron_schedule::validate_schedule;
pub use located_problem::{LocatedProblem, RecipePart};
pub use quantity::{ParseQuantityError, Quantity};
