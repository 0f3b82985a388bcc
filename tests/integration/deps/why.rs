//! `--why`: the chains that lead to an object, the rules behind them, and what it costs.

use std::fs;

use serde_json::{Value, json};

use crate::deps::test_programs::{cc, deps, for_another_machine, project, why};

#[test]
fn prints_every_chain_with_its_rule() {
    let project = project();
    let expected = "\
[AT]/lib/libb.so
  found: RPATH of [AT]/main
  [AT]/main
    needs libb.so: [AT]/lib/libb.so, RPATH of [AT]/main
  [AT]/main
    needs liba.so: [AT]/lib/liba.so, RPATH of [AT]/main
    needs libb.so: [AT]/lib/libb.so, mapped already
";
    let path = format!("{}/lib/libb.so", project.path().display());
    for name in ["libb.so", &path] {
        let seen = why(project.path(), &["main", "--why", name]);
        assert_eq!(seen, (0, expected.into(), String::new()));
    }
    let (_, stdout, _) = why(project.path(), &["main", "--why", "ld-linux-x86-64.so.2"]);
    assert!(stdout.contains("\n  found: the interpreter of [AT]/main\n"), "{stdout}");
}

#[test]
fn suggests_libraries_for_an_unknown_name() {
    let project = project();
    for (wanted, hint) in
        [("libb", "did you mean `libb.so`"), ("zzz", "leave out `--why` to list all mapped objects")]
    {
        let (code, stdout, stderr) = deps(project.path(), &["main", "--why", wanted]);
        let error = format!("error: no mapped object is named `{wanted}`\n\nhint: {hint}");
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(stderr.starts_with(&error), "{stderr}");
    }
    // Of several files, some may have it.
    let (code, stdout, stderr) =
        deps(project.path(), &["/bin/true", "main", "--why", "libb.so", "--format", "jsonl"]);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!((&lines[0]["file"], &lines[0]["why"]), (&json!("/bin/true"), &json!([])));
    let why = &lines[1]["why"][0];
    assert_eq!(why["path"], "[AT]/lib/libb.so");
    assert_eq!(
        why["chains"][1][1],
        json!({
            "path": "[AT]/lib/liba.so", "name": "liba.so", "rule": "RPATH of [AT]/main",
        })
    );
    assert_eq!(
        (&why["chains"][1][2]["rule"], &why["more_chains"]),
        (&json!("mapped already"), &json!(false))
    );
    assert!(why["compressed"].as_u64().unwrap() < why["size"].as_u64().unwrap());
    let (code, _, stderr) = deps(project.path(), &["main", "--why", "libb.so", "--format", "paths"]);
    assert_eq!((code, stderr.lines().next()), (2, Some("error: `--why` does not support `--format paths`")));
}

#[test]
fn prints_searched_directories_and_rejected_files() {
    let project = project();
    let at = project.path();
    fs::create_dir(at.join("other")).unwrap();
    fs::write(at.join("other/libb.so"), for_another_machine(&at.join("lib/libb.so"))).unwrap();
    cc(
        at,
        &[
            "-o",
            "looks",
            "main.c",
            "lib/liba.so",
            "lib/libb.so",
            "-Wl,-rpath,/nowhere:$ORIGIN/other:$ORIGIN/lib",
        ],
    );
    let expected = "\
[AT]/lib/libb.so
  found: RUNPATH of [AT]/looks
  searched before it was found, in order:
    /nowhere    RUNPATH of [AT]/looks
    [AT]/other  RUNPATH of [AT]/looks
  found but refused:
    [AT]/other/libb.so  it is for aarch64, not for x86-64
  [AT]/looks
    needs libb.so: [AT]/lib/libb.so, RUNPATH of [AT]/looks
";
    let (code, stdout, stderr) = why(at, &["looks", "--why", "libb.so"]);
    // The columns are as wide as the real path.
    let squeezed = |text: &str| {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(squeezed(&stdout)[..8], squeezed(expected)[..8]);
    let (_, stdout, _) = deps(at, &["looks", "--why", "libb.so", "--format", "json"]);
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        value["why"][0]["searched"][2],
        json!({ "directory": "[AT]/lib", "rule": "RUNPATH of [AT]/looks" })
    );
    assert_eq!(value["why"][0]["refused"][0]["path"], "[AT]/other/libb.so");

    fs::remove_file(at.join("lib/libb.so")).unwrap();
    let (code, stdout, _) = why(at, &["looks", "--why", "libb.so"]);
    let lines = squeezed(&stdout);
    assert_eq!((code, lines[0].as_str(), lines[1].as_str()), (4, "libb.so not found", "searched, in order:"));
    let chain = ["[AT]/looks", "needs libb.so", "libb.so not found"];
    assert!(lines.windows(3).any(|lines| lines == chain), "both who need it are listed: {stdout}");
}

#[test]
fn prints_the_size_of_a_librarys_dependencies() {
    let project = project();
    let at = project.path();
    fs::write(at.join("only.c"), "int a(void);\nint main(void) { return a(); }\n").unwrap();
    cc(
        at,
        &[
            "-o",
            "only",
            "only.c",
            "lib/liba.so",
            "-Wl,-rpath-link,lib,--disable-new-dtags,-rpath,$ORIGIN/lib",
        ],
    );
    let (code, stdout, stderr) = deps(at, &["only", "--why", "liba.so"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("\n  only it needs 1 more object: "), "{stdout}");
    let (_, stdout, _) = deps(at, &["only", "--why", "liba.so", "--format", "json"]);
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(value["why"][0]["alone"]["libs"], json!(["[AT]/lib/libb.so"]));
}
