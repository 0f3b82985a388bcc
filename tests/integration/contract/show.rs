//! `coracle config show`

use crate::contract::test_image::TestFolder;

#[test]
fn prints_a_contract() {
    let ended = TestFolder::new().run(&["config", "show", "@"]);
    let (shown, schema) = ended.stdout.split_once("schema  ").unwrap();
    let expected = "\
/etc/shop  reload: watch
  motd
  shop.toml  toml; uses name, port
/run/secrets/shop  reload: restart
  token  secret
parameters
  name  string; required
  port  integer
environment
  MOTD  /etc/shop/motd
writable
  /var/lib/shop
ports  8080/tcp
user  65532:65532
";
    assert_eq!((ended.status, shown, ended.stderr.as_str()), (0, expected, ""));
    assert!(schema.starts_with("sha256:"));
}

#[test]
fn reports_an_image_without_a_contract() {
    let folder = TestFolder::new();
    let program = crate::contract::test_image::shop().join("app");
    folder.run(&["build", program.to_str().unwrap(), "-o", "oci:plain.oci"]);
    let ended = folder.run(&["config", "show", "oci:plain.oci"]);
    let expected = "error: `oci:plain.oci` has no contract: its label `io.coracle.config.v1` is missing\n\n\
                    hint: build the image with `[[config]]` in its recipe, or with `--config FOLDER:TO`\n";
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (1, "", expected));
}

#[test]
fn prints_parameters_from_the_whole_contract_if_the_label_omits_them() {
    let folder = TestFolder::new();
    let keys: Vec<String> =
        (0..300).map(|n| format!("\"parameter-{n}\": {{\"type\": \"integer\"}}")).collect();
    let recipe = format!(
        "[image]\nprograms = [\"{}\"]\n[values]\nschema = \"schema.json\"\n\
         [[config]]\nmount = \"/etc/app\"\ntemplates = [{{ from = \"a.txt\", verbatim = true }}]\n",
        crate::contract::test_image::shop().join("app").display()
    );
    folder.file("coracle.toml", recipe).file("a.txt", "a");
    folder.file("schema.json", format!("{{\"properties\": {{{}}}}}", keys.join(", ")));
    let build = |places: &[&str]| {
        let ended = folder.run(&[&["build", "-q"], places].concat());
        assert_eq!(ended.status, 0, "{ended:?}");
    };
    let last = "  parameter-299  integer\n";

    build(&["-o", "oci:big.oci"]);
    let ended = folder.run(&["config", "show", "oci:big.oci"]);
    let expected =
        "which also has the parameters, for which the label has no room; pass `--contract` to read it\n";
    assert!(ended.stdout.ends_with(expected) && !ended.stdout.contains(last), "{ended:?}");
    let ended = folder.run(&["config", "show", "oci:big.oci", "--contract", "oci:big.oci"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert!(
        ended.stderr.starts_with("error: `oci:big.oci` has no whole contract of `oci:big.oci`\n"),
        "{ended:?}"
    );

    build(&["-o", "oci:big.oci", "--publish-contract", "oci:contracts"]);
    let ended = folder.run(&["config", "show", "oci:big.oci", "--contract", "oci:contracts"]);
    assert!(ended.stdout.contains(last) && !ended.stdout.contains("the label has no room"), "{ended:?}");
    let ended =
        folder.run(&["config", "show", "oci:big.oci", "--contract", "oci:contracts", "--format", "json"]);
    let contract: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(contract["parameters"]["parameter-299"]["type"], "integer");

    build(&["-o", "oci:big.oci", "--publish-contract", "oci:big.oci"]);
    let ended = folder.run(&["config", "show", "oci:big.oci"]);
    assert!(ended.stdout.contains(last), "{ended:?}");

    let ended = folder.run(&["config", "show", "label.json", "--contract", "oci:contracts"]);
    let expected = "error: `--contract` needs an image, but `label.json` is a file\n";
    assert!(ended.status == 2 && ended.stderr.starts_with(expected), "{ended:?}");
}
