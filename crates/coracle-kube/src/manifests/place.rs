//! Volumes of ConfigMaps and Secrets. A whole directory is mounted, never a `subPath`, which the
//! kubelet cannot update.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::map::{Map, MapKind, divided};
use super::object::{self, Names, with};
use super::{Application, Problem, name};
use crate::config::{Reload, RenderedMount};
use coracle_core::path::ImagePath;
use coracle_core::signal::Signal;

/// The mode of a secret file. Its owner is root, its group the program's (`fsGroup`).
const SECRET_MODE: u32 = 0o440;

/// A directory where ConfigMaps and Secrets are mounted.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) path: &'a ImagePath,
    /// The name of the volume.
    pub(super) volume: String,
    pub(super) sources: Vec<Source>,
    /// The signal that the program expects when a file changes.
    pub(super) signal: Option<&'a Signal>,
}

/// A mounted ConfigMap or Secret.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) kind: MapKind,
    pub(super) name: String,
    pub(super) keys: Vec<String>,
    /// Whether it is created elsewhere; it may have further keys.
    pub(super) is_foreign: bool,
    pub(super) is_optional: bool,
}

/// Returns the object name, without hash, for the files mounted at `path`.
fn base(application: &Application<'_>, names: &Names, path: &ImagePath) -> String {
    let is_only = application.mounts.iter().all(|mount| mount.path == *path);
    let part = if is_only { "config".to_owned() } else { name::label(path) };
    format!("{}-{part}", names.app)
}

/// Returns the objects of all rendered files, including Secrets that are only referenced.
fn all_maps(application: &Application<'_>, names: &Names) -> Vec<Map> {
    let mut maps = Vec::new();
    for mount in application.mounts {
        let mut parts = divided(mount);
        // A mount without files is an empty directory.
        if parts.is_empty() {
            parts.insert(false, Vec::new());
        }
        for (is_secret, files) in parts {
            let kind = if is_secret { MapKind::Secret } else { MapKind::ConfigMap };
            maps.push(Map {
                kind,
                mount: mount.path.clone(),
                base: base(application, names, &mount.path),
                // A hash needs the bytes.
                is_immutable: mount.reload == Reload::Restart && (!is_secret || application.contains_secrets),
                metadata: object::metadata(application),
                files,
            });
        }
    }
    maps
}

/// Returns the ConfigMaps and Secrets to generate.
pub(super) fn maps(application: &Application<'_>, names: &Names) -> Vec<Map> {
    let mut maps = all_maps(application, names);
    maps.retain(|map| map.kind == MapKind::ConfigMap || application.contains_secrets);
    maps
}

/// Returns every directory where ConfigMaps and Secrets are mounted, in the recipe's order.
pub(super) fn places<'a>(
    application: &Application<'a>,
    names: &Names,
    problems: &mut Vec<Problem>,
) -> Vec<Place<'a>> {
    let maps = all_maps(application, names);
    let mut places: Vec<Place<'a>> = Vec::new();
    for mount in application.mounts {
        let of_mount = maps.iter().filter(|map| map.mount == mount.path);
        let sources = of_mount.map(|map| source(map, mount, names)).collect();
        places.push(Place {
            path: &mount.path,
            volume: name::label(&mount.path),
            sources,
            signal: signal(&mount.reload),
        });
    }
    for secret in &application.configuration.secrets {
        let source = Source {
            kind: MapKind::Secret,
            name: secret.name.clone().unwrap_or_else(|| format!("{}-secret", application.name)),
            keys: secret.keys.clone(),
            is_foreign: true,
            is_optional: secret.is_optional,
        };
        let rendered = maps.iter().find(|map| map.kind == MapKind::Secret && map.name() == source.name);
        if let Some(map) = rendered {
            problems.push(
                Problem::new(
                    format!(
                        "the Secret `{}` is generated for `{}`, but `[[secret]]` uses the same name",
                        source.name, map.mount
                    ),
                    "use another `name` in `[[secret]]`",
                )
                .at_mount(&secret.path),
            );
        }
        let signal = signal(&secret.reload);
        match places.iter_mut().find(|place| *place.path == secret.path) {
            Some(place) => {
                if let (Some(one), Some(other)) = (place.signal, signal)
                    && one != other
                {
                    problems.push(
                        Problem::new(
                            format!("changes of `{}` have two signals: `{one}` and `{other}`", secret.path),
                            "use the same `reload` in both tables",
                        )
                        .at_mount(&secret.path),
                    );
                }
                place.signal = place.signal.or(signal);
                place.sources.push(source);
            }
            None => {
                places.push(Place {
                    path: &secret.path,
                    volume: name::label(&secret.path),
                    sources: vec![source],
                    signal,
                });
            }
        }
    }
    places
}

fn source(map: &Map, mount: &RenderedMount, names: &Names) -> Source {
    Source {
        kind: map.kind,
        name: if names.are_hashed { map.name() } else { map.base.clone() },
        keys: map.files.iter().map(|(key, _)| key.clone()).collect(),
        is_foreign: false,
        is_optional: mount.is_optional,
    }
}

fn signal(reload: &Reload) -> Option<&Signal> {
    match reload {
        Reload::Signal(signal) => Some(signal),
        Reload::Restart | Reload::Watch => None,
    }
}

impl Place<'_> {
    /// Returns whether a Secret is mounted, whose files need the program's group.
    pub(super) fn has_secrets(&self) -> bool {
        self.sources.iter().any(|source| source.kind == MapKind::Secret)
    }

    pub(super) fn mount(&self) -> Value {
        json!({ "name": self.volume, "mountPath": self.path.to_string(), "readOnly": true })
    }

    pub(super) fn volume(&self) -> Value {
        let volume = json!({ "name": self.volume });
        match self.sources.as_slice() {
            [source] => with(volume, source.key(), source.alone()),
            several => {
                let sources: Vec<Value> = several.iter().map(Source::projected).collect();
                with(volume, "projected", json!({ "sources": sources }))
            }
        }
    }
}

impl Source {
    fn key(&self) -> &'static str {
        match self.kind {
            MapKind::ConfigMap => "configMap",
            MapKind::Secret => "secret",
        }
    }

    fn optional(&self) -> Value {
        if self.is_optional { json!(true) } else { Value::Null }
    }

    fn items(&self, mode: Option<u32>) -> Value {
        let item = |key: &String| with(json!({ "key": key, "path": key }), "mode", json!(mode));
        Value::Array(self.keys.iter().map(item).collect())
    }

    /// Returns the volume source if this is the only object at the path.
    fn alone(&self) -> Value {
        let volume = match self.kind {
            MapKind::ConfigMap => json!({ "name": self.name }),
            MapKind::Secret => json!({ "secretName": self.name, "defaultMode": SECRET_MODE }),
        };
        let items = if self.is_foreign { self.items(None) } else { Value::Null };
        with(with(volume, "items", items), "optional", self.optional())
    }

    /// Returns a part of a projected volume. Secret files have an explicit mode, because the
    /// volume's default applies to all parts.
    fn projected(&self) -> Value {
        let items = match self.kind {
            MapKind::ConfigMap => Value::Null,
            MapKind::Secret => self.items(Some(SECRET_MODE)),
        };
        let source = with(with(json!({ "name": self.name }), "items", items), "optional", self.optional());
        json!({ self.key(): source })
    }
}

/// Returns hints about Secrets that the user must create, with the command for it.
pub(super) fn missing(application: &Application<'_>, places: &[Place<'_>]) -> Vec<String> {
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut notes = Vec::new();
    for place in places {
        for source in place.sources.iter().filter(|source| source.kind == MapKind::Secret) {
            if source.is_foreign {
                let keys = missing.entry(&source.name).or_default();
                keys.extend(source.keys.iter().map(|key| format!("`{key}`")));
            } else if !application.contains_secrets {
                let path = place.path.to_string();
                let from: Vec<String> =
                    source.keys.iter().map(|key| format!("--from-file=out{path}/{key}")).collect();
                notes.push(format!(
                    "the Secret `{name}` is referenced but not printed: create it with `coracle config render -o out` and \
                     `kubectl create secret generic {name} {}`; `--with-secrets` prints it in the yaml layout",
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
