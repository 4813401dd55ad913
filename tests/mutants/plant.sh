# shellcheck shell=bash
# Sourced by tests/mutants.sh and tests/mutants-daemon.sh: how bugs are planted into a throw-away copy, each
# behind its number, and how they are gone through one by one.
export RUST_BACKTRACE=0
command -v patch >/dev/null || { echo "patch is not installed" >&2; exit 1; }

# plant COPY CRATE PATCH…: gives the crate whose sources are in COPY/CRATE the module by which a bug asks
# whether it is switched on, and applies every patch to COPY. One that no longer applies ends the run.
plant() {
    local copy=$1 crate=$2 patch
    shift 2
    printf '\n/// Which planted bug is switched on.\npub mod mutant;\n' >>"$copy/$crate/lib.rs"
    cat >"$copy/$crate/mutant.rs" <<'RUST'
//! Which planted bug is switched on, by the environment of the process.
use std::sync::OnceLock;

static ON: OnceLock<u32> = OnceLock::new();

/// Whether it is this one.
pub fn is(number: u32) -> bool {
    let read = || std::env::var("XRPAYD_MUTANT").ok()?.parse().ok();
    *ON.get_or_init(|| read().unwrap_or(0)) == number
}
RUST
    for patch in "$@"; do
        patch --batch --quiet -p1 -F0 -d "$copy" <"$patch" ||
            { echo "$(basename "$patch") no longer applies" >&2; exit 1; }
    done
}

survivors=0 count=0

# each_bug FUNCTION PATCH…: calls FUNCTION with the name, the number and the file of each bug. It says what
# caught the bug, and fails where nothing did.
each_bug() {
    local judge=$1 patch name
    shift
    for patch in "$@"; do
        name=$(basename "$patch" .patch)
        judged "$judge" "$name" "$((10#${name%%-*}))" "$patch"
    done
}

# judged FUNCTION ARGUMENT…: counts one bug, and whether FUNCTION says that it was caught.
judged() {
    count=$((count + 1))
    "$@" || survivors=$((survivors + 1))
}

# verdict WHAT: how many were caught, and whether all were.
verdict() {
    echo "$((count - survivors)) of $count $1 caught"
    [ "$survivors" -eq 0 ]
}
