//! Layouts, read back by nothing but `serde_json`, `flate2` and `tar`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use coracle_testing::launch::retry_while_busy;
use coracle_testing::{listing, skipped};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use tempfile::TempDir;

/// A layout that is sound and holds nothing that it does not need.
pub(crate) struct Layout {
    directory: PathBuf,
}

impl Layout {
    /// Checks the layout at `directory` and opens it.
    #[track_caller]
    pub(crate) fn open(directory: PathBuf) -> Self {
        let findings = coracle_oci::layout::verify_layout(&directory).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        let layout = Self { directory };
        layout.assert_no_garbage();
        layout
    }

    #[track_caller]
    fn assert_no_garbage(&self) {
        let mut wanted: BTreeSet<PathBuf> =
            ["blobs", "blobs/sha256", "index.json", "oci-layout"].map(PathBuf::from).into();
        for entry in self.index()["manifests"].as_array().unwrap() {
            let manifest = self.blob(&entry["digest"]);
            let layers = manifest["layers"].as_array().unwrap().iter().map(|layer| &layer["digest"]);
            for digest in layers.chain([&entry["digest"], &manifest["config"]["digest"]]) {
                wanted.insert(PathBuf::from("blobs").join(digest.as_str().unwrap().replace(':', "/")));
            }
        }
        assert_eq!(listing(&self.directory).into_keys().collect::<BTreeSet<_>>(), wanted);
    }

    /// `index.json`
    pub(crate) fn index(&self) -> Value {
        serde_json::from_slice(&fs::read(self.directory.join("index.json")).unwrap()).unwrap()
    }

    /// Tags and full names in the index, in its order; `-` where there is none.
    pub(crate) fn names(&self) -> Vec<String> {
        let index = self.index();
        let name = |entry: &Value, key: &str| entry["annotations"][key].as_str().unwrap_or("-").to_owned();
        let entries = index["manifests"].as_array().unwrap().iter();
        let both = entries.map(|entry| {
            let tag = name(entry, "org.opencontainers.image.ref.name");
            format!("{tag} {}", name(entry, "io.containerd.image.name"))
        });
        both.collect()
    }

    /// The manifests' digests, in the order of the index.
    pub(crate) fn digests(&self) -> Vec<String> {
        let index = self.index();
        let entries = index["manifests"].as_array().unwrap().iter();
        entries.map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
    }

    /// The manifest of the first image.
    pub(crate) fn manifest(&self) -> Value {
        self.blob(&self.index()["manifests"][0]["digest"])
    }

    /// The config of the first image.
    pub(crate) fn config(&self) -> Value {
        self.blob(&self.manifest()["config"]["digest"])
    }

    /// A JSON blob.
    pub(crate) fn document(&self, digest: &Value) -> Value {
        self.blob(digest)
    }

    fn blob(&self, digest: &Value) -> Value {
        serde_json::from_slice(&fs::read(self.blob_path(digest)).unwrap()).unwrap()
    }

    fn blob_path(&self, digest: &Value) -> PathBuf {
        self.directory.join("blobs").join(digest.as_str().unwrap().replace(':', "/"))
    }

    /// Every entry of the first image, one a line, layer by layer: `/dir/`, `/link -> target`, `/name = other`, `/file`.
    pub(crate) fn entries(&self) -> Vec<Vec<String>> {
        let manifest = self.manifest();
        let layers = manifest["layers"].as_array().unwrap().iter();
        layers.map(|layer| lines(&self.blob_path(&layer["digest"]))).collect()
    }

    /// Every path of the first image below one of these directories, `/app` when nothing is said.
    pub(crate) fn below(&self, directories: &[&str]) -> Vec<String> {
        let all: BTreeSet<String> = self.entries().into_iter().flatten().collect();
        let wanted = |line: &String| directories.iter().any(|directory| line.starts_with(directory));
        all.into_iter().filter(wanted).collect()
    }

    /// Unpacks the first image.
    pub(crate) fn unpack(&self) -> TempDir {
        let root = TempDir::new().unwrap();
        for layer in self.manifest()["layers"].as_array().unwrap() {
            let file = File::open(self.blob_path(&layer["digest"])).unwrap();
            let mut archive = tar::Archive::new(MultiGzDecoder::new(file));
            archive.set_preserve_permissions(true);
            archive.unpack(root.path()).unwrap();
        }
        root
    }

    /// The output of the first image, run as its config says; `None` if that needs root and we are not root.
    pub(crate) fn run(&self) -> Option<String> {
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            skipped("only root can run an unpacked image with chroot");
            return None;
        }
        let (root, config) = (self.unpack(), self.config()["config"].clone());
        let words = |key: &str| -> Vec<String> {
            let list = config[key].as_array().cloned().unwrap_or_default();
            list.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
        };
        let env: BTreeMap<String, String> = words("Env")
            .iter()
            .map(|pair| pair.split_once('=').map(|(a, b)| (a.into(), b.into())).unwrap())
            .collect();
        fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        // Without /proc, which every runtime mounts, glibc reads `$ORIGIN` from this variable.
        let origin = Path::new(&words("Entrypoint")[0]).parent().unwrap().to_owned();
        let mut command = Command::new("/usr/sbin/chroot");
        command
            .arg(format!("--userspec={}", config["User"].as_str().unwrap()))
            .arg(root.path())
            .args(words("Entrypoint"))
            .args(words("Cmd"))
            .env_clear()
            .env("LD_ORIGIN_PATH", origin)
            .envs(env);
        let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
        let output = retry_while_busy(|| command.output().unwrap(), said);
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        Some(String::from_utf8(output.stdout).unwrap())
    }
}

/// The entries of one layer.
fn lines(layer: &Path) -> Vec<String> {
    let mut archive = tar::Archive::new(MultiGzDecoder::new(File::open(layer).unwrap()));
    let line = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let entry = entry.unwrap();
        let path = format!("/{}", entry.path().unwrap().display());
        let target = entry.link_name().unwrap().map(|target| target.display().to_string());
        match (entry.header().entry_type(), target) {
            (tar::EntryType::Symlink, Some(target)) => format!("{path} -> {target}"),
            (tar::EntryType::Link, Some(target)) => format!("{path} = /{target}"),
            _ => path,
        }
    };
    archive.entries().unwrap().map(line).collect()
}
