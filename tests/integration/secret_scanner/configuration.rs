//! Configuration by its path or its content; secret values; and files that only look like
//! configuration.

use coracle_testing::planted_secrets::pem_block;
use snapbox::str;

use crate::secret_scanner::project::Project;

const RECIPE: &str = r#"
[image]
programs = ["app"]

[[config]]
mount = "/etc/shop"
templates = ["config/shop.toml.j2", { from = "config/log.txt", verbatim = true }]

[values]
schema = "config/schema.json"
files = ["config/values.toml"]

[[include]]
from = "assets/"
to = "/srv"
"#;

const SCHEMA: &str = r#"{
    "required": ["name", "password"],
    "properties": { "name": { "type": "string" }, "password": { "type": "string", "writeOnly": true } }
}"#;

/// A project with templates; nothing of it is among the assets yet.
fn project() -> Project {
    let project = Project::new();
    project
        .file("coracle.toml", RECIPE)
        .file("config/shop.toml.j2", "name = {{ name|toml }}\npassword = {{ password|toml }}\n")
        .file("config/log.txt", "level: info\n")
        .file("config/schema.json", SCHEMA)
        .file("config/values.toml", "name = 'shop'\n")
        .file("password", "open sesame")
        .file("assets/index.html", "<p>hello</p>");
    project
}

#[test]
fn a_build_needs_no_secret() {
    let project = project();
    let (code, said) = project.build(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("warning:"), "{said}");
}

#[test]
fn rejects_files_below_configuration_mounts() {
    let project = project();
    project
        .file("coracle.toml", format!("{RECIPE}\n[[include]]\nfrom = \"config/\"\nto = \"/srv/config\"\n"));
    let in_mount = format!("{RECIPE}\n[[include]]\nfrom = \"assets/index.html\"\nto = \"/etc/shop/\"\n");
    project.file("mount.toml", in_mount);
    project.coracle(["build"]).ends(
        4,
        str![""],
        str![[r#"
error: the secret scanner rejected files or values of the image
  /srv/config/log.txt: it is a file of the configuration (configuration)
  /srv/config/schema.json: it is the schema of the values (configuration)
  /srv/config/shop.toml.j2: it is a template of the configuration (configuration)
  /srv/config/values.toml: it is a file of values (configuration)

hint: remove it: programs read configuration and secrets from mounted files, see `[[config]]`
hint: to accept it, pass `--allow '/srv/config/log.txt=REASON'`, or add `"/srv/config/log.txt" = "REASON"` to `[allow]` in the recipe

"#]],
    );
    let place = str![[r#"
error: the secret scanner rejected files or values of the image
  /etc/shop/index.html: it is below `/etc/shop`, which is mounted at run time (mount)

hint: remove it: programs read configuration and secrets from mounted files, see `[[config]]`
hint: to accept it, pass `--allow '/etc/shop/index.html=REASON'`, or add `"/etc/shop/index.html" = "REASON"` to `[allow]` in the recipe

"#]];
    project.coracle(["build", "-f", "mount.toml"]).ends(4, str![""], place.clone());
    // Places are known before any content is.
    let dry = project.coracle(["build", "-f", "mount.toml", "--dry-run", "--format", "json"]);
    dry.ends(4, str![""], place);
}

#[test]
fn rejects_mounts_that_hide_files() {
    let project = project();
    project.coracle(["build", "app", "--config", "config:/app"]).ends(
        4,
        str![""],
        str![[r#"
error: the secret scanner rejected files or values of the image
  /app/app: the mount at `/app` would hide it (mount)

hint: choose another mount path, such as `/etc/NAME`: a mount hides everything that the image has there

"#]],
    );
}

#[test]
fn rejects_state_directories_that_hide_programs() {
    let project = project();
    let run = |args: &[&str]| {
        let mut run = project.coracle(["build", "app"]);
        args.iter().for_each(|arg| run.more([*arg]));
        let output = run.command().output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&["--state", "/app"]);
    assert!(
        code == Some(4) && text.contains("/app/app: the mount at `/app` would hide it (mount)"),
        "{text}"
    );
    // Docker copies included files to a new volume.
    let (code, text) = run(&["--state", "/srv", "--include", "assets/:/srv/assets", "-o", "oci:out"]);
    assert!(code == Some(0) && text.contains("the mount at `/srv` would hide it"), "{text}");
    let (code, text) = run(&["--state", "/var/lib/app", "-o", "oci:out"]);
    assert!(code == Some(0) && !text.contains("would hide"), "{text}");
}

#[test]
fn rejects_files_equal_to_rendered_configuration() {
    let project = project();
    project.file("assets/copy", "name = \"shop\"\npassword = \"open sesame\"\n");
    project.file("assets/verbatim", "level: info\n");
    let (code, said) = project.build(&["--set-file", "password=password"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains("/srv/copy: it has the same content as `/etc/shop/shop.toml`, which is mounted"),
        "{said}"
    );
    assert!(
        said.contains("/srv/verbatim: it has the same content as `/etc/shop/log.txt`, which is mounted"),
        "{said}"
    );
    assert!(said.contains("/srv/copy at byte 26: the secret value `password`"), "{said}");
    assert!(!said.contains("open sesame"), "{said}");
}

#[test]
fn finds_secret_values_in_any_file() {
    let project = project();
    let base64 = "b3BlbiBzZXNhbWU=";
    project.file("assets/page", "say open sesame").file("assets/manifest", format!("password: {base64}"));
    project.compile("app", "#include <stdio.h>\nint main(void) { return puts(\"open sesame\"); }");
    let words = ["--env", "A=open sesame", "--label", "b=open sesame", "--arg", "-popen sesame"];
    let (code, said) = project.build(&[&["--set-file", "password=password"][..], &words].concat());
    assert_eq!(code, Some(4), "{said}");
    for place in [
        "/srv/page at byte 4",
        "/srv/manifest at byte 10",
        "/app/app at byte ",
        "env:A: ",
        "label:b: ",
        "arg:1: ",
    ] {
        assert_eq!(said.matches(&format!("\n  {place}")).count(), 1, "{place}: {said}");
    }
}

#[test]
fn notes_secret_values_too_short_to_search() {
    let project = project();
    project.file("password", "8080").file("assets/page", "port 8080");
    let (code, said) = project.build(&["--set-file", "password=password"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("hint: the image is not searched for `password`"), "{said}");
}

#[test]
fn invalid_configuration_stays_an_error() {
    let project = project();
    project.file("config/shop.toml.j2", "name = {{ nmae|toml }}\n");
    let (code, said) = project.build(&[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.starts_with("error: `nmae` is undefined; did you mean `name`?"), "{said}");
    project.file("config/shop.toml.j2", "name = {{ name }}\n");
    let (code, said) = project.build(&[]);
    assert_eq!((code, said.contains("is not valid TOML")), (Some(2), true), "{said}");
}

#[test]
fn warns_of_likely_configuration_unless_strict() {
    let project = project();
    project.file("assets/nginx.conf", "worker_processes 1;\n").file("assets/.env.example", "A=1\n");
    let (code, said) = project.build(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains(
            "warning: possible configuration or secrets in the image: /srv/nginx.conf: it looks like"
        )
    );
    assert!(!said.contains(".env.example"), "{said}");
    std::fs::remove_dir_all(project.path("out.oci")).unwrap();
    let (code, said) = project.build(&["--strict"]);
    assert_eq!(
        (code, said.contains("\n  /srv/nginx.conf: it looks like configuration (file-name)")),
        (Some(4), true),
        "{said}"
    );
}

#[test]
fn rejects_secrets_in_config_maps() {
    let project = project();
    let recipe = RECIPE.replace("\"config/shop.toml.j2\",", "\"config/shop.toml.j2\", \"config/motd.j2\",");
    project.file("coracle.toml", recipe.replace("config/log.txt", "config/key.txt"));
    project.file("config/motd.j2", "{{ name }} says: open sesame\n");
    project.file("config/key.txt", pem_block(&["RSA PRIVATE", "KEY"].join(" "), ""));
    let refused = ["--set-file=password=password"];
    let (code, said) = project.build(&refused);
    assert_eq!(code, Some(4), "{said}");
    let heading = "error: the secret scanner found secrets in a ConfigMap\n";
    assert!(said.starts_with(heading), "{said}");
    for place in ["/etc/shop/key.txt", "/etc/shop/motd at byte 11: the secret value `password` (secret)"] {
        assert_eq!(said.matches(&format!("\n  {place}")).count(), 1, "{place}: {said}");
    }
    assert!(said.contains("hint: mark the value `writeOnly` in the schema"), "{said}");
    // Who has the image already is told as well.
    let image = format!("shop@sha256:{}", "1".repeat(64));
    let output = project.coracle(["manifests", &image, refused[0]]).command().output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0));
    let (code, said) = project.build(&[refused[0], "--allow=/etc/shop=a test"]);
    assert_eq!(code, Some(0), "{said}");
}
