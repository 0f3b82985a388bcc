//! Settings of Kubernetes manifests: `[kubernetes]`.

use std::collections::BTreeMap;

use super::super::schema::{self, Scalar, Spanned, Table};
use super::{Check, Origin, Word};
use coracle_kube::manifests::name;
use coracle_kube::manifests::settings::{
    Action, KINDS, Kind, Probe, Probes, Reloader, Resources, SERVICE_TYPES, Service, Settings,
};
use coracle_core::path::printable;
use coracle_core::quantity;

/// Macros that Kubernetes accepts as a schedule.
const MACROS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

impl Check<'_> {
    pub(super) fn kubernetes(&mut self, table: &schema::Kubernetes) -> Settings {
        Settings {
            kind: table.kind.as_ref().and_then(|kind| self.kind(kind)).unwrap_or_default(),
            name: table.name.as_ref().and_then(|name| {
                let hint = "write lower-case letters, digits and `-`, at most 52 bytes, a letter first";
                let why = name::application(name.get_ref()).err();
                self.named(name, why.is_none(), "is not a valid application name", hint)
            }),
            namespace: table.namespace.as_ref().and_then(|name| {
                let hint = "write lower-case letters, digits and `-`, at most 63 bytes";
                self.named(name, name::is_label(name.get_ref()), "is not a valid namespace name", hint)
            }),
            replicas: table.replicas.as_ref().map(|replicas| *replicas.get_ref()),
            schedule: table.schedule.as_ref().and_then(|schedule| {
                let hint = "write five fields, as in `0 3 * * *`, or a macro such as `@daily`";
                self.named(schedule, is_schedule(schedule.get_ref()), "is not a cron schedule", hint)
            }),
            probes: table.probes.as_ref().map(|probes| self.probes(probes)).unwrap_or_default(),
            resources: Resources {
                requests: self.quantities(&table.resources.0.requests),
                limits: self.quantities(&table.resources.0.limits),
            },
            labels: self.labels(&table.labels),
            annotations: self.qualified(&table.annotations, "an annotation"),
            image_pull_secrets: self.secrets(&table.image_pull_secrets),
            service: table.service.as_ref().and_then(|service| self.service(service)).unwrap_or_default(),
            storage_class: table
                .storage_class
                .as_ref()
                .and_then(|name| self.subdomain(name, "a storage class")),
            termination_grace: table.termination_grace,
            tmp: table.tmp.unwrap_or_default(),
            reload: self.reloader(table),
            patches: table.patches.iter().map(|path| path.get_ref().into()).collect(),
        }
    }

    fn kind(&mut self, kind: &Spanned<String>) -> Option<Kind> {
        let known = KINDS.map(Kind::as_str);
        let found = KINDS.into_iter().find(|known| known.as_str() == kind.get_ref());
        if found.is_none() {
            self.none_of(kind, "not a workload kind", &known);
        }
        found
    }

    fn service(&mut self, choice: &Spanned<schema::Choice>) -> Option<Service> {
        let word = Word::of(choice);
        let found = match word.value.as_str() {
            "true" => Some(Service::Always(None)),
            "false" => Some(Service::Never),
            word => {
                let mut types = SERVICE_TYPES.into_iter();
                types.find(|kind| kind.as_str() == word).map(|kind| Service::Always(Some(kind)))
            }
        };
        if found.is_none() {
            let message = format!("`{}` is not a Service type", printable(word.value.as_bytes()));
            let known = SERVICE_TYPES.map(|kind| format!("`{}`", kind.as_str())).join(", ");
            self.problem(&word.origin, message, Some(format!("write `true`, `false`, or one of {known}")));
        }
        found
    }

    fn none_of(&mut self, word: &Spanned<String>, what: &str, known: &[&str]) {
        let text = word.get_ref();
        let message = format!("`{}` is {what}", printable(text.as_bytes()));
        let hint = match coracle_core::suggest::nearest(text, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!(
                    "use one of {}",
                    known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")
                )
            }
        };
        self.problem(&Origin::File(word.span()), message, Some(hint));
    }

    fn named(&mut self, word: &Spanned<String>, is_legal: bool, what: &str, hint: &str) -> Option<String> {
        if is_legal {
            return Some(word.get_ref().clone());
        }
        let message = format!("`{}` {what}", printable(word.get_ref().as_bytes()));
        self.problem(&Origin::File(word.span()), message, Some(hint.into()));
        None
    }

    pub(super) fn subdomain(&mut self, word: &Spanned<String>, what: &str) -> Option<String> {
        let hint = "write lower-case letters, digits, `-` and `.`, at most 253 bytes";
        self.named(word, name::is_subdomain(word.get_ref()), &format!("is not a valid name of {what}"), hint)
    }

    fn secrets(&mut self, names: &[Spanned<String>]) -> Vec<String> {
        names.iter().filter_map(|name| self.subdomain(name, "a Secret")).collect()
    }

    fn quantities(&mut self, file: &BTreeMap<String, Spanned<Scalar>>) -> BTreeMap<String, String> {
        let mut quantities = BTreeMap::new();
        for (resource, quantity) in file {
            let (text, origin) = (&quantity.get_ref().0, Origin::File(quantity.span()));
            if !name::is_qualified(resource) {
                let message = format!("`{}` is not a valid resource name", printable(resource.as_bytes()));
                self.problem(&origin, message, Some("write `cpu`, `memory` or `ephemeral-storage`".into()));
            }
            let hint = |_: &quantity::ParseQuantityError| Some("write it as `50m`, `0.5` or `64Mi`".into());
            if self.legal(quantity::check(text), &origin, hint).is_some() {
                quantities.insert(resource.clone(), text.clone());
            }
        }
        quantities
    }

    fn labels(&mut self, file: &BTreeMap<String, Spanned<String>>) -> BTreeMap<String, String> {
        for value in file.values().filter(|value| !name::is_label_value(value.get_ref())) {
            let message = format!("`{}` is not a valid label value", printable(value.get_ref().as_bytes()));
            let hint = "use at most 63 letters, digits, `-`, `_` and `.`; an annotation may hold any text";
            self.problem(&Origin::File(value.span()), message, Some(hint.into()));
        }
        if let Some(value) = file.get("app.kubernetes.io/name") {
            let message = "`app.kubernetes.io/name` is set by Coracle, because pods are selected by it";
            let hint = "set `name` below `[kubernetes]` instead";
            self.problem(&Origin::File(value.span()), message.into(), Some(hint.into()));
        }
        self.qualified(file, "a label")
    }

    fn qualified(
        &mut self,
        file: &BTreeMap<String, Spanned<String>>,
        what: &str,
    ) -> BTreeMap<String, String> {
        for (key, value) in file.iter().filter(|(key, _)| !name::is_qualified(key)) {
            let message = format!("`{}` is not a valid name of {what}", printable(key.as_bytes()));
            let hint = "write `[PREFIX/]NAME`, as in `example.com/team`";
            self.problem(&Origin::File(value.span()), message, Some(hint.into()));
        }
        file.iter().map(|(key, value)| (key.clone(), value.get_ref().clone())).collect()
    }

    /// Parses one probe for readiness and liveness, or a table for each probe.
    fn probes(&mut self, table: &Spanned<Table<schema::Probes>>) -> Probes {
        let origin = Origin::File(table.span());
        let Table(schema::Probes {
            startup,
            readiness,
            liveness,
            http,
            tcp,
            exec,
            port,
            initial_delay,
            period,
            timeout,
            failure_threshold,
        }) = table.get_ref();
        let is_simple = http.is_some() || tcp.is_some() || exec.is_some() || port.is_some();
        let named = [startup, readiness, liveness];
        if !is_simple && named.iter().any(|probe| probe.is_some()) {
            if [initial_delay, period, timeout, failure_threshold].iter().any(|number| number.is_some()) {
                let message =
                    "a number next to `startup`, `readiness` and `liveness` applies to none of them";
                self.problem(&origin, message.into(), Some("move it into the table of its probe".into()));
            }
            let [startup, readiness, liveness] = named.map(|probe| {
                let probe = probe.as_ref()?;
                self.probe(&probe.get_ref().0, &Origin::File(probe.span()))
            });
            return Probes { startup, readiness, liveness };
        }
        if is_simple && named.iter().any(|probe| probe.is_some()) {
            let message = "a shared probe cannot be combined with `startup`, `readiness` or `liveness`";
            let hint = "write `readiness`, `liveness` and `startup`, each with its own table";
            self.problem(&origin, message.into(), Some(hint.into()));
            return Probes::default();
        }
        let simple = schema::Probe {
            http: http.clone(),
            tcp: *tcp,
            exec: exec.clone(),
            port: port.clone(),
            initial_delay: *initial_delay,
            period: *period,
            timeout: *timeout,
            failure_threshold: *failure_threshold,
        };
        let probe = self.probe(&simple, &origin);
        Probes { startup: None, readiness: probe.clone(), liveness: probe }
    }

    fn probe(&mut self, table: &schema::Probe, origin: &Origin) -> Option<Probe> {
        let action = match (&table.http, table.tcp, &table.exec) {
            (Some(path), None, None) if path.get_ref().starts_with('/') => Action::Http {
                path: path.get_ref().clone(),
                port: table.port.as_ref().map(|port| *port.get_ref()),
            },
            (Some(path), None, None) => {
                let message = format!("`{}` is not an HTTP path", printable(path.get_ref().as_bytes()));
                self.problem(&Origin::File(path.span()), message, Some("start it with `/`".into()));
                return None;
            }
            (None, Some(port), None) => Action::Tcp(port),
            (None, None, Some(command)) if !command.is_empty() => Action::Exec(command.clone()),
            _ => {
                let hint = "write one of `http = \"/health\"`, `tcp = 8080` and `exec = [\"/app/shop\", \"--check\"]`";
                self.problem(
                    origin,
                    "a probe needs exactly one of `http`, `tcp` and `exec`".into(),
                    Some(hint.into()),
                );
                return None;
            }
        };
        if let (Some(port), Action::Tcp(_) | Action::Exec(_)) = (&table.port, &action) {
            let message = "`port` has no effect without `http`";
            self.problem(&Origin::File(port.span()), message.into(), Some("remove it".into()));
        }
        let ports = table.port.iter().map(|port| *port.get_ref()).chain(table.tcp);
        if ports.into_iter().any(|port| port == 0) {
            self.problem(
                origin,
                "a probe cannot use port 0".into(),
                Some("write the port that the program listens on".into()),
            );
        }
        Some(Probe {
            action,
            initial_delay: table.initial_delay,
            period: table.period,
            timeout: table.timeout,
            failure_threshold: table.failure_threshold,
        })
    }

    fn reloader(&mut self, table: &schema::Kubernetes) -> Option<Reloader> {
        let words = |words: &[Spanned<String>]| words.iter().map(|word| word.get_ref().clone()).collect();
        let Some(image) = &table.reload_image else {
            if let Some(word) = table.reload_command.iter().chain(&table.reload_args).next() {
                let message = "`reload-command` and `reload-args` need `reload-image`";
                let hint = "write `reload-image = \"NAME:TAG\"`";
                self.problem(&Origin::File(word.span()), message.into(), Some(hint.into()));
            }
            return None;
        };
        let text = image.get_ref();
        let is_image = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        let image =
            self.named(image, is_image, "is not a valid image name", "write it as `NAME[:TAG][@DIGEST]`")?;
        Some(Reloader { image, command: words(&table.reload_command), args: words(&table.reload_args) })
    }
}

/// Whether `text` has five fields of cron, or is a macro. The API server validates the fields.
fn is_schedule(text: &str) -> bool {
    let is_field = |field: &str| field.chars().all(|c| c.is_ascii_alphanumeric() || "*,-/?".contains(c));
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    MACROS.contains(&text) || fields.len() == 5 && fields.into_iter().all(is_field)
}
