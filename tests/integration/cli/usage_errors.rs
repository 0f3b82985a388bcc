//! Command lines that say something wrong.

use coracle_testing::coracle;
use snapbox::str;

/// Returns stderr of `coracle` with these arguments, which are invalid.
fn said(args: &[&str]) -> String {
    let run = coracle([]);
    let output = run.command().args(args).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), b"".as_slice()), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn suggests_the_name_that_was_misspelled() {
    for (args, message, hint) in [
        (&["bild"][..], "`coracle` has no command `bild`", "did you mean `coracle build`?"),
        (
            &["config", "rendr"],
            "`coracle config` has no command `rendr`",
            "did you mean `coracle config render`?",
        ),
        (&["build", "--taag", "shop"], "`coracle build` has no flag `--taag`", "did you mean `--tag`?"),
        (&["build", "--plat=x"], "`coracle build` has no flag `--plat`", "did you mean `--platform`?"),
        (&["copy", "--referers"], "`coracle copy` has no flag `--referers`", "did you mean `--referrers`?"),
        (
            &["deps", "--cmpressed"],
            "`coracle deps` has no flag `--cmpressed`",
            "did you mean `--compressed`?",
        ),
    ] {
        assert_eq!(said(args), format!("error: {message}\n\nhint: {hint}\n"));
    }
}

#[test]
fn suggests_nothing_that_only_looks_similar() {
    for args in [
        &["build", "--sort"][..],
        &["build", "--cat"],
        &["build", "--word"],
        &["build", "--stack"],
        &["copy", "--formula"],
        &["init", "--precipitate"],
        &["reply"],
        &["coppice"],
        &["bold"],
    ] {
        let said = said(args);
        assert!(said.contains("--help` lists all ") && !said.contains("did you mean"), "{said}");
    }
}

#[test]
fn words_of_other_tools_get_ours() {
    for (args, hint) in [
        (&["build", "app", "-p", "80:80"][..], "`--expose PORT` declares a port"),
        (&["build", "app", "--port", "80"], "`--expose PORT` declares a port"),
        (&["build", "app", "-v", "./a:/b"], "`--include FROM:TO` adds files to the image"),
        (&["build", "app", "-e", "A=B"], "`--env NAME=VALUE` sets a variable"),
        (&["build", "app", "--entrypoint", "x"], "the program is the entrypoint"),
        (&["build", "app", "--workdir", "/"], "`--working-dir PATH` sets the directory"),
        (&["build", "app", "--name", "x"], "`-t NAME[:TAG]` names the image"),
        (&["build", "app", "--bare"], "`-t NAME[:TAG]` names the image"),
        (&["build", "app", "--build-arg", "A=B"], "leave it out: Coracle runs no Dockerfile"),
        (&["build", "app", "--tarball", "x.tar"], "`-o oci-archive:FILE` or `-o docker-archive:FILE`"),
        (&["build", "app", "--iidfile", "x"], "stdout is the image's reference with its digest"),
        (&["build", "app", "--timestamp", "0"], "`--epoch SECONDS`, or SOURCE_DATE_EPOCH"),
        (&["build", "app", "--tls-verify=false"], "`--insecure HOST[:PORT]` allows one registry without TLS"),
        (&["build", "app", "--creds", "a:b"], "log in with `docker login` or `podman login`"),
        (&["build", "app", "--rm"], "Coracle starts no containers"),
        (&["build", "app", "--verbose"], "leave it out: there are no log levels"),
        (&["copy", "a", "b", "--all"], "leave it out: all bytes are preserved"),
        (&["copy", "a", "b", "--dest-creds", "a:b"], "log in with `docker login` or `podman login`"),
        (&["index", "a", "b", "--amend"], "the first argument is the index"),
        (&["manifests", "--set-string", "a=b"], "`--set KEY=VALUE` overrides one value"),
        (&["deps", "-r", "app"], "`--symbols` checks for undefined symbols"),
        (&["deps", "--json", "app"], "`--format json` prints JSON"),
        (&["start", "app"], "`coracle run ./app` builds an image and runs it here"),
        (&["exec", "app"], "`coracle debug NAME` starts a shell of this machine"),
        (&["run", "app", "-it"], "leave it out: the program gets the terminal if there is one"),
        (&["run", "app", "--rm"], "leave it out: nothing of a run is kept"),
        (&["run", "app", "-v", "a:b"], "`--config FOLDER:TO` mounts configuration"),
        (&["push"], "`coracle build ./app -t NAME:TAG --push` builds and pushes"),
        (&["save"], "`coracle build ./app -o docker-archive:FILE`"),
        (&["history"], "`coracle inspect IMAGE` shows what an image contains"),
        (&["container-diff"], "`coracle diff OLD NEW` shows how two images differ"),
        (&["ldd", "app"], "`coracle deps FILE` shows what the loader would map"),
        (&["apply"], "`coracle manifests` prints Kubernetes manifests"),
        (&["help"], "`--help` after any command describes it"),
        (&["cache", "clean"], "`coracle cache prune` removes the least recently used files"),
        (&["config", "validate"], "`coracle config check IMAGE MANIFEST` checks Kubernetes manifests"),
        (&["recipe", "show"], "`coracle recipe keys` prints every key"),
        (&["./app"], "`coracle build ./app` builds an image of it"),
        (&["record", "ls"], "write the command to run after `--`: `coracle record -- ls`"),
        (&["build", "app", "--push=false"], "write `--push` alone, or leave it out"),
        (&["build", "app", "--unknown"], "`coracle build --help` lists all flags, with examples"),
    ] {
        let said = said(args);
        let (message, hints) = said.split_once("\n\n").unwrap();
        assert!(message.starts_with("error: `") && !message.contains('\n'), "{said}");
        assert!(
            hints.starts_with(&format!("hint: {hint}")) && hints.lines().count() == 1,
            "{args:?}: {said}"
        );
    }
}

#[test]
fn reports_invalid_values() {
    coracle(["build", "--format", "xml", "app"]).ends(
        2,
        str![],
        str![[r#"
error: invalid value `xml` for `--format <FORMAT>`
  [possible values: text, json]

hint: `coracle build --help` lists all flags, with examples

"#]],
    );
}

#[test]
fn reports_missing_programs() {
    coracle(["build"]).ends(
        2,
        str![],
        str![[r#"
error: nothing to build: no PROGRAM is given and `coracle.toml` does not exist in this directory

hint: name a program, as in `coracle build ./app`, or write a `coracle.toml`

"#]],
    );
    coracle(["build"]).file("coracle.toml", "[image]\nname = \"shop\"\n").ends(
        2,
        str![],
        str![[r#"
error: no program is specified: `coracle.toml` names none

hint: write `programs = ["path/to/app"]` below `[image]`, or name one on the command line

"#]],
    );
}

#[test]
fn rejects_invalid_times() {
    coracle(["build", "app", "--epoch", "yesterday"]).ends(
        2,
        str![],
        str![[r#"
error: `--epoch`: `yesterday` is not a number of seconds since 1970

hint: write a whole number, such as the commit's: `git log -1 --format=%ct`

"#]],
    );
    coracle(["build", "app", "--epoch", "-1"]).ends(
        2,
        str![],
        str![[r#"
error: `--epoch`: `-1` is not a number of seconds since 1970

hint: write a whole number, such as the commit's: `git log -1 --format=%ct`

"#]],
    );
    coracle(["build", "app"]).env("SOURCE_DATE_EPOCH", "").ends(
        2,
        str![],
        str![[r#"
error: `SOURCE_DATE_EPOCH`: `` is not a number of seconds since 1970

hint: write a whole number, such as the commit's: `git log -1 --format=%ct`

"#]],
    );
    coracle(["build", "app"]).env("SOURCE_DATE_EPOCH", "253402300800").ends(
        2,
        str![],
        str![[r#"
error: `SOURCE_DATE_EPOCH`: `253402300800` is not a number of seconds since 1970

hint: write a whole number, such as the commit's: `git log -1 --format=%ct`

"#]],
    );
}
