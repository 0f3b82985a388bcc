//! `--dry-run`: every entry and why it is there, and nothing written.

use coracle_testing::listing;
use snapbox::str;

use crate::build::project::Project;

#[test]
fn prints_text() {
    let project = Project::hello(&["-static"]);
    project.file("assets/logo", "*").link("assets/icon", "logo");
    let before = listing(project.folder());
    project.coracle(["build", "hello", "--dry-run", "--include", "assets:/srv"]).ends(
        0,
        str![[r#"
     SIZE  MODE  PATH               REASON
        -  0755  /app/              on the path to other files
682.70 kB  0755  /app/hello         program
        -  0755  /etc/              on the path to other files
     44 B  0644  /etc/group         accounts of the user
    137 B  0644  /etc/passwd        accounts of the user
        -  0755  /srv/              included from [FOLDER]/assets
        -     -  /srv/icon -> logo  included from [FOLDER]/assets
      1 B  0644  /srv/logo          included from [FOLDER]/assets

682.88 kB for linux/amd64: 4 files, 1 link, 3 directories, in 2 layers
  data           182 B  3 files
  program    682.70 kB  1 file

"#]],
        str![],
    );
    assert_eq!(listing(project.folder()), before);
}

#[test]
fn prints_json() {
    let project = Project::new();
    project.compile("cc", "hello", crate::build::project::HELLO, &[]);
    let before = listing(project.folder());
    let run = project.coracle(["build", "hello", "-t", "shop", "--dry-run", "--format", "json", "-q"]);
    let output = run.command().output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(listing(project.folder()), before);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let image = &said["images"][0];
    assert_eq!(image["references"], serde_json::json!(["shop:latest"]));
    assert!(image["advice"][0].as_str().unwrap().contains("--strip"));
    assert_eq!(image["hints"], serde_json::json!([]));
    // The plan and the packed image have the same entries.
    let planned: std::collections::BTreeSet<String> = image["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap().to_owned())
        .filter(|path| path != "/")
        .collect();
    let packed = project.built(&["hello"], "hello.oci").below(&["/"]);
    let path = |line: &String| line.split(" -> ").next().unwrap().trim_end_matches('/').to_owned();
    assert_eq!(planned, packed.iter().map(path).collect());
}
