//! Completions, as real shells offer them.

use std::path::Path;
use std::process::Command;

use coracle_testing::{coracle, coracle_in, skipped};
use snapbox::str;

/// The script for `shell`, of `coracle` or, as cargo calls it, of `cargo coracle`.
fn script(shell: &str, is_under_cargo: bool) -> String {
    let mut run = coracle_in(Path::new("."), [if is_under_cargo { "coracle" } else { "completions" }]);
    if is_under_cargo {
        run.more(["completions", shell]);
        run = run.through(env!("CARGO_BIN_EXE_cargo-coracle"), |_| false);
    } else {
        run.more([shell]);
    }
    let output = run.command().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The output of `shell` running `script` and then `question`; `None` if it is not installed.
fn ask(shell: &str, script: &str, question: &str) -> Option<String> {
    let output = match Command::new(shell).args(["-c", &format!("{script}\n{question}")]).output() {
        Ok(output) => output,
        Err(error) => {
            skipped(&format!("{shell} can't be run: {error}"));
            return None;
        }
    };
    assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn bash_completes_commands_flags_and_values() {
    for (is_under_cargo, command, function) in
        [(false, "coracle", "_coracle"), (true, "cargo-coracle", "_cargo_coracle")]
    {
        let script = script("bash", is_under_cargo);
        let complete = |words: &str, expected: &str| {
            let before = words.rsplit(' ').nth(1).unwrap();
            let last = words.rsplit(' ').next().unwrap();
            let at = words.matches(' ').count();
            let question = format!(
                "COMP_WORDS=({words}); COMP_CWORD={at}; {function} {command} '{last}' '{before}'; echo \"${{COMPREPLY[*]}}\""
            );
            let Some(completed) = ask("bash", &script, &question) else { return };
            assert_eq!(completed.trim_end(), expected, "{words}");
        };
        complete(&format!("{command} ini"), "init");
        complete(&format!("{command} cache pr"), "prune");
        complete(&format!("{command} build --compr"), "--compression");
        complete(&format!("{command} build --format j"), "json");
        complete(&format!("{command} init --c"), "--ci --color");
        complete(&format!("{command} build --linkage s"), "static");
        complete(&format!("{command} build --compression z"), "zstd");
        complete(&format!("{command} build --openssl "), "auto true false");
        // Where it is run there is a Cargo.toml.
        complete(&format!("{command} build --authfile Cargo.t"), "Cargo.toml");
        complete(&format!("{command} build --user Cargo.t"), "Cargo.t");
        complete(&format!("{command} build --metadata-file Cargo.t"), "Cargo.toml");
        let registered = ask("bash", &script, &format!("complete -p {command}"));
        assert!(registered.is_none_or(|line| line.contains(&format!("-F {function} {command}\n"))));
    }
}

#[test]
fn fish_completes_commands() {
    for (is_under_cargo, command) in [(false, "coracle"), (true, "cargo-coracle")] {
        let script = script("fish", is_under_cargo);
        let Some(completed) = ask("fish", &script, &format!("complete --do-complete '{command} ini'")) else {
            return;
        };
        assert_eq!(completed, "init\tWrite a first recipe, with configuration and CI\n");
    }
}

#[test]
fn zsh_accepts_the_script() {
    for (is_under_cargo, function) in [(false, "_coracle"), (true, "_cargo-coracle")] {
        let script = script("zsh", is_under_cargo);
        assert!(script.starts_with(&format!("#compdef {}\n", &function[1..])), "{script}");
        // With the functions of zsh's completion there, it is loaded and registers itself.
        let question = format!(
            "print -r -- $functions[{function}] | head -n 1; print -r -- $_comps[{}]",
            &function[1..]
        );
        let Some(printed) = ask("zsh", &format!("autoload -U compinit; compinit -u -D\n{script}"), &question)
        else {
            return;
        };
        assert!(printed.ends_with(&format!("\n{function}\n")), "{printed}");
    }
}

#[test]
fn the_other_shells_get_a_script() {
    for shell in ["elvish", "powershell"] {
        assert!(script(shell, false).contains("'coracle;build'"), "{shell}");
    }
    coracle(["completions", "tcsh"]).ends(
        2,
        str![],
        str![[r#"
error: invalid value `tcsh` for `<SHELL>`
  [possible values: bash, elvish, fish, powershell, zsh]

hint: `coracle completions --help` lists all flags, with examples

"#]],
    );
}
