#!/usr/bin/env bash
# Puts a version on every instance, a quarter of them at a time: taken out of the balancer, drained,
# replaced, ready, put in again, watched. Where a gate says no, or has no data, everything that was done is
# undone. See docs/DEPLOYS.md.
set -euo pipefail
# shellcheck source=deploy/fleet.sh
. "$(dirname "$0")/fleet.sh"

read_options "$@"
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
