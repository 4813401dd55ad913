#!/usr/bin/env bash
# Puts a version on one instance, gives it more of the traffic step by step, and holds it against the
# others; then the others follow one by one. A step fails where the canary errs one and a half times as
# often as the others, or after five strikes: a look in which more than one answer of a hundred was an
# error, or the p99 was above half a second. A p99 above 1.3 times that of the others is told and fails
# nothing. See docs/DEPLOYS.md.
set -euo pipefail
# shellcheck source=deploy/fleet.sh
. "$(dirname "$0")/fleet.sh"

canary='' steps='5 25 50' strikes_max=5 times_max=1.5 times_slow=1.3
more_usage() {
    cat <<USAGE
  --canary NAME           the instance that is first (the last of the fleet)
  --steps "PERCENT…"      what it gets before all get the version ($steps)
  --strikes COUNT         that fail a step ($strikes_max)
USAGE
}
own_option() {
    case "$1" in
    --canary) canary=$2 ;;
    --steps) steps=$2 ;;
    --strikes) strikes_max=$2 ;;
    *) return 1 ;;
    esac
}

read_options "$@"
[ -z "$wants_back" ] || die "a way back is no trial: rolling.sh --roll-back, with the same files"
[ "${#names[@]}" -gt 1 ] || die "a canary needs others to be held against"
canary=${canary:-${names[-1]}}
others=()
for name in "${names[@]}"; do
    if [ "$name" != "$canary" ]; then others+=("$name"); fi
    if [ -z "$wants_undo" ] && ! scrape "$name" "$work/first" && [ ! -f "$state/deploy" ]; then
        die "$name shows no metrics: nothing was begun"
    fi
done
[ "${#others[@]}" -lt "${#names[@]}" ] || die "$canary is not in $fleet"

# The sum of what several answered between two looks: "requests errors p99".
sum_between() {
    local name all bad p99 requests=0 errors=0 slowest=0
    for name in "$@"; do
        scrape "$name" "$work/$name.after" || return 1
        read -r all bad p99 < <(between "$work/$name.before" "$work/$name.after")
        requests=$((requests + all)) errors=$((errors + bad))
        case "$p99" in none) ;; inf) slowest=1e9 ;; *) if holds "$p99 > $slowest"; then slowest=$p99; fi ;; esac
    done
    echo "$requests $errors $slowest"
}

remember() {
    local name
    for name in "$@"; do
        if [ -f "$work/$name.after" ]; then cp "$work/$name.after" "$work/$name.look"; else cp "$work/$name.before" "$work/$name.look"; fi
    done
}

# Watches the canary beside the others for one step.
step() {
    local deadline=$((SECONDS + watch)) strikes=0 name all bad p99 base base_bad base_p99 why
    for name in "${names[@]}"; do
        scrape "$name" "$work/$name.before" || {
            say "$name shows no metrics: no data is no yes" >&2
            return 1
        }
        rm -f "$work/$name.after"
    done
    while [ "$SECONDS" -lt "$deadline" ]; do
        remember "$canary"
        sleep "$interval"
        scrape "$canary" "$work/$canary.after" || {
            say "$canary shows no metrics: no data is no yes" >&2
            return 1
        }
        read -r all bad p99 < <(between "$work/$canary.look" "$work/$canary.after")
        if [ "$p99" = inf ]; then p99=1e9; fi
        why=''
        if ! is_ready "$canary"; then
            why='it is not ready'
        elif holds "$bad * 100 > $errors_max * $all"; then
            why="$bad errors of $all answers"
        elif [ "$p99" != none ] && holds "$p99 > $p99_max"; then
            why="p99 $p99 s"
        fi
        if [ -n "$why" ]; then
            strikes=$((strikes + 1))
            say "$canary: strike $strikes: $why"
            if [ "$strikes" -ge "$strikes_max" ]; then return 1; fi
        fi
    done
    read -r all bad p99 < <(sum_between "$canary") && [ -n "$all" ] || return 1
    read -r base base_bad base_p99 < <(sum_between "${others[@]}") && [ -n "$base" ] || return 1
    if [ "$all" -lt "$requests_min" ] || [ "$base" -lt "$requests_min" ]; then
        say "$all answers of $canary beside $base of the others, and $requests_min are needed: no data is no yes" >&2
        return 1
    fi
    # Where the others do not err at all, one error in a thousand is not held against the canary.
    if holds "$bad / $all > $times_max * ($base_bad / $base > 0.001 ? $base_bad / $base : 0.001)"; then
        say "$canary errs in $bad of $all answers, the others in $base_bad of $base" >&2
        return 1
    fi
    if holds "$base_p99 > 0 && $p99 > $times_slow * $base_p99"; then
        say "FLAG: the p99 of $canary is $p99 s, that of the others $base_p99 s"
    fi
    say "$canary: $all answers, $bad errors, p99 $p99 s; others: $base, $base_bad, $base_p99 s"
}

begin
or_undo
if ! has "$canary" "$version"; then
    take_out "$canary" || fail "$canary was not taken out"
    replace "$canary" "$version" || fail "$canary was not replaced"
fi
for percent in $steps; do
    say "$canary gets $percent %"
    weight[$canary]=$((percent * ${#others[@]}))
    for name in "${others[@]}"; do weight[$name]=$((100 - percent)); done
    balance || fail "the balancer was not told"
    step || fail "the gate at $percent % says no"
    one_writer "${names[@]}" || fail "not one writer a wallet"
done
for name in "${names[@]}"; do weight[$name]=${weight_was[$name]}; done
balance || fail "the balancer was not told"
for name in "${others[@]}"; do
    has "$name" "$version" && continue
    take_out "$name" || fail "$name was not taken out"
    replace "$name" "$version" || fail "$name was not replaced"
    weight[$name]=${weight_was[$name]}
    balance || fail "the balancer was not told"
    gate "$name" || fail "the gate after $name says no"
done
one_writer "${names[@]}" || fail "not one writer a wallet"
finish
