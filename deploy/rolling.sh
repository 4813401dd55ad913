#!/usr/bin/env bash
# Puts a version on every instance, a quarter of them at a time: taken out of the balancer, drained,
# replaced, ready, put in again, watched. Where a gate says no, or has no data, everything that was done is
# undone. With --roll-back it is the way back to the version before, one instance after the other, whose
# gates ask for no traffic. See docs/DEPLOYS.md.
set -euo pipefail
# shellcheck source=deploy/fleet.sh
. "$(dirname "$0")/fleet.sh"

more_usage() { echo '  --restart               every instance with the version it has, by the way of --roll-back'; }

# Whether one of the others that get requests is ready.
others_serve() {
    local name
    for name in "${names[@]}"; do
        if [ "$name" != "$1" ] && [ "${weight[$name]}" -gt 0 ] && stays_ready "$name"; then return; fi
    done
    return 1
}

# The version that it is rolled back to, on an instance that serves. Where that version does not run there,
# the one that did is put back.
turn_back() {
    local former
    former=$("$hooks" version "$1" || true)
    if others_serve "$1"; then
        take_out "$1" || say "$1 is replaced although it was not seen to drain" >&2
    else
        say "nobody else serves: requests are refused until $1 is ready again" >&2
    fi
    replace "$1" "$version" || {
        if [ -n "$former" ] && replace "$1" "$former"; then
            weight[$1]=${weight_was[$1]:-0}
            balance || true
        fi
        stopped "$1 does not get ready with $version, and is given back what it had"
    }
}

stopped() { die "$*. What is rolled back stays so, and the same command goes on with it"; }

# Who does not serve goes first, because that costs nobody anything; one that cannot be brought up is left
# out of the balancer and not waited for. Nothing of a way back is undone.
roll_back() {
    local name order=() ready=() lost=()
    trap 'stopped interrupted' INT TERM HUP
    for name in "${names[@]}"; do
        if stays_ready "$name" 2>/dev/null; then ready+=("$name"); else order+=("$name"); fi
    done
    order+=("${ready[@]}")
    for name in "${order[@]}"; do
        if [ -n "$wants_restart" ]; then version=$("$hooks" version "$name" || true); fi
        if stays_ready "$name"; then
            is_at "$name" "$version" || turn_back "$name"
        else
            weight[$name]=0
            if others_serve "$name"; then balance || true; fi
            replace "$name" "$version" || {
                say "$name cannot be brought up: it stays out of the balancer" >&2
                lost+=("$name")
                continue
            }
        fi
        weight[$name]=${weight_was[$name]:-0}
        if [ "${weight[$name]}" -eq 0 ]; then say "$name gets no requests, as before"; fi
        balance || stopped "the balancer was not told"
        gate "$name" || stopped "the gate after $name says no"
    done
    one_writer "${names[@]}" || stopped "not one writer a wallet"
    if [ "${#lost[@]}" -gt 0 ]; then
        say "$version serves, but ${lost[*]} did not come up. It does not serve, and its deploy is unfinished:" \
            "the same command goes on with it; where it is gone for good, take it out of $fleet first" >&2
        exit 4
    fi
    finish
}

read_options "$@"
if [ -n "$wants_back" ]; then
    begin
    roll_back
    exit
fi
for name in "${names[@]}"; do
    if [ -z "$wants_undo" ] && ! scrape "$name" "$work/first" && [ ! -f "$state/deploy" ]; then
        die "$name shows no metrics: nothing was begun"
    fi
done
[ "${#names[@]}" -gt 1 ] || die "a fleet of one is not replaced without a gap"
begin
or_undo

quarter=$(((${#names[@]} + 3) / 4))
for ((first = 0; first < ${#names[@]}; first += quarter)); do
    batch=("${names[@]:first:quarter}")
    for name in "${batch[@]}"; do
        has "$name" "$version" && continue
        take_out "$name" || fail "$name was not taken out"
        replace "$name" "$version" || fail "$name was not replaced"
    done
    for name in "${batch[@]}"; do weight[$name]=${weight_was[$name]}; done
    balance || fail "the balancer was not told"
    gate "${batch[@]}" || fail "the gate after ${batch[*]} says no"
    one_writer "${names[@]}" || fail "not one writer a wallet"
done
finish
