//! `coracle config show`

use crate::shop::Desk;

#[test]
fn a_contract_is_shown_to_people() {
    let ended = Desk::new().run(&["config", "show", "@"]);
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
fn an_image_without_a_contract_says_so() {
    let desk = Desk::new();
    let program = crate::shop::shop().join("app");
    desk.run(&["build", program.to_str().unwrap(), "-o", "oci:plain.oci"]);
    let ended = desk.run(&["config", "show", "oci:plain.oci"]);
    let expected = "error: `oci:plain.oci` has no contract: its label `io.coracle.config.v1` is not there\n\n\
                    hint: build it with `[[config]]` in its recipe, or with `--config MOUNT=FOLDER`\n";
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (1, "", expected));
}
