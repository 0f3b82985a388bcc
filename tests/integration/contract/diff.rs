//! `coracle config diff`

use serde_json::{Value, json};

use crate::contract::test_image::TestFolder;

#[test]
fn compares_two_contracts() {
    let folder = TestFolder::new();
    let old = folder.run(&["config", "show", "@", "--format", "json"]).stdout;
    folder
        .file("old.json", &old)
        .file("new.json", old.replace("\"motd\"", "\"news\"").replace("8080/tcp", "8081/tcp"));
    let ended = folder.run(&["config", "diff", "@", "old.json"]);
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
    let ended = folder.run(&["config", "diff", "@", "new.json"]);
    let expected = "          file /etc/shop/motd is no longer read
breaking  file /etc/shop/news is new, and the program needs it
breaking  port 8080/tcp is no longer exposed
          port 8081/tcp is new
";
    assert_eq!((ended.status, ended.stdout.as_str()), (4, expected));
    let ended = folder.run(&["config", "diff", "old.json", "new.json", "--format", "json"]);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(ended.status, 4);
    assert_eq!(
        found["changes"][1],
        json!({"part": "file", "name": "/etc/shop/news", "breaking": true, "message": "is new, and the program needs it"})
    );
}

#[test]
fn images_without_configuration_do_not_differ() {
    let folder = TestFolder::new();
    let program = crate::contract::test_image::shop().join("app");
    folder.run(&["build", program.to_str().unwrap(), "-o", "oci:plain.oci"]);
    let ended = folder.run(&["config", "diff", "oci:plain.oci", "oci:plain.oci"]);
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
    let ended = folder.run(&["config", "diff", "-q", "oci:plain.oci", "@"]);
    assert!(ended.status == 4 && ended.stdout.contains("mount /etc/shop is new"), "{}", ended.stdout);
}

#[test]
fn rejects_files_that_are_not_contracts() {
    let folder = TestFolder::new();
    folder.file("none.json", "{}").file("no.json", "x");
    for (file, expected) in [
        (
            "none.json",
            "error: `none.json` is not a contract: the label `io.coracle.config.v1` is not a valid contract: `version` is missing\n",
        ),
        ("no.json", "error: `no.json` is not a contract: expected value at line 1 column 1\n"),
        ("gone.json", "error: cannot read `gone.json`: No such file or directory (os error 2)\n"),
    ] {
        let ended = folder.run(&["config", "diff", "@", file]);
        assert_eq!(ended.status, 1);
        assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
    }
}
