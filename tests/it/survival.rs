//! Survival: real daemons on real stores are hurt on purpose while payments flow through them, and
//! what every client was told is held against what the ledger did.
//!
//! What hurts is drawn from a seed, printed at the beginning and with every failure; the same draws
//! are made again with `XRPAYD_TEST_SEED`. Processes keep their own time, so a seed repeats what was
//! done and not the instant at which it met the daemon.

mod clocks;
mod database;
mod deploys;
mod dice;
mod disk;
mod fleet;
mod frozen;
mod history;
mod inflow;
mod kills;
mod link;
mod machine;
mod payers;
mod promotion;
mod receipts;
mod roll_back;
mod shoppers;
mod stage;
mod tenures;
mod traffic;
mod trouble;
mod wrong_clock;
pub mod yard;
