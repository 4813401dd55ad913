#!/usr/bin/env bash
# Runs a command beside a throw-away PostgreSQL: tests/postgres.sh cargo test …
#
# The command finds the server in XRPAYD_TEST_POSTGRES_URL. Whatever happens, the server and its
# files are gone at the end. Where that variable is set already, the server it names is used.
# XRPAYD_TEST_POSTGRES_CTL names a program that hurts and heals that server: kill, immediate, start.
# PostgreSQL's own binaries are taken from Debian's package, which is installed where it is missing
# and the caller may install it.
set -euo pipefail

if [ "$#" -eq 0 ]; then
    echo "usage: tests/postgres.sh COMMAND [ARGUMENT]…" >&2
    exit 2
fi
if [ -n "${XRPAYD_TEST_POSTGRES_URL:-}" ]; then
    exec "$@"
fi

find_binaries() {
    local found
    # The folders are named after versions alone.
    # shellcheck disable=SC2012
    found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
    if [ -n "$found" ] && [ -x "$found/initdb" ]; then
        echo "$found"
    elif command -v initdb >/dev/null && command -v postgres >/dev/null; then
        dirname "$(command -v initdb)"
    fi
}

binaries=$(find_binaries)
if [ -z "$binaries" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "tests/postgres.sh: installing postgresql" >&2
    apt-get update -qq >&2
    # The package would start a cluster of its own; nothing here needs one.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold postgresql >&2
    binaries=$(find_binaries)
fi
if [ -z "$binaries" ]; then
    echo "tests/postgres.sh: PostgreSQL is not installed (Debian: apt-get install postgresql)" >&2
    exit 1
fi

root=$(mktemp -d "${TMPDIR:-/tmp}/xrpayd-postgres.XXXXXX")
data=$root/data
# PostgreSQL refuses to run as root.
as_server=()
if [ "$(id -u)" -eq 0 ]; then
    server_user=$(id -un postgres 2>/dev/null || id -un nobody)
    as_server=(setpriv "--reuid=$server_user" "--regid=$(id -gn "$server_user")" --clear-groups)
    chown "$server_user" "$root"
fi

child=
# Called by the trap.
# shellcheck disable=SC2317
stop() {
    trap - EXIT INT TERM HUP
    if [ -n "$child" ] && kill -0 "$child" 2>/dev/null; then
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    if [ -f "$data/postmaster.pid" ]; then
        (cd "$root" && "${as_server[@]}" "$binaries/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1) || true
    fi
    rm -rf "$root"
}
trap stop EXIT
trap 'stop; exit 130' INT
trap 'stop; exit 143' TERM HUP

cd_root() { (cd "$root" && "${as_server[@]}" "$@"); }
cd_root "$binaries/initdb" -D "$data" -U xrpayd -A trust -E UTF8 --locale=C.UTF-8 >"$root/initdb.log" 2>&1 || {
    cat "$root/initdb.log" >&2
    exit 1
}

# The kernel picks a port that is free; should somebody take it in between, another is picked.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
        echo $((20000 + RANDOM % 20000))
}
started=
for _ in 1 2 3 4 5; do
    port=$(free_port)
    options="-h 127.0.0.1 -p $port -k $root -c max_connections=300 -c shared_buffers=64MB"
    if cd_root "$binaries/pg_ctl" -D "$data" -w -t 60 -l "$root/server.log" -o "$options" \
        start >/dev/null 2>&1; then
        started=yes
        break
    fi
done
if [ -z "$started" ]; then
    cat "$root/server.log" >&2
    exit 1
fi

cat >"$root/ctl" <<EOF
#!/usr/bin/env bash
set -euo pipefail
cd "$root"
pg_ctl() { ${as_server[*]} "$binaries/pg_ctl" -D "$data" -w -t 60 "\$@" >/dev/null 2>&1; }
case "\$1" in
kill) kill -KILL "\$(head -n 1 "$data/postmaster.pid")" ;;
immediate) pg_ctl -m immediate stop ;;
start)
    # What a killed server leaves behind takes a moment to notice that it is alone.
    for _ in {1..100}; do
        if pg_ctl -l "$root/server.log" -o "$options" start; then exit 0; fi
        sleep 0.1
    done
    tail -n 20 "$root/server.log" >&2
    exit 1
    ;;
*) exit 2 ;;
esac
EOF
chmod +x "$root/ctl"
export XRPAYD_TEST_POSTGRES_CTL="$root/ctl"
export XRPAYD_TEST_POSTGRES_URL="postgres://xrpayd@127.0.0.1:$port/postgres?sslmode=disable"
# In the background, so that a signal to this script is handled while the command still runs; with
# the input of this script, which the shell would take from it otherwise.
{ exec 3<&0; } 2>/dev/null || exec 3</dev/null
"$@" <&3 3<&- &
child=$!
status=0
wait "$child" || status=$?
child=
exit "$status"
