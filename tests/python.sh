# Finds a Python that the pinned packages hold for; sourced by the scripts that make a venv.
# shellcheck shell=bash

# The pins hold from Python 3.11 on.
find_python() {
    local python
    for python in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if command -v "$python" >/dev/null && "$python" -c \
            'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
}

# The same, from Debian where it is missing and the caller may install it.
need_python() {
    local python
    python=$(find_python)
    if [ -z "$python" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        say "installing python3-venv"
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            python3 python3-venv >&2
        python=$(find_python)
    fi
    if [ -z "$python" ]; then
        say "Python 3.11 with venv is not installed (Debian: apt-get install python3-venv)"
        return 1
    fi
    echo "$python"
}

# Makes a venv at `$1`/venv with what the file `$2` pins, once; it is made anew where the pins or the scripts
# change, or where its program `$3` does not run. Of two at once, one waits for the other.
pinned_venv() {
    local place=$1 pins=$2 program=$3 wanted python
    mkdir -p "$place"
    exec 9>"$place/lock"
    flock 9
    wanted=$(cat "$pins" "$0" "${BASH_SOURCE[0]}" | sha256sum)
    if [ "$(cat "$place/installed" 2>/dev/null || true)" != "$wanted" ] ||
        ! "$place/venv/bin/$program" --version >/dev/null 2>&1; then
        rm -rf "$place/installed" "$place/venv"
        python=$(need_python) || return 1
        say "installing $program"
        "$python" -m venv "$place/venv" || return 1
        "$place/venv/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary :all: \
            -r "$pins" >&2 || return 1
        echo "$wanted" >"$place/installed"
    fi
    exec 9>&-
}
