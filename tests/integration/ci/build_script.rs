//! `ci/build.sh`, run by each shell: which words it makes of `args` and `tags`.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use coracle_testing::write_executable;
use tempfile::TempDir;

use crate::ci::install_script::{BUSYBOX, busybox};

/// The shells that a job may have. A PATH with busybox alone is beside its own.
fn shells(folder: &Path) -> Vec<(Vec<&'static str>, String)> {
    let path = "/usr/bin:/bin".to_owned();
    let debian = [vec!["dash"], vec!["bash", "-eo", "pipefail"]].map(|shell| (shell, path.clone()));
    debian.into_iter().chain(busybox(folder).map(|path| (vec![BUSYBOX, "sh"], path))).collect()
}

/// Runs the script. In place of coracle stands what prints its arguments, with an end behind each.
fn run(folder: &Path, (shell, path): &(Vec<&str>, String), set: &[(&str, &str)]) -> Output {
    write_executable(&folder.join("coracle"), "#!/bin/sh\nprintf '%s\\0' \"$@\"\n");
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/build.sh"));
    command.current_dir(folder).env_clear().env("PATH", format!("{}:{path}", folder.display()));
    for name in ["ARGS", "TAGS", "PUSH", "CARGO", "PREVIOUS", "BUDGET_IMAGE", "BUDGET_GROWTH"] {
        command.env(format!("CORACLE_{name}"), "");
    }
    for name in ["METADATA_FILE", "DOTENV", "SUMMARY"] {
        command.env(format!("CORACLE_{name}"), name);
    }
    command.envs(set.iter().copied()).stdin(Stdio::null()).output().unwrap()
}

/// The arguments of coracle, without `build` and the three reports.
fn words(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.split_terminator('\0').skip(7).map(str::to_owned).collect()
}

#[test]
fn every_shell_splits_arguments_equally() {
    let folder = TempDir::new().unwrap();
    for shell in shells(folder.path()) {
        for (args, expected) in [
            ("", &[][..]),
            (" \n\t ", &[]),
            ("./app --expose 80", &["./app", "--expose", "80"]),
            ("./app \\\n  --expose 8080 \\\n", &["./app", "--expose", "8080"]),
            ("./app\n--expose\n8080\n", &["./app", "--expose", "8080"]),
            ("--pre\\\nfix", &["--prefix"]),
            ("a '' \"\" b", &["a", "", "", "b"]),
            ("--label ''", &["--label", ""]),
            ("'a\nb' \"c\nd\"", &["a\nb", "c\nd"]),
            ("\"c\\\nd\"", &["cd"]),
            ("a\\ b 'c d'\"e f\"g", &["a b", "c de fg"]),
            ("\\'a\\\" 'b\\' \"c\\d\\\"\\\\\\$\\`\"", &["'a\"", "b\\", "c\\d\"\\$`"]),
            (
                "$HOME `touch made` $(touch made) * ~ {a,b}",
                &["$HOME", "`touch", "made`", "$(touch", "made)", "*", "~", "{a,b}"],
            ),
            ("#x a#b ; & | < > ! [a] ?", &["#x", "a#b", ";", "&", "|", "<", ">", "!", "[a]", "?"]),
            ("end\\", &["end\\"]),
            ("ü=é", &["ü=é"]),
            ("-- -n -e", &["--", "-n", "-e"]),
        ] {
            let output = run(folder.path(), &shell, &[("CORACLE_ARGS", args)]);
            assert_eq!(words(&output), expected, "{shell:?}: {args:?}");
        }
        assert!(!folder.path().join("made").exists());
    }
}

#[test]
fn an_unclosed_quote_is_reported_with_its_input() {
    let folder = TempDir::new().unwrap();
    for shell in shells(folder.path()) {
        for (name, input, value, quote) in
            [("CORACLE_ARGS", "args", "./app --label 'a=b", "'"), ("CORACLE_TAGS", "tags", "a \"b", "\"")]
        {
            let output = run(folder.path(), &shell, &[(name, value)]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(
                said,
                format!("error: `{input}` has a quote, {quote}, that nothing closes\n"),
                "{shell:?}"
            );
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        }
    }
}

#[test]
fn image_names_become_lower_case_but_tags_do_not() {
    let folder = TempDir::new().unwrap();
    for shell in shells(folder.path()) {
        let set = [
            ("CORACLE_TAGS", "ghcr.io/Acme/Shop:RC1 localhost:5000/A/B\nACME/x"),
            ("CORACLE_PREVIOUS", "docker://ghcr.io/Acme/Shop:Last"),
            ("CORACLE_ARGS", "./App -o oci:Out:Tag"),
        ];
        let expected = [
            "--previous",
            "docker://ghcr.io/acme/shop:Last",
            "--tag",
            "ghcr.io/acme/shop:RC1",
            "--tag",
            "localhost:5000/a/b",
            "--tag",
            "acme/x",
            "./App",
            "-o",
            "oci:Out:Tag",
        ];
        assert_eq!(words(&run(folder.path(), &shell, &set)), expected, "{shell:?}");
        let layout = run(folder.path(), &shell, &[("CORACLE_PREVIOUS", "oci:Out:Tag")]);
        assert_eq!(words(&layout), ["--previous", "oci:Out:Tag"]);
    }
}
