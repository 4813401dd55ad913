#!/usr/bin/env bash
# What is asked of a deploy from outside, as a client: that it is ready, keeps strangers out, answers a key,
# and keeps administration and metrics to itself. Reads and never pays: a payment belongs to the launch day's
# checklist, with a person beside it.
#   smoke.sh --api URL --key-file FILE    (a key with payments:read and payments:write)
set -euo pipefail

api='' key_file=''
while [ "$#" -ge 2 ]; do
    case "$1" in
    --api) api=${2%/} ;;
    --key-file) key_file=$2 ;;
    *) break ;;
    esac
    shift 2
done
if [ "$#" -gt 0 ] || [ -z "$api" ] || [ -z "$key_file" ]; then
    echo "usage: smoke.sh --api URL --key-file FILE" >&2
    exit 2
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/xrpayd-smoke.XXXXXX")
trap 'rm -rf "$work"' EXIT
# By a file of its own, so that no list of processes shows it.
(umask 077 && printf 'header = "Authorization: Bearer %s"\n' "$(cat "$key_file")" >"$work/key")

failed=0
# What is asked, the status that it has to have, and more words for curl.
expect() {
    local what=$1 wanted=$2 path=$3 status
    shift 3
    # An answer without a body leaves no file, and that of the question before is no answer to this one.
    rm -f "$work/answer"
    status=$(curl --silent --max-time 10 --output "$work/answer" --dump-header "$work/head" \
        --write-out '%{http_code}' "$@" "$api$path" || true)
    case " $wanted " in
    *" $status "*) echo "ok: $what ($status)" ;;
    *)
        echo "FAILED: $what: $status where $wanted was due" >&2
        failed=1
        ;;
    esac
}
# The last answer holds this.
holds() {
    jq -es "length == 1 and (.[0] | ($2))" "$work/answer" >/dev/null 2>&1 || {
        echo "FAILED: $1" >&2
        failed=1
    }
}

expect 'it is ready' 200 /health/ready
expect 'it is not unhealthy' 200 /health
holds 'a stranger is shown a balance' '.checks.wallet.balance_xrp == null'
expect 'a stranger is kept out' 401 /v1/payments
expect 'a key is known' 200 /v1/payments?limit=1 --config "$work/key"
expect 'wallets are there' 200 /v1/wallets --config "$work/key"
holds 'a wallet is halted or unseen' '.data | length > 0 and all(.balance != null and .halted_reason == null)'
expect 'a payment is checked, and nothing is made' 200 /v1/payments/validate --config "$work/key" \
    --header 'Content-Type: application/json' \
    --data '{"destination":"nobody","amount":{"currency":"XRP","value":"1"}}'
holds 'a payment to nobody is not told to be wrong' '.valid == false'
expect 'a body that is too large is refused' 413 /v1/payments --config "$work/key" \
    --header 'Content-Type: application/json' --header 'Idempotency-Key: smoke' --header 'Expect:' --data-binary @<(head -c 20000 /dev/zero)
expect 'metrics are not for clients' 404 /metrics
expect 'administration is not for clients' '404 403' /v1/pause --config "$work/key" --request POST
case "$api" in
https://*)
    expect 'every answer says to stay with TLS' 200 /health/ready
    grep -qi '^strict-transport-security:' "$work/head" || {
        echo 'FAILED: no Strict-Transport-Security' >&2
        failed=1
    }
    ;;
esac
exit "$failed"
