//! What a drill may inflict. Faults change what a server says and hears, never the network's chain.
//!
//! Owns one server's faults; `request` reads what `sandbox_fault` asks for. A kind or a parameter that is
//! not known is an error: a drill that does nothing by a slip of the pen would prove nothing.
//!
//! Every kind and its parameters stand in `docs/SANDBOX.md`, which a test holds to be known here.
//!
//! `on` is true unless said otherwise; `"on": false` ends one kind alone. Servers follow the network, they
//! do not make it: the model's validators are elsewhere, so that the chain goes on whatever servers suffer.

mod request;
mod results;

pub(crate) use request::{Parameters, inflict, network_wide, target};
pub(crate) use results::{FalseAnswer, Forced};

use crate::condition::{Change, Condition};
use crate::ledger::codes::Ter;
use crate::ledger::entry::Account;
use crate::ledger::fees::LEVEL_REFERENCE;
use serde_json::Value;
use std::collections::BTreeSet;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;

/// Why a fault was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No such kind.
    #[error("there is no fault of kind {0:?}")]
    UnknownKind(String),
    /// No such server.
    #[error("there is no server {0}")]
    UnknownServer(String),
    /// A parameter is missing or has a form that it cannot have.
    #[error("parameter {0:?} is missing or malformed")]
    BadParameter(&'static str),
    /// A parameter that this kind does not have.
    #[error("a fault of kind {kind:?} has no parameter {parameter:?}")]
    UnknownParameter {
        /// The kind.
        kind: String,
        /// The parameter.
        parameter: String,
    },
}

/// Which transactions a lie is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum About {
    /// Every one.
    #[default]
    All,
    /// Those with these hashes.
    Hashes(BTreeSet<TxHash>),
    /// Those that touch this account.
    Account(AccountId),
}

impl About {
    fn includes(&self, hash: TxHash, accounts: &[AccountId]) -> bool {
        match self {
            Self::All => true,
            Self::Hashes(hashes) => hashes.contains(&hash),
            Self::Account(account) => accounts.contains(account),
        }
    }
}

/// Requests or answers that get lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// How many in a thousand.
    pub(crate) per_mille: u32,
    /// Only of this command.
    pub(crate) command: Option<String>,
}

/// Delay before an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latency {
    pub(crate) ms: u64,
    pub(crate) jitter_ms: u64,
}

/// Ledgers that a server lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// A false result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FalseResult {
    pub(crate) about: About,
    pub(crate) result: String,
}

/// A false amount that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FalseDelivery {
    pub(crate) about: About,
    pub(crate) amount: Value,
}

/// A false account root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FalseRoot {
    /// Of this account only.
    pub(crate) account: Option<AccountId>,
    pub(crate) balance: Option<u64>,
    pub(crate) sequence: Option<u32>,
}

/// How a server is cut off from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apart {
    /// It calls the ledgers that it closes alone validated.
    Fork,
    /// It closes ledgers and waits for a quorum, which it cannot hear.
    Partition {
        /// After so long without a validated ledger it admits that it is not synchronised.
        stale_after_ms: u64,
    },
}

/// A server that does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freeze {
    /// When it thaws by itself, in microseconds of the Unix epoch.
    pub(crate) until_us: Option<u64>,
}

/// What a server asks beyond the base fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FeeSpike {
    /// The least that its open ledger asks, in base fees.
    pub(crate) multiplier: Option<u64>,
    /// What its own load makes it ask, in base fees.
    pub(crate) load_factor: Option<u64>,
}

/// Ledgers close and none is validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuorumLost {
    /// After so long without a validated ledger servers admit that they are not synchronised.
    pub(crate) stale_after_ms: u64,
    /// How fast histories follow when it is over.
    pub(crate) ledgers_per_close: u32,
}

/// Everything that is wrong with one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// New connections are refused.
    pub(crate) refuse: bool,
    pub(crate) latency: Option<Latency>,
    pub(crate) drop_requests: Option<Loss>,
    pub(crate) drop_responses: Option<Loss>,
    /// The validated ledger stands still here.
    pub(crate) stalled_at: Option<u32>,
    /// The validated ledger is so many behind.
    pub(crate) lag_ledgers: u32,
    /// It follows each close so many milliseconds late.
    pub(crate) lag_ms: u64,
    /// In ascending order, without overlaps.
    pub(crate) gaps: Vec<Gap>,
    /// So many more requests are answered `slowDown`.
    pub(crate) slow_down: u64,
    pub(crate) network_id: Option<u32>,
    pub(crate) amendment_blocked: bool,
    pub(crate) lie_absent: Option<About>,
    pub(crate) lie_result: Option<FalseResult>,
    pub(crate) lie_delivered: Option<FalseDelivery>,
    pub(crate) lie_balance: Option<FalseRoot>,
    /// Submissions that are answered and not carried out.
    pub(crate) turn_away: Option<FalseResult>,
    /// What it answers to submissions instead of the truth.
    pub(crate) answers: results::Answers,
    pub(crate) freeze: Option<Freeze>,
    pub(crate) apart: Option<Apart>,
    /// How many ledgers of history it gains with each close when it has leapt.
    pub(crate) jump: Option<u32>,
    pub(crate) fee_spike: Option<FeeSpike>,
    pub(crate) queue_full: bool,
    /// What is wrong with the server as a whole.
    pub(crate) condition: Condition,
}

impl Faults {
    /// The ledger that the server validates when the chain is at `tip`.
    pub(crate) fn validated_goal(&self, tip: u32) -> u32 {
        let lagging = tip.saturating_sub(self.lag_ledgers);
        self.stalled_at.map_or(lagging, |at| lagging.min(at))
    }

    /// The oldest ledger of the contiguous history that ends at the newest one.
    pub(crate) fn history_from(&self) -> u32 {
        self.gaps.last().map_or(0, |gap| gap.to.saturating_add(1))
    }

    /// Whether the server lacks the ledger.
    pub(crate) fn lacks_ledger(&self, index: u32) -> bool {
        self.gaps
            .iter()
            .any(|gap| (gap.from..=gap.to).contains(&index))
    }

    /// Whether the server denies that it knows the transaction.
    pub(crate) fn hides(&self, hash: TxHash, accounts: &[AccountId]) -> bool {
        self.lie_absent
            .as_ref()
            .is_some_and(|about| about.includes(hash, accounts))
    }

    /// What the server asks for its own load, in base fees.
    pub(crate) fn load_factor(&self) -> u64 {
        let spike = self.fee_spike.and_then(|spike| spike.load_factor);
        spike.unwrap_or(1)
    }

    /// The least level that the open ledger asks.
    pub(crate) fn level_min(&self) -> u64 {
        let spike = self.fee_spike.and_then(|spike| spike.multiplier);
        spike.unwrap_or(1).saturating_mul(LEVEL_REFERENCE)
    }

    /// Puts the server's lies into an account root.
    pub(crate) fn retell(&self, root: &mut Account) {
        let about = |lie: &&FalseRoot| lie.account.is_none_or(|account| account == root.id);
        if let Some(lie) = self.lie_balance.as_ref().filter(about) {
            root.balance = lie.balance.unwrap_or(root.balance);
            root.sequence = lie.sequence.unwrap_or(root.sequence);
        }
    }

    /// The answer to a submission that the server does not carry out.
    pub(crate) fn turns_away(&self, hash: TxHash, account: AccountId) -> Option<Ter> {
        let turned = self.turn_away.as_ref()?;
        let is_meant = turned.about.includes(hash, &[account]);
        is_meant.then(|| Ter::from_name(&turned.result)).flatten()
    }

    /// What the server answers to the submission of a payment with this destination tag, where that is
    /// not the truth.
    pub(crate) fn answer(&self, destination_tag: Option<u32>) -> Option<FalseAnswer> {
        let of_tag = destination_tag.and_then(|tag| self.answers.get(&Some(tag)));
        of_tag.or_else(|| self.answers.get(&None)).copied()
    }

    /// The result that the server claims instead of the true one.
    pub(crate) fn claims(&self, hash: TxHash, accounts: &[AccountId]) -> Option<&str> {
        let lie = self.lie_result.as_ref()?;
        lie.about
            .includes(hash, accounts)
            .then_some(lie.result.as_str())
    }
}

impl Faults {
    /// What the server claims was delivered instead of the truth.
    pub(crate) fn claims_delivered(&self, hash: TxHash, accounts: &[AccountId]) -> Option<&Value> {
        let lie = self.lie_delivered.as_ref()?;
        lie.about.includes(hash, accounts).then_some(&lie.amount)
    }
}

/// What a request for a fault asks for, besides the change of the server's faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing more.
    None,
    /// The server's connections are closed.
    CloseConnections,
    /// The server as a whole goes down or comes up.
    Server(Change),
}

/// Which servers a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The one that was asked.
    Asked,
    /// All of them.
    All,
    /// The one with this number.
    Index(usize),
    /// The one with this address.
    Address(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fault_that_is_misspelled_is_refused() {
        let mut faults = Faults::default();
        let unknown = inflict(&mut faults, &json!({"kind": "earthquake"}), 5);
        assert_eq!(
            unknown,
            Err(FaultError::UnknownKind("earthquake".to_owned()))
        );
        let parameter = inflict(&mut faults, &json!({"kind": "lag", "ledger": 3}), 5);
        assert!(matches!(
            parameter,
            Err(FaultError::UnknownParameter { .. })
        ));
        assert_eq!(faults, Faults::default());
    }

    #[test]
    fn a_stalled_server_stands_still_until_it_is_cleared() {
        let mut faults = Faults::default();
        inflict(&mut faults, &json!({"kind": "stall_ledger"}), 5).unwrap();
        assert_eq!(faults.validated_goal(9), 5);
        inflict(&mut faults, &json!({"kind": "clear"}), 5).unwrap();
        assert_eq!(faults.validated_goal(9), 9);
        inflict(&mut faults, &json!({"kind": "lag", "ledgers": 2}), 5).unwrap();
        assert_eq!(faults.validated_goal(9), 7);
    }
}
