#!/usr/bin/env bash
# Starts a version on the half of the fleet that gets no traffic, looks at it, and moves the traffic over
# in steps; then the other half is stopped and stays as it is, for the way back. Above one error in a
# hundred answers the traffic goes back and the new half is stopped. Both halves use one database, and the
# leases give each wallet one writer, whichever half it is in. With --roll-back the half that is started has
# the version before, is given all traffic at once, and is asked for none. See docs/DEPLOYS.md.
set -euo pipefail
# shellcheck source=deploy/fleet.sh
. "$(dirname "$0")/fleet.sh"

steps='10 50 100' last_watch=600
more_usage() {
    cat <<USAGE
  --steps "PERCENT…"      what the new half gets ($steps)
  --last-watch SECONDS    how long it is watched with all of it ($last_watch)
USAGE
}
own_option() {
    case "$1" in
    --steps) steps=$2 ;;
    --last-watch) last_watch=$2 ;;
    *) return 1 ;;
    esac
}

read_options "$@"
[ -z "$wants_restart" ] || die "a restart is rolling.sh --restart"
if [ -n "$wants_back" ]; then
    if [ -f "$state/deploy" ] && ! grep -qx "blue-green.sh --roll-back $version" "$state/deploy"; then
        die "a deploy is unfinished ($(cat "$state/deploy")): --undo gives the traffic back to the half that had it"
    fi
    steps=100 last_watch=$watch
fi
begin
# The half that served before the deploy began; the other one is new.
old=() new=() old_colour=''
for name in "${names[@]}"; do
    [ -n "${colour[$name]}" ] || die "$fleet: $name has no colour"
    if [ "${weight_was[$name]}" -gt 0 ]; then
        [ -z "$old_colour" ] || [ "$old_colour" = "${colour[$name]}" ] || {
            never_begun
            die "both colours serve: which half is to be replaced cannot be told"
        }
        old_colour=${colour[$name]}
    fi
done
for name in "${names[@]}"; do
    if [ "${colour[$name]}" = "$old_colour" ]; then old+=("$name"); else new+=("$name"); fi
done
if [ "${#new[@]}" -eq 0 ] || [ "${#old[@]}" -eq 0 ]; then
    never_begun
    die "$fleet needs two halves, one of which serves"
fi

# The traffic goes back first, and then the new half ends.
put_back() {
    local name
    for name in "${old[@]}"; do
        "$hooks" start "$name" && until_ready "$name" || return 1
        weight[$name]=${weight_was[$name]}
    done
    for name in "${new[@]}"; do weight[$name]=0; done
    balance || return 1
    for name in "${new[@]}"; do
        take_out "$name" || return 1
        "$hooks" stop "$name" || return 1
        if [ -n "${version_was[$name]}" ] && [ "$("$hooks" version "$name")" != "${version_was[$name]}" ]; then
            "$hooks" install "$name" "${version_was[$name]}" || return 1
        fi
    done
}
or_undo

for name in "${old[@]}"; do
    [ -n "$wants_back" ] || scrape "$name" "$work/first" || fail "$name shows no metrics"
done
for name in "${new[@]}"; do
    has "$name" "$version" && continue
    take_out "$name" || fail "$name was not taken out"
    replace "$name" "$version" || fail "$name was not replaced"
done
# Before it gets anything: it sees the same books, and refuses who has no key.
for name in "${new[@]}"; do
    if [ -n "$wants_back" ]; then continue; fi
    scrape "$name" "$work/smoke" || fail "$name shows no metrics"
    curl -fs --max-time 5 -o "$work/health" "http://${api[$name]}/health" || fail "$name is unhealthy"
    status=$(curl -s --max-time 5 -o /dev/null -w '%{http_code}' "http://${api[$name]}/v1/payments")
    [ "$status" = 401 ] || fail "$name answers a stranger with $status"
done
one_writer "${names[@]}" || fail "not one writer a wallet"
for percent in $steps; do
    say "the new half gets $percent %"
    for name in "${new[@]}"; do weight[$name]=$((percent * ${#old[@]})); done
    for name in "${old[@]}"; do weight[$name]=$(((100 - percent) * ${#new[@]})); done
    balance || fail "the balancer was not told"
    gate "${new[@]}" || fail "the gate at $percent % says no"
    one_writer "${names[@]}" || fail "not one writer a wallet"
done
watch=$last_watch
gate "${new[@]}" || fail "the last gate says no"
for name in "${old[@]}"; do
    take_out "$name" || fail "$name was not taken out"
    "$hooks" stop "$name" || fail "$name was not stopped"
done
one_writer "${new[@]}" || fail "not one writer a wallet"
finish
