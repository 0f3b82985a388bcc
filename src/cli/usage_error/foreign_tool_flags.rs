//! Flags of skopeo, crane, kubectl, helm and ldd, and flags that many tools have, with ours.

use super::ForeignWord;

const COPY: &[&str] = &["copy"];
const SIGN: &[&str] = &["sign"];
const VERIFY: &[&str] = &["verify"];
const INDEX: &[&str] = &["index"];
const MANIFESTS: &[&str] = &["manifests"];
const DEPS: &[&str] = &["deps"];
/// The commands that connect to registries.
const WITH_REGISTRY: &[&str] = &[
    "build",
    "copy",
    "index",
    "sign",
    "verify",
    "manifests",
    "resolve",
    "record",
    "run",
    "debug",
    "config show",
    "config check",
    "config diff",
];
const WITH_FORMAT: &[&str] = &[
    "build",
    "copy",
    "index",
    "sign",
    "verify",
    "deps",
    "record",
    "recipe keys",
    "config show",
    "config check",
    "config diff",
];
const WITH_VALUES: &[&str] = &["build", "manifests", "run", "config render"];

pub(super) const OTHER_FLAGS: &[ForeignWord] = &[
    // Copies and indexes.
    ForeignWord {
        commands: COPY,
        words: "--all -a --multi-arch --all-platforms --preserve-digests",
        advice: "leave it out: all bytes are preserved, and an image index is copied with all of its images",
    },
    ForeignWord {
        commands: COPY,
        words: "--platform --override-arch --override-os --override-variant --arch --os",
        advice: "an image index is copied with all of its images; name one of them by digest: \
                 `docker://NAME@sha256:…`",
    },
    ForeignWord {
        commands: COPY,
        words: "-t --tag --additional-tag -o --output --to --dest -d",
        advice: "the second argument is the destination: `coracle copy oci:DIR docker://NAME:TAG`",
    },
    ForeignWord {
        commands: COPY,
        words: "-r --recursive --signatures --attestations --sign-by --remove-signatures",
        advice: "`--referrers` also copies signatures and attestations; `coracle sign` makes them",
    },
    // Signatures.
    ForeignWord {
        commands: SIGN,
        words: "--tlog-upload --rekor-url --use-signing-config --signing-config --upload -y --yes --registry-referrers-mode \
                --new-bundle-format",
        advice: "leave it out: a signature with a key is a bundle among the referrers, without a transparency log",
    },
    ForeignWord {
        commands: SIGN,
        words: "--fulcio-url --identity-token --oidc-issuer --oidc-provider --sk --slot --certificate --cert",
        advice: "`--signer PROGRAM` signs with a program, for example without a key of your own; see docs/signing.md",
    },
    ForeignWord {
        commands: SIGN,
        words: "-r --recursive --attachment -a --annotations --sign-container-identity --predicate --type",
        advice: "leave it out: the image is signed, and the SBOMs and provenance that are stored with it",
    },
    ForeignWord {
        commands: VERIFY,
        words: "--insecure-ignore-tlog --insecure-ignore-sct --private-infrastructure --rekor-url --new-bundle-format --offline",
        advice: "leave it out: a signature is checked with the key alone",
    },
    ForeignWord {
        commands: VERIFY,
        words: "--certificate-identity --certificate-identity-regexp --certificate-oidc-issuer \
                --certificate-oidc-issuer-regexp --certificate --trusted-root",
        advice: "only signatures with a key are checked: `--key PUB`; `cosign verify` checks identities",
    },
    ForeignWord {
        commands: VERIFY,
        words: "--attestation --attestations --type --predicate",
        advice: "`--provenance` and `--sbom` check such documents, with `--key PUB` signed ones",
    },
    ForeignWord {
        commands: COPY,
        words: "--dest-compress --dest-compress-format --dest-compress-level --dest-decompress \
                --dest-oci-accept-uncompressed-layers --compression",
        advice: "a copy preserves all bytes; `coracle build ./app --compression zstd` sets how layers are compressed",
    },
    ForeignWord {
        commands: COPY,
        words: "--push --load",
        advice: "the destination says so: `docker://NAME:TAG` pushes, `docker-daemon:NAME:TAG` loads",
    },
    ForeignWord {
        commands: INDEX,
        words: "-t --tag --amend -a --append --create --target --template --platforms --platform -m \
                --manifest -f --file -o --output --push -p --image --all",
        advice: "the first argument is the index, the others are its images, whose platforms are read: \
                 `coracle index docker://NAME:TAG IMAGE IMAGE`",
    },
    // Registries.
    ForeignWord {
        commands: WITH_REGISTRY,
        words: "--creds --src-creds --dest-creds --username --password --password-stdin --src-username \
                --dest-username --credential-helper --to-credential-helper --registry-token \
                --src-registry-token --dest-registry-token --auth",
        advice: "log in with `docker login` or `podman login`, or set CORACLE_REGISTRY_USER and \
                 CORACLE_REGISTRY_PASSWORD",
    },
    ForeignWord {
        commands: WITH_REGISTRY,
        words: "--src-authfile --dest-authfile --registry-config --docker-config --auth-file",
        advice: "`--authfile FILE` names a file with logins",
    },
    ForeignWord {
        commands: WITH_REGISTRY,
        words: "--tls-verify --src-tls-verify --dest-tls-verify --insecure-registry --insecure-policy \
                --allow-insecure-registries --allow-http --plain-http --http --insecure-skip-tls-verify \
                --send-credentials-over-http --skip-tls-verify",
        advice: "`--insecure HOST[:PORT]` allows one registry without TLS, `--ca-file FILE` trusts its CA",
    },
    ForeignWord {
        commands: WITH_REGISTRY,
        words: "--cert-dir --src-cert-dir --dest-cert-dir --cacert --registry-certificate",
        advice: "`--ca-file FILE` trusts the CA certificates in a PEM file",
    },
    // Kubernetes.
    ForeignWord {
        commands: MANIFESTS,
        words: "--replicas --kind --name --port --labels -l --annotations --resources --limits --requests \
                --service --type --probes --patch --schedule --image-pull-secrets",
        advice: "`[kubernetes]` of the recipe has it: `coracle recipe keys kubernetes`",
    },
    ForeignWord {
        commands: MANIFESTS,
        words: "--image -i --from",
        advice: "the argument is the image: `coracle manifests oci:DIR`",
    },
    ForeignWord {
        commands: MANIFESTS,
        words: "--helm --chart --kustomize -k --format --release-name",
        advice: "`--layout kustomize -o DIR` or `--layout helm -o DIR` writes a directory",
    },
    ForeignWord {
        commands: MANIFESTS,
        words: "--apply --push --dry-run --context --kubeconfig --wait --server-side",
        advice: "nothing is applied: `coracle manifests` prints objects, for `kubectl apply -f -`",
    },
    ForeignWord {
        commands: WITH_VALUES,
        words: "--set-string --set-json --values-file --value --var --data-value --param",
        advice: "`--set KEY=VALUE` overrides one value, `--set-file KEY=FILE` from a file, `--values FILE` several",
    },
    // The loader.
    ForeignWord {
        commands: DEPS,
        words: "-l --list --flat --paths",
        advice: "`--format paths` prints a list",
    },
    ForeignWord {
        commands: DEPS,
        words: "-d --data-relocs -r --function-relocs -u --unused",
        advice: "`--symbols` checks for undefined symbols; symbol versions are always checked",
    },
    ForeignWord { commands: DEPS, words: "-R --sysroot-dir --prefix", advice: "`--root DIR` sets the root" },
    ForeignWord {
        commands: DEPS,
        words: "--ld-library-path -L --env",
        advice: "`--library-path DIRS` has the value of LD_LIBRARY_PATH",
    },
    ForeignWord {
        commands: DEPS,
        words: "--copy-to-tree --copy -o --output --bundle",
        advice: "`coracle build ./app` packs the program with its libraries",
    },
    // What all commands share.
    ForeignWord { commands: WITH_FORMAT, words: "--json -j", advice: "`--format json` prints JSON" },
    ForeignWord {
        commands: &[],
        words: "--no-color --no-colour --colour --colors --ansi --no-ansi",
        advice: "`--color never` prints without colours, and so does NO_COLOR=1",
    },
    ForeignWord {
        commands: &[],
        words: "--verbose -v -vv --debug -D --log-level --loglevel --log-format --verbosity --console \
                --progress --trace",
        advice: "leave it out: there are no log levels, and all messages are on stderr",
    },
    ForeignWord { commands: &[], words: "--help-all -? -help", advice: "`--help` lists all flags" },
];
