#!/usr/bin/env bash
# One dump of xrpayd's PostgreSQL database, put back into a database that is empty, and told that it was
# restored. Every daemon is stopped first: two databases of one wallet halt it at best.
#
# The database is named as libpq names it: PGSERVICE, or PGHOST, PGPORT, PGUSER, PGDATABASE and PGPASSFILE; it is
# the one that store.url of the daemon's configuration names, and that is seen to. The daemon's program is
# `xrpayd`, or what $XRPAYD names. A database with anything in it is refused: what a newer schema has left there
# stays beside what is restored, and no daemon would know it for what it is. All of the dump is restored or
# nothing.
set -euo pipefail
umask 077

say() { echo "restore-postgres.sh: $*" >&2; }
die() {
    say "$*"
    exit 1
}

usage() {
    cat >&2 <<'USAGE'
usage: restore-postgres.sh --from FILE [OPTION]…

  --from FILE           the dump; its manifest lies beside it
  --identity FILE       what opens a dump that was sealed with age: the secret key of one of its recipients
  --scratch DIR         where a sealed dump is opened for the time being (the folder for what is temporary)
  --config FILE         a configuration file of the daemon; may be given several times
  --profile NAME        the daemon's profile
USAGE
    exit 2
}

xrpayd=${XRPAYD:-xrpayd}
from='' identity='' scratch=${TMPDIR:-/tmp}
xrpayd_config=()
while [ "$#" -gt 0 ]; do
    [ "$#" -ge 2 ] || usage
    case "$1" in
    --from) from=$2 ;;
    --identity) identity=$2 ;;
    --scratch) scratch=$2 ;;
    --config | --profile) xrpayd_config+=("$1" "$2") ;;
    *) usage ;;
    esac
    shift 2
done
[ -n "$from" ] || usage
[ -d "$scratch" ] || die "there is no folder $scratch"

query() {
    psql --no-password --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --command="$1"
}
there=$(query "
    select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'")
[ "$there" = 0 ] || die "the database is not empty: make a new one, and keep the old one under another name"

# The bytes are those that were written down when it was taken.
"$xrpayd" store verify-backup "$from" "${xrpayd_config[@]}" >&2

opened=''
cleanup() {
    trap - EXIT INT TERM HUP
    if [ -n "$opened" ]; then rm -rf "$opened"; fi
}
trap cleanup EXIT
trap 'cleanup; exit 143' INT TERM HUP
dump=$from
if [ "$(head -c 22 "$from" | tr -d '\0')" = age-encryption.org/v1 ]; then
    [ -n "$identity" ] || die "$from is sealed: --identity names the file with the key that opens it"
    opened=$(mktemp -d "$scratch/.restore-postgres.XXXXXX")
    dump=$opened/dump
    # Into a file: a pipe would have restored most of it by the time that its end is found to be missing.
    age --decrypt --identity "$identity" --output "$dump" "$from"
fi
pg_restore --list "$dump" >/dev/null
database=$(query 'select current_database()')
pg_restore --no-password --exit-on-error --single-transaction --no-owner --dbname="$database" "$dump"

what=$(basename "$from")
"$xrpayd" store mark-restored --from "$what" "${xrpayd_config[@]}" >&2 ||
    die "the dump is in $database and was NOT told that it was restored: start no daemon before it was"
marked=$(query "select exists (select from audit_log where action = 'store.restored' and object = \$what\$$what\$what\$)")
[ "$marked" = t ] ||
    die "another database than $database was told that it was restored: store.url names that one. Start no daemon"
say "$database holds what $what held. Payments are paused until somebody has looked"
