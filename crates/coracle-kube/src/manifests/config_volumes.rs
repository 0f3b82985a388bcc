//! Volumes of ConfigMaps and Secrets. A whole directory is mounted, never a `subPath`, which the
//! kubelet cannot update.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::application::{self, Application, ObjectNaming};
use super::config_object::{ConfigObject, files_by_kind};
use super::name_rules;
use super::object_data::ConfigObjectKind;
use super::object_edits::with_member;
use crate::config::{ReloadMethod, RenderedMount};
use crate::located_problem::LocatedProblem;
use coracle_core::path::ImagePath;
use coracle_core::signal_name::SignalName;

/// The mode of a secret file. Its owner is root, its group the program's (`fsGroup`).
const SECRET_MODE: u32 = 0o440;

/// A directory where ConfigMaps and Secrets are mounted.
#[derive(Debug)]
pub(super) struct ConfigVolume<'a> {
    pub(super) path: &'a ImagePath,
    /// The name of the volume.
    pub(super) name: String,
    pub(super) objects: Vec<MountedConfigObject>,
    /// The signal that the program expects when a file changes.
    pub(super) signal: Option<&'a SignalName>,
}

/// A mounted ConfigMap or Secret.
#[derive(Debug)]
pub(super) struct MountedConfigObject {
    pub(super) kind: ConfigObjectKind,
    pub(super) name: String,
    pub(super) files: Vec<ObjectFile>,
    /// `true` if it is created elsewhere; it may have further keys.
    pub(super) is_external: bool,
    pub(super) is_optional: bool,
}

/// A key of a mounted object and its path in the mount.
#[derive(Clone, Debug)]
pub(super) struct ObjectFile {
    pub(super) key: String,
    pub(super) path: String,
}

/// Returns the object name, without hash, for the files mounted at `path`.
fn object_base_name(application: &Application<'_>, naming: &ObjectNaming, path: &ImagePath) -> String {
    let is_only = application.rendered_mounts.iter().all(|mount| mount.path == *path);
    let part = if is_only { "config".to_owned() } else { name_rules::path_label(path) };
    format!("{}-{part}", naming.name_prefix)
}

/// Returns the objects of all rendered files, including Secrets that are only referenced.
pub(super) fn all_config_objects(application: &Application<'_>, naming: &ObjectNaming) -> Vec<ConfigObject> {
    let mut config_objects = Vec::new();
    for mount in application.rendered_mounts {
        for (kind, files) in files_by_kind(mount) {
            config_objects.push(ConfigObject {
                kind,
                mount: mount.path.clone(),
                base_name: object_base_name(application, naming, &mount.path),
                // A hash needs the bytes.
                is_immutable: mount.reload == ReloadMethod::Restart
                    && (kind == ConfigObjectKind::ConfigMap || application.has_secrets),
                metadata: application::unnamed_metadata(application),
                files,
            });
        }
    }
    config_objects
}

/// Returns every directory where ConfigMaps and Secrets are mounted, in the recipe's order.
/// `config_objects` are those of all rendered files.
pub(super) fn config_volumes<'a>(
    application: &Application<'a>,
    naming: &ObjectNaming,
    config_objects: &[ConfigObject],
    problems: &mut Vec<LocatedProblem>,
) -> Vec<ConfigVolume<'a>> {
    let mut config_volumes: Vec<ConfigVolume<'a>> = Vec::new();
    for mount in application.rendered_mounts {
        let of_mount = config_objects.iter().filter(|config_object| config_object.mount == mount.path);
        let objects = of_mount.map(|config_object| mounted_object(config_object, mount, naming)).collect();
        config_volumes.push(ConfigVolume {
            path: &mount.path,
            name: name_rules::path_label(&mount.path),
            objects,
            signal: reload_signal(&mount.reload),
        });
    }
    for secret in &application.configuration.secrets {
        let object = MountedConfigObject {
            kind: ConfigObjectKind::Secret,
            name: secret.name.clone().unwrap_or_else(|| format!("{}-secret", application.name)),
            files: secret
                .files
                .iter()
                .map(|file| ObjectFile { key: file.key.clone(), path: file.path.clone() })
                .collect(),
            is_external: true,
            is_optional: secret.is_optional,
        };
        let rendered = config_objects.iter().find(|config_object| {
            config_object.kind == ConfigObjectKind::Secret && config_object.name() == object.name
        });
        if let Some(config_object) = rendered {
            problems.push(
                LocatedProblem::new(
                    format!(
                        "the Secret `{}` is generated for `{}`, but `[[secret]]` uses the same name",
                        object.name, config_object.mount
                    ),
                    "use another `name` in `[[secret]]`",
                )
                .at_mount(&secret.path),
            );
        }
        let signal = reload_signal(&secret.reload);
        match config_volumes.iter_mut().find(|config_volume| *config_volume.path == secret.path) {
            Some(config_volume) => {
                if let (Some(one), Some(other)) = (config_volume.signal, signal)
                    && one != other
                {
                    problems.push(
                        LocatedProblem::new(
                            format!("changes of `{}` have two signals: `{one}` and `{other}`", secret.path),
                            "use the same `reload` in both tables",
                        )
                        .at_mount(&secret.path),
                    );
                }
                config_volume.signal = config_volume.signal.or(signal);
                config_volume.objects.push(object);
            }
            None => {
                config_volumes.push(ConfigVolume {
                    path: &secret.path,
                    name: name_rules::path_label(&secret.path),
                    objects: vec![object],
                    signal,
                });
            }
        }
    }
    config_volumes
}

fn mounted_object(
    config_object: &ConfigObject,
    mount: &RenderedMount,
    naming: &ObjectNaming,
) -> MountedConfigObject {
    let is_secret = config_object.kind == ConfigObjectKind::Secret;
    let files = mount.files.iter().filter(|file| file.is_secret == is_secret);
    let files = files.map(|file| ObjectFile { key: file.object_key(), path: file.path.clone() });
    MountedConfigObject {
        kind: config_object.kind,
        name: if naming.has_hash_suffixes { config_object.name() } else { config_object.base_name.clone() },
        files: files.collect(),
        is_external: false,
        is_optional: mount.is_optional,
    }
}

fn reload_signal(reload: &ReloadMethod) -> Option<&SignalName> {
    match reload {
        ReloadMethod::Signal(signal) => Some(signal),
        ReloadMethod::Restart | ReloadMethod::Watch => None,
    }
}

impl ConfigVolume<'_> {
    /// Returns whether a Secret is mounted, whose files need the program's group.
    pub(super) fn has_secrets(&self) -> bool {
        self.objects.iter().any(|source| source.kind == ConfigObjectKind::Secret)
    }

    pub(super) fn volume_mount(&self) -> Value {
        json!({ "name": self.name, "mountPath": self.path.to_string(), "readOnly": true })
    }

    pub(super) fn to_volume(&self) -> Value {
        let volume = json!({ "name": self.name });
        match self.objects.as_slice() {
            [source] => with_member(volume, source.volume_field(), source.direct_source()),
            several => {
                let sources: Vec<Value> = several.iter().map(MountedConfigObject::projected_source).collect();
                with_member(volume, "projected", json!({ "sources": sources }))
            }
        }
    }
}

impl MountedConfigObject {
    fn volume_field(&self) -> &'static str {
        match self.kind {
            ConfigObjectKind::ConfigMap => "configMap",
            ConfigObjectKind::Secret => "secret",
        }
    }

    fn optional_field(&self) -> Value {
        if self.is_optional { json!(true) } else { Value::Null }
    }

    /// Returns whether a file is in a folder, or has another name than its key.
    fn has_paths(&self) -> bool {
        self.files.iter().any(|file| file.key != file.path)
    }

    fn items(&self, mode: Option<u32>) -> Value {
        let item = |file: &ObjectFile| {
            with_member(json!({ "key": file.key, "path": file.path }), "mode", json!(mode))
        };
        Value::Array(self.files.iter().map(item).collect())
    }

    /// Returns the volume source if this is the only object at the path.
    fn direct_source(&self) -> Value {
        let volume = match self.kind {
            ConfigObjectKind::ConfigMap => json!({ "name": self.name }),
            ConfigObjectKind::Secret => json!({ "secretName": self.name, "defaultMode": SECRET_MODE }),
        };
        let items = if self.is_external || self.has_paths() { self.items(None) } else { Value::Null };
        with_member(with_member(volume, "items", items), "optional", self.optional_field())
    }

    /// Returns a part of a projected volume. Secret files have an explicit mode, because the
    /// volume's default applies to all parts.
    fn projected_source(&self) -> Value {
        let items = match self.kind {
            ConfigObjectKind::ConfigMap if self.has_paths() => self.items(None),
            ConfigObjectKind::ConfigMap => Value::Null,
            ConfigObjectKind::Secret => self.items(Some(SECRET_MODE)),
        };
        let source = with_member(
            with_member(json!({ "name": self.name }), "items", items),
            "optional",
            self.optional_field(),
        );
        json!({ self.volume_field(): source })
    }
}

/// Returns the argument of `kubectl create secret generic` for a file that was rendered into `out`.
fn from_file_argument(mount: &ImagePath, file: &ObjectFile) -> String {
    let key = if file.key == file.path { String::new() } else { format!("{}=", file.key) };
    let argument = format!("--from-file={key}out{mount}/{}", file.path);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=".contains(c);
    if argument.chars().all(is_plain) { argument } else { format!("'{}'", argument.replace('\'', r"'\''")) }
}

/// Returns hints about Secrets that the user must create, with the command for it.
pub(super) fn missing_secret_notes(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
) -> Vec<String> {
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut notes = Vec::new();
    for config_volume in config_volumes {
        for source in config_volume.objects.iter().filter(|source| source.kind == ConfigObjectKind::Secret) {
            if source.is_external {
                let keys = missing.entry(&source.name).or_default();
                keys.extend(source.files.iter().map(|file| format!("`{}`", file.key)));
            } else if !application.has_secrets {
                let from: Vec<String> =
                    source.files.iter().map(|file| from_file_argument(config_volume.path, file)).collect();
                let namespace = application.settings.namespace.as_deref();
                notes.push(format!(
                    "the Secret `{name}` is referenced but not printed: create it with \
                     `coracle config render{} -o out` and `kubectl create secret generic {name}{} {}`; \
                     `--with-secrets` prints it in the yaml layout",
                    application.render_args,
                    namespace.map(|namespace| format!(" -n {namespace}")).unwrap_or_default(),
                    from.join(" "),
                    name = source.name,
                ));
            }
        }
    }
    let foreign = missing.into_iter();
    notes.extend(foreign.map(|(name, keys)| {
        format!("the Secret `{name}` must be created separately, with {}", keys.join(", "))
    }));
    notes
}
