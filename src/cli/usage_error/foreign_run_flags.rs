//! Flags of `docker run`, `podman run`, `kubectl run`, `kubectl debug` and `cargo run`, with ours.

use super::ForeignWord;

const RUN: &[&str] = &["run"];
const STOP: &[&str] = &["stop"];
const DEBUG: &[&str] = &["debug"];

pub(super) const RUN_FLAGS: &[ForeignWord] = &[
    ForeignWord {
        commands: RUN,
        words: "-v --volume --mount --volumes-from",
        advice: "`--config FOLDER:TO` mounts configuration, `--secret-file KEY=FILE` gives a Secret its content, and \
                 `--state PATH` declares a directory that the program writes to",
    },
    ForeignWord {
        commands: RUN,
        words: "--tmpfs",
        advice: "`--state PATH` declares a directory that the program writes to, also `/tmp`",
    },
    ForeignWord {
        commands: RUN,
        words: "--rm --init --replace --no-healthcheck",
        advice: "leave it out: nothing of a run is kept, except what `--keep` keeps",
    },
    ForeignWord {
        commands: RUN,
        words: "-i -t --interactive --tty --stdin --attach -a",
        advice: "leave it out: the program gets the terminal if there is one",
    },
    ForeignWord {
        commands: RUN,
        words: "-e --env-file --env-host",
        advice: "`--env NAME=VALUE` sets a variable, `--env NAME` passes one on",
    },
    ForeignWord { commands: RUN, words: "-u", advice: "`--user UID[:GID]` runs as another user" },
    ForeignWord {
        commands: RUN,
        words: "--entrypoint --command -c",
        advice: "an image has one program; `coracle run ./app -- ARGS` passes other arguments",
    },
    ForeignWord {
        commands: RUN,
        words: "--network --net --add-host --dns --ip --hostname --port --expose --publish-port",
        advice: "the program has the network of this machine; `-p HOST:CONTAINER` makes a port reachable under another \
                 number, and `--runtime podman` uses a network of its own",
    },
    ForeignWord {
        commands: RUN,
        words: "--read-only --cap-drop --cap-add --security-opt --privileged --userns --group-add --device --pid --ipc",
        advice: "leave it out: a run has always a read-only root and no capabilities, as in a restricted pod; \
                 `--print podman` prints a command to change",
    },
    ForeignWord {
        commands: RUN,
        words: "-w --workdir --working-dir --stop-signal -l --label --labels --health-cmd --restart",
        advice: "set it in the recipe: `working-dir`, `stop-signal`, `labels` below `[image]`, probes below `[kubernetes]`",
    },
    ForeignWord {
        commands: RUN,
        words: "-m --memory --cpus --cpu-shares --pids-limit --ulimit --shm-size --limits --requests",
        advice: "a run has no limits; `--print podman` prints a command to add them to",
    },
    ForeignWord {
        commands: RUN,
        words: "--pull --image --arch --os",
        advice: "the argument names the image, which is copied again if it has changed: `coracle run docker://NAME:TAG`",
    },
    ForeignWord {
        commands: RUN,
        words: "-o --output --tag --push --load --strip --include",
        advice: "a run builds into the cache; for other images, `coracle build ./app` and then `coracle run oci:app.oci`",
    },
    ForeignWord {
        commands: RUN,
        words: "--bin --example --release --features --package --manifest-path",
        advice: "`cargo coracle run` builds with cargo and runs the program's image",
    },
    ForeignWord {
        commands: STOP,
        words: "-t --time --timeout --grace-period -s --signal -f --force",
        advice: "the recipe says how a program ends: `stop-signal` below `[image]`, `termination-grace` below `[kubernetes]`",
    },
    ForeignWord {
        commands: STOP,
        words: "-a --all --latest -l",
        advice: "name the run; without a name, the only one is ended",
    },
    ForeignWord {
        commands: DEBUG,
        words: "-i -t --interactive --tty --stdin --target --profile --share-processes --copy-to -n --namespace --attach",
        advice: "leave it out: the tool gets the terminal; `--pod POD` prints a `kubectl debug` command to add flags to",
    },
    ForeignWord {
        commands: DEBUG,
        words: "-e --env -u --user -w --workdir --privileged",
        advice: "the tool runs with your environment: `coracle debug NAME -- env NAME=VALUE TOOL`",
    },
];
