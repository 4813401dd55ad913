#!/usr/bin/env bash
# Planted bugs of the daemon's own rooms, beside tests/mutants.sh for the core: every patch in
# tests/mutants/daemon names in its first line the test that has to notice it. All of them are put into
# one throw-away copy, each behind its number, so that one build serves them all; then they are switched
# on one at a time. A patch that no longer applies fails, and so does a bug that its test lets pass.
# The copy has the library's unit tests and those of the store, and no binaries.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
copy=$target/mutants-daemon
# shellcheck source=tests/mutants/plant.sh
. "$root/tests/mutants/plant.sh"

rm -rf "$copy"
mkdir -p "$copy"
for part in Cargo.lock Cargo.toml rust-toolchain.toml config crates migrations src tests docs build.rs README.md; do
    cp -rp "$root/$part" "$copy/"
done
rm -rf "$copy/src/main.rs" "$copy/src/bin"
sed -i -e '/^\[\[bench\]\]/,/^$/d' -e '/^\[\[bin\]\]/,/^$/d' -e '/^default-run/d' "$copy/Cargo.toml"
find "$copy/tests" -maxdepth 1 -name '*.rs' -delete
sed -i -e '/^mod /d' "$copy/tests/it/main.rs"
printf 'mod store;\n#[allow(dead_code, unused_imports)]\nmod support;\n' >>"$copy/tests/it/main.rs"
plant "$copy" src "$root"/tests/mutants/daemon/*.patch

cd "$copy"
export CARGO_TARGET_DIR=$target CARGO_BIN_EXE_xrpayd=/nonexistent
built() {
    cargo test --locked -p xrpayd "$@" --no-run 2>build.log || { cat build.log >&2; exit 1; }
    sed -n 's/.*Executable.*(\(.*\))$/\1/p' build.log | tail -1
}
unit=$(built --lib)
stores=$(built --test it)

# Runs one test, or those of one name on both stores, with one bug switched on.
run() {
    local number=$1 binary=$unit test=$2 told
    [[ $test == it::* ]] && binary=$stores test=${test#it::}
    told=$(XRPAYD_MUTANT=$number timeout 120 "$binary" "$test" --quiet 2>&1) || return 1
    grep -q 'test result: ok. 0 passed' <<<"$told" && { echo "there is no test $test" >&2; exit 1; }
    return 0
}
of_daemon() {
    local test
    test=$(sed -n '1s/^Caught by: //p' "$3")
    [ -n "$test" ] || { echo "$1 does not say which test catches it" >&2; exit 1; }
    run 0 "$test" || { echo "$test fails with no bug planted" >&2; exit 1; }
    if run "$2" "$test"; then
        echo "$1 | NOT CAUGHT by $test"
        return 1
    fi
    echo "$1 | $test"
}
each_bug of_daemon "$root"/tests/mutants/daemon/*.patch
verdict "planted bugs of the daemon"
