#!/bin/sh
# Runs `coracle build`, or `cargo coracle build`, as the variables CORACLE_… say, and has it report in files.
set -eu

# Takes the first byte or character off `coracle_rest`.
coracle_take() {
    coracle_left=${coracle_rest#?}
    coracle_char=${coracle_rest%"$coracle_left"}
    coracle_rest=$coracle_left
}

# Takes the next word off `coracle_rest`, as a shell would make it of quotes and backslashes; nothing in it is expanded. $1 is
# what the input is called.
coracle_next() {
    coracle_word='' coracle_quote='' coracle_found=false
    while [ -n "$coracle_rest" ]; do
        # Most of a word means nothing else, and is taken at once.
        coracle_plain=${coracle_rest%%[!-A-Za-z0-9./:=_]*}
        if [ -n "$coracle_plain" ]; then
            coracle_word=$coracle_word$coracle_plain coracle_found=true
            coracle_rest=${coracle_rest#"$coracle_plain"}
            continue
        fi
        coracle_take
        case $coracle_quote$coracle_char in
            "''" | '""') coracle_quote='' ;;
            "'"?) coracle_word=$coracle_word$coracle_char ;;
            "'" | '"') coracle_quote=$coracle_char coracle_found=true ;;
            '"\')
                case $coracle_rest in
                    [\$\`\"\\]*) coracle_take && coracle_word=$coracle_word$coracle_char ;;
                    "$coracle_line"*) coracle_take ;;
                    *) coracle_word=$coracle_word\\ ;;
                esac
                ;;
            '\')
                case $coracle_rest in
                    '') coracle_word=$coracle_word\\ coracle_found=true ;;
                    "$coracle_line"*) coracle_take ;;
                    *) coracle_take && coracle_word=$coracle_word$coracle_char coracle_found=true ;;
                esac
                ;;
            ' ' | "$coracle_tab" | "$coracle_line") if $coracle_found; then return 0; fi ;;
            *) coracle_word=$coracle_word$coracle_char coracle_found=true ;;
        esac
    done
    if [ -n "$coracle_quote" ]; then
        echo "error: \`$1\` has a quote, $coracle_quote, that nothing closes" >&2
        exit 2
    fi
    $coracle_found
}
coracle_line='
'
coracle_tab=$(printf '\t')

# The name of an image, in small letters up to its tag: owners and repositories at GitHub may have capitals.
coracle_small() {
    case ${1##*/} in
        *:*) printf '%s:%s\n' "$(coracle_small "${1%:*}")" "${1##*:}" ;;
        *) printf '%s\n' "$1" | LC_ALL=C tr A-Z a-z ;;
    esac
}

coracle_switch() {
    case "$2" in
        true) return 0 ;;
        false | "") return 1 ;;
        *) echo "error: \`$1\` is \`true\` or \`false\`, not \`$2\`" >&2; exit 2 ;;
    esac
}

case $CORACLE_PREVIOUS in docker://*) CORACLE_PREVIOUS=$(coracle_small "$CORACLE_PREVIOUS") ;; esac
set -- --metadata-file "$CORACLE_METADATA_FILE" --dotenv "$CORACLE_DOTENV" --summary "$CORACLE_SUMMARY"
if coracle_switch push "$CORACLE_PUSH"; then set -- "$@" --push; fi
if [ -n "$CORACLE_BUDGET_IMAGE" ]; then set -- "$@" --budget-image "$CORACLE_BUDGET_IMAGE"; fi
if [ -n "$CORACLE_BUDGET_GROWTH" ]; then set -- "$@" --budget-growth "$CORACLE_BUDGET_GROWTH"; fi
if [ -n "$CORACLE_PREVIOUS" ]; then set -- "$@" --previous "$CORACLE_PREVIOUS"; fi
coracle_rest=$CORACLE_TAGS
while coracle_next tags; do set -- "$@" --tag "$(coracle_small "$coracle_word")"; done
coracle_rest=$CORACLE_ARGS
while coracle_next args; do set -- "$@" "$coracle_word"; done

# Without a password there is no login, and the files of `docker login` and `podman login` count.
if [ -z "${CORACLE_REGISTRY_PASSWORD:-}" ]; then unset CORACLE_REGISTRY_USER CORACLE_REGISTRY_PASSWORD; fi
if coracle_switch cargo "$CORACLE_CARGO"; then
    cargo coracle build "$@"
else
    coracle build "$@"
fi
