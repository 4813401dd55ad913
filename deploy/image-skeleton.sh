#!/usr/bin/env bash
# Empty sources for every target that the manifests name, so that the image's build compiles the
# dependencies in a layer of their own. `--clean` takes them, and what was built of them, away again. Run in
# the Dockerfile; see there.
set -euo pipefail

crates=(codec core sandbox sim)
if [ "${1:-}" = --clean ]; then
    cargo clean --release --locked -p xrpayd -p xrpayd-codec -p xrpayd-core -p xrpayd-sandbox -p xrpayd-sim
    rm -rf src benches build.rs crates/*/src crates/*/benches
    exit
fi

mkdir -p src benches
echo 'fn main() {}' | tee src/main.rs build.rs >benches/accept.rs
cp src/main.rs benches/inflow.rs
cp src/main.rs benches/whole_path.rs
: >src/lib.rs
for crate in "${crates[@]}"; do
    mkdir -p "crates/$crate/src"
    : >"crates/$crate/src/lib.rs"
done
mkdir -p crates/sandbox/benches
cp src/main.rs crates/sandbox/benches/flood.rs
