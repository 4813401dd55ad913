//! The simulator: the daemon's own engine on a model store, a model ledger and model servers, in virtual
//! time, on one thread, from one seed, with any fault.
//!
//! - `world` holds everything of one seed and lets happen what is next; `agenda` is its time, `prng` its
//!   chance, `swarm` what it drew.
//! - `chain` is what really happens; `server` is who tells of it, late, in part, or falsely; `tx` is what
//!   is signed.
//! - `life` is a process around [`xrpayd_core::engine::Desk`], with `turn` for its pass and `pool` for its
//!   way to the servers; `disk` is its database.
//! - `lease` says which of two processes works, in the worlds that have two.
//! - `client` asks and looks, `front` answers; `faults` strikes and heals; `audit` reads the chain and
//!   the answers, and nothing else; `tally` and `count` see what happened.
//!
//! A world has two phases. In the first, faults strike and nothing wrong may happen. Then everything is
//! healed, and everything that was promised has to come to its end within a bound of ledgers.
//!
//! A failing seed is a story that is told the same every time: [`run`] it again with a trace.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout
    )
)]

mod agenda;
mod audit;
mod chain;
mod client;
pub mod command;
mod count;
mod disk;
mod faults;
mod front;
mod lease;
mod life;
mod pool;
mod prng;
mod server;
mod swarm;
mod tally;
mod turn;
mod tx;
mod world;

pub use swarm::Fault;
pub use tally::{SEEN, Seen, Tally};
pub use world::{PLANTS, Plant};

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;
use xrpayd_core::payment::Status;

/// What came of one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The first sentence that did not hold.
    pub violation: Option<String>,
    /// How many events happened.
    pub events: u64,
    /// How the payments ended.
    pub ends: Vec<Status>,
    /// How long the world lasted by its own clock, in milliseconds.
    pub lasted: u64,
    /// What happened in it, and how often.
    pub tally: Tally,
    /// What happened, where it was wanted.
    pub trace: Vec<String>,
}

/// Lives through the world of `seed`. An assertion of the engine that does not hold is a violation like
/// any other: in the daemon it stops the process.
#[must_use]
pub fn run(seed: u64, plants: &BTreeSet<Plant>, is_traced: bool) -> Report {
    let mut world = World::new(seed, plants.clone(), is_traced);
    let lived = catch_unwind(AssertUnwindSafe(|| world.run()));
    if let Err(broken) = lived {
        let text = broken.downcast_ref::<String>().cloned();
        let text = text.or_else(|| broken.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let text = text.unwrap_or_else(|| "something that cannot be printed".to_owned());
        world.audit.violation = Some(format!("an assertion does not hold: {text}"));
    }
    Report {
        seed,
        violation: world.audit.violation.clone(),
        events: world.events(),
        ends: world.audit.ends().collect(),
        lasted: world.agenda.now(),
        tally: std::mem::take(&mut world.tally),
        trace: world.trace.take().unwrap_or_default(),
    }
}
