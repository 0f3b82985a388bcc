//! Command lines that say something wrong.

use coracle_testing::coracle;
use snapbox::str;

#[test]
fn reports_unknown_arguments() {
    coracle(["bild"]).ends(
        2,
        str![],
        str![[r#"
error: unrecognized subcommand `bild`

  usage: coracle [OPTIONS] <COMMAND>

hint: a similar subcommand exists: `build`
hint: `--help` lists all flags, with examples

"#]],
    );
    coracle(["build", "--taag", "shop"]).ends(
        2,
        str![],
        str![[r#"
error: unexpected argument `--taag` found

  usage: coracle build --tag <NAME[:TAG]> [PROGRAM[:TO]]... [-- <ARG>...]

hint: a similar argument exists: `--tag`
hint: to pass `--taag` as a value, use `-- --taag`
hint: `--help` lists all flags, with examples

"#]],
    );
    coracle(["build", "--format", "xml", "app"]).ends(
        2,
        str![],
        str![[r#"
error: invalid value `xml` for `--format <FORMAT>`
  [possible values: text, json]

hint: `--help` lists all flags, with examples

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
