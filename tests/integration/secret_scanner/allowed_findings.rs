//! Findings that are accepted on purpose.

use coracle_testing::planted_secrets::pem_block;
use snapbox::str;

use crate::secret_scanner::project::Project;

fn project() -> Project {
    let project = Project::new();
    project.file("assets/demo.pem", pem_block(&["PRIVATE", "KEY"].join(" "), ""));
    project
}

#[test]
fn findings_are_allowed_by_flag_and_recipe() {
    let project = project();
    let allow = "/srv/demo.pem=a key for the tutorial";
    let include = ["app", "--include", "assets/:/srv"];
    let (code, said) = project.build(&[&include[..], &["--allow", allow]].concat());
    assert_eq!(code, Some(0), "{said}");
    let note = "hint: accepted on purpose: /srv/demo.pem at byte 0: a private key (private-key): a key for the tutorial\n";
    assert!(said.contains(note), "{said}");
    std::fs::remove_dir_all(project.path("out.oci")).unwrap();
    project
        .file("coracle.toml", "[image]\nprograms = [\"app\"]\n[allow]\n\"/srv\" = \"all of it is public\"\n");
    let (code, said) = project.build(&["--include", "assets/:/srv"]);
    assert_eq!(code, Some(0), "a directory stands for what is in it: {said}");
}

#[test]
fn warns_of_unused_allowances() {
    let project = project();
    let (code, said) =
        project.build(&["app", "--allow", "/srv/gone.pem=it was there once", "--allow", "env:A=a test"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("warning: nothing was found at `/srv/gone.pem`: remove it from `[allow]` or `--allow`"),
        "{said}"
    );
    assert!(said.contains("warning: nothing was found at `env:A`"), "{said}");
}

#[test]
fn requires_a_reason() {
    project().coracle(["build", "app", "--allow", "/srv/demo.pem", "--allow", "srv=x"]).ends(
        2,
        str![""],
        str![[r#"
error: 2 problems on the command line
  `--allow`: no reason is given for allowing `/srv/demo.pem`
  `--allow`: `srv` is not a path inside an image: it must start with `/`

hint: write it as `--allow PATH=REASON`
hint: write an absolute path before the reason

"#]],
    );
}

#[test]
fn requires_a_rule_name() {
    let project = project();
    for kind in ["env:", "label:", "annotation:", "arg:"] {
        for more in [&[][..], &["--dry-run"]] {
            let allow = format!("{kind}=a test");
            let (code, said) = project.build(&[&["app", "--allow", &allow][..], more].concat());
            assert_eq!(code, Some(2), "{said}");
            assert!(
                said.contains(&format!("`{kind}` is not a complete entry of `[allow]`: the name is missing")),
                "{said}"
            );
        }
    }
}
