//! A folder with a recipe that uses every key, for each kind of workload.

use std::fs;
use std::path::Path;

use coracle_testing::{Coracle, coracle_in};
use tempfile::TempDir;

/// An image that nobody has to build.
pub(crate) const IMAGE: &str =
    "ghcr.io/acme/shop:1.2@sha256:1111111111111111111111111111111111111111111111111111111111111111";

const RECIPE: &str = r#"
[image]
name = "ghcr.io/acme/shop:1.2"
programs = ["shop"]
expose = ["8080", "80", "9000/udp"]

[[config]]
mount = "/etc/shop"
templates = [
    "config/shop.toml.j2",
    "config/login.env.j2",
    { from = "config/mark.txt", verbatim = true },
    { from = "config/logo.bin", verbatim = true },
    { from = "config/empty.txt", verbatim = true },
]

[[config]]
mount = "/etc/live"
reload = "signal:SIGHUP"
templates = [{ from = "config/braces.yaml", verbatim = true }]

[[config]]
mount = "/etc/seen"
reload = "watch"
optional = true
templates = [{ from = "config/empty.txt", path = "level", verbatim = true }]

[[secret]]
mount = "/etc/shop"
keys = ["tls.key"]

[[secret]]
mount = "/run/secrets/shop"
name = "vault"
keys = ["token"]
optional = true

[[state]]
mount = "/var/cache/shop"

[[variable]]
name = "LEVEL"
from = "/etc/seen/level"

[[variable]]
name = "TOKEN"
from = "/run/secrets/shop/token"
secret-in-environment = true

[values]
schema = "config/schema.json"
files = ["config/values.toml"]

[environments.production]
values = ["config/production.toml"]

[environments.production.kubernetes]
namespace = "production"
resources = { limits = { memory = "128Mi" } }
labels = { tier = "gold" }
termination-grace = 60
patches = ["production.yaml"]

[environments.test]

[kubernetes]
namespace = "shops"
resources = { requests = { cpu = 1, memory = "32Mi" }, limits = { memory = "64Mi" } }
labels = { team = "shop" }
annotations = { "example.com/owner" = "{{ someone }}" }
image-pull-secrets = ["registry"]
storage-class = "fast"
tmp = true
termination-grace = 20
reload-image = "ghcr.io/acme/reload:1"
reload-command = ["/reload"]
reload-args = ["{{ }}"]
patches = ["patch.yaml"]
"#;

const PATCH: &str = "kind: ConfigMap
metadata: { name: shop-etc-shop, annotations: { kustomize.toolkit.fluxcd.io/prune: Disabled } }
---
kind: Service
metadata: { labels: { \"patched\": \"yes\" } }
";

/// The additions of each kind to the recipe and to `[kubernetes]`.
pub(crate) const KINDS: [(&str, &str, &str); 6] = [
    (
        "Deployment",
        "[[state]]\nmount = \"/var/lib/shop\"\nsize = \"1Gi\"\nshared = true\n",
        "replicas = 2\nservice = \"NodePort\"\nprobes = { http = \"/health\", port = 8080 }\n",
    ),
    (
        "StatefulSet",
        "[[state]]\nmount = \"/var/lib/shop\"\nsize = \"1Gi\"\n",
        "replicas = 3\nprobes = { startup = { tcp = 80, failure-threshold = 30 }, liveness = { exec = [\"/app/shop\", \"--check\"], period = 5 } }\n",
    ),
    (
        "DaemonSet",
        "",
        "probes = { readiness = { http = \"/ready\", port = 9090, initial-delay = 1, timeout = 2 } }\n",
    ),
    (
        "Job",
        "[[state]]\nmount = \"/var/lib/shop\"\nsize = \"1Gi\"\n",
        "probes = { http = \"/health\", port = 8080 }\n",
    ),
    ("CronJob", "[[state]]\nmount = \"/var/lib/shop\"\nsize = \"1Gi\"\n", "schedule = \"*/5 0-3 * * MON\"\n"),
    ("Pod", "[[state]]\nmount = \"/var/lib/shop\"\nsize = \"1Gi\"\n", "service = true\n"),
];

pub(crate) struct Project(TempDir);

impl Project {
    /// One with this kind of workload.
    pub(crate) fn of(kind: &str) -> Self {
        let (_, tables, keys) = KINDS.iter().find(|(known, ..)| *known == kind).unwrap();
        let recipe =
            RECIPE.replace("[kubernetes]\n", &format!("{tables}\n[kubernetes]\nkind = \"{kind}\"\n{keys}"));
        // A Service is not there for every kind.
        let patch = if kind.ends_with("Job") { PATCH.split("---").next().unwrap() } else { PATCH };
        let project = Self(TempDir::new().unwrap());
        project.write("coracle.toml", recipe);
        project.write("patch.yaml", patch);
        let production =
            format!("kind: {kind}\nmetadata: {{ annotations: {{ example.com/stage: production }} }}\n");
        project.write("production.yaml", production);
        project.write("config/shop.toml.j2", "name = {{ name|toml }}\nport = {{ port }}\n");
        project.write("config/login.env.j2", "PASSWORD={{ password|sh }}\n");
        project.write("config/mark.txt", "\u{feff}hello {{ x }}\r\n");
        project.write("config/logo.bin", (0..=255).collect::<Vec<u8>>());
        project.write("config/empty.txt", "");
        project.write("config/braces.yaml", "a: \"{{ .Values.x }}\"\n\n  \nb: 1\n\n");
        project.write("config/values.toml", "name = \"s\"\nport = 1\n");
        project.write("config/production.toml", "port = 80\n");
        project.write("password", "s3cret");
        project.write(
            "config/schema.json",
            r#"{ "required": ["name", "password"], "properties": {
                "port": { "type": "integer" }, "name": {}, "password": { "type": "string", "writeOnly": true } } }"#,
        );
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// `coracle manifests IMAGE` in it.
    pub(crate) fn manifests<const N: usize>(&self, more: [&str; N]) -> Coracle {
        let mut coracle = coracle_in(self.path(), ["manifests", IMAGE]);
        coracle.more(more);
        coracle
    }

    /// Its stdout; it must succeed without messages.
    #[track_caller]
    pub(crate) fn printed<const N: usize>(&self, more: [&str; N]) -> String {
        let mut coracle = self.manifests(more);
        coracle.more(["--quiet"]);
        let output = coracle.command().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}
