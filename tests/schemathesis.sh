#!/usr/bin/env bash
# Runs a command beside schemathesis and openapi-spec-validator, as their makers publish them:
# tests/schemathesis.sh cargo test …
#
# They are installed once, by exact version and hash, into the target folder; the command finds them
# in XRPAYD_TEST_SCHEMATHESIS (bin/st, bin/python). Where that variable is set already, what it names
# is used. Python's venv comes from Debian where it is missing and the caller may install it.
set -euo pipefail

if [ "$#" -eq 0 ]; then
    echo "usage: tests/schemathesis.sh COMMAND [ARGUMENT]…" >&2
    exit 2
fi
if [ -n "${XRPAYD_TEST_SCHEMATHESIS:-}" ]; then
    exec "$@"
fi

say() { echo "tests/schemathesis.sh: $*" >&2; }

root=$(cd "$(dirname "$0")/.." && pwd)
pins=$root/tests/schemathesis/requirements.txt
place=${CARGO_TARGET_DIR:-$root/target}/schemathesis
# shellcheck source=tests/python.sh
. "$root/tests/python.sh"
mkdir -p "$place"
place=$(cd "$place" && pwd)

# Two runs at once would install over each other.
exec 9>"$place/lock"
flock 9

install() {
    local python
    rm -rf "$place/venv"
    python=$(need_python) || return 1
    say "installing schemathesis"
    "$python" -m venv "$place/venv"
    "$place/venv/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary :all: \
        -r "$pins" >&2
}

# What is installed is of use for as long as the pins, and the programs it was made with, are the same.
wanted=$(cat "$pins" "$0" "$root/tests/python.sh" | sha256sum)
if [ "$(cat "$place/installed" 2>/dev/null || true)" != "$wanted" ] ||
    ! "$place/venv/bin/st" --version >/dev/null 2>&1; then
    rm -f "$place/installed"
    install || {
        say "schemathesis cannot be installed"
        exit 1
    }
    echo "$wanted" >"$place/installed"
fi

export XRPAYD_TEST_SCHEMATHESIS=$place/venv
exec 9>&-
exec "$@"
