//! Flags of `docker build` and `docker run`, podman, buildah, ko, jib and kaniko, with the
//! equivalent flags of `coracle build`.

use super::ForeignWord;

const BUILD: &[&str] = &["build"];

pub(super) const BUILD_FLAGS: &[ForeignWord] = &[
    // What an image is made of.
    ForeignWord {
        commands: BUILD,
        words: "-p --publish --port --ports -P --publish-all",
        advice: "`--expose PORT` declares a port; an engine publishes it when it starts the image, as in \
                 `docker run -p 8080:8080`",
    },
    ForeignWord {
        commands: BUILD,
        words: "-e --env-file --environment-variables --envs",
        advice: "`--env NAME=VALUE` sets a variable that is the same in all deployments; docs/configuration.md is \
                 about the others",
    },
    ForeignWord {
        commands: BUILD,
        words: "-v --volume --volumes --mount --tmpfs --bind",
        advice: "`--include FROM:TO` adds files to the image, `--config FOLDER:TO` declares files that are mounted, \
                 `--state PATH` a directory that the program writes to",
    },
    ForeignWord {
        commands: BUILD,
        words: "--copy --add --file-add --extra-directories --add-file --files --data --context --append \
                --assets --include-file --include-dir --add-dir",
        advice: "`--include FROM:TO` adds a file or a directory to the image",
    },
    ForeignWord {
        commands: BUILD,
        words: "-w --workdir --workingdir --working-directory --cwd --chdir",
        advice: "`--working-dir PATH` sets the directory in which the program starts",
    },
    ForeignWord {
        commands: BUILD,
        words: "-u --uid --image-user --run-as --gid --group --userns",
        advice: "`--user UID[:GID]` sets the user by number",
    },
    ForeignWord {
        commands: BUILD,
        words: "--entrypoint --exec-entrypoint --program",
        advice: "the program is the entrypoint, and its arguments follow `--`: \
                 `coracle build ./app -- serve --port 8080`",
    },
    ForeignWord {
        commands: BUILD,
        words: "--cmd -c --command --args --program-args --jvm-flags --default-args",
        advice: "`--arg ARG` adds an argument of the program; several follow `--`: \
                 `coracle build ./app -- serve --port 8080`",
    },
    ForeignWord {
        commands: BUILD,
        words: "-n --name --image --image-name --to --tags --tagged --repository --repo --destination -d \
                --additional-tags -B --bare --base-import-paths --preserve-import-paths --additional-tag \
                --ref",
        advice: "`-t NAME[:TAG]` names the image, with its registry if it is pushed: `-t ghcr.io/acme/app:1.2`",
    },
    ForeignWord {
        commands: BUILD,
        words: "--from --base-image --parent --baseimage",
        advice: "`--base IMAGE` sets the base image",
    },
    ForeignWord {
        commands: BUILD,
        words: "-l --labels --image-label --author --maintainer --identity-label",
        advice: "`--label NAME=VALUE` sets a label of the image",
    },
    ForeignWord {
        commands: BUILD,
        words: "--annotations --image-annotation",
        advice: "`--annotation NAME=VALUE` sets an annotation of the manifest",
    },
    ForeignWord {
        commands: BUILD,
        words: "--healthcheck --health-cmd --health-interval --health-timeout --no-healthcheck --probe",
        advice: "OCI images have no health check; `probes` below `[kubernetes]` of a recipe writes Kubernetes' probes",
    },
    ForeignWord {
        commands: BUILD,
        words: "--chown --chmod --owner --mode --permissions",
        advice: "files belong to root and cannot be changed by the program; `--state PATH` declares a directory that \
                 it writes to",
    },
    ForeignWord {
        commands: BUILD,
        words: "--arch --os --variant --override-arch --platforms --all-platforms --goarch",
        advice: "the platform is that of the program; `--platform OS/ARCH[/VARIANT]` adds what its header lacks",
    },
    ForeignWord {
        commands: BUILD,
        words: "--timestamp --source-date-epoch --creation-time --created --omit-timestamp \
                --rewrite-timestamp --date",
        advice: "`--epoch SECONDS`, or SOURCE_DATE_EPOCH, sets the creation time; it is 0 by default",
    },
    ForeignWord {
        commands: BUILD,
        words: "--compress --compression-format --compression-level --force-compression --gzip --zstd",
        advice: "`--compression CODEC[:LEVEL]` sets `gzip`, `zstd` or `none`",
    },
    ForeignWord {
        commands: BUILD,
        words: "--tz --timezone --timezones --tzdata --zoneinfo",
        advice: "`--time-zones=Europe/Berlin` adds a time zone, `--time-zones` all",
    },
    ForeignWord {
        commands: BUILD,
        words: "--certs --ca-certificates --ca-certs --ca --cert --tls --ssl",
        advice: "`--certificates true` adds CA certificates to the image; `--ca-file FILE` is for registries",
    },
    ForeignWord {
        commands: BUILD,
        words: "--library -L --libs --library-path --ld-library-path --preload --link",
        advice: "`--dlopen NAME` adds a library that the program opens, `--env LD_LIBRARY_PATH=DIRS` sets where its \
                 loader searches, `--sysroot DIR` has the libraries of a cross-compiled program",
    },
    ForeignWord {
        commands: BUILD,
        words: "--configmap --from-file --config-file --configs",
        advice: "`--config FOLDER:TO` declares the files of a folder, which are mounted at TO",
    },
    ForeignWord {
        commands: BUILD,
        words: "--secrets --from-literal",
        advice: "`--secret KEY[,KEY]:TO` declares a Secret that is mounted at TO; no secret is part of an image",
    },
    // Where an image goes.
    ForeignWord {
        commands: BUILD,
        words: "--save --tarball --tar --tar-path --oci-layout-path --dest --out --output-file --archive",
        advice: "`-o oci-archive:FILE` or `-o docker-archive:FILE` writes an archive, `-o oci:DIR` a layout",
    },
    ForeignWord {
        commands: BUILD,
        words: "--local --docker --docker-daemon --podman --containerd --kind --minikube",
        advice: "`--load` loads the image into Docker, Podman or containerd; `-o docker-daemon:NAME`, \
                 `-o containers-storage:NAME` and `-o containerd:NAME` name one",
    },
    ForeignWord {
        commands: BUILD,
        words: "--no-push",
        advice: "leave it out: nothing is pushed without `--push`",
    },
    ForeignWord {
        commands: BUILD,
        words: "--iidfile --image-refs --digestfile --digest-file --image-metadata-out --cidfile",
        advice: "stdout is the image's reference with its digest; `--metadata-file FILE` writes a JSON report",
    },
    ForeignWord {
        commands: BUILD,
        words: "--sbom-dir --sbom-output --sboms",
        advice: "`--sbom FILE` writes an SBOM, `--attach-sbom FORMAT` attaches one to the image",
    },
    ForeignWord {
        commands: BUILD,
        words: "--attest --sign-by --sign",
        advice: "`--provenance` publishes provenance, and `--sign-key KEY` signs the image",
    },
    ForeignWord {
        commands: BUILD,
        words: "--yes -y --force --overwrite --force-rm",
        advice: "leave it out: nothing is asked, and the image at a destination is replaced",
    },
    // What only exists where a Dockerfile is run or a container is started.
    ForeignWord {
        commands: BUILD,
        words: "--build-arg --build-context --ssh --add-host --network --net --isolation --squash \
                --squash-all --layers --pull --builder --no-cache-filter --cgroup-parent --ulimit --shm-size \
                --jobs --dockerfile --containerfile --build-file --ignorefile --target --run --shell \
                --onbuild --stage --history --created-by",
        advice: "leave it out: Coracle runs no Dockerfile and no compiler; it packs the program and what it needs",
    },
    ForeignWord {
        commands: BUILD,
        words: "--rm -i --interactive --tty --detach --restart --read-only --init --hostname --memory -m \
                --cpus --cap-add --cap-drop --privileged --security-opt --device --gpus --stop-timeout --dns \
                --link-local-ip --entry --pod --replicas",
        advice: "Coracle starts no containers: `--load` loads the image into an engine, and `docker run`, or \
                 `[kubernetes]` in the recipe, has such settings",
    },
];
