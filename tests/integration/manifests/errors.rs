//! Errors of manifests, and of keys of the recipe for them.

use coracle_testing::coracle;
use snapbox::str;

use crate::manifests::project::{IMAGE, Project};

#[test]
fn reports_all_invalid_keys_with_positions() {
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

  `Deploymnet` is not a workload kind
     --> coracle.toml:2:8
    2 | kind = "Deploymnet"
      |        ^^^^^^^^^^^^

  `Shop` is not a valid application name
     --> coracle.toml:3:8
    3 | name = "Shop"
      |        ^^^^^^

  `every day` is not a cron schedule: it has 2 fields instead of five
     --> coracle.toml:4:12
    4 | schedule = "every day"
      |            ^^^^^^^^^^^

  unknown key `replica` in `[kubernetes]`; did you mean `replicas`?
     --> coracle.toml:5:1
    5 | replica = 2
      | ^^^^^^^

  `a b` is not a valid name of a label
     --> coracle.toml:6:20
    6 | labels = { "a b" = "c", team = "two words" }
      |                    ^^^

  `two words` is not a valid label value
     --> coracle.toml:6:32
    6 | labels = { "a b" = "c", team = "two words" }
      |                                ^^^^^^^^^^^

  unknown key `htpp` in `kubernetes.probes`; did you mean `http`?
     --> coracle.toml:7:12
    7 | probes = { htpp = "/", http = "health" }
      |            ^^^^

  `health` is not an HTTP path
     --> coracle.toml:7:31
    7 | probes = { htpp = "/", http = "health" }
      |                               ^^^^^^^^

  `a lot` is not a quantity
     --> coracle.toml:8:34
    8 | resources = { requests = { cpu = "a lot" }, limit = {} }
      |                                  ^^^^^^^

  unknown key `limit` in `kubernetes.resources`; did you mean `limits`?
     --> coracle.toml:8:45
    8 | resources = { requests = { cpu = "a lot" }, limit = {} }
      |                                             ^^^^^

  `External` is not a Service type
     --> coracle.toml:9:11
    9 | service = "External"
      |           ^^^^^^^^^^

  `reload-command` and `reload-args` need `reload-image`
      --> coracle.toml:10:16
    10 | reload-args = ["x"]
       |                ^^^

hint: did you mean `Deployment`?
hint: write lower-case letters, digits and `-`, at most 52 bytes, a letter first
hint: write five fields, as in `0 3 * * *`, or a macro such as `@daily`
hint: write `[PREFIX/]NAME`, as in `example.com/team`
hint: use at most 63 letters, digits, `-`, `_` and `.`; an annotation may hold any text
hint: start it with `/`
hint: write it as `50m`, `0.5` or `64Mi`
hint: write `true`, `false`, or one of `ClusterIP`, `NodePort`, `LoadBalancer`
hint: write `reload-image = "NAME:TAG"`

"#]],
    );
}

#[test]
fn refuses_what_the_api_server_refuses_at_its_line() {
    let recipe = r#"
[[state]]
mount = "/data"
size = "0Gi"

[kubernetes]
kind = "CronJob"
schedule = "60 25 32 13 8"
image-pull-secrets = ["a", "b", "a"]
resources = { requests = { memory = "64Mi", gpu = 1 }, limits = { cpu = 0.1, "acme.com/gpu" = 0.5 } }
"#;
    coracle(["manifests", IMAGE]).file("coracle.toml", recipe).ends(
        2,
        str![""],
        str![[r#"
error: 5 problems in the recipe

  the size of the claim for `/data` is zero
     --> coracle.toml:4:8
    4 | size = "0Gi"
      |        ^^^^^

  `60 25 32 13 8` is not a cron schedule: the minute `60` is not within 0 and 59; the hour `25` is not within 0 and 23; the day of the month `32` is not within 1 and 31; the month `13` is not within 1 and 12; the day of the week `8` is not within 0 and 6
     --> coracle.toml:8:12
    8 | schedule = "60 25 32 13 8"
      |            ^^^^^^^^^^^^^^^

  `a` is twice in `image-pull-secrets`
     --> coracle.toml:9:33
    9 | image-pull-secrets = ["a", "b", "a"]
      |                                 ^^^

  `gpu` is not a resource of containers
      --> coracle.toml:10:51
    10 | = { requests = { memory = "64Mi", gpu = 1 }, limits = { cpu = 0.1, "acme.com/gpu" = 0.5 } }
       |                                         ^

  `0.5` is not a whole number, and `acme.com/gpu` has no fractions
      --> coracle.toml:10:95
    10 |  limits = { cpu = 0.1, "acme.com/gpu" = 0.5 } }
       |                                         ^^^

hint: write it as `10Gi` or `500Mi`
hint: write five fields, as in `0 3 * * *`, or a macro such as `@daily`
hint: remove one of the two
hint: write `cpu`, `memory`, `ephemeral-storage`, `hugepages-SIZE`, or a device such as `example.com/gpu`
hint: write a whole number

"#]],
    );
    let run = |kubernetes: &str| {
        let recipe = format!(
            "[[config]]\nmount = \"/etc/app\"\nreload = \"signal:SIGHUP\"\n\
             templates = [{{ from = \"a.txt\", verbatim = true }}]\n[image]\nprograms = [\"a.txt\"]\n\
             [kubernetes]\nreload-image = \"r:1\"\n{kubernetes}\n"
        );
        let patch = "kind: Deployment\nspec: { template: { spec: { containers: [{ name: more, image: m, \
                     resources: { requests: { cpu: 2 }, limits: { cpu: 1 } } }] } } }\n";
        let mut run = coracle(["manifests", IMAGE]).file("coracle.toml", &recipe).file("a.txt", "a");
        run = run.file("patch.yaml", patch);
        let output = run.command().output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (kubernetes, message, line) in [
        ("job = { ttl = 1 }", "a Deployment has no `job`", ":9:7"),
        ("kind = \"Job\"\njob = { history = 1 }", "a Job has no `history`", ":10:7"),
        ("name = \"reload\"", "two containers of the pod have the name `reload`", ":9:8"),
        ("replicas = 2147483648", "`replicas` cannot be 2147483648", ":9:12"),
        ("probes = { tcp = 80, period = 2147483648 }", "`periodSeconds` cannot be 2147483648", ":9:10"),
        (
            "resources = { requests = { memory = \"64Mi\" }, limits = { memory = \"32m\" } }",
            "the request of `memory`, `64Mi`, is larger than its limit, `32m`",
            ":9:37",
        ),
        (
            "patches = [\"patch.yaml\"]",
            "patch.yaml, document 1: the request of `cpu`, `2`, is larger than its limit, `1`",
            ":9:12",
        ),
    ] {
        let (code, text) = run(kubernetes);
        let position = format!("--> coracle.toml{line}");
        assert!(
            code == Some(2) && text.contains(message) && text.contains(&position),
            "{kubernetes}: {text}"
        );
    }
    let (code, text) = run("resources = { requests = { cpu = 0.1, memory = \"512m\" } }");
    assert!(code == Some(0) && text.contains("is not a whole number of bytes"), "{text}");
    let (code, text) = run("annotations = { \"Example.COM/Owner\" = \"me\" }");
    assert_eq!((code, text.as_str()), (Some(0), ""));
}

#[test]
fn reports_everything_that_a_cluster_would_reject() {
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
        .file("patch.yaml", "kind: Deployment\nmetadata: { name: other }\n---\nkind: ConfigMap\ndata: { x: z }\n---\nspec: {}\n")
        .ends(2, str![""], str![[r#"
error: 7 problems in the recipe

  cannot tell which process to send `SIGHUP` to
     --> coracle.toml:3:9
    3 | mount = "/etc/app"
      |         ^^^^^^^^^^

  the pods of the Deployment share the claim for `/data`, but only one pod can use it
     --> coracle.toml:8:9
    8 | mount = "/data"
      |         ^^^^^^^

  the Service has no port: the image exposes none
      --> coracle.toml:13:11
    13 | service = true
       |           ^^^^

  the HTTP probe of `/health` has no port: the image exposes none
      --> coracle.toml:14:10
    14 | probes = { http = "/health" }
       |          ^^^^^^^^^^^^^^^^^^^^

  patch.yaml, document 1: there is no Deployment `other` for the patch
      --> coracle.toml:15:12
    15 | patches = ["patch.yaml"]
       |            ^^^^^^^^^^^^

  patch.yaml, document 2: a patch cannot change `data` of a ConfigMap
      --> coracle.toml:15:12
    15 | patches = ["patch.yaml"]
       |            ^^^^^^^^^^^^

  patch.yaml, document 3: `kind` of the object to change is missing
      --> coracle.toml:15:12
    15 | patches = ["patch.yaml"]
       |            ^^^^^^^^^^^^

hint: set `programs` in `[image]`
hint: write `kind = "StatefulSet"` for one claim per pod, `shared = true` if the storage supports it, or `replicas = 1`
hint: write `expose = ["8080"]` in `[image]`
hint: write `expose = ["8080"]` in `[image]`, or add `port` to the probe
hint: the objects are: ConfigMap `shop-config`, PersistentVolumeClaim `shop-data`, Service `shop`, Deployment `shop`
hint: a patch can only change labels and annotations; change the template for the content
hint: write `kind: Deployment`

"#]]);
}

#[test]
fn reports_patches_without_a_target() {
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

  `mode.yaml`, line 2: the number at `spec.template.spec.mode` is ambiguous: tools read it differently
     --> coracle.toml:9:5
    9 |     "mode.yaml",
      |     ^^^^^^^^^^^

hint: check the spelling and the permissions; relative paths start at the recipe's directory
hint: a patch is YAML with `kind` and the members to change
hint: write it in decimal, as in JSON: the mode `0440` is 288

"#]],
    );
    let recipe = recipe.replace("    \"gone.yaml\",\n    \"bad.yaml\",\n    \"mode.yaml\",\n", "");
    run(&recipe).ends(2, str![""], str![[r#"
error: 6 problems in the recipe

  a Deployment has no `schedule`
     --> coracle.toml:3:12
    3 | schedule = "@daily"
      |            ^^^^^^^^

  near.yaml, document 1: the Deployment `shop` has the `apiVersion` `apps/v1`, but the patch has `apps/v1beta1`
     --> coracle.toml:5:5
    5 |     "near.yaml",
      |     ^^^^^^^^^^^

  near.yaml, document 2: the Deployment `shop` has the `namespace` `shops`, but the patch has `other`
     --> coracle.toml:5:5
    5 |     "near.yaml",
      |     ^^^^^^^^^^^

  whole.yaml, document 1: `spec` must be a table: a Deployment requires it
     --> coracle.toml:6:5
    6 |     "whole.yaml",
      |     ^^^^^^^^^^^^

  whole.yaml, document 2: `metadata` must be a table: a Deployment requires it
     --> coracle.toml:6:5
    6 |     "whole.yaml",
      |     ^^^^^^^^^^^^

  whole.yaml, document 3: it removes the container `shop`, which runs the program, from the Deployment
     --> coracle.toml:6:5
    6 |     "whole.yaml",
      |     ^^^^^^^^^^^^

hint: remove it, or write `kind = "CronJob"`
hint: use the same `apiVersion` in the patch, or remove it
hint: use the same `namespace` in the patch, or remove it
hint: write the members to change in it; `null` removes a member
hint: write the members of the container to change

"#]]);
    run("[kubernetes]\npatches = [\"near.yaml\"]\n").ends(
        2,
        str![""],
        str![[r#"
error: 2 problems in the recipe

  near.yaml, document 1: the Deployment `shop` has the `apiVersion` `apps/v1`, but the patch has `apps/v1beta1`
     --> coracle.toml:2:12
    2 | patches = ["near.yaml"]
      |            ^^^^^^^^^^^

  near.yaml, document 2: the Deployment `shop` has no `namespace`, but the patch has `other`
     --> coracle.toml:2:12
    2 | patches = ["near.yaml"]
      |            ^^^^^^^^^^^

hint: use the same `apiVersion` in the patch, or remove it
hint: use the same `namespace` in the patch, or remove it

"#]],
    );
}

#[test]
fn a_probe_must_name_one_of_several_ports() {
    let run = |expose: &str, probe: &str| {
        let recipe = format!("[image]\nexpose = [{expose}]\n[kubernetes]\nprobes = {{ {probe} }}\n");
        let run = coracle(["manifests", IMAGE, "-q"]).file("coracle.toml", &recipe);
        let output = run.command().output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let health = "http = \"/health\"";
    let (code, said) = run("\"8080\", \"80\", \"53/udp\"", health);
    assert!(
        code == Some(2) && said.contains("the image exposes several, 80, 8080") && said.contains("port = …"),
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
fn warns_of_objects_too_large_for_apply() {
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
    assert!(output.status.code() == Some(2) && said.contains("larger than 1048576 bytes"), "{said}");
}

#[test]
fn rejects_content_that_kustomize_can_not_hold() {
    let project = Project::of("Pod");
    project.write("config/logo.bin", "a\u{7f}b");
    let output = project.manifests(["--layout", "kustomize", "-o", "deploy"]).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && said.contains("kustomize does not support `logo.bin`"),
        "{said}"
    );
    assert!(!project.path().join("deploy").exists());
}
