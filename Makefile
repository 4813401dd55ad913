# The two commands of a newcomer are `make run` (or the cargo line in it) and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: run test check fmt clippy doc deny machete bench inflow fleet model-wide soak mutants mutants-daemon mutants-core

run: ## The daemon's main job, with nothing else installed
	cargo run --release -- sandbox

test: ## Every test, on both stores and with foreign clients; installs what of these is missing
	tests/packages.sh tests/clients.sh tests/schemathesis.sh tests/linters.sh tests/postgres.sh cargo test --workspace --locked
	$(MAKE) fleet
	tests/mutants.sh

mutants: mutants-daemon ## Bugs that are planted one at a time, and which layer catches each
	tests/mutants.sh

mutants-daemon: ## The same for the daemon's own rooms, each with the test that has to notice it
	tests/postgres.sh tests/mutants-daemon.sh

soak: ## A hundred thousand worlds of the simulator; the figures go into docs/RELIABILITY.md
	cargo run --release --locked -p xrpayd-sandbox --bin sim -- --seeds 100000

inflow: ## Fifty thousand deposits on each store through kills and lying servers; see docs/RELIABILITY.md
	XRPAYD_TEST_DEPOSITS=50000 tests/postgres.sh cargo test --release --locked --test it \
		survival::inflow -- --test-threads=1 --nocapture

fleet: ## Three daemons on one PostgreSQL, two minutes of every fault; see docs/RELIABILITY.md
	XRPAYD_TEST_FLEET_SECONDS=120 tests/packages.sh tests/postgres.sh cargo test --workspace --locked --test it \
		survival::fleet -- --nocapture

fmt:
	cargo fmt --all -- --check

clippy:
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --locked --no-default-features -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

deny: ## Licences, advisories, duplicates; where the tool is installed
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo "left out: cargo-deny is not installed"; fi

machete: ## Dependencies that nothing uses; where the tool is installed
	@if command -v cargo-machete >/dev/null; then cargo machete; \
	else echo "left out: cargo-machete is not installed"; fi

check: fmt clippy doc deny machete test ## What CI runs

bench: ## Our rates beside the raw limits of the same machine, in the same run
	tests/postgres.sh cargo bench --locked
	cargo bench --locked -p xrpayd-sandbox --bench flood

model-wide: ## The payment machine explored within bounds that take minutes and gigabytes; not in CI
	MODEL_WIDE=1 cargo test --locked -p xrpayd-core --test model -- wider --nocapture

mutants-core: ## Every small change to the core's rules is noticed by its unit tests; not in CI
	@if command -v cargo-mutants >/dev/null; then cargo mutants -p xrpayd-core -j1 --output target; \
	else echo "LEFT OUT: cargo-mutants is not installed (cargo install cargo-mutants): NOTHING WAS CHECKED"; fi
