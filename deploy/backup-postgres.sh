#!/usr/bin/env bash
# One backup of xrpayd's PostgreSQL database: dumped, read again, put under its name, told to the daemon.
#
# The database is named as libpq names it: PGSERVICE, or PGHOST, PGPORT, PGUSER, PGDATABASE and PGPASSFILE.
# So no password stands on a command line. The daemon's program is `xrpayd`, or what $XRPAYD names. Prints the
# backup's file. Whatever fails fails the whole, leaves older backups as they are, and leaves nothing that looks
# like a new one: the daemon's metric backup_last_timestamp_seconds stands still, and the alert BackupTooOld
# tells. What a run that was killed has left in the clear is taken away by the next one.
set -euo pipefail
umask 077

say() { echo "backup-postgres.sh: $*" >&2; }
die() {
    say "$*"
    exit 1
}

usage() {
    cat >&2 <<'USAGE'
usage: backup-postgres.sh --to DIR [OPTION]…

  --to DIR              the folder of the backups
  --config FILE         a configuration file of the daemon, for xrpayd; may be given several times
  --profile NAME        the daemon's profile
  --restore-check       restore the dump into a database of its own beside, look at it, and drop that
  --encrypt-to FILE     seal it with age, to the recipients that the file names; restore-postgres.sh opens it
  --scratch DIR         where it lies until it is sealed (the folder of the backups)
  --keep AGE            how old a backup has to be before it is taken away (30d)
  --keep-min NUMBER     how many younger ones that were found whole have to stay for that (7)
USAGE
    exit 2
}

xrpayd=${XRPAYD:-xrpayd}
folder='' scratch='' recipients='' restore_check='' keep=30d keep_min=7
xrpayd_config=()
while [ "$#" -gt 0 ]; do
    case "$1" in
    --restore-check)
        restore_check=yes
        shift
        continue
        ;;
    --to | --config | --profile | --encrypt-to | --scratch | --keep | --keep-min)
        [ "$#" -ge 2 ] || usage
        ;;
    *) usage ;;
    esac
    case "$1" in
    --to) folder=$2 ;;
    --config | --profile) xrpayd_config+=("$1" "$2") ;;
    --encrypt-to) recipients=$2 ;;
    --scratch) scratch=$2 ;;
    --keep) keep=$2 ;;
    --keep-min) keep_min=$2 ;;
    esac
    shift 2
done
[ -n "$folder" ] || usage
[ -d "$folder" ] || die "there is no folder $folder"
scratch=${scratch:-$folder}
[ -d "$scratch" ] || die "there is no folder $scratch"
if [ -n "$recipients" ]; then
    [ -r "$recipients" ] || die "the recipients in $recipients cannot be read"
    command -v age >/dev/null || die "age is not installed, and --encrypt-to asks for it"
fi

# One at a time: two would prune and name beside each other, and none takes another's draft for a left one.
exec 9>"$folder/.backup-postgres.lock"
flock -n 9 || die "another backup into $folder is under way"
if ! [ "$scratch" -ef "$folder" ]; then
    exec 8>"$scratch/.backup-postgres.lock"
    flock -n 8 || die "another backup over $scratch is under way"
fi
rm -f "$folder"/.xrpayd-*.dump{,.age}.partial "$scratch"/.xrpayd-*.dump{,.age}.partial

taken_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
name=xrpayd-${taken_at//[-:]/}.dump
draft=$scratch/.$name.partial
sealed=$folder/.$name.age.partial
carried=$folder/.$name.partial
checked=''
cleanup() {
    trap - EXIT INT TERM HUP
    rm -f "$draft" "$sealed" "$carried"
    if [ -n "$checked" ]; then
        dropdb --if-exists "$checked" || say "the database $checked of the restore check stays: drop it"
    fi
}
trap cleanup EXIT
trap 'cleanup; exit 143' INT TERM HUP

# Into a file and not through a pipe: what fails cannot hide behind what follows it.
pg_dump --format=custom --no-password --lock-wait-timeout=60s --file="$draft"
sync "$draft"

# The contents, and then all of the data, decompressed: a dump that was cut short ends here.
listed=$(pg_restore --list "$draft")
for table in payments attempts journal_entries audit_log backups; do
    grep -q " TABLE DATA [^ ]* $table " <<<"$listed" || die "the dump has no table $table"
done
pg_restore --file=/dev/null "$draft"
verified='pg_restore read all of it'

if [ -n "$restore_check" ]; then
    # By a name of its own, so that what a run that was killed has left of it goes with the next one.
    checked=$(psql --no-password --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
        --command='select left(current_database(), 40)')_restore_check
    dropdb --no-password --if-exists "$checked" 2>/dev/null || {
        in_use=$checked checked=''
        die "the database $in_use cannot be dropped: another restore check is under way, or left its own"
    }
    createdb --no-password --template=template0 "$checked"
    pg_restore --no-password --exit-on-error --single-transaction --no-owner --no-privileges \
        --dbname="$checked" "$draft"
    sound=$(psql --no-password --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
        --dbname="$checked" --command="
            select (select (sequence, hash) from audit_head where mark = 'head')
                    is not distinct from (select (sequence, hash) from audit_log order by sequence desc limit 1)
                and (select sequence from feed where mark = 'drawn')
                    >= (select coalesce(max(sequence), 0) from events)")
    [ "$sound" = t ] || die "the restored dump contradicts itself: the audit log's head, or the feed's mark"
    dropdb --no-password "$checked"
    checked=''
    verified='restored into a database of its own and looked at'
fi

whole=$draft
if [ -n "$recipients" ]; then
    whole=$sealed name=$name.age
    age --encrypt --recipients-file "$recipients" --output "$whole" "$draft"
    sync "$whole"
    # Nobody opens it here: who could is kept elsewhere. That it is a file of age, and holds more than the dump
    # was long, is all that can be seen of it.
    [ "$(head -c 22 "$whole")" = age-encryption.org/v1 ] || die "age has written no file of age"
    [ "$(stat -c %s "$whole")" -gt "$(stat -c %s "$draft")" ] || die "the sealed dump is shorter than the dump"
    verified="before it was sealed: $verified; nobody has opened it since"
fi
file=$folder/$name
if [ "$(stat -c %d "$whole")" = "$(stat -c %d "$folder")" ]; then
    # A name that is taken stays who has it.
    ln -T "$whole" "$file"
else
    cp --no-clobber "$whole" "$carried"
    sync "$carried"
    cmp --silent "$whole" "$carried" || die "the copy in $folder is not what was written in $scratch"
    ln -T "$carried" "$file"
fi
sync "$folder"

"$xrpayd" store record-backup --file "$file" --kind pg_dump --taken-at "$taken_at" \
    --verified-by "$verified" "${xrpayd_config[@]}" >&2 ||
    die "$file was taken, and could not be written down"
"$xrpayd" store prune-backups "$folder" --keep "$keep" --keep-min "$keep_min" >&2
echo "$file"
