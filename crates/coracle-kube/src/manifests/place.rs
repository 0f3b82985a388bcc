//! Where configuration is mounted, and the maps that are mounted there: always a whole directory, which a kubelet can
//! update, and never a `subPath`, which it can't.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::map::{Map, MapKind, divided};
use super::object::{self, Names, with};
use super::{Application, Problem, name};
use crate::config::{Reload, RenderedMount};
use coracle_core::path::ImagePath;
use coracle_core::signal::Signal;

/// The mode of a secret file: its owner is root, and the group is the program's (`fsGroup`). JSON has no octal numbers.
const SECRET_MODE: u32 = 0o440;

/// A directory that maps are mounted at.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) path: &'a ImagePath,
    /// The name of its volume.
    pub(super) volume: String,
    pub(super) sources: Vec<Source>,
    /// What is sent to the program when something changes.
    pub(super) signal: Option<&'a Signal>,
}

/// A map that is mounted.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) kind: MapKind,
    pub(super) name: String,
    pub(super) keys: Vec<String>,
    /// Somebody else makes it, with other keys maybe.
    pub(super) is_foreign: bool,
    pub(super) is_optional: bool,
}

/// The name of a map without its hash, by the directory of its files.
fn base(application: &Application<'_>, names: &Names, path: &ImagePath) -> String {
    let is_only = application.mounts.iter().all(|mount| mount.path == *path);
    let part = if is_only { "config".to_owned() } else { name::label(path) };
    format!("{}-{part}", names.app)
}

/// The maps of everything that is rendered; a Secret that is only referred to has no files.
fn all_maps(application: &Application<'_>, names: &Names) -> Vec<Map> {
    let mut maps = Vec::new();
    for mount in application.mounts {
        let mut parts = divided(mount);
        // What has no file at all is an empty directory.
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

/// The maps that are among the objects.
pub(super) fn maps(application: &Application<'_>, names: &Names) -> Vec<Map> {
    let mut maps = all_maps(application, names);
    maps.retain(|map| map.kind == MapKind::ConfigMap || application.contains_secrets);
    maps
}

/// Every directory that maps are mounted at, in the order in which it was named.
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
                        "the Secret `{}` is both rendered for `{}` and somebody else's",
                        source.name, map.mount
                    ),
                    "give the `[[secret]]` another `name`",
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
                            format!("a change at `{}` is told by `{one}` and by `{other}`", secret.path),
                            "let both tables have the same `reload`",
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
    /// Whether the program's group has to be the files'.
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

    /// A volume of its own.
    fn alone(&self) -> Value {
        let volume = match self.kind {
            MapKind::ConfigMap => json!({ "name": self.name }),
            MapKind::Secret => json!({ "secretName": self.name, "defaultMode": SECRET_MODE }),
        };
        let items = if self.is_foreign { self.items(None) } else { Value::Null };
        with(with(volume, "items", items), "optional", self.optional())
    }

    /// A part of a projected volume, which has one mode for all: secret files say their own.
    fn projected(&self) -> Value {
        let items = match self.kind {
            MapKind::ConfigMap => Value::Null,
            MapKind::Secret => self.items(Some(SECRET_MODE)),
        };
        let source = with(with(json!({ "name": self.name }), "items", items), "optional", self.optional());
        json!({ self.key(): source })
    }
}

/// What somebody still has to make, with the way to do it.
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
                    "the Secret `{name}` is referred to and not printed: make it with `coracle config render -o out` and \
                     `kubectl create secret generic {name} {}`; `--with-secrets` prints it in the yaml layout",
                    from.join(" "),
                    name = source.name,
                ));
            }
        }
    }
    let foreign = missing.into_iter();
    notes.extend(foreign.map(|(name, keys)| {
        format!("the Secret `{name}` is somebody else's to make, with {}", keys.join(", "))
    }));
    notes
}
