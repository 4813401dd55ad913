#!/usr/bin/env bash
# Runs a command beside the programs that look over what the daemon is deployed with, as their makers
# publish them: tests/linters.sh cargo test …
#
# hadolint, zizmor, check-jsonschema and kubernetes-validate are installed once, by exact version and hash,
# into the target folder; the command finds them in XRPAYD_TEST_LINTERS (bin/…). Where that variable is set
# already, what it names is used. Python's venv comes from Debian where it is missing and the caller may
# install it.
set -euo pipefail

if [ "$#" -eq 0 ]; then
    echo "usage: tests/linters.sh COMMAND [ARGUMENT]…" >&2
    exit 2
fi
if [ -n "${XRPAYD_TEST_LINTERS:-}" ]; then
    exec "$@"
fi

say() { echo "tests/linters.sh: $*" >&2; }

root=$(cd "$(dirname "$0")/.." && pwd)
place=${CARGO_TARGET_DIR:-$root/target}/linters
# shellcheck source=tests/python.sh
. "$root/tests/python.sh"
mkdir -p "$place"
place=$(cd "$place" && pwd)
pinned_venv "$place" "$root/tests/linters/requirements.txt" hadolint || {
    say "the linters cannot be installed"
    exit 1
}
export XRPAYD_TEST_LINTERS=$place/venv
exec "$@"
