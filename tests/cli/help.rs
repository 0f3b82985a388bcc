//! What it says of itself, and in which colours.

use snapbox::str;

use crate::support::coracle;

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
  build        Build an image of programs that are already built
  init         Begin a recipe, with its configuration and CI
  deps         Show what a program's loader would map, and why
  manifests    Print what runs an image on Kubernetes: ConfigMaps, workload, Service
  config       Work on a program's configuration, which stays outside its image
  resolve      Pin images in manifests by their digests
  copy         Copy an image between registries, layouts and archives
  index        Join images of several platforms under one name
  cache        Look after what earlier builds have left for the next
  recipe       Look up the keys of a recipe
  completions  Print what makes a shell complete commands and flags

Options:
      --color <WHEN>  When to use colours; NO_COLOR is respected [default: auto] [possible values:
                      auto, always, never]
  -h, --help          Print help
  -V, --version       Print version

Examples:
  coracle init ./app                      a coracle.toml to begin with
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
      --base <IMAGE>             Build upon this image: a name at a registry, `oci:DIR[:TAG]` or an
                                 archive. What it has already is left out
  -o, --output <DEST>            Write the image to `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or
                                 `docker-archive:FILE`, or send it to `docker://NAME[:TAG]`,
                                 `docker-daemon:NAME[:TAG]`, `containers-storage:NAME[:TAG]` or
                                 `containerd:[NAMESPACE@]NAME[:TAG]`; `oci:NAME.oci` when nothing is
                                 said
      --push                     Send the image to the registry of each of its names, besides
                                 writing it
      --load                     Bring the image to the engine that is there, besides writing it:
                                 Docker, else Podman, else containerd
      --publish-contract <DEST>  Write the whole contract, with templates and schema, to the layout
                                 `oci:DIR` or the repository `docker://NAME`, as an artifact about
                                 the image
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
      --linkage <HOW>                 Refuse programs that are not linked so: `static`, `dynamic`;
                                      `auto` takes both and gives advice
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

Registries:
      --insecure <HOST[:PORT]>  Talk to this registry without TLS; those on the loopback may always
      --ca-file <FILE>          Trust the certificates in this PEM file, too
      --authfile <FILE>         Take logins from this file first; Podman's and Docker's own follow

Cache:
      --no-cache                 Do everything again, and keep nothing for the next build
      --cache-dir <DIR>          Keep what the next build can use again in DIR; `coracle` in the
                                 user's cache directory when nothing is said
      --cache-from <REPOSITORY>  Take layers that others have packed from this repository at a
                                 registry; they are unpacked to see what they hold
      --cache-to <REPOSITORY>    Keep layers that are packed here in this repository, for others
      --trust-cache              Believe who fills the repositories of `--cache-from`: their layers
                                 are not unpacked

Budget:
      --budget-image <SIZE>     Fail, and write nothing, when the compressed image of a platform is
                                larger: `5MB`, `2MiB`
      --budget-growth <GROWTH>  The same when it is so much larger than the image before: `5%`,
                                `200kB`
      --previous <IMAGE>        The image before, such as `docker://NAME:TAG`; the one that is
                                replaced when nothing is said

Reports:
      --metadata-file <FILE>  Write to FILE what `--format json` prints
      --dotenv <FILE>         Append to FILE what was built, as lines NAME=VALUE: CORACLE_REFERENCE,
                              CORACLE_DIGEST and CORACLE_SIZE of one image, CORACLE_IMAGES of all as
                              JSON
      --summary <FILE>        Append to FILE what was built, or why not, in Markdown

Examples:
  coracle build ./app                               to ./app.oci, run as user 65532
  coracle build ./app -t shop:1.2 -o oci-archive:shop.tar
  coracle build ./app -t ghcr.io/acme/shop:1.2 --push
  coracle build ./app -t shop:1.2 --load
  coracle build ./app -o docker://ghcr.io/acme/shop:1.2    to a registry alone
  coracle build ./app:/usr/bin/shop --expose 8080 -- --config /etc/shop/shop.toml
  coracle build ./app --include assets/:/srv/assets --dry-run
  coracle build ./app --budget-image 5MB --budget-growth 5%
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
