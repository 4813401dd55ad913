#!/usr/bin/env bash
# Planted bugs: every patch in tests/mutants is a bug that somebody could write one day. All of them are
# put into one throw-away copy of crates/core and crates/sim, each behind its number, so that one build
# serves them all; then they are switched on one at a time, and the layers have to catch them. A patch
# that no longer applies fails, and so does a bug that nobody catches.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
copy=${CARGO_TARGET_DIR:-$root/target}/mutants
seeds=${MUTANT_SEEDS:-4000}
# shellcheck source=tests/mutants/plant.sh
. "$root/tests/mutants/plant.sh"

mkdir -p "$copy/crates"
rm -rf "$copy/crates/core" "$copy/crates/sim"
cp -r "$root/crates/core" "$root/crates/sim" "$copy/crates/"
cp "$root/Cargo.lock" "$root/rust-toolchain.toml" "$copy/"
sed -e '/^\[package\]/,$d' -e 's|^members = .*|members = ["crates/core", "crates/sim"]|' \
    -e '/^exclude/d' "$root/Cargo.toml" >"$copy/Cargo.toml"
mkdir -p "$copy/crates/sim/src/bin"
cp "$root/crates/sandbox/src/bin/sim.rs" "$copy/crates/sim/src/bin/sim.rs"
plant "$copy" crates/core/src "$root"/tests/mutants/*.patch

cd "$copy"
export CARGO_TARGET_DIR=$copy/target
quiet() { "$@" >build.log 2>&1 || { cat build.log >&2; exit 1; }; }
quiet cargo test --offline --quiet -p xrpayd-core --lib --no-run
quiet cargo build --offline --quiet -p xrpayd-sim --bin sim
unit=$(cargo test --offline -p xrpayd-core --lib --no-run 2>&1 | sed -n 's/.*(\(.*\))$/\1/p' | tail -1)
sim=$CARGO_TARGET_DIR/debug/sim

# The first test of core that fails; nothing where none does.
unit_catches() {
    local told
    if told=$(XRPAYD_MUTANT=$1 PROPTEST_FAILURE_PERSISTENCE=off timeout 120 "$unit" --quiet 2>&1); then return; fi
    told=$(sed -n 's/^    \([a-z_0-9:]*::[a-z_0-9]*\)$/\1/p' <<<"$told" | head -1)
    echo "${told:-the tests do not end}"
}
# The first sentence that does not hold in the simulator.
sim_catches() {
    local number=$1 told
    shift
    if told=$(XRPAYD_MUTANT=$number timeout 120 "$sim" --seeds "$seeds" "$@" 2>&1); then return; fi
    told=$(sed -n 's/^seed \([0-9]*\): \(.*\)$/seed \1: \2/p' <<<"$told" | head -1)
    echo "${told:-the worlds do not end}"
}
[ -z "$(unit_catches 0)$(sim_catches 0)" ] || { echo "something fails with no bug planted" >&2; exit 1; }

shorten() { if [ -n "$1" ]; then cut -c1-"$2" <<<"$1"; else echo "-"; fi; }
row() { printf '%-34s | %-64s | %s\n' "$1" "$(shorten "$2" 64)" "$(shorten "$3" 90)"; }
row "planted bug" "tests of core" "simulator, up to $seeds seeds"
of_core() {
    local unit_says sim_says
    unit_says=$(unit_catches "$2")
    sim_says=$(sim_catches "$2")
    row "$1" "$unit_says" "$sim_says"
    [ -n "$unit_says$sim_says" ]
}
each_bug of_core "$root"/tests/mutants/*.patch
# Bugs of the shell around the engine, which the simulator plants itself.
of_shell() {
    local sim_says
    sim_says=$(sim_catches 0 --plant "$1")
    row "shell: $1" "" "$sim_says"
    [ -n "$sim_says" ]
}
plants=$("$sim" --seeds 1 --plant '?' 2>&1 | sed -n 's/.*there are //p' | head -1 || true)
for plant in ${plants//,/}; do
    judged of_shell "$plant"
done
verdict "planted bugs"
