//! The command line: help, and every way to say something wrong.

mod support;

use snapbox::str;
use support::coracle;

#[test]
fn help() {
    coracle([]).ends(
        0,
        str![[r#"
Turns a program that is already built into the smallest honest container image
...
Exit codes: 0 done, 1 failed, 2 wrong usage or recipe, 3 registry or network, 4 findings.

"#]],
        str![],
    );
    coracle(["--help"]).ends(
        0,
        str![[r#"
Turns a program that is already built into the smallest honest container image

Usage: coracle [OPTIONS] <COMMAND>

Commands:
  build      Build an image of programs that are already built
  deps       Show what a program's loader would map, and why
  config     Work on a program's configuration, which stays outside its image
  resolve    Pin images in manifests by their digests
  manifests  Print what runs an image on Kubernetes: ConfigMaps, workload, Service

Options:
      --color <WHEN>  When to use colours; NO_COLOR is respected [default: auto] [possible values:
                      auto, always, never]
  -h, --help          Print help
  -V, --version       Print version

Examples:
  coracle build ./app                     the image of a program, written to ./app.oci
  coracle build /usr/bin/curl -t curl     with every library that its loader would map
  coracle build                           as ./coracle.toml says
  coracle deps /usr/bin/curl              what its loader would map
  coracle manifests                       what runs the recipe's image on Kubernetes

Exit codes: 0 done, 1 failed, 2 wrong usage or recipe, 3 registry or network, 4 findings.

"#]],
        str![],
    );
    coracle(["build", "--help"]).ends(
        0,
        str![[r#"
Build an image of programs that are already built

Usage: coracle build [OPTIONS] [PROGRAM[:TO]]... [-- <ARG>...]

Arguments:
  [PROGRAM[:TO]]...  ELF files or `#!` scripts, and their paths in the image; the first is the
                     entrypoint. Without one, ./coracle.toml is read
  [ARG]...           More arguments for the program

Options:
  -f, --file <FILE>              Read the recipe in FILE; several files, several images
  -t, --tag <NAME[:TAG]>         Name the image
  -o, --output <DEST>            Write the image to `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or
                                 `docker-archive:FILE`; `oci:NAME.oci` when nothing is said
      --publish-contract <DEST>  Write the whole contract, with templates and schema, to the layout
                                 `oci:DIR`, as an artifact about the image
      --dry-run                  List what would be packed and why, and write nothing
      --format <FORMAT>          How stdout is written [default: text] [possible values: text, json]
  -q, --quiet                    Say nothing on stderr but warnings and errors
      --color <WHEN>             When to use colours; NO_COLOR is respected [default: auto]
                                 [possible values: auto, always, never]
  -h, --help                     Print help

Image:
      --arg <ARG>                     Give the program an argument
      --user <UID[:GID]>              Run as this user, by number
      --env <NAME=VALUE>              Set a variable that never changes between deployments
      --expose <PORT[/PROTOCOL]>      Declare a port; TCP when nothing is said
      --working-dir <PATH>            Start the program in this directory
      --stop-signal <SIGNAL>          Ask the program to end by this signal
      --label <NAME=VALUE>            Set a label of the image
      --annotation <NAME=VALUE>       Set an annotation of the manifest
      --include <FROM:TO>             Put a file or a directory into the image; `TO/` means into
                                      that directory
      --strip                         Leave out the programs' symbols and debug information
      --compression <CODEC[:LEVEL]>   Compress layers with `gzip`, `zstd` or not at all (`none`);
                                      the level follows from the size unless it is named
      --platform <OS/ARCH[/VARIANT]>  Say what a program's header can't, such as the variant of ARM
      --epoch <SECONDS>               The time in the image's config, in seconds since 1970;
                                      SOURCE_DATE_EPOCH or 0 when nothing is said

Roots:
      --root <[PLATFORM=]DIR>     Take programs and libraries from this root; PROGRAM is a path
                                  inside it. Several roots, several platforms
      --sysroot <[PLATFORM=]DIR>  Take the loader and the libraries from this root, the programs
                                  from here: what a cross build needs

Leaks:
      --allow <PATH=REASON>  Accept what the leak gate finds at PATH, or below it
      --strict               Refuse what may not belong into the image, too: what looks like
                             configuration

Configuration:
      --config <MOUNT=FOLDER>     Mount the files of FOLDER at MOUNT, in place of the recipe's
                                  mounts
      --secret <MOUNT=KEY[,KEY]>  Mount a Secret with these keys at MOUNT, in place of the recipe's
      --schema <FILE>             Hold values to this JSON Schema
      --environment <NAME>        Take the values of `[environments.NAME]`
      --values <FILE>             Put the values in FILE on top: TOML, YAML or JSON
      --set <KEY=VALUE>           Set one value: JSON, else text
      --set-file <KEY=FILE>       Set one value to the text of FILE, or of `-`, what is piped in:
                                  the way for secrets

Runtime:
      --certificates <WHEN>    Add CA certificates: `auto` when something speaks TLS, `true`,
                               `false`
      --nss <WHEN>             Add what looks up users and hosts: `auto` when something does,
                               `true`, `false`
      --nss-module <NAME>      Add this NSS module besides `files` and `dns`, such as `sss`
      --openssl <WHEN>         Add OpenSSL's configuration: `auto` when libcrypto is mapped, `true`
                               with providers and engines, `false`
      --libgcc <WHEN>          Add libgcc_s, which glibc opens to end a thread: `auto` when
                               something does, `true`, `false`
      --dlopen <NAME>          Add a library that the entrypoint opens, found as `dlopen` would find
                               it
      --dlopen-notes <LEVEL>   Add libraries that notes say are opened, down to `required`,
                               `recommended` (the default) or `suggested`; `false` for none
      --time-zones[=<ZONE,…>]  Add time zones; all when none is named
      --locale <NAME>          Add a locale, such as C.UTF-8
      --charset <NAME>         Add a character set for `iconv`, such as UTF-16
      --pam <SERVICE>          Add a service of PAM with its modules
      --plugins <FAMILY>       Add the plugins of a library, such as `gio` or `qt5`
      --hwcaps <LEVEL>         Add variants of libraries for newer CPUs up to this level only, such
                               as x86-64-v3, or `none`

Examples:
  coracle build ./app                               to ./app.oci, run as user 65532
  coracle build ./app -t shop:1.2 -o oci-archive:shop.tar
  coracle build ./app:/usr/bin/shop --expose 8080 -- --config /etc/shop/shop.toml
  coracle build ./app --include assets/:/srv/assets --dry-run
  coracle build ./app --sysroot /usr/aarch64-linux-gnu  a program of a cross compiler
  coracle build -f a/coracle.toml -f b/coracle.toml --format json

Paths in flags start at the working directory, those of a recipe at the recipe.
Lists in flags replace the recipe's, NAME=VALUE flags are merged into its own.

"#]],
        str![],
    );
}

#[test]
fn version() {
    coracle(["--version"]).ends(
        0,
        str![[r#"
coracle [VERSION]

"#]],
        str![],
    );
}

#[test]
fn colour_is_where_it_is_wanted() {
    coracle(["--color", "always", "build"]).ends(
        2,
        str![],
        str![[r#"
ESC[1mESC[31merror:ESC[0m nothing to build: no PROGRAM is named, and there is no `coracle.toml` here

ESC[1mESC[36mhint:ESC[0m name a program, as in `coracle build ./app`, or write a `coracle.toml`

"#]],
    );
    coracle(["build"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").ends(
        2,
        str![],
        str![[r#"
error: nothing to build: no PROGRAM is named, and there is no `coracle.toml` here

hint: name a program, as in `coracle build ./app`, or write a `coracle.toml`

"#]],
    );
    coracle(["build", "--color=sometimes"]).ends(
        2,
        str![],
        str![[r#"
error: invalid value `sometimes` for `--color <WHEN>`
  [possible values: auto, always, never]

hint: `--help` shows every flag, with examples

"#]],
    );
}

#[test]
fn unknown_words() {
    coracle(["bild"]).ends(
        2,
        str![],
        str![[r#"
error: unrecognized subcommand `bild`

  usage: coracle [OPTIONS] <COMMAND>

hint: a similar subcommand exists: `build`
hint: `--help` shows every flag, with examples

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
hint: `--help` shows every flag, with examples

"#]],
    );
    coracle(["build", "--format", "xml", "app"]).ends(
        2,
        str![],
        str![[r#"
error: invalid value `xml` for `--format <FORMAT>`
  [possible values: text, json]

hint: `--help` shows every flag, with examples

"#]],
    );
}

#[test]
fn nothing_to_build() {
    coracle(["build"]).ends(
        2,
        str![],
        str![[r#"
error: nothing to build: no PROGRAM is named, and there is no `coracle.toml` here

hint: name a program, as in `coracle build ./app`, or write a `coracle.toml`

"#]],
    );
    coracle(["build"]).file("coracle.toml", "[image]\nname = \"shop\"\n").ends(
        2,
        str![],
        str![[r#"
error: no program to build an image of: `coracle.toml` names none

hint: write `programs = ["path/to/app"]` below `[image]`, or name one on the command line

"#]],
    );
}

#[test]
fn a_recipe_that_can_not_be_read() {
    coracle(["build", "-f", "nope.toml"]).ends(
        2,
        str![],
        str![[r#"
error: cannot read `nope.toml`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]],
    );
    coracle(["build", "-f", "folder"]).file("folder/coracle.toml", "").ends(
        2,
        str![],
        str![[r#"
error: cannot read `folder`: Is a directory (os error 21)

hint: name the file in it, such as `coracle.toml`

"#]],
    );
    coracle(["build"]).file("coracle.toml", b"\xff").ends(
        2,
        str![],
        str![[r#"
error: `coracle.toml` is not UTF-8, so it is no TOML
   --> coracle.toml:1:1
  1 | 
    | ^

"#]],
    );
    coracle(["build", "-f", "/dev/zero"]).ends(
        2,
        str![],
        str![[r#"
error: `/dev/zero` is larger than 1048576 bytes, so it is no recipe

hint: check which file is meant

"#]],
    );
}

#[test]
fn all_recipes_are_read_before_any_is_built() {
    coracle(["build", "-f", "a.toml", "-f", "b.toml", "-f", "c.toml"])
        .file("a.toml", "[image]\nprograms = [\"a\"]\n")
        .file("b.toml", "image = 1\n")
        .ends(
            2,
            str![],
            str![[r#"
error: invalid type: integer `1`, expected a table
   --> b.toml:1:9
  1 | image = 1
    |         ^

error: cannot read `c.toml`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]],
        );
    coracle(["build", "-f", "a.toml", "-f", "b.toml", "-t", "shop"]).ends(
        2,
        str![],
        str![[r#"
error: several recipes are several images: PROGRAM, `--tag` or an archive can't be the same for all of them

hint: write programs and names in the recipes, or build one recipe at a time

"#]],
    );
    coracle(["build", "-f", "a.toml", "-f", "b.toml", "-o", "oci-archive:x.tar"]).ends(
        2,
        str![],
        str![[r#"
error: several recipes are several images: PROGRAM, `--tag` or an archive can't be the same for all of them

hint: write programs and names in the recipes, or build one recipe at a time

"#]],
    );
}

#[test]
fn unknown_keys() {
    coracle(["build"]).file("coracle.toml", "[image]\nnmae = \"shop\"\nprograms = [\"app\"]\n").ends(
        2,
        str![],
        str![[r#"
error: unknown key `nmae` in `[image]`; did you mean `name`?
   --> coracle.toml:2:1
  2 | nmae = "shop"
    | ^^^^

"#]],
    );
    coracle(["build"])
        .file(
            "coracle.toml",
            r#"nam = "shop"

[image]
nmae = "shop"
programs = [{ form = "app", from = "app" }]
zebra = true

[[include]]
from = "assets"
too = "/srv"
to = "/srv"
"#,
        )
        .ends(2, str![], str![[r#"
error: 5 problems in the recipe

  unknown key `nam` in the recipe; did you mean `name` below `[image]`?
     --> coracle.toml:1:1
    1 | nam = "shop"
      | ^^^

  unknown key `nmae` in `[image]`; did you mean `name`?
     --> coracle.toml:4:1
    4 | nmae = "shop"
      | ^^^^

  unknown key `form` in this table; did you mean `from`?
     --> coracle.toml:5:15
    5 | programs = [{ form = "app", from = "app" }]
      |               ^^^^

  unknown key `zebra` in `[image]`
     --> coracle.toml:6:1
    6 | zebra = true
      | ^^^^^

  unknown key `too` in `[[include]]`; did you mean `to`?
      --> coracle.toml:10:1
    10 | too = "/srv"
       | ^^^

hint: `[image]` knows `name`, `programs`, `args`, `user`, `group`, `expose`, `env`, `working-dir`, `stop-signal`, `labels`, `annotations`, `strip`, `compression`, `publish-contract`, `platform`

"#]]);
}

#[test]
fn broken_toml() {
    coracle(["build"]).file("coracle.toml", "[image]\nname = \"shop\nuser = 1\n").ends(
        2,
        str![],
        str![[r#"
error: `coracle.toml` is not TOML: invalid basic string, expected `"`
   --> coracle.toml:2:13
  2 | name = "shop
    |             ^

"#]],
    );
    coracle(["build", "-f", "sub/x.toml"]).file("sub/x.toml", "[image\n").ends(
        2,
        str![],
        str![[r#"
error: `sub/x.toml` is not TOML: unclosed table, expected `]`
   --> sub/x.toml:1:7
  1 | [image
    |       ^

"#]],
    );
}

#[test]
fn wrong_types() {
    coracle(["build"])
        .file(
            "coracle.toml",
            "version = 2\n[image]\nprograms = \"app\"\nstrip = \"yes\"\nexpose = [80, true]\n",
        )
        .ends(
            2,
            str![],
            str![[r#"
error: 4 problems in the recipe

  version 2 of the recipe is not known
     --> coracle.toml:1:11
    1 | version = 2
      |           ^

  invalid type: string "app", expected a sequence
     --> coracle.toml:3:12
    3 | programs = "app"
      |            ^^^^^

  invalid type: string "yes", expected a boolean
     --> coracle.toml:4:9
    4 | strip = "yes"
      |         ^^^^^

  invalid type: boolean `true`, expected a number or a string
     --> coracle.toml:5:15
    5 | expose = [80, true]
      |               ^^^^

hint: the only version is 1

"#]],
        );
}

#[test]
fn illegal_values() {
    coracle(["build", "app", "--expose", "70000"]).ends(
        2,
        str![],
        str![[r#"
error: `--expose`: `70000` is not a port: it must be a number from 1 to 65535

hint: write it as `PORT[/PROTOCOL]`, such as `8080` or `9000/udp`

"#]],
    );
    coracle(["build", "app", "--user", "nobody"]).ends(
        2,
        str![],
        str![[r#"
error: `--user`: the user `nobody` is not numeric

hint: write it by number as `UID[:GID]`, such as `65532`: Kubernetes can't tell whether `nobody` is root

"#]],
    );
    coracle(["build", "app", "-t", "Shop:1"]).ends(
        2,
        str![],
        str![[r#"
error: `--tag`: `Shop:1` is not an image name: invalid reference format

hint: write it as `NAME[:TAG]` in lower case, such as `shop`, `shop:1.2` or `ghcr.io/acme/shop:1.2`

"#]],
    );
    coracle(["build", "app", "--stop-signal", "TERM"]).ends(
        2,
        str![],
        str![[r#"
error: `--stop-signal`: `TERM` is not a signal

hint: did you mean `SIGTERM`?

"#]],
    );
    coracle([
        "build",
        "app",
        "--env",
        "HOME",
        "--working-dir",
        "srv",
        "--platform",
        "arm64",
        "--include",
        "a",
    ])
    .ends(
        2,
        str![],
        str![[r#"
error: 4 problems on the command line
  `--env`: `HOME` has no value
  `--working-dir`: `srv` is not a path inside an image: it must start with `/`
  `--include`: `a` has no place in the image
  `--platform`: `arm64` is not a platform

hint: write it as `--env NAME=VALUE`
hint: write it as `FROM:TO` with an absolute TO, such as `assets/:/srv/assets`
hint: write it as `OS/ARCHITECTURE[/VARIANT]`, such as `linux/amd64` or `linux/arm/v7`

"#]],
    );
}

#[test]
fn times() {
    coracle(["build", "app", "--epoch", "yesterday"]).ends(
        2,
        str![],
        str![[r#"
error: `--epoch`: `yesterday` is not a time in seconds since 1970

hint: write a whole number, such as the commit's: `git log -1 --format=%ct`

"#]],
    );
    coracle(["build", "app", "--epoch", "-1"]).ends(
        2,
        str![],
        str![[r#"
error: `--epoch`: `-1` is not a time in seconds since 1970

hint: write a whole number, such as the commit's: `git log -1 --format=%ct`

"#]],
    );
    coracle(["build", "app"]).env("SOURCE_DATE_EPOCH", "").ends(
        2,
        str![],
        str![[r#"
error: `SOURCE_DATE_EPOCH`: `` is not a time in seconds since 1970

hint: write a whole number, such as the commit's: `git log -1 --format=%ct`

"#]],
    );
    coracle(["build", "app"]).env("SOURCE_DATE_EPOCH", "253402300800").ends(
        2,
        str![],
        str![[r#"
error: `SOURCE_DATE_EPOCH`: `253402300800` is not a time in seconds since 1970

hint: write a whole number, such as the commit's: `git log -1 --format=%ct`

"#]],
    );
}

#[test]
fn names_of_files_can_not_reach_the_terminal() {
    coracle(["build", "-f", "\x1b[2Jx"]).ends(
        2,
        str![],
        str![[r#"
error: cannot read `\u{1b}[2Jx`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]],
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    coracle(["--help"]).writing_to(writer).ends(0, str![], str![]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_one() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    coracle(["--help"]).writing_to(full).ends(
        1,
        str![],
        str![[r#"
error: cannot write to stdout: No space left on device (os error 28)

"#]],
    );
}
