//! Rendered files, as the program will read them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use coracle_testing::coracle_in;
use snapbox::str;

use crate::config::{project, render};

#[test]
fn files_are_written_as_the_program_will_read_them() {
    let project = project();
    let at = project.path();
    render(at, ["--environment", "production", "--set-file", "password=password", "--output", "out"]).ends(
        0,
        str![""],
        str![[r#"
out/etc/shop/again.txt 28 bytes
out/etc/shop/logo.bin 3 bytes
out/etc/shop/shop.toml 28 bytes
out/run/secrets/shop/login.env 23 bytes, secret

"#]],
    );
    let read = |path: &str| fs::read(at.join("out").join(path)).unwrap();
    assert_eq!(read("etc/shop/shop.toml"), b"name = 'shop \"1\"'\nport = 80\n".as_slice());
    assert_eq!(read("etc/shop/logo.bin"), [0xff, 0x00, b'\n']);
    assert_eq!(read("run/secrets/shop/login.env"), b"PASSWORD='open sesame'\n");
    let mode = |path: &str| fs::metadata(at.join("out").join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("run/secrets/shop/login.env"), 0o600, "a secret is its owner's alone");
    assert_ne!(mode("etc/shop/shop.toml") & 0o044, 0);
}

#[test]
fn a_folder_needs_no_recipe() {
    let project = project();
    fs::remove_file(project.path().join("config/login.env.j2")).unwrap();
    fs::remove_file(project.path().join("config/logo.bin")).unwrap();
    fs::remove_file(project.path().join("config/production.yaml")).unwrap();
    render(project.path(), ["--config", "config:/etc/shop", "--set", "port=1"]).ends(
        0,
        str![[r#"
name = 'shop "1"'
port = 1

"#]],
        str![""],
    );
}

#[test]
fn does_not_print_secrets_to_a_terminal() {
    let project = project();
    fs::remove_file(project.path().join("config/logo.bin")).unwrap();
    fs::remove_file(project.path().join("config/production.yaml")).unwrap();
    render(project.path(), ["--config", "config:/etc/shop", "--set-file", "password=password"]).ends(
        0,
        str![[r#"
==> /etc/shop/login.env
==> /etc/shop/shop.toml
name = 'shop "1"'
port = 8080

"#]],
        str![[r#"
/etc/shop/login.env is secret: use `--output DIR` to write it

"#]],
    );
}

#[test]
fn warns_about_unchanged_files_that_are_not_in_the_format_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("c")).unwrap();
    for (name, text) in [("a.json", "{\n\"a\": 1,}"), ("b.toml", "a = 1\na = 2\n"), ("c.txt", "{")] {
        fs::write(folder.path().join("c").join(name), text).unwrap();
    }
    fs::write(folder.path().join("c/d.properties"), b"a=\xff\n").unwrap();
    let mut render = coracle_in(folder.path(), ["config", "render", "--config=c:/etc/app"]);
    render.more(["--quiet", "-o", "out"]);
    render.ends(
        0,
        str![""],
        str![[r#"
warning: `c/a.json` is not valid JSON: trailing comma
   --> c/a.json:2
  it is mounted unchanged
warning: `c/b.toml` is not valid TOML: duplicate key
   --> c/b.toml:2
  it is mounted unchanged
warning: `c/d.properties` is not UTF-8, so it is not valid Java properties
  it is mounted unchanged

"#]],
    );
    assert_eq!(fs::read(folder.path().join("out/etc/app/d.properties")).unwrap(), b"a=\xff\n");

    let recipe =
        "[[config]]\nmount = \"/etc/app\"\ntemplates = [{ from = \"c/a.json\", format = \"json\" }]\n";
    fs::write(folder.path().join("coracle.toml"), recipe).unwrap();
    coracle_in(folder.path(), ["config", "render"]).ends(
        2,
        str![""],
        str![[r#"
error: `c/a.json` is not valid JSON: trailing comma
   --> c/a.json:2

hint: fix the file, or set its `format` in the recipe, such as `jsonc` or `none`

"#]],
    );
}

#[test]
fn renders_numbers_as_written_or_rejects_them() {
    let project = project();
    let at = project.path();
    fs::write(at.join("config/schema.json"), "{}").unwrap();
    fs::write(at.join("config/login.env.j2"), "A={{ mode }}\n").unwrap();
    fs::write(at.join("config/production.yaml"), "port: 8080\nmode: 0644\nversion: 1.10\n").unwrap();
    render(at, ["--environment", "production", "--set", "rate=2.50"]).ends(
        2,
        str![""],
        str![[r#"
error: `mode`: the number would change when it is rendered, because it is not in canonical form (from config/production.yaml, line 2)
  `version`: the number would change when it is rendered, because it is not in canonical form (from config/production.yaml, line 3)
  `rate`: the number would change when it is rendered, because it is not in canonical form (from --set rate)

hint: quote it if it is text, such as a version `"1.10"` or a mode `"0644"`
hint: quote it if it is text: `--set 'rate="1.10"'`
hint: write a number in decimal: `420` for 0644, `1.5` for 1.50, `1000` for 1_000 or 1e3

"#]],
    );
    let text = "{{ n }} {{ n|json }} {{ n|toml }} {{ n|yaml }} {{ n|sh }}";
    fs::write(at.join("n.j2"), text).unwrap();
    fs::write(at.join("coracle.toml"), "[[config]]\nmount = \"/etc/n\"\ntemplates = [\"n.j2\"]\n").unwrap();
    for number in
        ["0", "-5", "1.5", "0.25", "1.0", "-0.0", "0.00001", "1234567890123.5", "9223372036854775807"]
    {
        fs::write(at.join("n.toml"), format!("n = {number}\n")).unwrap();
        fs::write(at.join("n.yaml"), format!("n: {number}\n")).unwrap();
        fs::write(at.join("n.json"), format!("{{\"n\": {number}}}")).unwrap();
        let set = format!("--set=n={number}");
        for flag in ["--values=n.toml", "--values=n.yaml", "--values=n.json", &set] {
            let output = render(at, [flag]).command().output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), [number; 5].join(" "), "{flag}");
        }
    }
}
