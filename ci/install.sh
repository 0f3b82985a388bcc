#!/bin/sh
# Puts coracle of CORACLE_VERSION into the directory CORACLE_BIN, in front of PATH, unless PATH has it: the static program for
# this machine from CORACLE_RELEASES/vVERSION, held to the checksum that is published beside it.
set -eu

coracle_fetch() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --retry 3 --output "$2" "$1"
    else
        wget -q -O "$2" "$1"
    fi
}

# In a shell of its own, which removes what it has fetched.
coracle_install() (
    case "$(uname -s) $(uname -m)" in
        "Linux x86_64") target=x86_64-unknown-linux-musl ;;
        "Linux aarch64") target=aarch64-unknown-linux-musl ;;
        *) echo "error: there is no release of coracle for $(uname -s) on $(uname -m)" >&2 && exit 1 ;;
    esac
    name=coracle-v$1-$target.tar.gz
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    for file in "$name" SHA256SUMS; do
        coracle_fetch "$2/v$1/$file" "$work/$file" || {
            echo "error: cannot get $2/v$1/$file" >&2
            exit 1
        }
    done
    grep "^[0-9a-f]* [ *]$name\$" "$work/SHA256SUMS" >"$work/sum" || {
        echo "error: $2/v$1/SHA256SUMS does not name $name" >&2
        exit 1
    }
    (cd "$work" && sha256sum -c sum >/dev/null) || {
        echo "error: $2/v$1/$name is not what SHA256SUMS beside it says" >&2
        exit 1
    }
    # Unpacked beside, and then named: a program that runs can't be written to.
    beside=$(mktemp -d "$CORACLE_BIN/.coracle-XXXXXX")
    trap 'rm -rf "$work" "$beside"' EXIT
    tar -xzf "$work/$name" -C "$beside" || {
        echo "error: cannot unpack $name in $CORACLE_BIN" >&2
        exit 1
    }
    found=$("$beside/${name%.tar.gz}/coracle" --version) || found="no program that runs here"
    if [ "$found" != "coracle $1" ]; then
        echo "error: $2/v$1/$name has $found, not coracle $1" >&2
        exit 1
    fi
    for program in coracle cargo-coracle; do
        mv -f "$beside/${name%.tar.gz}/$program" "$CORACLE_BIN/$program" || {
            echo "error: cannot put $program into $CORACLE_BIN" >&2
            exit 1
        }
    done
)

CORACLE_VERSION=${CORACLE_VERSION#v}
mkdir -p "$CORACLE_BIN"
export PATH="$CORACLE_BIN:$PATH"
if [ "$(coracle --version 2>/dev/null)" != "coracle $CORACLE_VERSION" ]; then
    coracle_install "$CORACLE_VERSION" "${CORACLE_RELEASES%/}"
fi
coracle --version >&2
