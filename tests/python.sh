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
