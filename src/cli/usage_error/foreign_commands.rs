//! Commands of other tools, with Coracle's equivalents.

use super::ForeignWord;

/// The command line without a command.
const TOP: &[&str] = &[""];

pub(super) const COMMANDS: &[ForeignWord] = &[
    ForeignWord {
        commands: TOP,
        words: "start create up compose serve dev",
        advice: "`coracle run ./app` builds an image and runs it here; \
                 `coracle build ./app -t app --load` loads it into an engine, which starts it: `docker run app`",
    },
    ForeignWord {
        commands: TOP,
        words: "exec shell sh attach enter nsenter",
        advice: "`coracle debug NAME` starts a shell of this machine next to the program of a run",
    },
    ForeignWord {
        commands: TOP,
        words: "kill",
        advice: "`coracle stop NAME` ends a run that is in the background",
    },
    ForeignWord {
        commands: TOP,
        words: "push publish upload",
        advice: "`coracle build ./app -t NAME:TAG --push` builds and pushes, \
                 `coracle copy oci:DIR docker://NAME:TAG` pushes an image on disk",
    },
    ForeignWord {
        commands: TOP,
        words: "pull fetch download",
        advice: "`coracle copy docker://NAME:TAG oci:DIR` writes an image of a registry to disk",
    },
    ForeignWord {
        commands: TOP,
        words: "save export archive tarball unpack umoci",
        advice: "`coracle build ./app -o docker-archive:FILE` or `coracle copy SRC oci-archive:FILE` writes an archive",
    },
    ForeignWord {
        commands: TOP,
        words: "load import",
        advice: "`coracle build ./app -t NAME --load` loads an image into an engine, and so does \
                 `coracle copy oci-archive:FILE docker-daemon:NAME`",
    },
    ForeignWord {
        commands: TOP,
        words: "tag rename retag",
        advice: "`coracle build ./app -t NAME:TAG` names an image, \
                 `coracle copy docker://NAME:1 docker://NAME:2` adds a name in a registry",
    },
    ForeignWord {
        commands: TOP,
        words: "history layers ls list tree-files files explain dive plan details describe info",
        advice: "`coracle inspect IMAGE` shows what an image contains, with `--files` and `--why PATH`; \
                 `coracle build ./app --dry-run` lists the files of an image before it is built",
    },
    ForeignWord {
        commands: TOP,
        words: "images image ps container rmi rm logs catalog delete",
        advice: "Coracle keeps no images: each is where `coracle build -o DEST` has put it",
    },
    ForeignWord {
        commands: TOP,
        words: "login logout auth",
        advice: "log in with `docker login` or `podman login`; in CI, set CORACLE_REGISTRY_USER and \
                 CORACLE_REGISTRY_PASSWORD",
    },
    ForeignWord {
        commands: TOP,
        words: "ldd lddtree tree libs libraries dependencies dependency why otool",
        advice: "`coracle deps FILE` shows what the loader would map, with `--why NAME` for one library",
    },
    ForeignWord {
        commands: TOP,
        words: "cp mirror sync mv",
        advice: "`coracle copy SRC DST` copies an image",
    },
    ForeignWord {
        commands: TOP,
        words: "manifest imagetools multi-arch",
        advice: "`coracle index DEST IMAGE IMAGE` combines images of several platforms; `coracle manifests` prints \
                 Kubernetes manifests",
    },
    ForeignWord {
        commands: TOP,
        words: "apply deploy generate gen kustomize helm chart kube k8s kubernetes",
        advice: "`coracle manifests` prints Kubernetes manifests, for `kubectl apply -f -`",
    },
    ForeignWord {
        commands: TOP,
        words: "bud buildx bake from commit make package pack bundle containerize dockerize compile add \
                append jib ko",
        advice: "`coracle build ./app` builds an image of a program; `--include FROM:TO` adds files",
    },
    ForeignWord {
        commands: TOP,
        words: "new setup scaffold quickstart template",
        advice: "`coracle init ./app` writes a first recipe",
    },
    ForeignWord {
        commands: TOP,
        words: "compare changes container-diff diffoci",
        advice: "`coracle diff OLD NEW` shows how two images differ",
    },
    ForeignWord {
        commands: TOP,
        words: "render check validate lint show view",
        advice: "`coracle verify IMAGE` checks an image; `coracle config render`, `coracle config check`, `coracle config show` and `coracle config diff` \
                 are about configuration; `coracle build ./app --dry-run` checks a recipe without writing anything",
    },
    ForeignWord {
        commands: TOP,
        words: "prune clean gc system clear",
        advice: "`coracle cache prune` removes files of the build cache; nothing else is kept",
    },
    ForeignWord {
        commands: TOP,
        words: "trace strace slim profile watch observe",
        advice: "`coracle record -- PROGRAM` runs a program and prints what it opens that its image lacks",
    },
    ForeignWord {
        commands: TOP,
        words: "digest pin freeze",
        advice: "`coracle build` prints the reference with its digest, `coracle resolve FILE` pins images in manifests",
    },
    ForeignWord {
        commands: TOP,
        words: "keys schema settings options",
        advice: "`coracle recipe keys` prints every key of a recipe",
    },
    ForeignWord {
        commands: TOP,
        words: "completion autocomplete",
        advice: "`coracle completions bash` prints a shell completion script",
    },
    ForeignWord {
        commands: TOP,
        words: "scan scout",
        advice: "a build always scans for secrets, and `coracle inspect IMAGE --packages` lists the packages of an image",
    },
    ForeignWord {
        commands: TOP,
        words: "attest provenance",
        advice: "`coracle build --provenance` publishes provenance, `coracle sign IMAGE --key KEY` signs what is stored",
    },
    ForeignWord {
        commands: TOP,
        words: "generate-key-pair keygen keys-generate",
        advice: "`coracle key generate` creates a pair of keys",
    },
    ForeignWord {
        commands: TOP,
        words: "update relock freeze-inputs",
        advice: "`coracle lock --update` writes the lock of an image anew",
    },
    ForeignWord { commands: TOP, words: "version", advice: "`--version` prints the version" },
    ForeignWord { commands: &[], words: "help", advice: "`--help` after any command describes it" },
    ForeignWord {
        commands: &["config"],
        words: "validate lint verify test",
        advice: "`coracle config check IMAGE MANIFEST` checks Kubernetes manifests, `coracle config render` templates",
    },
    ForeignWord {
        commands: &["config"],
        words: "view get print inspect ls list contract",
        advice: "`coracle config show IMAGE` shows what an image expects",
    },
    ForeignWord {
        commands: &["config"],
        words: "template generate build write export set",
        advice: "`coracle config render` renders the files, with `--set KEY=VALUE` for single values",
    },
    ForeignWord {
        commands: &["cache"],
        words: "clean clear rm remove delete purge gc reset ls list info du",
        advice: "`coracle cache prune` removes the least recently used files, `coracle cache prune --all` everything",
    },
    ForeignWord {
        commands: &["recipe"],
        words: "show list ls docs schema explain check print",
        advice: "`coracle recipe keys` prints every key, `coracle recipe keys KEY` one",
    },
];
