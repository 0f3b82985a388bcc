//! Help texts and their colours.

use coracle_testing::coracle;
use snapbox::str;

#[test]
fn prints_help() {
    coracle([]).ends(
        0,
        str![[r#"
Turns built programs into minimal OCI images
...
Exit codes: 0 success, 1 failure, 2 invalid usage or recipe, 3 registry or network, 4 findings.

"#]],
        str![],
    );
    coracle(["--help"]).ends(
        0,
        str![[r#"
Turns built programs into minimal OCI images

Usage: coracle [OPTIONS] <COMMAND>

Commands:
  build         Build an image from built programs
  run           Run an image here as a restricted pod would, with its configuration
  init          Write a first recipe, with configuration and CI
  deps          Show what the dynamic loader would map for a program, and why
  manifests     Print Kubernetes manifests for an image: ConfigMaps, workload, Service
  config        Render and check a program's configuration, which is kept out of its image
  record        Run a program once, and print what it opens that its image lacks
  stop          End a run that is in the background
  debug         Run a tool of this machine next to a program that `coracle run` runs
  resolve       Pin images in manifests by digest
  inspect       Show what an image contains, and why
  sbom          Print the software bill of materials of an image
  diff          Show how two images differ
  copy          Copy an image between registries, layouts and archives
  sign          Sign an image, and the SBOM and provenance that are stored with it
  verify        Check an image: whole, sound, signed, and the same when it is built again
  key           Create keys for signatures
  lock          Write the lock of an image: every file that it is made of
  index         Combine images of several platforms into one image index
  reload-image  Write the image of the sidecar that signals configuration changes
  cache         Manage the build cache
  recipe        Look up the keys of a recipe
  completions   Print a shell completion script

Options:
      --color <WHEN>  When to use colours; NO_COLOR is respected [default: auto] [possible values:
                      auto, always, never]
  -h, --help          Print help
  -V, --version       Print version

Examples:
  coracle init ./app                    write a first coracle.toml
  coracle build ./app                   build an image of a program in ./app.oci
  coracle build /usr/bin/curl -t curl   include the libraries that it needs
  coracle build                         build the image in coracle.toml
  coracle run                           run it here, with its configuration
  coracle deps /usr/bin/curl            show what the dynamic loader would map
  coracle manifests                     print Kubernetes manifests for the image

Exit codes: 0 success, 1 failure, 2 invalid usage or recipe, 3 registry or network, 4 findings.

"#]],
        str![],
    );
    coracle(["build", "--help"]).ends(
        0,
        str![[r#"
Build an image from built programs

Usage: coracle build [OPTIONS] [PROGRAM[:TO]]... [-- <ARG>...]

Arguments:
  [PROGRAM[:TO]]...  ELF files or `#!` scripts, optionally with their paths in the image; the first
                     is the entrypoint. Default: the recipe in ./coracle.toml
  [ARG]...           More arguments for the program

Options:
  -f, --file <FILE>              Read a recipe from FILE; several recipes build one image each
  -t, --tag <NAME[:TAG]>         Name the image
      --base <IMAGE>             The base image: a name in a registry, `oci:DIR[:TAG]` or an
                                 archive. Files that the base image already contains are not packed
                                 again
  -o, --output <DEST>            Where the image goes: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`,
                                 `docker-archive:FILE`, `docker://NAME[:TAG]`,
                                 `docker-daemon:NAME[:TAG]`, `containers-storage:NAME[:TAG]` or
                                 `containerd:[NAMESPACE@]NAME[:TAG]`; default: `oci:NAME.oci`
      --push                     Also push the image to the registry of each of its names
      --load                     Also load the image into the first engine that is available:
                                 Docker, Podman, containerd
      --publish-contract <DEST>  Write the whole contract, with templates and schema, as an artifact
                                 that refers to the image, to the layout `oci:DIR` or the repository
                                 `docker://NAME`
      --dry-run                  List what would be packed and why; write nothing
      --locked                   Fail if the image differs from its lock; see `coracle lock`
      --lock-file <FILE>         The lock; default: coracle.lock in the recipe's directory
      --format <FORMAT>          Output format of stdout [default: text] [possible values: text,
                                 json]
  -q, --quiet                    Print only warnings and errors to stderr
      --no-sync                  Do not wait until layouts and archives are on the storage device:
                                 faster, but a crash of the machine can damage them
      --color <WHEN>             When to use colours; NO_COLOR is respected [default: auto]
                                 [possible values: auto, always, never]
  -h, --help                     Print help

Image:
      --arg <ARG>                     Add an argument of the program
      --user <UID[:GID]>              Run as this numeric user ID
      --env <NAME=VALUE>              Set an environment variable that is the same in all
                                      deployments
      --expose <PORT[/PROTOCOL]>      Declare a port that the program listens on; default protocol:
                                      TCP
      --working-dir <PATH>            Start the program in this directory
      --stop-signal <SIGNAL>          The signal that asks the program to stop
      --label <NAME=VALUE>            Set a label of the image
      --annotation <NAME=VALUE>       Set an annotation of the manifest
      --include <FROM:TO>             Add a file or a directory to the image; `TO/` means into that
                                      directory
      --exclude <PATTERN>             Leave files of included directories out, by a pattern as in
                                      `.gitignore`: `*.pyc`, `/docs/`
      --include-times <TIME>          The time of included files: `zero` (1970-01-01) or `epoch`,
                                      which web servers need for browsers' caches
      --strip                         Remove the programs' symbols and debug information
      --keep-symbols <DIR>            Keep the programs with their symbols in DIR, where debuggers
                                      find them by build ID
      --linkage <HOW>                 Fail unless the programs are linked this way: `static`,
                                      `dynamic`; `auto` accepts both and gives advice
      --compression <CODEC[:LEVEL]>   Compress layers with `gzip`, `zstd` or not at all (`none`);
                                      the default level depends on the size
      --platform <OS/ARCH[/VARIANT]>  Specify what ELF headers do not say about the platform, such
                                      as the ARM variant
      --epoch <SECONDS>               The creation time in the image's config, in seconds since
                                      1970; default: SOURCE_DATE_EPOCH, or 0

Inventory:
      --no-inventory          Leave out the inventory of packages, by which scanners recognize them
      --licences              Add the licence texts of the packages
      --sbom <FILE>           Write a software bill of materials to FILE: CycloneDX 1.6 if its name
                              ends in `.cdx.json`, else SPDX 2.3. With several platforms, its name
                              gets the platform
      --sbom-format <FORMAT>  The format of `--sbom`
      --attach-sbom <FORMAT>  Attach a software bill of materials to the image in layouts and at
                              registries, as a referrer: `spdx` or `cyclonedx`
      --require-inventory     Fail if scanners cannot see what the image contains

Roots:
      --root <[PLATFORM=]DIR>     Take programs and libraries from this root file system; PROGRAM is
                                  a path inside it. Repeat it for several platforms
      --sysroot <[PLATFORM=]DIR>  Take the dynamic loader and the libraries from this root file
                                  system, for cross-compiled programs

Secret scanner:
      --allow <PATH=REASON>  Accept what the secret scanner finds at PATH or below it
      --strict               Treat the secret scanner's warnings as errors, such as those about
                             files that look like configuration

Configuration:
      --config <FOLDER:TO>         Mount the files of FOLDER at TO; replaces the recipe's mounts
      --secret <KEY[,KEY]:TO>      Mount a Secret with these keys at TO; replaces the recipe's
                                   Secrets
      --state <PATH>               Declare a directory that the program writes to; replaces those of
                                   the recipe
      --schema <FILE>              Validate values with this JSON Schema
      --environment <NAME>         Use the values of `[environments.NAME]`
      --values <FILE>              Override values with those in FILE: TOML, YAML or JSON
      --set <KEY=VALUE>            Override one value; VALUE is JSON or else text
      --set-file <KEY=FILE>        Override one value with the content of FILE, or of stdin for `-`,
                                   without a final line feed; use it for secrets
      --set-file-exact <KEY=FILE>  Like `--set-file`, but with a final line feed

Runtime:
      --certificates <WHEN>    Add CA certificates: `auto` (if an object uses TLS), `true`, `false`
      --local-certificates     Add the CA certificates, too, that only this machine trusts, besides
                               the distribution's
      --nss <WHEN>             Add the NSS files that look up users and hosts: `auto` (if an object
                               does), `true`, `false`
      --nss-module <NAME>      Add this NSS module, such as `sss`, to `files` and `dns`
      --openssl <WHEN>         Add OpenSSL's configuration: `auto` (if libcrypto is mapped), `true`
                               (with providers and engines), `false`
      --libgcc <WHEN>          Add libgcc_s, which glibc opens to cancel a thread: `auto` (if an
                               object does), `true`, `false`
      --dlopen <NAME>          Add a library that the entrypoint opens with `dlopen`
      --dlopen-notes <LEVEL>   Add the libraries listed in ELF dlopen notes, down to this priority:
                               `required`, `recommended` (the default) or `suggested`; `false` adds
                               none
      --time-zones[=<ZONE,…>]  Add time zones; all zones without a value
      --locale <NAME>          Add a locale, such as C.UTF-8
      --charset <NAME>         Add a character set for `iconv`, such as UTF-16
      --pam <SERVICE>          Add a PAM service with its modules
      --plugins <FAMILY>       Add a library's plugins, such as `gio` or `qt5`
      --complete               Add everything that hints name and that exists: files, directories,
                               libraries, commands
      --ignore <NAME>          Leave a path or a name out of hints, such as /bin/sh
      --hwcaps <LEVEL>         Add hwcaps variants of libraries only up to this level, such as
                               x86-64-v3, or `none`

Registries:
      --insecure <HOST[:PORT]>     Allow this registry without TLS; loopback addresses are always
                                   allowed
      --upload-host <HOST[:PORT]>  Allow the registry to have its uploads sent to this host
      --ca-file <FILE>             Also trust the CA certificates in this PEM file
      --authfile <FILE>            Look for logins in this file first, before those of Podman and
                                   Docker

Cache:
      --no-cache                 Neither read nor write the build cache
      --cache-dir <DIR>          The build cache's directory; default: `coracle` in the user's cache
                                 directory
      --cache-from <REPOSITORY>  Reuse layers that other builds pushed to this repository, after
                                 verifying their content
      --cache-to <REPOSITORY>    Push packed layers to this repository, for reuse by other builds
      --trust-cache              Do not verify the content of layers from `--cache-from`

Signatures:
      --sign-key <KEY>    Sign the image and its provenance with this private key, before its names
                          are written: a file, or `env://NAME` for the variable NAME
      --signer <PROGRAM>  Sign by running PROGRAM, which gets a descriptor on stdin and writes the
                          signature as an image layout in a tar to stdout
      --signer-arg <ARG>  Pass ARG to the signer program
      --simple-signing    Also write the signature that container engines verify, at the tag
                          `sha256-DIGEST.sig`
      --provenance        Publish SLSA provenance: the recipe and every file that was packed
      --builder-id <URI>  The builder in the provenance, a URI; default: that of the CI job
      --provenance-time   Add the current time to the provenance, which then differs for each build

Budget:
      --budget-image <SIZE>     Fail without writing anything if a platform's compressed image is
                                larger than this: `5MB`, `2MiB`
      --budget-growth <GROWTH>  Fail without writing anything if a platform's compressed image grew
                                by more than this: `5%`, `200kB`
      --previous <IMAGE>        The previous image, such as `docker://NAME:TAG`; default: the image
                                that is replaced at the destination

Reports:
      --metadata-file <FILE>  Write the output of `--format json` to FILE
      --dotenv <FILE>         Append the results to FILE as NAME=VALUE lines: CORACLE_REFERENCE,
                              CORACLE_DIGEST and CORACLE_SIZE if one image was built, CORACLE_IMAGES
                              with all images as JSON
      --summary <FILE>        Append the results, or the errors, to FILE as Markdown

Examples:
  coracle build ./app                 writes ./app.oci, which runs as user 65532
  coracle build ./app -t shop:1.2 -o oci-archive:shop.tar
  coracle build ./app -t ghcr.io/acme/shop:1.2 --push
  coracle build ./app -t shop:1.2 --load
  coracle build ./app -o docker://ghcr.io/acme/shop:1.2  only to a registry
  coracle build ./app:/usr/bin/shop --expose 8080 -- --config /etc/shop.toml
  coracle build ./app --include assets/:/srv/assets --dry-run
  coracle build ./app --budget-image 5MB --budget-growth 5%
  coracle build ./app --sysroot /usr/aarch64-linux-gnu  a cross-compiled program
  coracle build -f a/coracle.toml -f b/coracle.toml --format json

Paths in flags are relative to the working directory, paths in a recipe to the recipe's directory.
Lists in flags replace the recipe's lists; NAME=VALUE flags are merged into the recipe's tables.

"#]],
        str![],
    );
}

#[test]
fn prints_version() {
    coracle(["--version"]).ends(
        0,
        str![[r#"
coracle [VERSION]

"#]],
        str![],
    );
}

#[test]
fn colors_follow_the_flag_and_the_terminal() {
    coracle(["--color", "always", "build"]).ends(
        2,
        str![],
        str![[r#"
ESC[1mESC[31merror:ESC[0m nothing to build: no PROGRAM is given and `coracle.toml` does not exist in this directory

ESC[1mESC[36mhint:ESC[0m name a program, as in `coracle build ./app`, or write a `coracle.toml`

"#]],
    );
    coracle(["build"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").ends(
        2,
        str![],
        str![[r#"
error: nothing to build: no PROGRAM is given and `coracle.toml` does not exist in this directory

hint: name a program, as in `coracle build ./app`, or write a `coracle.toml`

"#]],
    );
    coracle(["build", "--color=sometimes"]).ends(
        2,
        str![],
        str![[r#"
error: invalid value `sometimes` for `--color <WHEN>`
  [possible values: auto, always, never]

hint: `coracle build --help` lists all flags, with examples

"#]],
    );
}
