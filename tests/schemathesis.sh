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
pinned_venv "$place" "$pins" st || {
    say "schemathesis cannot be installed"
    exit 1
}
export XRPAYD_TEST_SCHEMATHESIS=$place/venv
exec "$@"
