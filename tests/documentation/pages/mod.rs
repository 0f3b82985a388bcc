//! The pages, each with what has to be there and what has to come of its commands.

use std::path::Path;

use coracle_testing::skipped;
use coracle_testing::{kubernetes_tools, requirement};

use crate::doc_runner::DocRunner;
use crate::engines::{self, Engines};
use crate::page::{self, Command};
use crate::{expected_output, registry_hosts};

mod arm64;
mod base_images;
mod c;
mod cache;
mod cargo;
mod ci;
mod compression;
mod configuration;
mod contract;
mod debugging;
mod dependencies;
mod destinations;
mod distribution;
mod engines_page;
mod first_image;
mod glibc;
mod go;
mod init;
mod inspect;
mod install;
mod local_clusters;
mod lock;
mod manifests;
mod node;
mod provenance;
mod python;
mod readme;
mod recipe;
mod record;
mod registries;
mod run;
mod runtime;
mod sbom;
mod secret_scanner;
mod servers;
mod shared_cache;
mod signing;
mod static_programs;
mod verify;
mod zig;

/// A page whose commands are run.
pub(crate) struct Page {
    path: &'static str,
    engines: fn() -> Option<Engines>,
    prepare: fn(&DocRunner),
    /// In the order of the page: the start of a command, and what holds for it. All others have to succeed.
    checks: &'static [(&'static str, Check)],
}

/// An expectation of a command besides its success.
pub(crate) enum Check {
    /// This is in what it prints.
    Prints(&'static str),
    /// The same, and it needs root.
    PrintsToRoot(&'static str),
    /// It ends with one of these codes.
    Exits(&'static [i32]),
    /// It ends with this code and this is in what it prints; what is shown is an example with other sizes.
    Example(i32, &'static str),
    /// This is in what it asks of a cluster, which there is only as much of as `crate::fake_api_server` has.
    Asks(&'static str),
    /// It goes on while the next ones run, which are tried until it serves.
    Serves,
    /// Something happens before it is run.
    After(fn(&DocRunner)),
}

/// Commands that no test can run: the page, the start of the command, and why.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("README.md", "cargo test", "this test is part of it"),
    (
        "docs/release.md",
        "just release",
        "it builds Coracle for musl, which takes minutes; `.ci/run` builds a release",
    ),
    ("docs/release.md", "release/build", "the same"),
    ("docs/release.md", "release/pack", "tests/integration/release runs it"),
    (
        "docs/release.md",
        "coracle build --file release/coracle.toml",
        "tests/clients/coracle_image.rs builds the image of Coracle",
    ),
    ("docs/release.md", "podman run", "tests/clients/coracle_image.rs runs it"),
    (
        "docs/local-clusters.md",
        "kind load",
        "kind makes a cluster of containers, which needs Docker with a network; it runs `ctr images import`",
    ),
    (
        "docs/manifests.md",
        "kubectl delete deployment",
        "the API server of the test has neither these resources nor a deletion",
    ),
    ("docs/signing.md", "cosign verify", "tests/integration/signing/other_tools.rs runs it"),
    ("docs/local-clusters.md", "minikube image load", "minikube makes a virtual machine"),
    ("docs/local-clusters.md", "k3s ctr images import", "k3s is a cluster; this command of it is `ctr`"),
];

/// Programs that commands name, and the packages of Debian that have them.
const PROGRAMS: &[(&str, &str)] = &[
    ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"),
    ("g++", "g++"),
    ("gdb", "gdb"),
    ("go", "golang-go"),
    ("musl-gcc", "musl-tools"),
    ("node", "nodejs"),
    ("nginx", "nginx-core"),
    ("objdump", "binutils"),
    ("postgres", "postgresql-15"),
    ("python3.11", "python3.11"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("redis", "redis-server"),
    ("umoci", "umoci"),
];

const NONE: fn() -> Option<Engines> = || None;
const PODMAN: fn() -> Option<Engines> = || engines_are_there().then(Engines::podman_alone);
const ALL: fn() -> Option<Engines> = || engines_are_there().then(Engines::all);

fn engines_are_there() -> bool {
    requirement::programs_installed("documentation", engines::NEEDS)
}

impl Page {
    #[track_caller]
    fn run(&self) {
        let commands = page::commands(&page::text(self.path));
        let runner = DocRunner::new((self.engines)());
        if registry_hosts::missing().is_empty() {
            runner.registries();
        }
        (self.prepare)(&runner);
        let mut checks = self.checks.iter().peekable();
        let mut serves = false;
        for command in &commands {
            let place = format!("{}:{}", self.path, command.line);
            if ELSEWHERE.iter().any(|(path, start, _)| *path == self.path && command.text.starts_with(start))
            {
                continue;
            }
            let check = checks.next_if(|(start, _)| command.text.starts_with(start)).map(|(_, check)| check);
            if let Some(missing) = self.missing(&command.text, check) {
                skipped(&format!("{place}: {missing}"));
                continue;
            }
            if let Some(missing) = missing_program(&command.text) {
                // The next commands may need its result.
                return skipped(&format!("{place}: {missing}"));
            }
            match check {
                Some(Check::Serves) => {
                    runner.start(&runner.meant(&command.text));
                    serves = true;
                }
                _ => run(&runner, &place, command, check, std::mem::take(&mut serves)),
            }
        }
        if let Some((start, _)) = checks.next() {
            panic!(
                "{} has no command `{start}` where the test expects it: change `checks` of the page",
                self.path
            );
        }
    }

    /// Who is not there that a command talks to.
    fn missing(&self, command: &str, check: Option<&Check>) -> Option<String> {
        let has = |words: &[&str]| words.iter().any(|word| command.contains(word));
        let engines =
            ["podman ", "docker load", "--load", "docker-daemon:", "containers-storage:", "containerd:"];
        let needs_root = has(&engines) || matches!(check, Some(Check::PrintsToRoot(_) | Check::Serves));
        if needs_root && !engines_are_there() {
            return Some("engines and root".into());
        }
        let registries = registry_hosts::missing();
        if !registries.is_empty() && (has(registry_hosts::HOSTS) || has(&["--push", "--remote", "debian:"])) {
            return Some(format!("there is no {}", registries.join(", ")));
        }
        if has(&["kubectl"]) && !kubernetes_tools::path("kubectl").exists() {
            return Some("there is no kubectl: `bash .ci/tools` installs it into target/tools".into());
        }
        None
    }
}

/// A program that a command names, and that is not there.
fn missing_program(command: &str) -> Option<String> {
    if command.starts_with("zig ") && !kubernetes_tools::path("zig").exists() {
        return Some("there is no zig: `bash .ci/tools` installs it into target/tools".into());
    }
    let is_named = |program: &str| command.split([' ', '/', '\n']).any(|word| word == program);
    let lacks = |program: &str| {
        let server = format!("/usr/bin/{program}-server");
        let directories = ["/usr/bin", "/usr/sbin", "/usr/lib/postgresql/15/bin"];
        !Path::new(&server).exists() && !directories.iter().any(|at| Path::new(at).join(program).exists())
    };
    let (program, package) = PROGRAMS.iter().find(|(program, _)| is_named(program) && lacks(program))?;
    Some(format!("there is no {program} (on Debian: {package})"))
}

/// Runs a command and holds it to what is said of it.
#[track_caller]
fn run(runner: &DocRunner, place: &str, command: &Command, check: Option<&Check>, again: bool) {
    if let Some(Check::After(happens)) = check {
        happens(runner);
    }
    let text = runner.meant(&command.text);
    let mut output = runner.run(&text);
    for _ in 0..100 {
        if !again || output.status.success() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        output = runner.run(&text);
    }
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let code = output.status.code();
    let is_done = match check {
        Some(Check::Exits(codes)) => code.is_some_and(|code| codes.contains(&code)),
        Some(Check::Example(expected, _)) => code == Some(*expected),
        Some(Check::Asks(_)) => true,
        _ => code == Some(0),
    };
    let said = format!("{stdout}{stderr}");
    let end = || said.get(said.len().saturating_sub(3000)..).unwrap_or(&stderr);
    assert!(
        is_done,
        "{place}: `{text}` ends with {code:?}:\n{}\nWhat it needs has to be made by `prepare` in \
         tests/documentation/pages, or it stands in `ELSEWHERE` with the reason.",
        end()
    );
    match check {
        Some(Check::Prints(part) | Check::PrintsToRoot(part) | Check::Example(_, part)) => {
            assert!(said.contains(part), "{place}: `{text}` does not print `{part}`:\n{}", end());
        }
        Some(Check::Asks(part)) => {
            let asked = runner.asked();
            assert!(asked.contains(part), "{place}: `{text}` does not ask `{part}`:\n{asked}\n{said}");
        }
        _ => {}
    }
    if let Some(Check::Example(..)) = check {
        return;
    }
    let shown = runner.meant(&command.output);
    let terminal = format!("{stderr}{stdout}");
    assert!(
        command.output.is_empty()
            || [&stdout, &stderr, &terminal].iter().any(|text| expected_output::is_same(&shown, text)),
        "{place}: `{text}` prints something else than is shown:\n{terminal}"
    );
}

macro_rules! pages {
    ($($module:ident),* $(,)?) => {
        const PAGES: &[&Page] = &[$(&$module::PAGE),*];
        $(#[test]
        fn $module() {
            $module::PAGE.run();
        })*
    };
}

mod tests {
    use super::*;

    pages!(
        arm64,
        base_images,
        c,
        cache,
        cargo,
        ci,
        compression,
        configuration,
        contract,
        debugging,
        dependencies,
        destinations,
        distribution,
        engines_page,
        first_image,
        glibc,
        go,
        init,
        inspect,
        install,
        local_clusters,
        lock,
        manifests,
        node,
        provenance,
        python,
        readme,
        recipe,
        record,
        registries,
        run,
        runtime,
        sbom,
        secret_scanner,
        servers,
        shared_cache,
        signing,
        static_programs,
        verify,
        zig,
    );

    #[test]
    fn every_page_with_commands_is_run() {
        for path in page::all() {
            let path = path.to_str().unwrap();
            let commands = page::commands(&page::text(path));
            let first = commands.iter().find(|command| {
                !ELSEWHERE.iter().any(|(page, start, _)| *page == path && command.text.starts_with(start))
            });
            let Some(first) = first else { continue };
            assert!(
                PAGES.iter().any(|page| page.path == path),
                "{path}:{}: `{}` is run by no test: write tests/documentation/pages/NAME.rs with a `PAGE` that makes \
                 what the page speaks of, and name it in `pages!`",
                first.line,
                first.text
            );
        }
    }

    #[test]
    fn every_exception_is_a_command_of_its_page() {
        for (path, start, why) in ELSEWHERE {
            let commands = page::commands(&page::text(path));
            assert!(
                commands.iter().any(|command| command.text.starts_with(start)),
                "{path} has no command `{start}` any more: take it out of `ELSEWHERE` ({why})"
            );
        }
    }
}
