//! Keys and values of a recipe that are none, each with its place.

use coracle_testing::coracle;
use snapbox::str;

#[test]
fn reports_unknown_keys() {
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

hint: keys of `[image]`: `name`, `base`, `programs`, `args`, `user`, `group`, `expose`, `env`, `working-dir`, `stop-signal`, `labels`, `annotations`, `strip`, `inventory`, `licences`, `linkage`, `compression`, `sbom`, `publish-contract`, `platform`

"#]]);
}

#[test]
fn reports_wrong_types() {
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

  recipe version 2 is not supported
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
fn reports_invalid_values() {
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
error: `--tag`: `Shop:1` is not an image name: `Shop` must consist of lower-case letters and digits, separated by `.`, `_`, `__` or `-`

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
  `--platform`: `arm64` is not a platform
  `--include`: `a` has no path in the image

hint: write it as `--env NAME=VALUE`
hint: write it as `OS/ARCHITECTURE[/VARIANT]`, such as `linux/amd64` or `linux/arm/v7`
hint: write it as `FROM:TO` with an absolute TO, such as `assets/:/srv/assets`

"#]],
    );
}
