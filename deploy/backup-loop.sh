#!/usr/bin/env bash
# Takes a backup of PostgreSQL whenever one is due, for as long as it runs: the timer of a container, which has
# none. What a backup is, and all that can go wrong with one, is backup-postgres.sh's.
#
# When one is due is read from the folder: the manifest of the last one, which is written once it was told to
# the daemon. So a restart takes none too many. A backup that fails is tried again ten minutes later.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() {
    cat >&2 <<'USAGE'
usage: backup-loop.sh --to DIR [OPTION OF backup-postgres.sh]…
       backup-loop.sh --is-well DIR      whether the last one is younger than 26 hours

BACKUP_EVERY (86400) and BACKUP_RETRY (600) are seconds.
USAGE
    exit 2
}

# Whether a backup of the folder is younger than so many seconds.
has_younger() {
    [ -n "$(find "$1" -maxdepth 1 -type f -name 'xrpayd-*.dump*.json' -newermt "@$(($(date +%s) - $2))" -print -quit)" ]
}

if [ "${1:-}" = --is-well ]; then
    [ "$#" -eq 2 ] || usage
    # As long as the alert BackupTooOld is patient.
    has_younger "$2" $((26 * 3600))
    exit
fi

every=${BACKUP_EVERY:-86400} retry=${BACKUP_RETRY:-600} folder=''
words=("$@")
for at in "${!words[@]}"; do
    if [ "${words[at]}" = --to ]; then folder=${words[at + 1]:-}; fi
done
[ -n "$folder" ] || usage

child=''
end() {
    trap - TERM INT
    # The whole group: a shell that waits for pg_dump hears of no signal before that has ended.
    if [ -n "$child" ]; then
        kill -TERM -- "-$child" 2>/dev/null || kill -TERM "$child" 2>/dev/null || true
        wait "$child" || true
    fi
    exit 0
}
trap end TERM INT

# Runs a command to its end, or to ours.
run() {
    setsid "$@" &
    child=$!
    local code=0
    wait "$child" || code=$?
    child=''
    return "$code"
}

told=''
while :; do
    pause=60
    if has_younger "$folder" "$every"; then
        if [ -z "$told" ]; then echo "backup-loop.sh: the last backup is younger than $every seconds" >&2; fi
        told=yes
    elif ! run "$here/backup-postgres.sh" "$@"; then
        echo "backup-loop.sh: there is no new backup; the next try is in $retry seconds" >&2
        pause=$retry
    fi
    if [ "$pause" -gt "$every" ]; then pause=$every; fi
    run sleep "$pause" || true
done
