#!/usr/bin/env bash
# One release on one host, to its end: the host's checkout is brought to the release's commit, the replicas
# are replaced by the gates of rolling.sh, and the smoke test has the last word. Where any of it fails, the
# version and the checkout of before are back. Run by .github/workflows/release.yml; see docs/DEPLOYS.md.
#   exit 0: the release serves; 1: what served before serves; 3: not everything could be put back
set -euo pipefail

say() { echo "release.sh: $*"; }
usage() {
    cat <<'USAGE'
usage: release.sh --version IMAGE --api URL --key-file FILE [OPTION VALUE]… [-- OPTION OF ROLLING.SH…]

  --key-file FILE     a key with payments:read and payments:write, for the smoke test
  --checkout FOLDER   the host's own (/opt/xrpayd)
  --commit COMMIT     that it is brought to; without it, it stays as it is
  --from FOLDER       a repository on this host that has the commit
  --fleet, --hooks, --upstream, --state
                      as rolling.sh has them (/etc/xrpayd/fleet, deploy/compose.sh and nginx/upstream.conf of
                      the checkout, /var/lib/xrpayd-deploy)
  --own-traffic       asks every second, by the key, while the gates look: for a place that nobody uses
USAGE
}

version='' api='' key_file='' checkout=/opt/xrpayd commit='' from='' own_traffic=''
fleet=/etc/xrpayd/fleet hooks='' upstream='' state=/var/lib/xrpayd-deploy
while [ "$#" -gt 0 ]; do
    case "$1" in
    --)
        shift
        break
        ;;
    --own-traffic)
        own_traffic=yes
        shift
        continue
        ;;
    --help)
        usage
        exit 0
        ;;
    esac
    if [ "$#" -lt 2 ]; then
        usage >&2
        exit 2
    fi
    case "$1" in
    --version) version=$2 ;;
    --api) api=${2%/} ;;
    --key-file) key_file=$2 ;;
    --checkout) checkout=$2 ;;
    --commit) commit=$2 ;;
    --from) from=$2 ;;
    --fleet) fleet=$2 ;;
    --hooks) hooks=$2 ;;
    --upstream) upstream=$2 ;;
    --state) state=$2 ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
    shift 2
done
if [ -z "$version" ] || [ -z "$api" ] || [ -z "$key_file" ] || { [ -n "$commit" ] && [ -z "$from" ]; }; then
    usage >&2
    exit 2
fi
own=$(cd "$(dirname "$0")" && pwd)
hooks=${hooks:-$checkout/deploy/compose.sh}
files=(--fleet "$fleet" --hooks "$hooks"
    --upstream "${upstream:-$checkout/nginx/upstream.conf}" --state "$state")

work=$(mktemp -d "${TMPDIR:-/tmp}/xrpayd-release.XXXXXX")
traffic=''
quiet() {
    if [ -n "$traffic" ]; then
        kill "$traffic" 2>/dev/null || true
        wait "$traffic" 2>/dev/null || true
    fi
    traffic=''
}
trap 'quiet; rm -rf "$work"' EXIT

smoke() { "$own/smoke.sh" --api "$api" --key-file "$key_file"; }

# A tenth of the reads that a key is given; the smoke test needs some of them too.
ask() {
    (umask 077 && printf 'header = "Authorization: Bearer %s"\n' "$(cat "$key_file")" >"$work/key")
    while :; do
        curl --silent --max-time 5 --output /dev/null --config "$work/key" "$api/v1/wallets" || true
        sleep 1
    done
}

commit_before=''
checkout_to() { "$own/checkout.sh" --checkout "$checkout" --commit "$1" --from "$2" && "$hooks" follow; }
checkout_back() {
    if [ -n "$commit_before" ]; then checkout_to "$commit_before" "$checkout"; fi
}

if [ -n "$commit" ]; then
    commit_before=$(git -C "$checkout" rev-parse HEAD)
    checkout_to "$commit" "$from" || {
        say "the checkout cannot be brought to $commit: nothing was replaced" >&2
        checkout_back || exit 3
        exit 1
    }
fi
if [ -n "$own_traffic" ]; then
    ask &
    traffic=$!
fi
code=0
"$own/rolling.sh" "${files[@]}" --version "$version" "$@" || code=$?
quiet
if [ "$code" -ne 0 ]; then
    say "$version was not put in" >&2
    checkout_back || code=3
    [ "$code" -eq 3 ] || code=1
    exit "$code"
fi
if smoke; then
    say "$version serves"
    exit 0
fi
say "the smoke test fails: back to the version before" >&2
"$own/rolling.sh" "${files[@]}" --roll-back || exit 3
checkout_back || exit 3
if smoke; then
    say "the version before serves, and its smoke test passes" >&2
else
    say "the smoke test fails with the version before too: it may be the key, the address, or the service" >&2
fi
exit 1
