//! The command: what it says, and what it refuses.

use std::fs;

use snapbox::str;

use crate::project::{IMAGE, Project};
use crate::support::{coracle, coracle_in};

#[test]
fn a_recipe_is_built_for_its_digest_and_nothing_is_left() {
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
    coracle(["manifests", IMAGE, "--config", "/etc/app=config"])
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
fn secrets_to_make_are_named() {
    Project::of("Job").manifests([]).ends(
        0,
        str![[r#"
---
...
"#]],
        str![[r#"
hint: the Secret `shop-etc-shop` is referred to and not printed: make it with `coracle config render -o out` and `kubectl create secret generic shop-etc-shop --from-file=out/etc/shop/login.env`; `--with-secrets` prints it in the yaml layout
hint: the Secret `shop-secret` is somebody else's to make, with `tls.key`
hint: the Secret `vault` is somebody else's to make, with `token`

"#]],
    );
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let project = Project::of("Pod");
    for (args, part) in [
        (["--layout", "helm", "", "", ""], "needs a directory"),
        (["--layout", "helm", "-o", "x", "--with-secrets"], "goes with `--layout yaml` alone"),
        (["--layout", "yaml", "-o", "x", ""], "go to stdout"),
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
fn an_image_that_is_named_is_not_named_again() {
    for (flag, why) in [("--tag=shop:2", "is named already"), ("--epoch=1", "cannot be used with")] {
        let output = coracle(["manifests", IMAGE, flag]).command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
    }
}

#[test]
fn quiet_is_quiet() {
    Project::of("Pod").manifests(["-q", "--layout", "helm", "-o", "chart"]).ends(0, str![""], str![""]);
}

#[test]
fn an_image_has_a_digest_and_a_recipe_a_name() {
    coracle(["manifests", "shop:1"]).ends(
        2,
        str![""],
        str![[r#"
error: `shop:1` is no image by digest: a tag may mean another image tomorrow

hint: write it as `NAME[:TAG]@sha256:…`, the line that `coracle build` prints

"#]],
    );
    coracle(["manifests"]).ends(
        2,
        str![""],
        str![[r#"
error: no IMAGE is named, and there is no `coracle.toml` here to build one from

hint: name an image by digest, as `coracle build` prints it, or write a recipe

"#]],
    );
    coracle(["manifests"]).file("coracle.toml", "[image]\nprograms = [\"/usr/bin/env\"]\n").ends(
        2,
        str![""],
        str![[r#"
error: nothing names the image, and pods find it by its name

hint: write `name` below `[image]`, or pass `--tag NAME[:TAG]`

"#]],
    );
}

#[test]
fn everything_wrong_with_the_keys_is_told_with_its_place() {
    let recipe = r#"[kubernetes]
kind = "Deploymnet"
name = "Shop"
schedule = "every day"
replica = 2
labels = { "a b" = "c", team = "two words" }
probes = { htpp = "/", http = "health" }
resources = { requests = { cpu = "a lot" }, limit = {} }
service = "External"
reload-args = ["x"]
"#;
    coracle(["manifests", IMAGE]).file("coracle.toml", recipe).ends(
        2,
        str![""],
        str![[r#"
error: 12 problems in the recipe

  `Deploymnet` is no kind that runs a program
     --> coracle.toml:2:8
    2 | kind = "Deploymnet"
      |        ^^^^^^^^^^^^

  `Shop` is no name of an application
     --> coracle.toml:3:8
    3 | name = "Shop"
      |        ^^^^^^

  `every day` is no schedule
     --> coracle.toml:4:12
    4 | schedule = "every day"
      |            ^^^^^^^^^^^

  unknown key `replica` in `[kubernetes]`; did you mean `replicas`?
     --> coracle.toml:5:1
    5 | replica = 2
      | ^^^^^^^

  `a b` is no name of a label
     --> coracle.toml:6:20
    6 | labels = { "a b" = "c", team = "two words" }
      |                    ^^^

  `two words` is no value of a label
     --> coracle.toml:6:32
    6 | labels = { "a b" = "c", team = "two words" }
      |                                ^^^^^^^^^^^

  unknown key `htpp` in `kubernetes.probes`; did you mean `http`?
     --> coracle.toml:7:12
    7 | probes = { htpp = "/", http = "health" }
      |            ^^^^

  `health` is no path
     --> coracle.toml:7:31
    7 | probes = { htpp = "/", http = "health" }
      |                               ^^^^^^^^

  `a lot` is no quantity
     --> coracle.toml:8:34
    8 | resources = { requests = { cpu = "a lot" }, limit = {} }
      |                                  ^^^^^^^

  unknown key `limit` in `kubernetes.resources`; did you mean `limits`?
     --> coracle.toml:8:45
    8 | resources = { requests = { cpu = "a lot" }, limit = {} }
      |                                             ^^^^^

  `External` is no type of a Service
     --> coracle.toml:9:11
    9 | service = "External"
      |           ^^^^^^^^^^

  no image is named that this is for
      --> coracle.toml:10:16
    10 | reload-args = ["x"]
       |                ^^^

hint: did you mean `Deployment`?
hint: write lower-case letters, digits and `-`, at most 52 bytes, a letter first
hint: write five fields, as in `0 3 * * *`, or a word such as `@daily`
hint: write `[PREFIX/]NAME`, as in `example.com/team`
hint: write letters, digits, `-`, `_` and `.`, at most 63; an annotation holds anything
hint: start it with `/`
hint: write it as `50m`, `0.5` or `64Mi`
hint: write `true`, `false`, or one of `ClusterIP`, `NodePort`, `LoadBalancer`
hint: write `reload-image = "NAME:TAG"`

"#]],
    );
}

#[test]
fn what_a_cluster_would_not_take_is_told_together() {
    let recipe = r#"
[[config]]
mount = "/etc/app"
reload = "signal:SIGHUP"
templates = [{ from = "a.txt", verbatim = true }]

[[state]]
mount = "/data"
size = "1Gi"

[kubernetes]
replicas = 3
service = true
probes = { http = "/health" }
patches = ["patch.yaml"]
"#;
    coracle(["manifests", IMAGE])
        .file("coracle.toml", recipe)
        .file("a.txt", "a")
        .file("patch.yaml", "kind: Deployment\nmetadata: { name: other }\n---\nkind: ConfigMap\ndata: { x: y }\n---\nspec: {}\n")
        .ends(2, str![""], str![[r#"
error: 7 problems in the recipe

  nobody sends `SIGHUP` when `/etc/app` changes: a kubelet sends no signals
     --> coracle.toml:3:9
    3 | mount = "/etc/app"
      |         ^^^^^^^^^^

  the pods of a Deployment share the claim of `/data`, and only one of them can have it
     --> coracle.toml:8:9
    8 | mount = "/data"
      |         ^^^^^^^

  the Service has no port: the image exposes none
      --> coracle.toml:13:11
    13 | service = true
       |           ^^^^

  nothing says at which port `/health` is asked for: the image exposes none
      --> coracle.toml:14:10
    14 | probes = { http = "/health" }
       |          ^^^^^^^^^^^^^^^^^^^^

  patch.yaml, document 1: there is no Deployment `other` to change
      --> coracle.toml:15:12
    15 | patches = ["patch.yaml"]
       |            ^^^^^^^^^^^^

  patch.yaml, document 2: a patch can't change `data` of a ConfigMap
      --> coracle.toml:15:12
    15 | patches = ["patch.yaml"]
       |            ^^^^^^^^^^^^

  patch.yaml, document 3: nothing says of which `kind` the object is that is to change
      --> coracle.toml:15:12
    15 | patches = ["patch.yaml"]
       |            ^^^^^^^^^^^^

hint: name an image that does: `reload-image` below `[kubernetes]`; or let the program watch the directory with `reload = "watch"`
hint: write `kind = "StatefulSet"` for a claim each, `shared = true` if the storage can be shared, or `replicas = 1`
hint: write `expose = ["8080"]` below `[image]`
hint: write `expose = ["8080"]` below `[image]`, or `port` beside `http`
hint: there are ConfigMap `shop-config`, PersistentVolumeClaim `shop-data`, Service `shop`, Deployment `shop`
hint: it can change labels and annotations; everything else is rendered: change the template
hint: write `kind: Deployment`

"#]]);
}

#[test]
fn patches_that_fit_nothing_say_why() {
    let recipe = r#"[kubernetes]
namespace = "shops"
schedule = "@daily"
patches = [
    "near.yaml",
    "whole.yaml",
    "gone.yaml",
    "bad.yaml",
    "mode.yaml",
]
"#;
    let near = "kind: Deployment\napiVersion: apps/v1beta1\nmetadata: { name: shop }\n---\n\
        kind: Deployment\nmetadata: { name: shop, namespace: other }\n";
    let whole = "kind: Deployment\nspec:\n---\nkind: Deployment\nmetadata: 1\n---\n\
        kind: Deployment\nspec: { template: null }\n";
    let run = |recipe: &str| {
        coracle(["manifests", IMAGE])
            .file("coracle.toml", recipe)
            .file("near.yaml", near)
            .file("whole.yaml", whole)
            .file("bad.yaml", "kind: [")
            .file("mode.yaml", "kind: Deployment\nspec: { template: { spec: { mode: 0440 } } }\n")
    };
    run(recipe).ends(
        2,
        str![""],
        str![[r#"
error: 3 problems in the recipe

  cannot read `gone.yaml`: No such file or directory (os error 2)
     --> coracle.toml:7:5
    7 |     "gone.yaml",
      |     ^^^^^^^^^^^

  `bad.yaml`: line 1: unclosed bracket '['
     --> coracle.toml:8:5
    8 |     "bad.yaml",
      |     ^^^^^^^^^^

  `mode.yaml`, line 2: `spec.template.spec.mode` is a number that tools read in many ways
     --> coracle.toml:9:5
    9 |     "mode.yaml",
      |     ^^^^^^^^^^^

hint: check the spelling, and who may read it; relative paths start at the recipe's folder
hint: a patch is YAML: `kind`, and what is to change
hint: write it in decimals, as JSON does: the mode `0440` is 288

"#]],
    );
    let recipe = recipe.replace("    \"gone.yaml\",\n    \"bad.yaml\",\n    \"mode.yaml\",\n", "");
    run(&recipe).ends(2, str![""], str![[r#"
error: 6 problems in the recipe

  a Deployment has no `schedule`
     --> coracle.toml:3:12
    3 | schedule = "@daily"
      |            ^^^^^^^^

  near.yaml, document 1: the Deployment `shop` has the `apiVersion` `apps/v1`, and the patch is for one with `apps/v1beta1`
     --> coracle.toml:5:5
    5 |     "near.yaml",
      |     ^^^^^^^^^^^

  near.yaml, document 2: the Deployment `shop` has the `namespace` `shops`, and the patch is for one with `other`
     --> coracle.toml:5:5
    5 |     "near.yaml",
      |     ^^^^^^^^^^^

  whole.yaml, document 1: `spec` has to be a table: a Deployment is nothing without it
     --> coracle.toml:6:5
    6 |     "whole.yaml",
      |     ^^^^^^^^^^^^

  whole.yaml, document 2: `metadata` has to be a table: a Deployment is nothing without it
     --> coracle.toml:6:5
    6 |     "whole.yaml",
      |     ^^^^^^^^^^^^

  whole.yaml, document 3: it leaves the Deployment without the container `shop`, which runs the program
     --> coracle.toml:6:5
    6 |     "whole.yaml",
      |     ^^^^^^^^^^^^

hint: leave it out, or write `kind = "CronJob"`
hint: let the patch say the same `apiVersion`, or leave it out
hint: let the patch say the same `namespace`, or leave it out
hint: write below it what is to change; a member with `null` is taken out
hint: say below the container what of it is to change

"#]]);
    run("[kubernetes]\npatches = [\"near.yaml\"]\n").ends(
        2,
        str![""],
        str![[r#"
error: 2 problems in the recipe

  near.yaml, document 1: the Deployment `shop` has the `apiVersion` `apps/v1`, and the patch is for one with `apps/v1beta1`
     --> coracle.toml:2:12
    2 | patches = ["near.yaml"]
      |            ^^^^^^^^^^^

  near.yaml, document 2: the Deployment `shop` has no `namespace`, and the patch is for one with `other`
     --> coracle.toml:2:12
    2 | patches = ["near.yaml"]
      |            ^^^^^^^^^^^

hint: let the patch say the same `apiVersion`, or leave it out
hint: let the patch say the same `namespace`, or leave it out

"#]],
    );
}

#[test]
fn a_probe_says_at_which_of_several_ports_it_asks() {
    let run = |expose: &str, probe: &str| {
        let recipe = format!("[image]\nexpose = [{expose}]\n[kubernetes]\nprobes = {{ {probe} }}\n");
        let run = coracle(["manifests", IMAGE, "-q"]).file("coracle.toml", &recipe);
        let output = run.command().output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let health = "http = \"/health\"";
    let (code, said) = run("\"8080\", \"80\", \"53/udp\"", health);
    assert!(
        code == Some(2) && said.contains("the image exposes 80, 8080") && said.contains("port = …"),
        "{said}"
    );
    for (expose, probe) in
        [("\"8080\", \"80\"", "http = \"/health\", port = 8080"), ("\"53/udp\", \"8080\"", health)]
    {
        let (code, said) = run(expose, probe);
        assert!(code == Some(0) && said.contains("port: 8080"), "{said}");
    }
}

#[test]
fn too_large_for_apply_is_a_warning() {
    let project = Project::of("Pod");
    project.write("config/logo.bin", "x".repeat(262_000));
    let output = project.manifests(["-q"]).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success());
    assert!(
        said.starts_with("warning: the ConfigMap `shop-etc-shop-") && said.contains("--server-side"),
        "{said}"
    );
    project.write("config/logo.bin", "x".repeat((1 << 20) + 1));
    let output = project.manifests([]).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("more than 1048576 bytes"), "{said}");
}

#[test]
fn a_directory_is_replaced_only_where_it_is_ours() {
    let project = Project::of("Pod");
    let write = |more: &str| {
        project.manifests(["--layout", "kustomize", "-q", "-o", more]).command().output().unwrap()
    };
    assert!(write("out/deploy").status.success());
    let stale = project.path().join("out/deploy/base/files/etc-live/braces.yaml");
    assert!(stale.exists());
    let recipe = fs::read_to_string(project.path().join("coracle.toml")).unwrap();
    let recipe =
        recipe.replace("{ from = \"config/braces.yaml\"", "{ key = \"other\", from = \"config/braces.yaml\"");
    project.write("coracle.toml", recipe);
    assert!(write("out/deploy").status.success());
    assert!(!stale.exists(), "what is no longer made is gone");

    project.write("out/deploy/base/mine.yaml", "");
    let output = write("out/deploy");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("holds `base/mine.yaml`"), "{said}");
    assert!(project.path().join("out/deploy/base/mine.yaml").exists());
    assert_eq!(fs::read_dir(project.path().join("out")).unwrap().count(), 1, "nothing is left beside it");

    project.write("full/other", "");
    assert_eq!(write("full").status.code(), Some(2));
    fs::create_dir(project.path().join("empty")).unwrap();
    assert!(write("empty").status.success());
    assert_eq!(write("password").status.code(), Some(1), "a file is no directory");
}

#[test]
fn kustomize_is_not_given_what_it_can_not_hold() {
    let project = Project::of("Pod");
    project.write("config/logo.bin", "a\u{7f}b");
    let output = project.manifests(["--layout", "kustomize", "-o", "deploy"]).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("kustomize can't hold `logo.bin`"), "{said}");
    assert!(!project.path().join("deploy").exists());
}

#[test]
fn an_image_that_is_kept_somewhere_is_named_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = coracle_in(folder.path(), []).command().args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let build = ["build", "/usr/bin/env", "--user=7:8", "--expose=90", "--config=/etc/env=config", "-q"];
    std::fs::create_dir(folder.path().join("config")).unwrap();
    std::fs::write(folder.path().join("config/a"), "a").unwrap();
    let (status, built, said) = run(&[&build[..], &["--tag=acme/env:1"]].concat());
    assert_eq!((status, said.as_str()), (0, ""));
    let (_, printed, said) = run(&["manifests", "oci:env.oci", "--config=/etc/env=config"]);
    assert_eq!(said, "");
    for line in [format!("image: {}", built.trim()), "runAsUser: 7".into(), "containerPort: 90".into()] {
        assert!(printed.contains(&line), "{line}: {printed}");
    }
    let (_, printed, said) = run(&["manifests", "oci:env.oci", "--tag=other:2"]);
    assert!(printed.contains("image: other:2@sha256:"), "{printed}");
    assert_eq!(
        said,
        "warning: `oci:env.oci` expects another configuration; `coracle config check` tells what\n"
    );
    assert_eq!(run(&["manifests", "oci:none"]).0, 1);
    assert_eq!(run(&["manifests", "docker://127.0.0.1:1/acme/env"]).0, 3);
}

#[test]
fn a_chart_names_what_a_release_names_and_keeps_a_claim_to_one_pod() {
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
