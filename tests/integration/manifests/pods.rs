//! Whatever is asked for: pods are held to the restricted Pod Security Standard, mounts are whole
//! directories, and every reference leads somewhere.

use std::collections::{BTreeMap, BTreeSet};

use coracle_kube::config::{
    Configuration, ReloadMethod, RenderedFile, RenderedMount, SecretFile, SecretMount, WritableDirectory,
};
use coracle_kube::manifests::workload_settings::{
    Probe, ProbeAction, Probes, ReloadSidecar, ServiceSetting, WORKLOAD_KINDS, WorkloadKind, WorkloadSettings,
};
use coracle_kube::manifests::{Application, Manifests, PinnedImage, generate_manifests};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::manifests::project::IMAGE;

/// The volumes that the standard allows, of those that we make.
const VOLUMES: [&str; 5] = ["configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim"];

#[derive(Clone, Debug)]
struct Case {
    settings: WorkloadSettings,
    configuration: Configuration,
    mounts: Vec<RenderedMount>,
    ports: BTreeSet<coracle_core::port::Port>,
    contains_secrets: bool,
}

fn reloads() -> impl Strategy<Value = ReloadMethod> {
    prop_oneof![
        Just(ReloadMethod::Restart),
        Just(ReloadMethod::Watch),
        Just(ReloadMethod::Signal("SIGHUP".parse().unwrap())),
        Just(ReloadMethod::Signal("SIGUSR1".parse().unwrap())),
    ]
}

fn mounts() -> impl Strategy<Value = Vec<RenderedMount>> {
    let file = (prop::collection::vec(any::<u8>(), 0..5), any::<bool>());
    let files = prop::collection::btree_map("[a-z]{1,3}(/[a-z]{1,2})?", file, 0..4).prop_map(|files| {
        let file = |(path, (bytes, is_secret))| RenderedFile {
            path,
            format_warning: None,
            bytes,
            is_secret,
            format: None,
            used_keys: BTreeSet::new(),
        };
        files.into_iter().map(file).collect::<Vec<_>>()
    });
    prop::collection::vec((files, reloads(), any::<bool>()), 0..3).prop_map(|mounts| {
        let mount = |(index, (files, reload, is_optional))| {
            let path = format!("/etc/m{index}").parse().unwrap();
            RenderedMount { path, reload, is_optional, files }
        };
        mounts.into_iter().enumerate().map(mount).collect()
    })
}

fn configurations() -> impl Strategy<Value = Configuration> {
    let secret = (0..4usize, reloads(), any::<bool>(), prop::option::of("[a-z]{1,3}"));
    let state = (prop::option::of("[1-9]Gi"), any::<bool>());
    let all = (prop::collection::vec(secret, 0..3), prop::collection::vec(state, 0..3));
    all.prop_map(|(secrets, states)| {
        let secret =
            |(place, reload, is_optional, name): (usize, ReloadMethod, bool, Option<String>)| SecretMount {
                path: format!("/etc/m{place}").parse().unwrap(),
                name,
                files: vec![SecretFile::from_key("KEY")],
                reload,
                is_optional,
            };
        let state = |(index, (size, is_shared)): (usize, (Option<String>, bool))| WritableDirectory {
            path: format!("/var/s{index}").parse().unwrap(),
            size,
            is_shared,
        };
        Configuration {
            secrets: secrets.into_iter().map(secret).collect(),
            writable_directories: states.into_iter().enumerate().map(state).collect(),
            ..Configuration::default()
        }
    })
}

fn settings() -> impl Strategy<Value = WorkloadSettings> {
    let reload = ReloadSidecar { image: "reload".into(), command: vec![], args: vec![] };
    let probe = |action| Probe {
        action,
        initial_delay: None,
        period: Some(3),
        timeout: None,
        failure_threshold: None,
    };
    let probes = prop_oneof![
        Just(Probes::default()),
        Just(Probes { liveness: Some(probe(ProbeAction::Tcp(1))), ..Probes::default() }),
        Just(Probes {
            readiness: Some(probe(ProbeAction::Http { path: "/".into(), port: None })),
            ..Probes::default()
        }),
    ];
    let service = prop_oneof![
        Just(ServiceSetting::Auto),
        Just(ServiceSetting::Never),
        Just(ServiceSetting::Always(None))
    ];
    (
        prop::sample::select(WORKLOAD_KINDS.to_vec()),
        prop::option::of(0..4u32),
        probes,
        service,
        any::<bool>(),
        prop::option::weighted(0.9, Just(reload)),
    )
        .prop_map(|(kind, replicas, probes, service, tmp, reload)| WorkloadSettings {
            kind,
            replicas,
            probes,
            service,
            has_writable_tmp: tmp,
            reload_sidecar: reload,
            schedule: (kind == WorkloadKind::CronJob).then(|| "@daily".into()),
            ..WorkloadSettings::default()
        })
}

fn cases() -> impl Strategy<Value = Case> {
    let ports = prop::collection::btree_set(
        prop_oneof![Just("80"), Just("8080"), Just("53/udp")].prop_map(|port| port.parse().unwrap()),
        0..3,
    );
    (settings(), configurations(), mounts(), ports, any::<bool>()).prop_map(
        |(settings, configuration, mounts, ports, contains_secrets)| Case {
            settings,
            configuration,
            mounts,
            ports,
            contains_secrets,
        },
    )
}

fn made(case: &Case) -> Option<Manifests> {
    let image: PinnedImage = IMAGE.parse().unwrap();
    generate_manifests(&Application {
        name: "shop",
        image: &image,
        process_name: Some("shop"),
        uid: 65532,
        gid: 1000,
        ports: &case.ports,
        configuration: &case.configuration,
        rendered_mounts: &case.mounts,
        settings: &case.settings,
        patches: &[],
        has_secrets: case.contains_secrets,
        render_args: "",
    })
    .ok()
}

fn pod_of(workload: &Value) -> &Value {
    let template =
        workload.pointer("/spec/jobTemplate/spec/template").or_else(|| workload.pointer("/spec/template"));
    template.map_or(&workload["spec"], |template| &template["spec"])
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/>, "Restricted".
fn check_security(pod: &Value) {
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod.get(host).is_none(), "{host}");
    }
    let security = &pod["securityContext"];
    assert_eq!((&security["runAsUser"], &security["runAsGroup"]), (&json!(65532), &json!(1000)));
    assert_eq!(security["runAsNonRoot"], true);
    assert_eq!(security["seccompProfile"], json!({ "type": "RuntimeDefault" }));
    for sysctl in security["sysctls"].as_array().into_iter().flatten() {
        assert_eq!(sysctl["name"], "net.ipv4.ip_unprivileged_port_start");
    }
    assert_eq!(pod["automountServiceAccountToken"], false);
    for container in containers(pod) {
        assert_eq!(
            container["securityContext"],
            json!({ "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } })
        );
        assert!(
            container["ports"].as_array().into_iter().flatten().all(|port| port.get("hostPort").is_none())
        );
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers"].into_iter().filter_map(|list| pod[list].as_array()).flatten()
}

/// Names and directories are each there once, and every mount has its volume.
fn check_mounts(pod: &Value, templates: &[Value]) {
    let volumes = pod["volumes"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<&str> = volumes.iter().map(|volume| volume["name"].as_str().unwrap()).collect();
    for volume in &volumes {
        let kind = volume.as_object().unwrap().keys().find(|key| *key != "name").unwrap();
        assert!(VOLUMES.contains(&kind.as_str()), "{volume}");
        check_modes(volume, pod);
    }
    names.extend(templates.iter().map(|template| template["metadata"]["name"].as_str().unwrap()));
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    for container in containers(pod) {
        let mut paths = BTreeSet::new();
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            assert!(mount.get("subPath").is_none() && mount.get("subPathExpr").is_none());
            assert!(names.contains(&mount["name"].as_str().unwrap()), "{mount}");
            assert!(paths.insert(mount["mountPath"].to_string()), "{mount}");
        }
    }
}

/// Files of Secrets are root's, readable for the group, which is the pod's.
fn check_modes(volume: &Value, pod: &Value) {
    let is_secret = |source: &Value| source.get("secret").is_some();
    let sources: Vec<&Value> = volume["projected"]["sources"].as_array().into_iter().flatten().collect();
    if is_secret(volume) {
        assert_eq!(volume["secret"]["defaultMode"], 0o440);
    }
    for source in sources.iter().filter(|source| is_secret(source)) {
        let items = source["secret"]["items"].as_array().unwrap();
        assert!(!items.is_empty() && items.iter().all(|item| item["mode"] == 0o440), "{source}");
    }
    if is_secret(volume) || sources.into_iter().any(is_secret) {
        assert_eq!(pod["securityContext"]["fsGroup"], 1000);
    }
}

/// Maps that never change have a hash in their names, and every name that is ours is one of an object.
fn check_references(case: &Case, made: &Manifests, pod: &Value) {
    let names: Vec<String> =
        made.config_objects.iter().map(|map| format!("{} {}", map.kind.as_str(), map.name())).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    for map in &made.config_objects {
        let object = map.to_object();
        assert_eq!(object["immutable"] == true, map.name() != map.base_name, "{object}");
        let mount = case.mounts.iter().find(|mount| mount.path == map.mount).unwrap();
        assert_eq!(map.is_immutable, mount.reload == ReloadMethod::Restart);
    }
    let volumes = pod["volumes"].as_array().cloned().unwrap_or_default();
    let projected = volumes
        .iter()
        .flat_map(|volume| volume["projected"]["sources"].as_array().cloned().unwrap_or_default());
    let maps = volumes
        .iter()
        .cloned()
        .chain(projected)
        .filter_map(|source| Some(source.get("configMap")?["name"].clone()));
    for name in maps {
        assert!(names.contains(&format!("ConfigMap {}", name.as_str().unwrap())), "{name}");
    }
    let claims = volumes.iter().filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName"));
    for claim in claims {
        assert!(made.objects.iter().any(|object| object["metadata"]["name"] == *claim), "{claim}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn pods_pass_the_restricted_policy(case in cases()) {
        let Some(made) = made(&case) else { return Ok(()) };
        let workload = made.objects.last().unwrap();
        let pod = pod_of(workload);
        check_security(pod);
        check_mounts(pod, workload["spec"]["volumeClaimTemplates"].as_array().map(Vec::as_slice).unwrap_or_default());
        check_references(&case, &made, pod);
        prop_assert!(!case.settings.kind.runs_to_completion() || pod["containers"][0].get("ports").is_none());
        if case.settings.kind == WorkloadKind::Deployment {
            let strategy = &workload["spec"]["strategy"];
            let is_recreate = strategy == &json!({ "type": "Recreate" });
            prop_assert!(is_recreate || strategy["rollingUpdate"].is_object());
        }
        let signals = case.mounts.iter().map(|mount| &mount.reload).chain(case.configuration.secrets.iter().map(|secret| &secret.reload));
        let is_told = signals.into_iter().any(|reload| matches!(reload, ReloadMethod::Signal(_)));
        prop_assert_eq!(pod["shareProcessNamespace"] == true, is_told);
        prop_assert_eq!(pod["initContainers"].as_array().is_some_and(|list| list.iter().all(|one| one["restartPolicy"] == "Always")), is_told);
    }
}

#[test]
fn most_generated_cases_are_valid() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut kinds = BTreeMap::new();
    for _ in 0..2000 {
        let case = cases().new_tree(&mut runner).unwrap().current();
        if made(&case).is_some() {
            *kinds.entry(case.settings.kind.as_str()).or_insert(0) += 1;
        }
    }
    assert!(kinds.len() == WORKLOAD_KINDS.len() && kinds.values().all(|count| *count > 20), "{kinds:?}");
}
