//! What `coracle manifests` accepts, the schemas of Kubernetes accept: recipes of valid and invalid
//! values at random.

use coracle_testing::{coracle_in, kubernetes_tools};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::manifests::project::IMAGE;

/// Lines of `[kubernetes]`, some of them invalid.
const LINES: [&str; 30] = [
    "replicas = 0",
    "replicas = 2147483647",
    "replicas = 2147483648",
    "resources = { requests = { cpu = 0.1, memory = \"1e3\" } }",
    "resources = { requests = { cpu = 2 }, limits = { cpu = \"1500m\" } }",
    "resources = { limits = { \"acme.com/gpu\" = 1, memory = \"64Mi\" } }",
    "resources = { requests = { gpu = 1 } }",
    "probes = { tcp = 80, period = 0 }",
    "probes = { tcp = 80, timeout = 4294967295 }",
    "probes = { startup = { exec = [\"/app\"], failure-threshold = 2147483647 } }",
    "probes = { http = \"/\", port = 65535 }",
    "termination-grace = 4294967295",
    "image-pull-secrets = [\"a\", \"a\"]",
    "image-pull-secrets = [\"a\", \"b.c\"]",
    "labels = { a = \"\", \"acme.com/b\" = \"1\" }",
    "annotations = { \"Acme.com/b\" = \"{}\", c = \"\" }",
    "service = \"NodePort\"",
    "tmp = true",
    "name = \"a--b\"",
    "namespace = \"0\"",
    "kind = \"CronJob\"\nschedule = \"@every 1m\"",
    "kind = \"CronJob\"\nschedule = \"60 * * * *\"",
    "kind = \"CronJob\"\nschedule = \"*/5 0-3 ? jan-MAR 1,3\"\njob = { concurrency = \"Replace\", history = 0 }",
    "kind = \"CronJob\"\nschedule = \"@daily\"\njob = { time-zone = \"Europe/Berlin\", starting-deadline = 4294967295 }",
    "kind = \"Job\"\njob = { backoff-limit = 0, deadline = 1, ttl = 0 }",
    "kind = \"Job\"\njob = { deadline = 0 }",
    "kind = \"Job\"\njob = { history = 1 }",
    "kind = \"StatefulSet\"",
    "kind = \"DaemonSet\"",
    "kind = \"Pod\"",
];

/// Tables before `[kubernetes]`.
const TABLES: [&str; 6] = [
    "[[state]]\nmount = \"/data\"\nsize = \"1Gi\"\n",
    "[[state]]\nmount = \"/data\"\nsize = \"0\"\n",
    "[[state]]\nmount = \"/cache\"\n",
    "[[secret]]\nmount = \"/run/secrets/a\"\nkeys = [\"k\"]\n",
    "[image]\nexpose = [\"80\", \"80/udp\", \"443\"]\n",
    "[[config]]\nmount = \"/etc/a\"\nreload = \"watch\"\ntemplates = [{ from = \"coracle.toml\", verbatim = true }]\n",
];

#[test]
fn accepted_recipes_make_valid_objects() {
    if !kubernetes_tools::are_installed() {
        return;
    }
    let strategy = (
        prop::sample::subsequence(TABLES.to_vec(), 0..TABLES.len()),
        prop::sample::subsequence(LINES.to_vec(), 0..5),
    );
    let (mut runner, mut accepted, mut refused) = (TestRunner::deterministic(), Vec::new(), 0);
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..150 {
        let (tables, lines) = strategy.new_tree(&mut runner).unwrap().current();
        let recipe = format!("{}[kubernetes]\n{}\n", tables.concat(), lines.join("\n"));
        std::fs::write(folder.path().join("coracle.toml"), &recipe).unwrap();
        let output = coracle_in(folder.path(), ["manifests", "-q", IMAGE]).command().output().unwrap();
        match output.status.code() {
            Some(0) => accepted.push(String::from_utf8(output.stdout).unwrap()),
            Some(2) => refused += 1,
            other => panic!("{other:?}: {recipe}\n{}", String::from_utf8_lossy(&output.stderr)),
        }
    }
    assert!(accepted.len() > 20 && refused > 20, "{} {refused}", accepted.len());
    std::fs::write(folder.path().join("all.yaml"), accepted.concat()).unwrap();
    for version in ["1.30", "1.37"] {
        let args = ["--strict", "--quiet", "-k", version, "all.yaml"];
        let (is_valid, text) = kubernetes_tools::run(folder.path(), "kubernetes-validate", &args);
        assert!(is_valid, "{version}: {text}");
    }
}
