//! Settings of Kubernetes manifests: `[kubernetes]`.

use std::collections::BTreeMap;

use super::validator::{RawValue, Validator, ValueOrigin};
use crate::recipe::schema::{self, NumberOrString, Spanned, StrictTable};
use coracle_core::path::escape_bytes;
use coracle_kube::manifests::name_rules;
use coracle_kube::manifests::workload_settings::{
    CONCURRENCY_POLICIES, ConcurrencyPolicy, JobSettings, Probe, ProbeAction, Probes, ReloadSidecar,
    ResourceSettings, SERVICE_TYPES, ServiceSetting, WORKLOAD_KINDS, WorkloadKind, WorkloadSettings,
};
use coracle_kube::resource_rules::{self, ResourceList};

impl Validator<'_> {
    /// Validates `[kubernetes]` with the keys of the environment.
    pub(super) fn parse_kubernetes_of_environment(
        &mut self,
        file: &schema::RecipeFile,
        environment: Option<&str>,
    ) -> WorkloadSettings {
        for table in file.environments.values() {
            let table = &table.get_ref().0.kubernetes.0;
            for (key, value) in [("kind", &table.kind), ("name", &table.name)] {
                let Some(value) = value else { continue };
                let message =
                    format!("an environment cannot change `{key}`: it would be another application");
                let hint = "set it in `[kubernetes]`, or write another recipe";
                self.report(&ValueOrigin::File(value.span()), message, Some(hint.into()));
            }
        }
        self.parse_kubernetes(&file.kubernetes_in(environment))
    }

    fn parse_kubernetes(&mut self, table: &schema::KubernetesTable) -> WorkloadSettings {
        WorkloadSettings {
            kind: table.kind.as_ref().and_then(|kind| self.parse_workload_kind(kind)).unwrap_or_default(),
            name: table.name.as_ref().and_then(|name| {
                let hint = "write lower-case letters, digits and `-`, at most 52 bytes, a letter first";
                let why = name_rules::check_application_name(name.get_ref()).err();
                self.parse_name(name, why.is_none(), "is not a valid application name", hint)
            }),
            namespace: table.namespace.as_ref().and_then(|name| {
                let hint = "write lower-case letters, digits and `-`, at most 63 bytes";
                self.parse_name(
                    name,
                    name_rules::is_dns_label(name.get_ref()),
                    "is not a valid namespace name",
                    hint,
                )
            }),
            replicas: table.replicas.as_ref().map(|replicas| *replicas.get_ref()),
            schedule: table.schedule.as_ref().map(|schedule| self.parse_schedule(schedule)),
            job: table.job.as_ref().map(|job| self.parse_job(&job.get_ref().0)).unwrap_or_default(),
            probes: table.probes.as_ref().map(|probes| self.parse_probes(probes)).unwrap_or_default(),
            resources: self.parse_resources(&table.resources.0),
            labels: self.parse_labels(&table.labels),
            annotations: self.parse_annotations(&table.annotations),
            image_pull_secrets: self.parse_image_pull_secrets(&table.image_pull_secrets),
            service: table
                .service
                .as_ref()
                .and_then(|service| self.parse_service(service))
                .unwrap_or_default(),
            storage_class: table
                .storage_class
                .as_ref()
                .and_then(|name| self.parse_subdomain(name, "a storage class")),
            termination_grace: table.termination_grace.as_ref().map(|seconds| *seconds.get_ref()),
            has_writable_tmp: table.tmp.unwrap_or_default(),
            reload_sidecar: self.parse_reload_sidecar(table),
            patches: table.patches.iter().map(|path| path.get_ref().into()).collect(),
        }
    }

    fn parse_job(&mut self, table: &schema::JobTable) -> JobSettings {
        let known = CONCURRENCY_POLICIES.map(ConcurrencyPolicy::as_str);
        let concurrency = table.concurrency.as_ref().and_then(|text| {
            let found = CONCURRENCY_POLICIES.into_iter().find(|policy| policy.as_str() == text.get_ref());
            if found.is_none() {
                self.report_unknown_value(text, "not a concurrency policy", &known);
            }
            found
        });
        let time_zone = table.time_zone.as_ref().and_then(|zone| {
            let hint = "write a name of the time zone database, such as `Europe/Berlin`";
            self.parse_name(zone, is_time_zone(zone.get_ref()), "is not a time zone", hint)
        });
        JobSettings {
            backoff_limit: table.backoff_limit,
            deadline: table.deadline,
            ttl: table.ttl,
            concurrency,
            history: table.history,
            failed_history: table.failed_history,
            starting_deadline: table.starting_deadline,
            time_zone,
        }
    }

    fn parse_schedule(&mut self, schedule: &Spanned<String>) -> String {
        let text = schedule.get_ref();
        if let Err(why) = coracle_kube::validate_schedule(text) {
            let message = format!("`{}` is not a cron schedule: {why}", escape_bytes(text.as_bytes()));
            let hint = "write five fields, as in `0 3 * * *`, or a macro such as `@daily`";
            self.report(&ValueOrigin::File(schedule.span()), message, Some(hint.into()));
        }
        text.clone()
    }

    fn parse_workload_kind(&mut self, kind: &Spanned<String>) -> Option<WorkloadKind> {
        let known = WORKLOAD_KINDS.map(WorkloadKind::as_str);
        let found = WORKLOAD_KINDS.into_iter().find(|known| known.as_str() == kind.get_ref());
        if found.is_none() {
            self.report_unknown_value(kind, "not a workload kind", &known);
        }
        found
    }

    fn parse_service(&mut self, choice: &Spanned<schema::BoolOrString>) -> Option<ServiceSetting> {
        let raw = RawValue::from_file(choice);
        let found = match raw.value.as_str() {
            "true" => Some(ServiceSetting::Always(None)),
            "false" => Some(ServiceSetting::Never),
            raw => {
                let mut types = SERVICE_TYPES.into_iter();
                types.find(|kind| kind.as_str() == raw).map(|kind| ServiceSetting::Always(Some(kind)))
            }
        };
        if found.is_none() {
            let message = format!("`{}` is not a Service type", escape_bytes(raw.value.as_bytes()));
            let known = SERVICE_TYPES.map(|kind| format!("`{}`", kind.as_str())).join(", ");
            self.report(&raw.origin, message, Some(format!("write `true`, `false`, or one of {known}")));
        }
        found
    }

    fn report_unknown_value(&mut self, raw: &Spanned<String>, subject: &str, known: &[&str]) {
        let text = raw.get_ref();
        let message = format!("`{}` is {subject}", escape_bytes(text.as_bytes()));
        let hint = match coracle_core::hint::most_similar(text, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!(
                    "use one of {}",
                    known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")
                )
            }
        };
        self.report(&ValueOrigin::File(raw.span()), message, Some(hint));
    }

    fn parse_name(
        &mut self,
        raw: &Spanned<String>,
        is_legal: bool,
        what: &str,
        hint: &str,
    ) -> Option<String> {
        if is_legal {
            return Some(raw.get_ref().clone());
        }
        let message = format!("`{}` {what}", escape_bytes(raw.get_ref().as_bytes()));
        self.report(&ValueOrigin::File(raw.span()), message, Some(hint.into()));
        None
    }

    pub(super) fn parse_subdomain(&mut self, raw: &Spanned<String>, what: &str) -> Option<String> {
        let hint = "write lower-case letters, digits, `-` and `.`, at most 253 bytes";
        self.parse_name(
            raw,
            name_rules::is_dns_subdomain(raw.get_ref()),
            &format!("is not a valid name of {what}"),
            hint,
        )
    }

    fn parse_image_pull_secrets(&mut self, names: &[Spanned<String>]) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for name in names {
            let Some(text) = self.parse_subdomain(name, "a Secret") else { continue };
            if known.contains(&text) {
                let message = format!("`{text}` is twice in `image-pull-secrets`");
                self.report(&ValueOrigin::File(name.span()), message, Some("remove one of the two".into()));
            }
            known.push(text);
        }
        known
    }

    /// Validates the quantities, and each request with its limit.
    fn parse_resources(&mut self, table: &schema::ResourcesTable) -> ResourceSettings {
        let texts = |list: &BTreeMap<String, Spanned<NumberOrString>>| -> BTreeMap<String, String> {
            list.iter().map(|(resource, quantity)| (resource.clone(), quantity.get_ref().0.clone())).collect()
        };
        let resources = ResourceSettings { requests: texts(&table.requests), limits: texts(&table.limits) };
        for problem in resource_rules::resource_problems(&resources.requests, &resources.limits) {
            let list = match problem.list {
                ResourceList::Requests => &table.requests,
                ResourceList::Limits => &table.limits,
            };
            if let Some(quantity) = list.get(&problem.resource) {
                self.report(&ValueOrigin::File(quantity.span()), problem.message, Some(problem.hint));
            }
        }
        resources
    }

    fn parse_labels(&mut self, file: &BTreeMap<String, Spanned<String>>) -> BTreeMap<String, String> {
        for value in file.values().filter(|value| !name_rules::is_label_value(value.get_ref())) {
            let message =
                format!("`{}` is not a valid label value", escape_bytes(value.get_ref().as_bytes()));
            let hint = "use at most 63 letters, digits, `-`, `_` and `.`; an annotation may hold any text";
            self.report(&ValueOrigin::File(value.span()), message, Some(hint.into()));
        }
        if let Some(value) = file.get("app.kubernetes.io/name") {
            let message = "`app.kubernetes.io/name` is set by Coracle, because pods are selected by it";
            let hint = "set `name` below `[kubernetes]` instead";
            self.report(&ValueOrigin::File(value.span()), message.into(), Some(hint.into()));
        }
        for (key, value) in file.iter().filter(|(key, _)| !name_rules::is_qualified_name(key)) {
            self.report_invalid_name(key, value, "a label");
        }
        texts(file)
    }

    fn parse_annotations(&mut self, file: &BTreeMap<String, Spanned<String>>) -> BTreeMap<String, String> {
        for (key, value) in file.iter().filter(|(key, _)| !name_rules::is_annotation_name(key)) {
            self.report_invalid_name(key, value, "an annotation");
        }
        texts(file)
    }

    fn report_invalid_name(&mut self, key: &str, value: &Spanned<String>, what: &str) {
        let message = format!("`{}` is not a valid name of {what}", escape_bytes(key.as_bytes()));
        let hint = "write `[PREFIX/]NAME`, as in `example.com/team`";
        self.report(&ValueOrigin::File(value.span()), message, Some(hint.into()));
    }

    /// Parses one probe for readiness and liveness, or a table for each probe.
    fn parse_probes(&mut self, table: &Spanned<StrictTable<schema::ProbesTable>>) -> Probes {
        let origin = ValueOrigin::File(table.span());
        let StrictTable(schema::ProbesTable {
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
                self.report(&origin, message.into(), Some("move it into the table of its probe".into()));
            }
            let [startup, readiness, liveness] = named.map(|probe| {
                let probe = probe.as_ref()?;
                self.parse_probe(&probe.get_ref().0, &ValueOrigin::File(probe.span()))
            });
            return Probes { startup, readiness, liveness };
        }
        if is_simple && named.iter().any(|probe| probe.is_some()) {
            let message = "a shared probe cannot be combined with `startup`, `readiness` or `liveness`";
            let hint = "write `readiness`, `liveness` and `startup`, each with its own table";
            self.report(&origin, message.into(), Some(hint.into()));
            return Probes::default();
        }
        let simple = schema::ProbeTable {
            http: http.clone(),
            tcp: *tcp,
            exec: exec.clone(),
            port: port.clone(),
            initial_delay: *initial_delay,
            period: *period,
            timeout: *timeout,
            failure_threshold: *failure_threshold,
        };
        let probe = self.parse_probe(&simple, &origin);
        Probes { startup: None, readiness: probe.clone(), liveness: probe }
    }

    fn parse_probe(&mut self, table: &schema::ProbeTable, origin: &ValueOrigin) -> Option<Probe> {
        let action = match (&table.http, table.tcp, &table.exec) {
            (Some(path), None, None) if path.get_ref().starts_with('/') => ProbeAction::Http {
                path: path.get_ref().clone(),
                port: table.port.as_ref().map(|port| *port.get_ref()),
            },
            (Some(path), None, None) => {
                let message = format!("`{}` is not an HTTP path", escape_bytes(path.get_ref().as_bytes()));
                self.report(&ValueOrigin::File(path.span()), message, Some("start it with `/`".into()));
                return None;
            }
            (None, Some(port), None) => ProbeAction::Tcp(port),
            (None, None, Some(command)) if !command.is_empty() => ProbeAction::Exec(command.clone()),
            _ => {
                let hint = "write one of `http = \"/health\"`, `tcp = 8080` and `exec = [\"/app/shop\", \"--check\"]`";
                self.report(
                    origin,
                    "a probe needs exactly one of `http`, `tcp` and `exec`".into(),
                    Some(hint.into()),
                );
                return None;
            }
        };
        if let (Some(port), ProbeAction::Tcp(_) | ProbeAction::Exec(_)) = (&table.port, &action) {
            let message = "`port` has no effect without `http`";
            self.report(&ValueOrigin::File(port.span()), message.into(), Some("remove it".into()));
        }
        let ports = table.port.iter().map(|port| *port.get_ref()).chain(table.tcp);
        if ports.into_iter().any(|port| port == 0) {
            self.report(
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

    fn parse_reload_sidecar(&mut self, table: &schema::KubernetesTable) -> Option<ReloadSidecar> {
        let texts = |values: &[Spanned<String>]| values.iter().map(|raw| raw.get_ref().clone()).collect();
        let Some(image) = &table.reload_image else {
            if let Some(raw) = table.reload_command.iter().chain(&table.reload_args).next() {
                let message = "`reload-command` and `reload-args` need `reload-image`";
                let hint = "write `reload-image = \"NAME:TAG\"`";
                self.report(&ValueOrigin::File(raw.span()), message.into(), Some(hint.into()));
            }
            return None;
        };
        let text = image.get_ref();
        let is_image = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        let image = self.parse_name(
            image,
            is_image,
            "is not a valid image name",
            "write it as `NAME[:TAG][@DIGEST]`",
        )?;
        Some(ReloadSidecar { image, command: texts(&table.reload_command), args: texts(&table.reload_args) })
    }
}

fn texts(file: &BTreeMap<String, Spanned<String>>) -> BTreeMap<String, String> {
    file.iter().map(|(key, value)| (key.clone(), value.get_ref().clone())).collect()
}

/// Returns whether `text` has the form of a time zone that the API server accepts
/// (`validateTimeZone`); whether it exists depends on the cluster's database.
fn is_time_zone(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.len() <= 14
            && !part.starts_with('-')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-+.".contains(c))
    };
    text.split('/').all(is_part) && !text.eq_ignore_ascii_case("Local")
}
