#!/bin/sh
# Runs `coracle build`, or `cargo coracle build`, as the variables CORACLE_… say, and has it report in files.
set -eu

# Words as a shell would make them, quotes and backslashes too, a line each; nothing in them is expanded.
coracle_words() {
    printf '%s\n' "$1" | xargs -r printf '%s\n'
}

coracle_switch() {
    case "$2" in
        true) return 0 ;;
        false | "") return 1 ;;
        *) echo "error: \`$1\` is \`true\` or \`false\`, not \`$2\`" >&2; exit 2 ;;
    esac
}

set -- --metadata-file "$CORACLE_METADATA_FILE" --dotenv "$CORACLE_DOTENV" --summary "$CORACLE_SUMMARY"
if coracle_switch push "$CORACLE_PUSH"; then set -- "$@" --push; fi
if [ -n "$CORACLE_BUDGET_IMAGE" ]; then set -- "$@" --budget-image "$CORACLE_BUDGET_IMAGE"; fi
if [ -n "$CORACLE_BUDGET_GROWTH" ]; then set -- "$@" --budget-growth "$CORACLE_BUDGET_GROWTH"; fi
if [ -n "$CORACLE_PREVIOUS" ]; then set -- "$@" --previous "$CORACLE_PREVIOUS"; fi
coracle_file=$(mktemp)
coracle_words "$CORACLE_TAGS" >"$coracle_file"
while IFS= read -r coracle_word; do set -- "$@" --tag "$coracle_word"; done <"$coracle_file"
coracle_words "$CORACLE_ARGS" >"$coracle_file"
while IFS= read -r coracle_word; do set -- "$@" "$coracle_word"; done <"$coracle_file"
rm "$coracle_file"

# Without a password there is no login, and the files of `docker login` and `podman login` count.
if [ -z "${CORACLE_REGISTRY_PASSWORD:-}" ]; then unset CORACLE_REGISTRY_USER CORACLE_REGISTRY_PASSWORD; fi
if coracle_switch cargo "$CORACLE_CARGO"; then
    cargo coracle build "$@"
else
    coracle build "$@"
fi
