//! A test of one rule: a small root with a loader, and assertions that compare the expected result,
//! our result and the real loader's.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use coracle_core::file_system::HostFs;
use coracle_core::path::RawPath;
use coracle_ld::closure::{Closure, ExecutedKind, LinkMap, ResolveOptions};
use coracle_ld::ldso::{HwcapsSelection, LoaderEnvironment};
use coracle_testing::launch::{launch, launcher, namespaces, retry_while_busy};
use coracle_testing::requirement::{find, is_available};
use tempfile::TempDir;

use crate::listing::Listing;
use crate::rules::elf::Elf;
use crate::rules::foreign_machines::Foreign;

/// A root that is filled step by step. If the loader is not installed, all steps and assertions are
/// skipped.
pub(crate) struct Case {
    root: Option<TempDir>,
    loader: Loader,
    working_dir: String,
    environment: LoaderEnvironment,
}

#[derive(Clone, Copy)]
enum Loader {
    Glibc,
    /// glibc's loader for another machine.
    Foreign(&'static Foreign),
    Musl,
}

const GLIBC: &str = "/lib64/ld-linux-x86-64.so.2";
const MUSL: &str = "/lib/ld-musl-x86_64.so.1";

impl Case {
    /// A root with the glibc loader of this machine.
    pub(crate) fn glibc() -> Self {
        let case = Self::with(Loader::Glibc, GLIBC, "libc6 (on amd64)");
        case.copy(GLIBC, GLIBC)
    }

    /// A root with the glibc loader of a cross toolchain, and its emulator.
    pub(crate) fn foreign(foreign: &'static Foreign) -> Self {
        let mut case = Self::with(Loader::Foreign(foreign), foreign.cross, foreign.package);
        let Some(qemu) = foreign.qemu else { return case.copy(foreign.cross, foreign.loader) };
        if !is_available(qemu, Path::new(qemu).exists(), "qemu-user-static") {
            case.root = None;
        }
        case.copy(foreign.cross, foreign.loader).copy(qemu, "/qemu")
    }

    /// A root with the musl loader of this machine and no path file.
    pub(crate) fn musl() -> Self {
        let case = Self::with(Loader::Musl, MUSL, "musl (on amd64)");
        case.copy(MUSL, MUSL)
    }

    fn with(loader: Loader, file: &str, package: &str) -> Self {
        let met = is_available(file, Path::new(file).exists(), package)
            && is_available("cc", launcher().is_some(), "gcc libc6-dev")
            && is_available("a namespace for mounts", namespaces(), "nothing: run as root");
        let root = met.then(|| TempDir::new().unwrap());
        if let Some(root) = &root {
            fs::create_dir(root.path().join("proc")).unwrap();
        }
        let environment = LoaderEnvironment { reads_preload_file: true, ..LoaderEnvironment::default() };
        Self { root, loader, working_dir: "/".into(), environment }
    }

    /// Calls `act` with the host path of `path`, after creating its parent directories.
    fn at(self, path: &str, act: impl FnOnce(&Path)) -> Self {
        if let Some(root) = &self.root {
            let path = root.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            act(&path);
        }
        self
    }

    pub(crate) fn elf(self, path: &str, elf: &Elf) -> Self {
        self.at(path, |path| elf.write(path))
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.at(path, |path| fs::write(path, content).unwrap())
    }

    pub(crate) fn mode(self, path: &str, mode: u32) -> Self {
        self.at(path, |path| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap())
    }

    pub(crate) fn directory(self, path: &str) -> Self {
        self.at(path, |path| fs::create_dir_all(path).unwrap())
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.at(path, |path| symlink(target, path).unwrap())
    }

    /// Creates `second` as a hard link to the file at `first`.
    pub(crate) fn hard_link(self, first: &str, second: &str) -> Self {
        let first = self.root.as_ref().map(|root| root.path().join(first.trim_start_matches('/')));
        self.at(second, |second| fs::hard_link(first.unwrap(), second).unwrap())
    }

    /// Copies a file of this machine.
    pub(crate) fn copy(self, from: &str, to: &str) -> Self {
        self.at(to, |to| {
            fs::copy(from, to).unwrap();
        })
    }

    /// Removes an existing file.
    pub(crate) fn without(self, path: &str) -> Self {
        self.at(path, |path| fs::remove_file(path).unwrap())
    }

    pub(crate) fn working_dir(mut self, path: &str) -> Self {
        self.working_dir = path.into();
        self.directory(path)
    }

    /// `LD_LIBRARY_PATH`.
    pub(crate) fn library_path(mut self, list: &str) -> Self {
        self.environment.library_path = list.into();
        self
    }

    /// `LD_PRELOAD`.
    pub(crate) fn preload(mut self, list: &str) -> Self {
        self.environment.preload = list.into();
        self
    }

    /// Selects a CPU level. Features of better levels are masked for the real loader.
    pub(crate) fn hwcaps(mut self, hwcaps: HwcapsSelection) -> Self {
        self.environment.hwcaps = hwcaps;
        self
    }

    /// Sets our value of `$PLATFORM`; the real loader has its own.
    pub(crate) fn platform(mut self, name: &str) -> Self {
        self.environment.platform = Some(name.into());
        self
    }

    /// Runs ldconfig to write the root's cache of these directories.
    pub(crate) fn ldconfig(self, directories: &str) -> Self {
        self.ldconfig_with(directories, &[])
    }

    pub(crate) fn ldconfig_with(mut self, directories: &str, arguments: &[&str]) -> Self {
        let ldconfig = find("ldconfig");
        if !is_available("ldconfig", ldconfig.is_some(), "libc-bin") {
            self.root = None;
        }
        let case = self.file("/etc/ld.so.conf", directories);
        if let (Some(root), Some(ldconfig)) = (&case.root, ldconfig) {
            let mut command = Command::new(ldconfig);
            let output = command.arg("-X").args(arguments).arg("-r").arg(root.path()).output().unwrap();
            assert!(output.status.success(), "ldconfig: {output:?}");
        }
        case
    }

    /// Asserts that we and the real loader map `file` with these paths in this order. Missing names are
    /// last, as `NAME => not found`.
    #[track_caller]
    pub(crate) fn maps(self, file: &str, expected: &[&str]) -> Self {
        if self.root.is_some() {
            let expected: Vec<String> = expected.iter().map(|&line| line.to_owned()).collect();
            assert_eq!(
                lines(self.real(file)),
                expected,
                "what the real loader maps for {file} is not what is expected ({})",
                self.machine()
            );
            assert_eq!(
                lines(self.ours(file)),
                expected,
                "what we map for {file} is not what the real loader maps ({})",
                self.machine()
            );
        }
        self
    }

    /// Returns the real loader's listing of `file` and ours. `None` if the case is skipped, or if
    /// filters are endless.
    pub(crate) fn listings(&self, file: &str) -> Option<(Listing, Listing)> {
        self.root.as_ref()?;
        let ours = self.ours(file);
        let is_endless = matches!(&ours, Listing::Refused(why) if why.starts_with("cannot follow"));
        (!is_endless).then(|| (self.real(file), ours))
    }

    /// Asserts that we and the real loader fail to map `file` because of the file at `path`.
    #[track_caller]
    pub(crate) fn refuses(self, file: &str, path: &str) -> Self {
        if self.root.is_some() {
            // Some complaints of glibc have only the name.
            let name = path.rsplit('/').next().unwrap();
            for (who, listing, named) in
                [("the real loader", self.real(file), name), ("we", self.ours(file), path)]
            {
                match listing {
                    Listing::Refused(why) => {
                        assert!(why.contains(named), "{who}: `{named}` is not in: {why}");
                    }
                    Listing::Maps { .. } => panic!("{who}: {file} is not refused: {listing:?}"),
                }
            }
        }
        self
    }

    /// Asserts that `file` starts.
    #[track_caller]
    pub(crate) fn starts(self, file: &str) -> Self {
        if self.root.is_some() {
            let output = self.launch(&[], &[file]);
            assert!(
                output.status.success(),
                "{file} does not start: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        self
    }

    /// Asserts that the loader fails to start `file` with this message on stderr.
    #[track_caller]
    pub(crate) fn does_not_start(self, file: &str, why: &str) -> Self {
        if self.root.is_some() {
            let output = self.launch(&[], &[file]);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && errors.contains(why), "{file}: {output:?}");
        }
        self
    }

    /// Calls `look` with the root and the options, for further assertions on our result.
    pub(crate) fn inspect(self, look: impl FnOnce(&HostFs, &ResolveOptions)) -> Self {
        if let Some(root) = &self.root {
            look(&HostFs::new(root.path()), &self.resolve_options());
        }
        self
    }

    /// Calls `look` with our link map of `file`, for further assertions.
    pub(crate) fn inspect_map(self, file: &str, look: impl FnOnce(&LinkMap)) -> Self {
        self.inspect(|tree, options| {
            let closure = Closure::resolve_partial(tree, &RawPath::new(file), options).unwrap();
            let ExecutedKind::Elf(elf) = &closure.executed[0].kind else { panic!("{file} is a script") };
            look(&elf.link_map);
        })
    }

    /// Returns the machine's name for messages.
    fn machine(&self) -> &str {
        if let Loader::Foreign(foreign) = self.loader { foreign.triplet } else { "x86_64-linux-gnu" }
    }

    fn resolve_options(&self) -> ResolveOptions {
        let working_dir = self.working_dir.parse().unwrap();
        ResolveOptions {
            working_dir,
            loader_environment: self.environment.clone(),
            ..ResolveOptions::default()
        }
    }

    #[track_caller]
    fn ours(&self, file: &str) -> Listing {
        let tree = HostFs::new(self.root.as_ref().unwrap().path());
        let closure = match Closure::resolve_partial(&tree, &RawPath::new(file), &self.resolve_options()) {
            Ok(closure) => closure,
            Err(error) => return Listing::Refused(error.to_string()),
        };
        match &closure.executed[0].kind {
            ExecutedKind::Elf(elf) => Listing::ours(&elf.link_map),
            ExecutedKind::Script => panic!("{file} is a script"),
        }
    }

    /// Returns the real loader's listing. A program is started with the variable that makes its loader
    /// list libraries; a library is passed to the loader.
    fn real(&self, file: &str) -> Listing {
        let trace = ["LD_TRACE_LOADED_OBJECTS=1"];
        let starts = self.has_interpreter(file);
        match (self.loader, starts) {
            (Loader::Musl, _) => Listing::musl(&self.launch(&[], &[MUSL, "--list", file])),
            (Loader::Glibc, true) => Listing::glibc(&self.launch(&trace, &[file])),
            (Loader::Glibc, false) => Listing::glibc(&self.launch(&trace, &[GLIBC, file])),
            (Loader::Foreign(foreign), _) => {
                let command = foreign.qemu.map(|_| "/qemu").into_iter();
                let loader = (!starts).then_some(foreign.loader);
                let command: Vec<&str> = command.chain(loader).chain([file]).collect();
                Listing::glibc(&self.launch(&trace, &command))
            }
        }
    }

    fn has_interpreter(&self, file: &str) -> bool {
        let tree = HostFs::new(self.root.as_ref().unwrap().path());
        let Ok(walk) = coracle_core::file_system::resolve_path(
            &tree,
            &self.working_dir.parse().unwrap(),
            file.as_bytes(),
        ) else {
            return false;
        };
        let coracle_core::file_system::ResolutionEnd::File(_, file) = walk.end else { return false };
        coracle_ld::elf::ElfObject::read(&file.content.open().unwrap())
            .is_ok_and(|object| object.interpreter.is_some())
    }

    fn launch(&self, variables: &[&str], command: &[&str]) -> Output {
        let root = self.root.as_ref().unwrap().path();
        let inner = launch(root, &self.working_dir, "-");
        // Some loaders have no end with filters that go round in a circle.
        let mut launch = Command::new("prlimit");
        launch.arg("--cpu=5").arg(inner.get_program()).args(inner.get_args());
        launch.args(variables).args(self.variables()).arg("--").args(command);
        let stderr = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
        retry_while_busy(|| launch.output().unwrap(), stderr)
    }

    fn variables(&self) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut variables = Vec::new();
        if !self.environment.library_path.is_empty() {
            variables.push(format!("LD_LIBRARY_PATH={}", text(&self.environment.library_path)));
        }
        if !self.environment.preload.is_empty() {
            variables.push(format!("LD_PRELOAD={}", text(&self.environment.preload)));
        }
        if let Some(features) = masked_features(&self.environment.hwcaps) {
            variables.push(format!("GLIBC_TUNABLES=glibc.cpu.hwcaps={features}"));
        }
        variables
    }
}

/// Returns the CPU features to mask so that the loader selects no better level (`compute_isa_level`, `sysdeps/x86/get-isa-level.h`).
fn masked_features(hwcaps: &HwcapsSelection) -> Option<&'static str> {
    match hwcaps {
        HwcapsSelection::All => None,
        HwcapsSelection::None => Some("-SSE4_2,-AVX2,-AVX512F,-AVX512CD"),
        HwcapsSelection::UpTo(name) => match name.as_slice() {
            b"x86-64-v2" => Some("-AVX2,-AVX512F,-AVX512CD"),
            b"x86-64-v3" => Some("-AVX512F,-AVX512CD"),
            _ => None,
        },
    }
}

fn lines(listing: Listing) -> Vec<String> {
    match listing {
        Listing::Maps { paths, missing } => {
            paths.into_iter().chain(missing.into_iter().map(|name| format!("{name} => not found"))).collect()
        }
        Listing::Refused(why) => vec![format!("refused: {why}")],
    }
}
