//! An image of a program with configuration, and manifests that fit it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use coracle_testing::coracle_in;
use tempfile::TempDir;

pub(crate) const RECIPE: &str = r#"
[image]
name = "ghcr.io/acme/shop:1.2"
programs = ["app"]
expose = ["8080"]

[[include]]
from = "assets/"
to = "/srv/assets"

[[config]]
mount = "/etc/shop"
templates = ["config/shop.toml.j2", "config/motd"]
reload = "watch"

[[secret]]
mount = "/run/secrets/shop"
keys = ["token"]

[[state]]
mount = "/var/lib/shop"

[[variable]]
name = "MOTD"
from = "/etc/shop/motd"

[values]
schema = "config/schema.json"
"#;

const SCHEMA: &str = r#"{
    "required": ["name"],
    "properties": { "name": { "type": "string" }, "port": { "type": "integer", "default": 8080 } }
}"#;

/// Manifests with everything that the image expects.
pub(crate) const MANIFEST: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data:
  shop.toml: |
    name = "a"
    port = 8080
  motd: hi
---
apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData: {token: abc}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      securityContext: {runAsNonRoot: true}
      containers:
      - name: shop
        image: ghcr.io/acme/shop:1.2
        env:
        - name: MOTD
          valueFrom: {configMapKeyRef: {name: shop, key: motd}}
        ports: [{containerPort: 8080}]
        securityContext: {readOnlyRootFilesystem: true}
        volumeMounts:
        - {name: config, mountPath: /etc/shop}
        - {name: secret, mountPath: /run/secrets/shop}
        - {name: state, mountPath: /var/lib/shop}
      volumes:
      - name: config
        configMap: {name: shop}
      - name: secret
        secret: {secretName: shop}
      - name: state
        emptyDir: {}
"#;

/// A directory with a program, its recipe and its image in `shop.oci`.
pub(crate) fn shop() -> &'static Path {
    static SHOP: OnceLock<PathBuf> = OnceLock::new();
    SHOP.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("contract");
        let _ = fs::remove_dir_all(&folder);
        for directory in ["config", "assets"] {
            fs::create_dir_all(folder.join(directory)).unwrap();
        }
        for (name, text) in [
            ("app.c", "int main(void) { return 0; }\n"),
            ("coracle.toml", RECIPE),
            ("config/shop.toml.j2", "name = {{ name|toml }}\nport = {{ port }}\n"),
            ("config/motd", "hi"),
            ("config/schema.json", SCHEMA),
            ("assets/logo", "*"),
        ] {
            fs::write(folder.join(name), text).unwrap();
        }
        let compiled =
            Command::new("cc").args(["-static", "-o", "app", "app.c"]).current_dir(&folder).status();
        assert!(compiled.unwrap().success());
        let mut build = coracle_in(&folder, ["build", "-q", "-o", "oci:shop.oci"]).command();
        assert!(build.stdout(Stdio::null()).status().unwrap().success());
        folder
    })
}

/// A directory of its own, with the image to be had as `oci:SHOP/shop.oci`.
pub(crate) struct TestFolder(TempDir);

/// How a run ended.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl TestFolder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Runs `coracle`; `@` is the image, and its directory is `SHOP` in what is said.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, "")
    }

    /// The same with a text on stdin.
    #[track_caller]
    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Ended {
        let shop = shop().to_str().unwrap();
        let mut command = coracle_in(self.folder(), []).command();
        command.args(args.iter().map(|arg| arg.replace('@', &format!("oci:{shop}/shop.oci"))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let written = std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin.as_bytes());
        // Who fails before it reads what is piped in never reads it.
        if let Err(error) = written {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(shop, "SHOP");
        Ended {
            status: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// The digest of the image's manifest.
pub(crate) fn digest() -> String {
    let index = fs::read(shop().join("shop.oci/index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    index["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

/// Asks for every case before it fails, and shows what each is.
#[track_caller]
pub(crate) fn each<T: std::fmt::Debug>(cases: Vec<(T, String, String)>) {
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(_, found, expected)| found != expected)
        .map(|(case, found, expected)| format!("{case:?}\n{found}\n  instead of\n{expected}\n"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// MANIFEST with texts in place of others, each of which must be there.
pub(crate) fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(MANIFEST.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}
