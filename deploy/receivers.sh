#!/usr/bin/env bash
# Whether the receivers of alerts are somebody's:
#   receivers.sh check [FILE]      exit 1 where a receiver of FILE is still an example's host, naming it
#   receivers.sh test URL          has the Alertmanager at URL tell the pager and the chat that this is a test
# The file is alerts/alertmanager.yml. Whether the test has arrived, people say.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

die() {
    echo "receivers.sh: $*" >&2
    exit 1
}

case "${1:-}" in
check)
    file=${2:-$root/alerts/alertmanager.yml}
    [ -f "$file" ] || die "$file is not a file"
    grep -q '^receivers:' "$file" || die "$file has no receivers"
    examples=$(grep -v '^[[:space:]]*#' "$file" |
        grep -oiE '//([a-z0-9-]+\.)*example(\.(com|net|org))?([:/"[:space:]]|$)' | tr -d '/":' | sort -u) || true
    [ -z "$examples" ] || die "nobody is told at: $(tr '\n' ' ' <<<"$examples")(put your receivers into $file)"
    ;;
test)
    [ "$#" -eq 2 ] || die "test needs the URL of Alertmanager"
    end=$(date -u -d '+1 minute' +%Y-%m-%dT%H:%M:%SZ)
    for severity in critical warning; do
        amtool alert add --alertmanager.url="$2" DeliveryTest severity="$severity" \
            --annotation=summary="A test of delivery: nothing is wrong" --end "$end"
    done
    ;;
*)
    echo "usage: receivers.sh check [FILE] | test URL" >&2
    exit 2
    ;;
esac
