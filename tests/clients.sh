#!/usr/bin/env bash
# Runs a command beside the client libraries that the tests use: xrpl.js, xrpl-py and standardwebhooks,
# as their makers publish them: tests/clients.sh cargo test …
#
# They are installed once, by exact version and hash, into the target folder; the command finds them
# in XRPAYD_TEST_CLIENTS (bin/node, node_modules, venv/bin/python). Where that variable is set
# already, what it names is used. Python's venv comes from Debian where it is missing and the caller
# may install it; Node.js comes as a Python package where the machine's own is missing or too old.
set -euo pipefail

if [ "$#" -eq 0 ]; then
    echo "usage: tests/clients.sh COMMAND [ARGUMENT]…" >&2
    exit 2
fi
if [ -n "${XRPAYD_TEST_CLIENTS:-}" ]; then
    exec "$@"
fi

say() { echo "tests/clients.sh: $*" >&2; }

root=$(cd "$(dirname "$0")/.." && pwd)
pins=$root/crates/sandbox/tests/clients
place=${CARGO_TARGET_DIR:-$root/target}/model-clients
# shellcheck source=tests/python.sh
. "$root/tests/python.sh"
mkdir -p "$place"
place=$(cd "$place" && pwd)

# Two runs at once would install over each other.
exec 9>"$place/lock"
flock 9

# xrpl.js 5 wants Node.js 20.19 or later.
is_recent() {
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number);
        process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

install() {
    local python
    rm -rf "${place:?}/venv" "${place:?}/bin" "$place/node_modules"
    mkdir "$place/bin"
    python=$(need_python) || return 1
    say "installing xrpl-py"
    "$python" -m venv "$place/venv"
    "$place/venv/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary :all: \
        -r "$pins/requirements.txt" >&2
    if command -v node >/dev/null && command -v npm >/dev/null && is_recent node; then
        ln -s "$(command -v node)" "$place/bin/node"
        ln -s "$(command -v npm)" "$place/bin/npm"
    else
        say "installing Node.js"
        "$place/venv/bin/pip" install -q --disable-pip-version-check --require-hashes \
            --only-binary :all: -r "$pins/requirements-node.txt" >&2
        ln -s "$place/venv/bin/node" "$place/bin/node"
        ln -s "$place/venv/bin/npm" "$place/bin/npm"
    fi
    say "installing xrpl.js and standardwebhooks"
    cp "$pins/package.json" "$pins/package-lock.json" "$place/"
    (cd "$place" && PATH=$place/bin:$PATH npm ci --silent --no-audit --no-fund --ignore-scripts >&2)
}

# What is installed is of use for as long as the pins, and the programs it was made with, are the same.
wanted=$(cat "$pins"/package*.json "$pins"/requirements*.txt "$0" "$root/tests/python.sh" | sha256sum)
if [ "$(cat "$place/installed" 2>/dev/null || true)" != "$wanted" ] ||
    ! is_recent "$place/bin/node" || ! "$place/venv/bin/python" -c 'import xrpl' 2>/dev/null; then
    rm -f "$place/installed"
    install || {
        say "the clients cannot be installed"
        exit 1
    }
    echo "$wanted" >"$place/installed"
fi

export XRPAYD_TEST_CLIENTS=$place
exec 9>&-
exec "$@"
