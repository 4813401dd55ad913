#!/usr/bin/env bash
# Runs a command beside the programs that the tests take from Debian's packages: tests/packages.sh
# cargo test …
#
# The command finds each program in a variable of its own, those of `programs` below, and in
# XRPAYD_TEST_FAKETIME the library of libfaketime that is preloaded into a process of several threads. A
# variable that is set already is left as it is. What is missing is installed where the caller may install
# it; where a package would then start a service of the machine, it does not: a test starts its own.
set -euo pipefail

if [ "$#" -eq 0 ]; then
    echo "usage: tests/packages.sh COMMAND [ARGUMENT]…" >&2
    exit 2
fi

say() { echo "tests/packages.sh: $*" >&2; }

# A daemon's program is often not on the path of a user who is not root.
find_program() {
    local place
    for place in "$(command -v "$1" || true)" "/usr/sbin/$1" "/usr/local/sbin/$1"; do
        if [ -n "$place" ] && [ -x "$place" ]; then
            echo "$place"
            return
        fi
    done
}

find_faketime() {
    local place
    for place in /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1 \
        /usr/local/lib/faketime/libfaketimeMT.so.1; do
        if [ -f "$place" ]; then
            echo "$place"
            return
        fi
    done
}

# Variable, program, and the package that has it.
programs="\
XRPAYD_TEST_NGINX nginx nginx-light
XRPAYD_TEST_PGBOUNCER pgbouncer pgbouncer
XRPAYD_TEST_SHELLCHECK shellcheck shellcheck
XRPAYD_TEST_YAMLLINT yamllint yamllint
XRPAYD_TEST_PROMETHEUS prometheus prometheus
XRPAYD_TEST_PROMTOOL promtool prometheus
XRPAYD_TEST_ALERTMANAGER prometheus-alertmanager prometheus-alertmanager
XRPAYD_TEST_AMTOOL amtool prometheus-alertmanager
XRPAYD_TEST_BLACKBOX prometheus-blackbox-exporter prometheus-blackbox-exporter
XRPAYD_TEST_CURL curl curl
XRPAYD_TEST_JQ jq jq
XRPAYD_TEST_AGE age age
XRPAYD_TEST_SYSTEMD_ANALYZE systemd-analyze systemd"

# Sets the variables of what is there, and `missing` to the packages of what is not.
find_all() {
    local variable program package found
    missing=()
    while read -r variable program package; do
        found=${!variable:-$(find_program "$program")}
        printf -v "$variable" %s "$found"
        if [ -z "$found" ]; then missing+=("$package"); fi
    done <<<"$programs"
    XRPAYD_TEST_FAKETIME=${XRPAYD_TEST_FAKETIME:-$(find_faketime)}
    if [ -z "$XRPAYD_TEST_FAKETIME" ]; then missing+=(libfaketime); fi
}

# Debian starts the services of a package that it installs, unless this program says no.
policy=/usr/sbin/policy-rc.d
install() {
    local forbids=
    say "installing $*"
    if [ ! -e "$policy" ]; then
        forbids=yes
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    local apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
    "${apt[@]}" update >&2
    DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold "$@" >&2
    if [ -n "$forbids" ]; then
        rm -f "$policy"
        trap - EXIT
    fi
}

find_all
if [ "${#missing[@]}" -gt 0 ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    # Two runs at once would take the policy away from each other.
    exec 9>"${TMPDIR:-/tmp}/xrpayd-packages.lock"
    flock 9
    find_all
    if [ "${#missing[@]}" -gt 0 ]; then install "${missing[@]}"; fi
    exec 9>&-
    find_all
fi
if [ "${#missing[@]}" -gt 0 ]; then
    say "not installed (Debian: apt-get install ${missing[*]})"
    exit 1
fi

while read -r variable _; do export "${variable?}"; done <<<"$programs"
export XRPAYD_TEST_FAKETIME
exec "$@"
