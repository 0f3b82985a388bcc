//! The example server, in a network of its own, because its port may be in use here.

use super::{Check, PODMAN, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page { path: "docs/run.md", engines: PODMAN, prepare, checks: CHECKS };

const CHECKS: &[(&str, Check)] = &[
    ("coracle run --environment production", Check::Serves),
    ("coracle run --check-reload", Check::After(stop_production)),
    ("coracle debug oci:shop.oci", Check::Prints("\"runAsUser\":65532")),
    ("coracle debug shop --symbols", Check::Prints("main")),
    ("coracle run --print podman", Check::Prints("--read-only")),
    ("coracle run --print compose", Check::Prints("read_only: true")),
    ("coracle run --print quadlet", Check::Prints("ReadOnly=true")),
];

fn prepare(runner: &DocRunner) {
    let greeter = coracle_testing::built_package("greeter");
    runner.copy(&greeter, "shop").file("password", "s3cret\n");
    runner.file("shop.toml.j2", "listen = \"0.0.0.0:8080\"\ngreeting = {{ greeting | json }}\n");
    runner.file("values.toml", "greeting = \"Hello\"\n").file("production.toml", "greeting = \"Good day\"\n");
    runner.file(
        "coracle.toml",
        "[image]\nname = \"shop\"\nprograms = [\"shop\"]\nargs = [\"/etc/shop/shop.toml\"]\nexpose = [8080]\n\
         [[config]]\nmount = \"/etc/shop\"\ntemplates = [\"shop.toml.j2\"]\nreload = \"watch\"\n\
         [[secret]]\nmount = \"/run/secrets/shop\"\nkeys = [\"password\"]\noptional = true\n\
         [values]\nfiles = [\"values.toml\"]\n[environments.production]\nvalues = [\"production.toml\"]\n\
         [kubernetes]\nprobes = { http = \"/ada\", period = 1 }\ntermination-grace = 1\n",
    );
    own_network(runner);
}

fn stop_production(runner: &DocRunner) {
    runner.done("until coracle stop --quiet; do sleep 0.1; done");
}

/// Lets `coracle` and `curl` run in a network without other servers.
pub(super) fn own_network(runner: &DocRunner) {
    runner.done("touch ../net; unshare --net=../net ip link set lo up");
    let network = runner.path("../net").display().to_string();
    let coracle = env!("CARGO_BIN_EXE_coracle");
    runner.done("rm ../bin/coracle");
    runner.tool("coracle", &format!("exec nsenter --net={network} -- {coracle} \"$@\""));
    runner.tool("curl", &format!("exec nsenter --net={network} -- /usr/bin/curl -sS \"$@\""));
}
