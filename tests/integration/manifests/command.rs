//! The command: what it says, and where it writes.

use std::fs;

use coracle_testing::{coracle, coracle_in};
use snapbox::str;

use crate::manifests::project::{IMAGE, Project};

#[test]
fn builds_a_recipe_for_its_digest_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("coracle.toml"),
        "[image]\nname = \"env:1\"\nprograms = [\"/usr/bin/env\"]\n",
    )
    .unwrap();
    let output = |args: [&str; 2]| {
        let output = coracle_in(folder.path(), args).command().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let printed = output(["manifests", "--quiet"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the recipe");
    let reference = output(["build", "--quiet"]);
    assert!(
        reference.starts_with("env:1@sha256:") && printed.contains(reference.trim()),
        "{reference} {printed}"
    );
}

#[test]
fn a_folder_and_an_image_need_no_recipe() {
    coracle(["manifests", IMAGE, "--config", "config:/etc/app"])
        .file("config/app.conf", "greeting=hello\nport=8080\n")
        .ends(
            0,
            str![[r#"
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: shop-config-bf28t4f822
  labels:
    app.kubernetes.io/managed-by: coracle
    app.kubernetes.io/name: shop
    app.kubernetes.io/version: "1.2"
immutable: true
data:
  app.conf: |
    greeting=hello
    port=8080
---
apiVersion: apps/v1
kind: Deployment
...
"#]],
            str![""],
        );
}

#[test]
fn lists_the_secrets_to_create() {
    Project::of("Job").manifests([]).ends(
        0,
        str![[r#"
---
...
"#]],
        str![[r#"
hint: the Secret `shop-etc-shop` is referenced but not printed: create it with `coracle config render --set-file password=FILE -o out` and `kubectl create secret generic shop-etc-shop -n shops --from-file=out/etc/shop/login.env`; `--with-secrets` prints it in the yaml layout
hint: the Secret `shop-secret` must be created separately, with `tls.key`
hint: the Secret `vault` must be created separately, with `token`

"#]],
    );
}

#[test]
fn the_hint_of_a_secret_renders_the_same_configuration() {
    let project = Project::of("Job");
    let args = ["--environment", "production", "--set", "name=a b", "--set-file", "password=password"];
    let output = project.manifests(args).command().output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let command =
        "config render --environment production --set 'name=a b' --set-file password=password -o out";
    assert!(text.contains(&format!("`coracle {command}`")), "{text}");
    let mut run = coracle_in(project.path(), ["config", "render", "--environment", "production", "--set"]);
    run.more(["name=a b", "--set-file", "password=password", "-o", "out"]);
    assert!(run.command().output().unwrap().status.success());
    assert!(project.path().join("out/etc/shop/login.env").is_file());
    // Public files need no secret value.
    let output = coracle_in(project.path(), ["config", "render"]).command().output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.contains("name = \"s\""), "{text}");
    assert!(text.contains("/etc/shop/login.env is secret"), "{text}");
}

#[test]
fn warns_of_an_image_without_a_registry() {
    let digest = IMAGE.rsplit_once('@').unwrap().1;
    for (name, is_named) in [
        ("nginx:latest", false),
        ("acme/shop", false),
        ("localhost/shop:1", true),
        ("docker.io/library/nginx", true),
    ] {
        let output = coracle(["manifests", &format!("{name}@{digest}")]).command().output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && text.contains("names no registry") != is_named, "{name}: {text}");
    }
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let project = Project::of("Pod");
    for (args, part) in [
        (["--layout", "helm", "", "", ""], "need a directory"),
        (["--layout", "helm", "-o", "x", "--with-secrets"], "requires `--layout yaml`"),
        (["--layout", "yaml", "-o", "x", ""], "writes to stdout"),
        (["--layout", "kustomize", "-o", "x", "--environment=test"], "an overlay for each environment"),
        (["--environment", "tset", "", "", ""], "there is no environment `tset`"),
    ] {
        let mut run = coracle_in(project.path(), ["manifests", IMAGE]);
        args.into_iter().filter(|arg| !arg.is_empty()).for_each(|arg| run.more([arg]));
        let output = run.command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(part), "{args:?}: {said}");
        assert!(output.stdout.is_empty() && !project.path().join("x").exists());
    }
}

#[test]
fn rejects_build_flags_for_an_existing_image() {
    for (flag, why) in [("--tag=shop:2", "is a name already"), ("--epoch=1", "cannot be used with")] {
        let output = coracle(["manifests", IMAGE, flag]).command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
    }
}

#[test]
fn quiet_prints_only_manifests() {
    Project::of("Pod").manifests(["-q", "--layout", "helm", "-o", "chart"]).ends(0, str![""], str![""]);
}

#[test]
fn requires_a_digest_of_images_and_a_name_of_recipes() {
    coracle(["manifests", "shop:1"]).ends(
        2,
        str![""],
        str![[r#"
error: `shop:1` is not an image reference by digest: it has no digest

hint: write `NAME[:TAG]@sha256:…`, as printed by `coracle build`

"#]],
    );
    coracle(["manifests"]).ends(
        2,
        str![""],
        str![[r#"
error: no IMAGE is given, and `coracle.toml` does not exist in this directory

hint: name an image with its digest, as printed by `coracle build`, or write a recipe

"#]],
    );
    coracle(["manifests"]).file("coracle.toml", "[image]\nprograms = [\"/usr/bin/env\"]\n").ends(
        2,
        str![""],
        str![[r#"
error: the image has no name; pods need a name to pull the image

hint: set `name` in `[image]`, or pass `--tag NAME[:TAG]`

"#]],
    );
}

#[test]
fn replaces_only_directories_that_it_wrote() {
    let project = Project::of("Pod");
    let write = |more: &str| {
        project.manifests(["--layout", "kustomize", "-q", "-o", more]).command().output().unwrap()
    };
    assert!(write("out/deploy").status.success());
    let stale = project.path().join("out/deploy/base/files/etc-live/braces.yaml");
    assert!(stale.exists());
    let recipe = fs::read_to_string(project.path().join("coracle.toml")).unwrap();
    let recipe = recipe
        .replace("{ from = \"config/braces.yaml\"", "{ path = \"other\", from = \"config/braces.yaml\"");
    project.write("coracle.toml", recipe);
    assert!(write("out/deploy").status.success());
    assert!(!stale.exists(), "what is no longer made is gone");

    project.write("out/deploy/base/mine.yaml", "");
    let output = write("out/deploy");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("contains `base/mine.yaml`"), "{said}");
    assert!(project.path().join("out/deploy/base/mine.yaml").exists());
    assert_eq!(fs::read_dir(project.path().join("out")).unwrap().count(), 1, "nothing is left beside it");

    project.write("full/other", "");
    assert_eq!(write("full").status.code(), Some(2));
    fs::create_dir(project.path().join("empty")).unwrap();
    assert!(write("empty").status.success());
    assert_eq!(write("password").status.code(), Some(1), "a file is no directory");
}

#[test]
fn manifests_name_the_image_and_not_its_location() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = coracle_in(folder.path(), []).command().args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let build = ["build", "/usr/bin/env", "--user=7:8", "--expose=90", "--config=config:/etc/env", "-q"];
    std::fs::create_dir(folder.path().join("config")).unwrap();
    std::fs::write(folder.path().join("config/a"), "a").unwrap();
    let (status, built, said) = run(&[&build[..], &["--tag=example.com/env:1"]].concat());
    assert_eq!((status, said.as_str()), (0, ""));
    let (_, printed, said) = run(&["manifests", "oci:env.oci", "--config=config:/etc/env"]);
    assert_eq!(said, "");
    for line in [format!("image: {}", built.trim()), "runAsUser: 7".into(), "containerPort: 90".into()] {
        assert!(printed.contains(&line), "{line}: {printed}");
    }
    let (_, printed, said) = run(&["manifests", "oci:env.oci", "--tag=example.com/other:2"]);
    assert!(printed.contains("image: example.com/other:2@sha256:"), "{printed}");
    assert_eq!(
        said,
        "warning: the contract of `oci:env.oci` differs from this configuration; run `coracle config check` for details\n"
    );
    // The program, libraries, the loader's link, a directory above all of them.
    for (mount, file) in [
        ("/usr/bin", "`/usr/bin/env`"),
        ("/usr/lib", "libc.so.6`"),
        ("/lib64", "ld-linux-x86-64.so.2`"),
        ("/usr", "`/usr/bin/env`"),
    ] {
        let (status, printed, said) = run(&["manifests", "oci:env.oci", &format!("--state={mount}")]);
        let expected = format!("the mount at `{mount}` would hide files of `oci:env.oci`: ");
        assert!((status, printed.as_str()) == (2, "") && said.contains(&expected), "{mount}: {said}");
        assert!(said.contains(file) || said.contains("more"), "{mount}: {said}");
    }
    let (status, _, said) = run(&["manifests", "oci:env.oci", "--state=/usr/share"]);
    assert!(status == 0 && !said.contains("would hide"), "{said}");
    assert_eq!(run(&["manifests", "oci:none"]).0, 1);
    assert_eq!(run(&["manifests", "docker://127.0.0.1:1/acme/env"]).0, 3);
}

/// Kubernetes does not copy included files to a new volume.
#[test]
fn a_mount_over_included_files_of_a_stored_image_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = coracle_in(folder.path(), []).command().args(args).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    fs::write(folder.path().join("seed.db"), "a").unwrap();
    let build = ["build", "/usr/bin/env", "-q", "--tag=example.com/env:1", "--include=seed.db:/var/lib/env/"];
    assert_eq!(run(&build), (0, String::new()));
    let (status, said) = run(&["manifests", "oci:env.oci", "--state=/var/lib/env"]);
    assert_eq!(status, 0, "{said}");
    let expected =
        "warning: the mount at `/var/lib/env` would hide files of `oci:env.oci`: `/var/lib/env/seed.db`\n";
    assert!(said.contains(expected), "{said}");
    let (status, said) = run(&["manifests", "oci:env.oci", "--secret=key:/var/lib/env"]);
    assert!(status == 2 && said.contains("would hide files"), "{said}");
}

#[test]
fn charts_name_objects_by_release_and_limit_claims_to_one_pod() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("login.env.j2", "PASSWORD={{ password|sh }}\n");
    file("schema.json", r#"{"properties":{"password":{"writeOnly":true}}}"#);
    file(
        "coracle.toml",
        "[image]\nname = \"shop\"\n[[config]]\nmount = \"/etc/shop\"\ntemplates = [\"login.env.j2\"]\n\
         [values]\nschema = \"schema.json\"\n[[state]]\nmount = \"/var/lib/shop\"\nsize = \"1Gi\"\n",
    );
    let helm = ["manifests", IMAGE, "--layout=helm", "--output=chart"];
    let output = coracle_in(folder.path(), helm).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("`kubectl create secret generic RELEASE-shop-"), "{said}");
    let schema = std::fs::read(folder.path().join("chart/values.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&schema).unwrap();
    assert_eq!(schema["properties"]["replicas"]["maximum"], 1, "{schema:#}");
}
