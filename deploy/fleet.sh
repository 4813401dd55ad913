# What the deploy scripts share: the fleet, its balancer, its gates, and the way back. Sourced by them.
# shellcheck shell=bash
#
# A fleet file has one line an instance: its name, the address of its API, the URL of its metrics, and for
# blue-green the colour of its half. The hooks program does what is the machine's own (systemd.sh is one
# for plain hosts):
#   version NAME           prints the version that is installed
#   install NAME VERSION   puts a version in its place; it is asked for while the instance is stopped
#   start NAME             starts it; nothing where it runs
#   stop NAME              asks it to end, and returns when it has; nothing where it does not run
#   reload                 checks the balancer's configuration and lets it read it again
#   follow                 lets what stands beside the instances read its files anew, after a new checkout
#   preflight NAME         the checklist before a deployment, as the running instance sees it
# Every hook may be asked for what is done already. A deploy is written down in the state folder before
# anything of it is done, so that one that was killed can be run again, or undone with --undo. What was there
# before the last deploy that ended well stays written down in its file `last`, for --roll-back.

fleet='' hooks='' upstream='' version='' state='' wants_undo='' wants_back='' wants_restart=''
ready_within=60 drain_within=30 lease_within=30
watch='' interval=1 requests_min=20 errors_max=1 p99_max=0.5 wallets=1

say() { echo "$(basename "$0"): $*"; }
die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

usage() {
    cat <<USAGE
usage: $(basename "$0") --fleet FILE --hooks PROGRAM --upstream FILE --state FOLDER
           (--version VERSION | --undo | --roll-back [--version VERSION]) [OPTION VALUE]…

  --roll-back             to the version before the last deploy, or to --version: asks for no traffic, only
                          that what is there is ready, has the version, and each wallet one writer
  --watch SECONDS         how long each gate looks (60; 5 in a roll-back)
  --interval SECONDS      between two looks ($interval)
  --requests-min COUNT    answered requests without which a gate refuses ($requests_min)
  --errors-max PERCENT    answers with 5xx, of all ($errors_max)
  --p99-max SECONDS       of the time to an answer ($p99_max)
  --ready-within SECONDS  until a started instance is ready ($ready_within)
  --drain-within SECONDS  until nothing arrives any more at one that was taken out ($drain_within)
  --lease-within SECONDS  until every wallet has its one writer ($lease_within)
  --wallets COUNT         wallets of the fleet, each of which has one writer ($wallets)
USAGE
    more_usage
}

# Takes an option of one script alone; each script has its own.
more_usage() { :; }
own_option() { return 1; }

read_options() {
    while [ "$#" -gt 0 ]; do
        case "$1" in
        --undo)
            wants_undo=yes
            shift
            continue
            ;;
        --roll-back)
            wants_back=yes
            shift
            continue
            ;;
        --restart)
            # The way of a roll-back, to the version that is there.
            wants_back=yes wants_restart=yes
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
        --fleet) fleet=$2 ;;
        --hooks) hooks=$2 ;;
        --upstream) upstream=$2 ;;
        --state) state=$2 ;;
        --version) version=$2 ;;
        --watch) watch=$2 ;;
        --interval) interval=$2 ;;
        --requests-min) requests_min=$2 ;;
        --errors-max) errors_max=$2 ;;
        --p99-max) p99_max=$2 ;;
        --ready-within) ready_within=$2 ;;
        --drain-within) drain_within=$2 ;;
        --lease-within) lease_within=$2 ;;
        --wallets) wallets=$2 ;;
        *)
            own_option "$1" "$2" || {
                usage >&2
                exit 2
            }
            ;;
        esac
        shift 2
    done
    if [ -z "$fleet" ] || [ -z "$hooks" ] || [ -z "$upstream" ] || [ -z "$state" ] ||
        { [ -z "$version" ] && [ -z "$wants_undo$wants_back" ]; } ||
        { [ -n "$wants_undo" ] && [ -n "$wants_back" ]; } || { [ -n "$version" ] && [ -n "$wants_restart" ]; }; then
        usage >&2
        exit 2
    fi
    [ -f "$upstream" ] || die "$upstream is not a file"
    if [ -z "$watch" ]; then
        watch=60
        if [ -n "$wants_back" ]; then watch=5; fi
    fi
    read_fleet
    if [ -n "$wants_back" ] && [ -z "$version$wants_restart" ]; then
        version=$(version_before) || exit 1
        say "back to $version"
    fi
}

# The version that served before the deploy that is under way or, where none is, before the last one.
version_before() {
    local record=$state/before found
    if [ -f "$state/deploy" ]; then
        # A way back that did not come to its end goes where it went.
        found=$(sed -n 's/^[^ ]* --roll-back \([^-].*\)$/\1/p' "$state/deploy")
        if [ -n "$found" ]; then
            echo "$found"
            return
        fi
    else
        record=$state/last
    fi
    [ -f "$record" ] || die "there is no record of a deploy in $state: name the version with --version"
    found=$(awk '$2 > 0 && $3 != "" { print $3 }' "$record" | sort -u)
    if [ -z "$found" ] || [ "$(wc -l <<<"$found")" -ne 1 ]; then
        die "$record knows no one version that served before: name it with --version"
    fi
    echo "$found"
}

names=()
declare -A api metrics colour
read_fleet() {
    local name address url half
    while read -r name address url half; do
        case "$name" in '' | '#'*) continue ;; esac
        [ -n "$url" ] || die "$fleet: $name has no metrics"
        names+=("$name")
        # The colour is read by blue-green alone.
        # shellcheck disable=SC2034
        api[$name]=$address metrics[$name]=$url colour[$name]=$half
    done <"$fleet"
    [ "${#names[@]}" -gt 0 ] || die "$fleet names no instance"
}

# The balancer.

declare -A weight
# Who gets how much now: an instance that the file does not name gets nothing.
read_weights() {
    local name line
    for name in "${names[@]}"; do
        line=$(grep -E "^[[:space:]]*server[[:space:]]+${api[$name]//./\\.}[[:space:];]" "$upstream" || true)
        case "$line" in
        '' | *' down'*) weight[$name]=0 ;;
        *weight=*)
            line=${line#*weight=}
            weight[$name]=${line%%[!0-9]*}
            ;;
        *) weight[$name]=1 ;;
        esac
    done
}

# Writes who gets how much, and lets the balancer read it. What it refuses is taken back.
balance() {
    local name before lines='' sum=0
    for name in "${names[@]}"; do
        sum=$((sum + weight[$name]))
        if [ "${weight[$name]}" -gt 0 ]; then
            lines+="    server ${api[$name]} weight=${weight[$name]} max_fails=2 fail_timeout=5s;"$'\n'
        else
            lines+="    server ${api[$name]} down;"$'\n'
        fi
    done
    if [ "$sum" -eq 0 ]; then
        say "nobody would be left to serve" >&2
        return 1
    fi
    before=$(cat "$upstream")
    printf '%s\n' "$before" | LINES_NEW=$lines awk '
        /^[[:space:]]*server[[:space:]]/ { if (!written) { printf "%s", ENVIRON["LINES_NEW"]; written = 1 }; next }
        { print }
        END { exit !written }' >"$upstream.new" || {
        rm -f "$upstream.new"
        say "$upstream has no server line to begin with" >&2
        return 1
    }
    mv "$upstream.new" "$upstream"
    if ! "$hooks" reload; then
        printf '%s\n' "$before" >"$upstream.new" && mv "$upstream.new" "$upstream"
        say "the balancer refuses $upstream" >&2
        return 1
    fi
}

# What is measured.

# The metrics of an instance, into a file; fails where there is no data. A slow one is asked twice more,
# unless whoever asks comes back anyway.
scrape() { scrape_once "$@" --retry 2 --retry-delay 1; }
scrape_once() {
    curl -fs --max-time 3 "${@:3}" -o "$2" "${metrics[$1]}" && grep -q '^build_info' "$2"
}

# Answered requests and those with 5xx, but for probes of health.
requests_of() {
    awk '/^http_requests_total\{/ && !/route="\/health/ {
            all += $NF; if (/status="5/) bad += $NF }
        END { printf "%d %d\n", all, bad }' "$1"
}

# What was answered between two looks: "requests errors p99". A counter that fell began anew.
between() {
    awk '
        function since(now, then) { return now < then ? now : now - then }
        FNR == 1 { file++ }
        /route="\/health/ { next }
        /^http_requests_total\{/ { key = $0; sub(/ [^ ]*$/, "", key); seen[key, file] = $NF; keys[key] }
        /^http_request_duration_seconds_bucket\{/ && !/route="\/v1\/events\/stream"/ {
            key = $0; sub(/ [^ ]*$/, "", key); took[key, file] = $NF; spans[key]
            le = key; sub(/.*le="/, "", le); sub(/".*/, "", le); bound[key] = le }
        END {
            for (key in keys) {
                n = since(seen[key, 2], seen[key, 1]); all += n
                if (key ~ /status="5/) bad += n
            }
            for (key in spans) at[bound[key]] += since(took[key, 2], took[key, 1])
            p99 = "inf"; total = at["+Inf"]
            for (le in at) if (le != "+Inf" && at[le] >= 0.99 * total && (p99 == "inf" || le + 0 < p99 + 0)) p99 = le
            if (!total) p99 = "none"
            printf "%d %d %s\n", all, bad, p99
        }' "$1" "$2"
}

# Whether a sum of numbers holds, such as '3 <= 0.5 * 7'.
holds() { awk "BEGIN { exit !($1) }"; }

ready_of() { curl -s --max-time 2 "${@:2}" "http://${api[$1]}/health/ready"; }
is_ready() { ready_of "$1" -f -o /dev/null "${@:2}"; }
why_not() { ready_of "$1" || echo 'no answer'; }

# Whether one that should be ready is. A look that finds it slow or not ready is taken twice more, as the
# balancer asks more than once before it leaves one out; where nothing listens it is not.
stays_ready() {
    is_ready "$1" --retry 2 --retry-delay 1 || {
        say "$1 is not ready: $(why_not "$1")" >&2
        return 1
    }
}

until_ready() {
    local deadline=$((SECONDS + ready_within))
    until is_ready "$1"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            say "$1 is not ready within $ready_within s: $(why_not "$1")" >&2
            return 1
        fi
        sleep 0.2
    done
}

# Every wallet has one writer: the leases that those instances hold are as many as there are wallets. One
# look sees several instances at several moments, so a hand-over may be seen in its middle. A roll-back is
# not held up by an instance whose leases cannot be seen; two writers it does not put up with either.
one_writer() {
    local deadline=$((SECONDS + lease_within)) name held mute
    while :; do
        held=0 mute=''
        for name in "$@"; do
            if scrape_once "$name" "$work/lease"; then
                held=$(awk -v held="$held" '$1 == "lease_held" { held += $2 } END { print held }' "$work/lease")
            else
                mute+=" $name"
            fi
        done
        if [ "$held" -eq "$wallets" ]; then return; fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            if [ -n "$wants_back" ] && [ -n "$mute" ] && [ "$held" -lt "$wallets" ]; then
                say "$held leases are seen where there are $wallets wallets, and no metrics of$mute" >&2
                return
            fi
            say "$held leases are held, where there are $wallets wallets" >&2
            return 1
        fi
        sleep 0.5
    done
}

# Watches instances for a while: they stay ready, and what they answered meanwhile was right and in time.
# Without data there is no yes.
gate() {
    if [ -n "$wants_back" ]; then
        gate_of_what_is_there "$@"
        return
    fi
    local deadline=$((SECONDS + watch)) name all bad requests errors p99 slowest=0
    for name in "$@"; do
        scrape "$name" "$work/$name.before" || {
            say "$name shows no metrics: no data is no yes" >&2
            return 1
        }
    done
    while :; do
        sleep "$interval"
        requests=0 errors=0 slowest=0
        for name in "$@"; do
            stays_ready "$name" || return 1
            scrape "$name" "$work/$name.after" || {
                say "$name shows no metrics: no data is no yes" >&2
                return 1
            }
            read -r all bad p99 < <(between "$work/$name.before" "$work/$name.after")
            requests=$((requests + all)) errors=$((errors + bad))
            case "$p99" in none) ;; inf) slowest=inf ;; *) if [ "$slowest" != inf ] && holds "$p99 > $slowest"; then slowest=$p99; fi ;; esac
        done
        if [ "$requests" -ge "$requests_min" ] && holds "$errors * 100 > $errors_max * $requests"; then
            say "$errors of $requests answers of $* were errors" >&2
            return 1
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then break; fi
    done
    if [ "$requests" -lt "$requests_min" ]; then
        say "$* answered $requests requests, and $requests_min are needed: no data is no yes" >&2
        return 1
    fi
    if [ "$slowest" = inf ] || holds "$slowest > $p99_max"; then
        say "the p99 of $* is $slowest s, above $p99_max s" >&2
        return 1
    fi
    say "$*: $requests answers, $errors errors, p99 at most $slowest s"
}

# The gate of a roll-back, which has to end at night and beside a broken replica too: no traffic is asked
# for, and no metric. They have the version, and stay ready for a moment.
gate_of_what_is_there() {
    local deadline=$((SECONDS + watch)) name
    while :; do
        for name in "$@"; do
            is_at "$name" "$version" || {
                say "$name does not have $version" >&2
                return 1
            }
            stays_ready "$name" || return 1
        done
        if [ "$SECONDS" -ge "$deadline" ]; then break; fi
        sleep "$interval"
    done
    say "$*: ready with $version"
}

# Steps.

# No more is sent to it, and nothing arrives any more.
take_out() {
    local deadline=$((SECONDS + drain_within)) before after
    if [ "${weight[$1]}" -gt 0 ]; then
        weight[$1]=0
        balance || return 1
    fi
    # One that shows no metrics does not run.
    scrape "$1" "$work/drain" || return 0
    before=$(requests_of "$work/drain")
    while :; do
        sleep 1
        scrape "$1" "$work/drain" || return 0
        after=$(requests_of "$work/drain")
        if [ "$before" = "$after" ]; then return 0; fi
        before=$after
        if [ "$SECONDS" -ge "$deadline" ]; then
            say "$1 is still sent requests $drain_within s after it was taken out" >&2
            return 1
        fi
    done
}

# Puts a version in the place of an instance that gets nothing, and waits until it is ready.
replace() {
    say "$1: $2"
    "$hooks" stop "$1" || return 1
    if [ "$("$hooks" version "$1")" != "$2" ]; then
        "$hooks" install "$1" "$2" || return 1
    fi
    "$hooks" start "$1" || return 1
    until_ready "$1" || return 1
    if [ -n "$wants_restart" ]; then echo "$1" >>"$state/restarted"; fi
}

# What is done already by an earlier run of the same deploy is not done again.
has() { is_at "$1" "$2" && stays_ready "$1"; }
is_at() {
    if [ -n "$wants_restart" ]; then
        grep -qx "$1" "$state/restarted" 2>/dev/null
    else
        [ "$("$hooks" version "$1")" = "$2" ]
    fi
}

# The record, and the way back.

work=$(mktemp -d "${TMPDIR:-/tmp}/xrpayd-deploy.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Begins a deploy of these instances, or goes on with the same one.
begin() {
    local name found
    mkdir -p "$state"
    exec 9>"$state/lock"
    # A hook of one that was killed still holds it, until what it does is done.
    if ! flock -n 9; then
        say "waiting for what is at work in $state"
        flock -w 60 9 || die "another deploy is at work in $state"
    fi
    read_weights
    if [ -n "$wants_undo" ]; then
        [ -f "$state/deploy" ] || die "there is no unfinished deploy in $state"
        weights_before
        return
    fi
    if [ -f "$state/deploy" ]; then
        found=$(cat "$state/deploy")
        if [ "$found" = "$(this_deploy)" ]; then
            say "going on with an unfinished deploy"
        elif [ -n "$wants_back" ]; then
            # What it wrote down of the time before it still holds: the shares are put back from that.
            say "an unfinished deploy ends here ($found)"
            write_deploy
        else
            die "an unfinished deploy is in the way ($found): finish it, or undo it with --undo"
        fi
    else
        for name in "${names[@]}"; do
            echo "$name ${weight[$name]} $("$hooks" version "$name" || true)"
        done >"$state/before.new"
        mv "$state/before.new" "$state/before"
        write_deploy
    fi
    weights_before
}

# Which deploy is under way.
this_deploy() { echo "$(basename "$0")${wants_back:+ --roll-back}${wants_restart:+ --restart} $version"; }
write_deploy() {
    rm -f "$state/restarted"
    this_deploy >"$state/deploy.new"
    mv "$state/deploy.new" "$state/deploy"
}

# Undoes, where that is all that was asked for; from here on an interruption undoes as well.
or_undo() {
    if [ -n "$wants_undo" ]; then
        undo && exit 0
        exit 3
    fi
    trap 'fail "interrupted"' INT TERM HUP
}

# How much each had before the deploy, and which version.
declare -A weight_was version_was
weights_before() {
    local name share was
    while read -r name share was; do
        weight_was[$name]=$share version_was[$name]=$was
    done <"$state/before"
}

# Ends the record: nothing is left to undo. What was there before a deploy stays written down for the way
# back; what was there before a way back is nothing to go back to, and neither is the version itself, which
# was there before a deploy that was asked for once more.
finish() {
    if [ -z "$wants_back" ] &&
        awk -v version="$version" '$2 > 0 && $3 != version { found = 1 } END { exit !found }' "$state/before"; then
        cp "$state/before" "$state/last.new"
        mv "$state/last.new" "$state/last"
    fi
    rm -f "$state/deploy" "$state/before" "$state/restarted"
    say "done"
}

# Takes the record of a deploy away of which nothing was done.
never_begun() { rm -f "$state/deploy" "$state/before"; }

# Puts everything back as it was before.
undo() {
    local name
    say "undoing" >&2
    read_weights
    put_back || {
        say "not everything could be undone: run it again with --undo once the cause is gone" >&2
        return 1
    }
    for name in "${names[@]}"; do weight[$name]=${weight_was[$name]:-0}; done
    balance || return 1
    rm -f "$state/deploy" "$state/before"
    say "everything is as it was" >&2
}

# The instances themselves, one at a time, so that some always serve; a script whose way back is another
# has its own.
put_back() {
    local name
    for name in "${names[@]}"; do
        [ -n "${version_was[$name]:-}" ] || continue
        if has "$name" "${version_was[$name]}"; then
            weight[$name]=${weight_was[$name]}
            continue
        fi
        take_out "$name" || return 1
        replace "$name" "${version_was[$name]}" || return 1
        weight[$name]=${weight_was[$name]}
        balance || return 1
    done
}

fail() {
    trap '' INT TERM HUP
    say "$*: rolling back" >&2
    undo || exit 3
    exit 1
}
