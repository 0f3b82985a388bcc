//! Images on top of others: what is left out, what is taken over, what can't be.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::build::project::Project;

/// A base that somebody else has made: its layers, one entry a line, and the `config` of its config.
struct Foreign {
    layers: Vec<Vec<u8>>,
    config: Value,
    platform: (&'static str, &'static str),
}

/// One tar: `/dir/ MODE UID`, `/link -> target`, `/new == old`, `/file < path of a file here`, `/file = text`.
fn layer(lines: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(0);
        let name = |path: &str| path.trim_start_matches('/').to_owned();
        if let Some((path, target)) = line.split_once(" -> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            builder.append_link(&mut header, name(path), target).unwrap();
        } else if let Some((path, target)) = line.split_once(" == ") {
            header.set_entry_type(tar::EntryType::Link);
            builder.append_link(&mut header, name(path), name(target)).unwrap();
        } else if let Some((path, from)) = line.split_once(" < ") {
            let content = fs::read(from).unwrap();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name(path), content.as_slice()).unwrap();
        } else if let Some((path, content)) = line.split_once(" = ") {
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name(path), content.as_bytes()).unwrap();
        } else {
            let words: Vec<&str> = line.split(' ').collect();
            header.set_entry_type(tar::EntryType::Directory);
            if let [_, mode, uid] = words.as_slice() {
                header.set_mode(u32::from_str_radix(mode, 8).unwrap());
                header.set_uid(uid.parse().unwrap());
            }
            builder.append_data(&mut header, name(words[0]), [].as_slice()).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

impl Foreign {
    fn new(layers: &[&str]) -> Self {
        let layers = layers.iter().map(|lines| layer(lines)).collect();
        Self { layers, config: json!({}), platform: ("linux", "amd64") }
    }

    /// Writes it as a layout, in Docker's types; the digest of its manifest.
    fn write(&self, directory: &Path) -> String {
        let blobs = directory.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let put = |kind: &str, bytes: &[u8]| {
            let digest = digest(bytes);
            fs::write(blobs.join(&digest[7..]), bytes).unwrap();
            json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
        };
        let packed = self.layers.iter().map(|tar| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(tar).unwrap();
            put("application/vnd.docker.image.rootfs.diff.tar.gzip", &encoder.finish().unwrap())
        });
        let packed: Vec<Value> = packed.collect();
        let diff_ids: Vec<String> = self.layers.iter().map(|tar| digest(tar)).collect();
        let (os, architecture) = self.platform;
        let config = json!({
            "os": os, "architecture": architecture, "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids}, "created": "2026-01-01T00:00:00Z",
        });
        let config = put("application/vnd.docker.container.image.v1+json", config.to_string().as_bytes());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": config, "layers": packed,
        });
        let manifest =
            put("application/vnd.docker.distribution.manifest.v2+json", manifest.to_string().as_bytes());
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        fs::write(directory.join("index.json"), index.to_string()).unwrap();
        fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        manifest["digest"].as_str().unwrap().to_owned()
    }
}

/// The libraries of `hello` on this host, at the places of a merged root.
fn libraries() -> String {
    let real = |path: &str| fs::canonicalize(path).unwrap().display().to_string();
    let (loader, libc) = (real("/lib64/ld-linux-x86-64.so.2"), real("/lib/x86_64-linux-gnu/libc.so.6"));
    format!(
        "/lib -> usr/lib
        /lib64 -> usr/lib64
        /usr/ 755 0
        /usr/lib/x86_64-linux-gnu/ 2775 7
        /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 < {loader}
        /usr/lib64/ld-linux-x86-64.so.2 -> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
        /usr/lib/x86_64-linux-gnu/libc.so.6 < {libc}
        /etc/passwd = root:x:0:0::/:/bin/sh\u{0}"
    )
    .replace('\u{0}', "")
}

#[test]
fn omits_files_of_the_base() {
    let project = Project::hello(&[]);
    let base = Foreign::new(&[&libraries()]);
    let below = base.write(&project.path("base"));
    let args = ["./hello", "--base", "oci:base", "-o", "oci:out", "--env", "GREETING=!"];
    let layout = project.built(&args, "out");
    assert_eq!(layout.entries()[1..], [["/app/", "/app/hello"]]);
    let (manifest, config) = (layout.manifest(), layout.config());
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    let annotations = json!({"org.opencontainers.image.base.digest": below});
    assert_eq!(manifest["annotations"], annotations);
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
    assert_eq!(config["history"].as_array().unwrap().len(), 2);
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "hello!\n");
    }
    // Again, from the cache, and without one: the same image.
    let digests = layout.digests();
    assert_eq!(project.built(&args, "out").digests(), digests);
    let fresh = [args.as_slice(), &["--no-cache", "-o", "oci:fresh"]].concat();
    assert_eq!(project.built(&fresh, "fresh").digests(), digests);
}

/// A tar in the cache that is a sound one and another: it is on top of nothing, and made anew.
#[test]
fn replaces_damaged_cache_entries() {
    let project = Project::hello(&[]);
    let base = Foreign::new(&["/etc/first = 1", &libraries()]);
    base.write(&project.path("base"));
    let args = ["./hello", "--base", "oci:base", "-o", "oci:out", "--cache-dir", "cache"];
    let digests = project.built(&args, "out").digests();
    let blobs = project.path("cache/v1/blobs");
    for damaged in [layer("/etc/second = 2"), Vec::new(), b"no tar".to_vec()] {
        for tar in &base.layers {
            fs::write(blobs.join(&digest(tar)[7..]), &damaged).unwrap();
        }
        fs::remove_dir_all(project.path("cache/v1/builds")).unwrap();
        fs::create_dir(project.path("cache/v1/builds")).unwrap();
        assert_eq!(project.built(&args, "out").digests(), digests);
    }
    let part = blobs.join("part-of-a-killed-build");
    fs::create_dir(&part).unwrap();
    project.built(&[&args[..], &["--epoch", "1"]].concat(), "out");
    assert!(!part.exists());
}

/// A base that speaks of `/app` may have something there, and is read.
#[test]
fn keeps_an_app_link_of_the_base() {
    let project = Project::hello(&["-static"]);
    let mut base = Foreign::new(&["/app -> srv/app\n/srv/app/ 755 7\n/srv/app/data = x"]);
    base.config = json!({"WorkingDir": "/app"});
    base.write(&project.path("base"));
    let layout = project.built(&["./hello", "--base", "oci:base", "-o", "oci:out", "--user", "7"], "out");
    assert_eq!(layout.entries()[1], ["/srv/", "/srv/app/", "/srv/app/hello"]);
    assert_eq!(layout.config()["config"]["Entrypoint"], json!(["/app/hello"]));
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "hello\n");
    }
}

/// A file of the base that the user can't read is not used.
#[test]
fn includes_files_that_only_root_can_read() {
    let project = Project::hello(&[]);
    let mut base = Foreign::new(&[&libraries()]);
    let mut archive = tar::Archive::new(base.layers[0].as_slice());
    let mut builder = tar::Builder::new(Vec::new());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let (mut header, path) = (entry.header().clone(), entry.path().unwrap().into_owned());
        if path.ends_with("libc.so.6") {
            header.set_mode(0o600);
        }
        match entry.link_name().unwrap() {
            Some(target) => builder.append_link(&mut header, path, target).unwrap(),
            None => builder.append_data(&mut header, path, &mut entry).unwrap(),
        }
    }
    base.layers = vec![builder.into_inner().unwrap()];
    base.write(&project.path("base"));
    let layout = project.built(&["./hello", "--base", "oci:base", "-o", "oci:out"], "out");
    assert!(layout.entries()[1].iter().any(|entry| entry.ends_with("/libc.so.6")));
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "hello\n");
    }
}

/// Another C library in the base, directories of its own, a second layer that removes what the first has.
#[test]
fn replaces_changed_files_and_keeps_directories() {
    let project = Project::hello(&[]);
    let second = "
        /usr/lib/x86_64-linux-gnu/.wh.libc.so.6 =
        /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 = other";
    Foreign::new(&[&libraries(), second]).write(&project.path("base"));
    let output = project
        .coracle(["build", "./hello", "--base=oci:base", "-o=oci:out", "--no-inventory"])
        .command()
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains(
            "warning: files of the base image are replaced: /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2; "
        ),
        "{said}"
    );
    let layout = project.layout("out");
    let libraries = "/usr/lib/x86_64-linux-gnu/";
    let expected = [
        "/usr/",
        "/usr/lib/",
        libraries,
        &format!("{libraries}ld-linux-x86-64.so.2"),
        &format!("{libraries}libc.so.6"),
    ];
    assert_eq!(layout.entries()[2], expected);
    let blob = layout.manifest()["layers"][2]["digest"].as_str().unwrap().replace(':', "/");
    let file = fs::File::open(project.path("out/blobs").join(blob)).unwrap();
    let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
    let header = archive.entries().unwrap().nth(2).unwrap().unwrap().header().clone();
    assert_eq!((header.mode().unwrap() & 0o7777, header.uid().unwrap()), (0o2775, 7));
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "hello\n");
    }
}

#[test]
fn a_base_without_merged_directories_keeps_them() {
    let project = Project::hello(&[]);
    Foreign::new(&["/lib/ 755 0\n/lib/own = x\n/usr/lib/ 755 0\n/lib64/ 755 0"]).write(&project.path("base"));
    let layout = project.built(&["./hello", "--base", "oci:base", "-o", "oci:out"], "out");
    let entries = layout.below(&["/lib"]);
    assert!(
        entries.contains(&"/lib/x86_64-linux-gnu -> ../usr/lib/x86_64-linux-gnu".to_owned()),
        "{entries:?}"
    );
    assert!(!entries.iter().any(|entry| entry.starts_with("/lib ->")), "{entries:?}");
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "hello\n");
    }
}

#[test]
fn inherits_configuration_of_the_base() {
    let project = Project::hello(&["-static"]);
    let accounts = "/etc/passwd = web:x:33:44::/:/bin/sh\n/etc/group = web:x:55:";
    let mut base = Foreign::new(&[accounts]);
    base.config = json!({
        "Env": ["PATH=/opt/bin", "A=base"], "User": "web", "WorkingDir": "/srv", "Entrypoint": ["/x"], "Cmd": ["y"],
        "Labels": {"a": "base", "b": "base", "io.coracle.config.v1": "{}"}, "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/data": {}}, "StopSignal": "SIGQUIT", "Healthcheck": {"Test": ["NONE"]}, "OnBuild": ["RUN x"],
    });
    base.write(&project.path("base"));
    let config = |args: &[&str]| {
        let args = [&["./hello", "--base", "oci:base", "-o", "oci:out"], args].concat();
        project.built(&args, "out").config()["config"].clone()
    };
    let mut expected = json!({
        "Entrypoint": ["/app/hello"], "Env": ["A=base", "PATH=/opt/bin"], "ExposedPorts": {"80/tcp": {}},
        "Healthcheck": {"Test": ["NONE"]}, "Labels": {"a": "base", "b": "base"}, "StopSignal": "SIGQUIT",
        "User": "33:44", "Volumes": {"/data": {}}, "WorkingDir": "/srv",
    });
    assert_eq!(config(&[]), expected);
    let own = [
        "--env=A=own",
        "--user=7",
        "--label=a=own",
        "--expose=81",
        "--working-dir=/",
        "--stop-signal=SIGINT",
        "--",
        "z",
    ];
    expected["Env"][0] = json!("A=own");
    expected["User"] = json!("7:7");
    expected["Labels"]["a"] = json!("own");
    expected["ExposedPorts"]["81/tcp"] = json!({});
    expected["WorkingDir"] = json!("/");
    expected["StopSignal"] = json!("SIGINT");
    expected["Cmd"] = json!(["z"]);
    assert_eq!(config(&own), expected);
    for (user, number) in [("web:web", "33:55"), ("1001:0", "1001:0"), ("8", "8:8"), ("", "65532:65532")] {
        base.config["User"] = json!(user);
        base.write(&project.path("base"));
        assert_eq!(config(&[])["User"], number, "{user}");
    }
}

/// A script whose interpreter only the base has, found by the base's `PATH`.
#[test]
fn uses_the_interpreter_of_the_base() {
    let project = Project::new();
    project.program(
        "sh",
        "#include <stdio.h>\nint main(int n, char **a) { printf(\"ran %s\\n\", a[1]); }",
        &["-static"],
    );
    project.script("run", "#!/usr/bin/env only-in-the-base\n");
    let shell = project.path("sh");
    project.program(
        "env",
        "#include <unistd.h>\nint main(int n, char **a) { execvp(a[1], a + 1); return 9; }",
        &["-static"],
    );
    let env = project.path("env");
    let lines = format!("/usr/bin/env < {}\n/opt/bin/only-in-the-base < {}", env.display(), shell.display());
    let mut base = Foreign::new(&[&lines]);
    base.config = json!({"Env": ["PATH=/opt/bin"]});
    base.write(&project.path("base"));
    let layout =
        project.built(&["./run", "--base", "oci:base", "--platform", "linux/amd64", "-o", "oci:out"], "out");
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "ran /app/run\n");
    }
}

#[test]
fn rejects_invalid_base_images() {
    let project = Project::hello(&[]);
    let refused = |base: &str, code: i32, expected: &[&str]| {
        let output = project
            .coracle(["build", "./hello", "--base", base, "-o", "oci:out"])
            .command()
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        expected.iter().for_each(|words| assert!(said.contains(words), "{said}"));
        assert!(!project.path("out").exists(), "{base}");
    };
    refused("oci:nowhere", 1, &["cannot use the base image `oci:nowhere`", "nowhere"]);
    refused("oci:", 2, &["`--base`: ", "hint: "]);
    refused("Not A Name", 2, &["`--base`: `Not A Name`", "hint: "]);

    let mut other = Foreign::new(&["/a = b"]);
    other.platform = ("linux", "s390x");
    other.write(&project.path("other"));
    refused(
        "oci:other",
        1,
        &[
            "the base image `oci:other` is not available for linux/amd64",
            "hint: available platforms: linux/s390x",
        ],
    );

    Foreign::new(&["/app/hello/x = y"]).write(&project.path("taken"));
    refused(
        "oci:taken",
        1,
        &["/app/hello would be a directory of the base image, and also ", "(program)", "hint: "],
    );

    let broken = Foreign::new(&[&libraries()]);
    broken.write(&project.path("broken"));
    let index: Value = serde_json::from_slice(&fs::read(project.path("broken/index.json")).unwrap()).unwrap();
    let blob = |digest: &Value| project.path("broken/blobs").join(digest.as_str().unwrap().replace(':', "/"));
    let manifest: Value =
        serde_json::from_slice(&fs::read(blob(&index["manifests"][0]["digest"])).unwrap()).unwrap();
    let layer = blob(&manifest["layers"][0]["digest"]);
    let mut bytes = fs::read(&layer).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&layer, bytes).unwrap();
    refused("oci:broken", 1, &["cannot read the layer `sha256:", "of the base image `oci:broken`", "hint: "]);
    fs::remove_file(&layer).unwrap();
    refused("oci:broken", 1, &["cannot read the layer `sha256:", "of the base image `oci:broken`"]);

    let mut nobody = Foreign::new(&["/a = b"]);
    nobody.config = json!({"User": "web"});
    nobody.write(&project.path("nobody"));
    refused("oci:nobody", 1, &["its user `web` is not in its `/etc/passwd`", "hint: set the user by number"]);
}

/// <https://github.com/opencontainers/image-spec/blob/main/config.md>, `User`.
#[test]
fn a_numeric_user_of_a_base_has_the_group_of_its_account() {
    let project = Project::hello(&["-static"]);
    project.file("passwd", "root:x:0:0::/:/bin/sh\nweb:x:1234:44::/:/bin/sh\n");
    let passwd = project.path("passwd").display().to_string();
    for (user, expected) in
        [("1234", "1234:44"), ("1235", "1235:1235"), ("1234:7", "1234:7"), ("web", "1234:44")]
    {
        let mut base = Foreign::new(&[&format!("/etc/passwd < {passwd}")]);
        base.config = json!({ "User": user });
        base.write(&project.path("base"));
        let build = project.coracle(["build", "./hello", "--base", "oci:base", "-o", "oci:out"]);
        assert!(build.command().output().unwrap().status.success(), "{user}");
        assert_eq!(project.layout("out").config()["config"]["User"], expected, "{user}");
    }
}

/// Large accounts are read whole; much larger ones are an error.
#[test]
fn large_account_files_of_a_base_are_not_cut_off() {
    let project = Project::hello(&["-static"]);
    let build = |accounts: usize| {
        let lines = |format: &str| -> String {
            (0..accounts).map(|id| format!("user{id:08}{format}\n")).collect::<String>()
        };
        project.file("passwd", lines(":x:1:1::/:/bin/sh") + "web:x:33:44::/:/bin/sh\n");
        project.file("group", lines(":x:1:") + "web:x:55:\n");
        let path = |name: &str| project.path(name).display().to_string();
        let mut base =
            Foreign::new(&[&format!("/etc/passwd < {}\n/etc/group < {}", path("passwd"), path("group"))]);
        base.config = json!({"User": "web:web"});
        base.write(&project.path("base"));
        project
            .coracle(["build", "./hello", "--base", "oci:base", "-o", "oci:out"])
            .command()
            .output()
            .unwrap()
    };
    let output = build(100_000);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(project.layout("out").config()["config"]["User"], "33:55");
    let output = build(1_500_000);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot read `/etc/passwd`") && said.contains("no more than 33554432"), "{said}");
}
