//! What the documentation shows is what the programs do: README's ConfigMap, and every command of docs/debugging.md.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::support::{coracle_in, skipped};
use crate::tools;

/// What is in the first block of this language.
fn block(text: &str, language: &str) -> String {
    let (_, rest) = text.split_once(&format!("\n```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn readme_shows_the_configmap_that_its_main_job_prints() {
    let readme = fs::read_to_string("README.md").unwrap();
    let jobs = block(&readme, "sh");
    let (_, job) = jobs.rsplit_once(" -- ").unwrap();
    // As it stands there, with an image that need not be built.
    let mut args: Vec<&str> = job.split_whitespace().collect();
    let image = format!("greeter@sha256:{}", "0".repeat(64));
    args.insert(1, &image);
    let output = coracle_in(Path::new("."), []).command().args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let first = printed.strip_prefix("---\n").unwrap().split_inclusive("---\n").next().unwrap();
    assert_eq!(block(&readme, "yaml") + "---\n", first);
}

/// What has to be true of a command of docs/debugging.md.
enum Check {
    /// It succeeds, and this is in what it prints.
    Prints(&'static str),
    /// The same, and it needs root.
    PrintsToRoot(&'static str),
    /// This is in what it asks of a cluster, which there is only as much of as `crate::cluster` has.
    Asks(&'static str),
}

/// Every command of docs/debugging.md in its order, by its start.
const COMMANDS: &[(&str, Check)] = &[
    ("kubectl debug", Check::Asks(RESTRICTED)),
    ("ls -l /proc/1/root/", Check::Prints("shop.toml")),
    ("cat /proc/1/root/", Check::Prints("port = 1")),
    ("ls -l /proc/1/fd", Check::Prints(" -> ")),
    ("echo ", Check::Prints("")),
    ("kubectl debug", Check::Asks(AS_THE_PROGRAM)),
    ("kubectl get configmap", Check::Asks("configmaps?labelSelector=app.kubernetes.io%2Fname%3DNAME&")),
    ("kubectl describe pod", Check::Prints("Volumes:")),
    ("coracle config render", Check::Prints("out/etc/shop/db.conf")),
    // What its program says of the two files that it reads there.
    ("podman run", Check::PrintsToRoot("*/etc/shop/shop.toml\n")),
    ("coracle build --dry-run", Check::Prints("/app/shop")),
    ("coracle deps", Check::Prints("libssl.so.3")),
    ("coracle build ./app", Check::Prints("app:latest@sha256:")),
    ("umoci unpack", Check::PrintsToRoot("")),
    ("strace", Check::PrintsToRoot("libssl.so.3\", O_RDONLY|O_CLOEXEC) = 3")),
];

/// A container that a restricted namespace takes, beside the processes of the program's.
const RESTRICTED: &str = r#""securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},"stdin":true,"targetContainerName":"CONTAINER""#;
/// The same as the program's own user.
const AS_THE_PROGRAM: &str = r#""securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"runAsGroup":65532,"runAsNonRoot":true,"runAsUser":65532,"seccompProfile":{"type":"RuntimeDefault"}},"stdin":true,"targetContainerName":"CONTAINER""#;

const RECIPE: &str = r#"
[image]
name = "localhost/shop"
programs = ["shop"]
args = ["dgst", "-r", "/etc/shop/shop.toml", "/etc/shop/db.conf"]

[[config]]
mount = "/etc/shop"
templates = ["config/shop.toml.j2", "config/db.conf.j2"]

[values]
schema = "config/schema.json"
files = ["config/values.toml"]

[environments.production]
values = ["config/values.toml"]
"#;

const SCHEMA: &str = r#"{ "properties": {
    "port": {}, "db": { "properties": { "password": { "type": "string", "writeOnly": true } } } } }"#;

/// Limits and control groups as a container of a CI has them.
const CONTAINERS: &str = r#"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"#;

const SYSTEM: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A folder as the page assumes it, and the programs that the page names.
struct Desk {
    folder: TempDir,
    cluster: Cluster,
}

impl Desk {
    /// The program is openssl under another name: it needs libssl, and reads the files that it is given.
    fn new() -> Self {
        let desk = Self { folder: TempDir::new().unwrap(), cluster: Cluster::start() };
        let at = desk.folder.path();
        for folder in ["bin", "config", "seen/etc/shop"] {
            fs::create_dir_all(at.join(folder)).unwrap();
        }
        for program in ["shop", "app"] {
            fs::copy("/usr/bin/openssl", at.join(program)).unwrap();
        }
        for (file, text) in [
            ("coracle.toml", RECIPE),
            ("config/schema.json", SCHEMA),
            ("config/shop.toml.j2", "port = {{ port }}\n"),
            ("config/db.conf.j2", "{{ db.password }}\n"),
            ("config/values.toml", "port = 1\n"),
            ("seen/etc/shop/shop.toml", "port = 1\n"),
            ("password", "hunter22"),
            ("containers.conf", CONTAINERS),
        ] {
            fs::write(at.join(file), text).unwrap();
        }
        // Containers are kept here and have no network.
        let kubectl = tools::path("kubectl");
        let kubectl = format!(
            "exec {} --kubeconfig=/dev/null --server={} \"$@\"",
            kubectl.display(),
            desk.cluster.address
        );
        let store = at.display();
        let podman = format!(
            "verb=$1; shift\nPATH={SYSTEM} exec podman --root {store}/root --runroot {store}/run --storage-driver vfs \
             $verb $FLAGS \"$@\""
        );
        desk.program("kubectl", &kubectl);
        desk.program("podman", &podman);
        desk.program("coracle", &format!("exec {} \"$@\"", env!("CARGO_BIN_EXE_coracle")));
        desk
    }

    fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, command: &str) -> Output {
        let at = self.folder.path();
        // What is process 1 of a container is this one here, and `seen` is what it sees.
        let own = format!("/proc/{}/", std::process::id());
        let seen = format!("{own}root{}/seen/", at.display());
        let command = command.replace("/proc/1/root/", &seen).replace("/proc/1/", &own);
        let flags = if command.starts_with("podman run") { "--network=none --pull=never" } else { "" };
        Command::new("sh")
            .args(["-c", &command])
            .current_dir(at)
            .env_clear()
            .env("PATH", format!("{}/bin:{SYSTEM}", at.display()))
            .env("HOME", at)
            .env("CONTAINERS_CONF", at.join("containers.conf"))
            .env("FLAGS", flags)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn says(&self, command: &str, expected: &str) {
        let output = self.run(command);
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success() && said.contains(expected), "{command}\n{said}");
    }

    #[track_caller]
    fn asks(&self, command: &str, expected: &str) {
        let output = self.run(command);
        let asked = self.cluster.asked();
        assert!(asked.contains(expected), "{command}\n{}{asked}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_command_of_the_page_on_debugging_works() {
    let missing = ["openssl", "podman", "runc", "umoci", "strace"]
        .into_iter()
        .filter(|program| !SYSTEM.split(':').any(|folder| Path::new(folder).join(program).exists()));
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        return skipped(&format!("there is no {} (packages of Debian)", missing.join(", ")));
    }
    if !tools::are_there() {
        return;
    }
    let desk = Desk::new();
    let is_root = desk.run("id -u").stdout == b"0\n";
    if is_root {
        desk.says("coracle build -o docker-archive:shop.tar && podman load -i shop.tar", "Loaded");
    } else {
        skipped("podman, umoci and chroot need root");
    }
    let page = fs::read_to_string("docs/debugging.md").unwrap();
    let commands: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert_eq!(commands.len(), COMMANDS.len(), "{commands:#?}");
    for (command, (start, check)) in commands.into_iter().zip(COMMANDS) {
        assert!(command.starts_with(start), "`{command}` is not known here as `{start}`");
        match check {
            Check::Prints(expected) => desk.says(command, expected),
            Check::PrintsToRoot(expected) if is_root => desk.says(command, expected),
            Check::PrintsToRoot(_) => {}
            Check::Asks(expected) => desk.asks(command, expected),
        }
    }
}

/// The Job of docs/shared-cache.md is one, and `coracle` knows all that it is given there.
#[test]
fn the_job_that_builds_in_a_cluster_is_valid() {
    if !tools::are_there() {
        return;
    }
    let page = fs::read_to_string("docs/shared-cache.md").unwrap();
    let (_, job) = page.split_once("## A Job in a cluster").unwrap();
    let (folder, job) = (TempDir::new().unwrap(), block(job, "yaml"));
    fs::write(folder.path().join("job.yaml"), &job).unwrap();
    tools::output(folder.path(), "kubernetes-validate", &["--strict", "job.yaml"]);
    let documents = tools::documents(folder.path(), &job);
    let args = documents[0].pointer("/spec/template/spec/containers/0/args").unwrap().as_array().unwrap();
    let args: Vec<&str> = args.iter().map(|arg| arg.as_str().unwrap()).collect();
    let output = coracle_in(folder.path(), []).command().args(args).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/programs/shop"), "only the program is not there: {said}");
}
