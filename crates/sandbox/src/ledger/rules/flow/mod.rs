//! How value finds its way: a payment of issued currencies, or an offer that crosses others, goes over
//! one or more *strands*, each a chain of *steps*.
//!
//! `path` makes strands of what a transaction says, `strand` runs one, `search` takes from all of them
//! what is asked for, best first. `sandbox` is what they work on: it is kept or thrown away as a whole.
//!
//! **How a step is written.** A step takes something in on one side and puts something out on the other.
//! It implements [`Step`]:
//! - [`Step::reverse`] is asked to put out so much. It moves the value in the sandbox, remembers what went
//!   in and out, and says both; less than asked makes it the limiting step, and the strand is run again
//!   from there.
//! - [`Step::forward`] is given so much to take in. It runs after a `reverse` of the same step and must
//!   never put out more than that did.
//! - [`Step::cached`] is what went in and out the last time.
//! - What stands before a step is passed to it in [`Pass::previous`]: whether that redeems or issues
//!   decides about transfer fees.
//!
//! A step that fails ends its strand, not the payment: [`Stop::Strand`]. Arithmetic that leaves the
//! ledger's range ends all of it: [`Stop::Broken`]. Steps are made by `path` from a [`Making`], whose
//! `seen` sets keep a strand from crossing itself. A step over an order book is made in `book`.

mod book;
mod direct;
mod endpoint;
mod offers;
mod path;
mod sandbox;
mod search;
mod strand;
mod take;
#[cfg(test)]
mod tests;

pub(crate) use path::{Element, Making, read_paths};
pub(crate) use sandbox::{Sandbox, Settled};
pub(crate) use search::flow;

use crate::ledger::amount::{Amount, Asset, Currency, Flow, Overflow, Quality, Value};
use crate::ledger::codes::Ter;
use crate::ledger::entry::Key;
use std::collections::BTreeSet;
use xrpayd_core::address::AccountId;

/// Whether an account's debt shrinks or grows when it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Debt {
    /// It sends what it holds of the other's issue.
    Redeems,
    /// It sends what it issues itself.
    Issues,
}

/// Which way a strand is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Reverse,
    Forward,
}

/// What a strand is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A payment.
    Payment,
    /// A new offer that takes what others offer.
    Crossing,
    /// A new offer that sells all it has, even for more than it asks.
    CrossingSell,
}

/// Why a step did not move anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// This strand cannot go on.
    Strand,
    /// Nothing can.
    Broken,
}

impl From<Overflow> for Stop {
    fn from(_: Overflow) -> Self {
        Self::Broken
    }
}

impl From<Ter> for Stop {
    fn from(code: Ter) -> Self {
        if code == Ter::TEF_EXCEPTION {
            Self::Broken
        } else {
            Self::Strand
        }
    }
}

/// What names a step; two strands of the same steps are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepId {
    /// Over a trust line, from one account to the next.
    Direct {
        from: AccountId,
        to: AccountId,
        currency: Currency,
    },
    /// XRP out of or into an account.
    Endpoint { account: AccountId, is_last: bool },
    /// Through an order book.
    Book { input: Asset, output: Asset },
}

/// What a step works with while it runs.
pub(crate) struct Pass<'p, 's> {
    /// Where value is moved.
    pub(crate) sandbox: &'p mut Sandbox<'s>,
    /// The state before this strand ran: what offers were funded with.
    pub(crate) funds: &'p Sandbox<'s>,
    /// Offers found unfunded or expired, which are to go even if the strand fails.
    pub(crate) dead_offers: &'p mut BTreeSet<Key>,
    /// The step before this one.
    pub(crate) previous: Option<&'p dyn Step>,
}

/// One step of a strand.
pub(crate) trait Step {
    fn id(&self) -> StepId;

    /// Puts out `output`, or as much of it as there is.
    fn reverse(&mut self, pass: &mut Pass<'_, '_>, output: Value) -> Result<Flow, Stop>;

    /// Takes in `input`, or as much of it as there is room for.
    fn forward(&mut self, pass: &mut Pass<'_, '_>, input: Value) -> Result<Flow, Stop>;

    /// What went in and out the last time.
    fn cached(&self) -> Option<Flow>;

    /// Whether the source of this step redeems or issues.
    fn debt(&self, view: &Sandbox<'_>, direction: Direction) -> Debt;

    /// The rate at which the account that this step leads to takes in what comes over its line.
    fn line_quality_in(&self, view: &Sandbox<'_>) -> u32 {
        let _ = view;
        crate::ledger::amount::QUALITY_ONE
    }

    /// The best quality that this step may have, and whether its source redeems. `before` is the same of
    /// the step before it. `None` where the step has nothing to give.
    fn quality_bound(
        &self,
        view: &Sandbox<'_>,
        before: Debt,
        previous: Option<&dyn Step>,
    ) -> Result<(Option<Quality>, Debt), Overflow>;

    /// Offers taken or found dead the last time.
    fn offers_used(&self) -> u32 {
        0
    }

    /// Whether it used so many offers that its strand is to be left alone from now on.
    fn is_exhausted(&self) -> bool {
        false
    }
}

/// A chain of steps.
pub(crate) type Strand = Vec<Box<dyn Step>>;

/// What is asked of the strands.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) source: AccountId,
    pub(crate) destination: AccountId,
    pub(crate) deliver: Amount,
    /// The most that the source is ready to give.
    pub(crate) send_max: Option<Amount>,
    pub(crate) paths: &'a [Vec<Element>],
    /// Whether the shortest way is tried without being named.
    pub(crate) default_path: bool,
    /// Whether less than all of it will do.
    pub(crate) is_partial: bool,
    pub(crate) limit_quality: Option<Quality>,
    pub(crate) purpose: Purpose,
}

impl Request<'_> {
    /// The most that may go in. A negative amount only names what the source gives, as searches for paths
    /// do that want to know how much it takes.
    pub(crate) fn limit(&self) -> Option<Amount> {
        self.send_max.filter(|max| !max.is_negative())
    }

    /// What the source gives.
    pub(crate) fn source_asset(&self) -> Asset {
        match (self.send_max, self.deliver.asset) {
            (Some(max), _) => max.asset,
            (None, Asset::Token { currency, .. }) => Asset::token(currency, self.source),
            (None, asset) => asset,
        }
    }
}

/// What came of it.
pub(crate) struct Found {
    pub(crate) result: Result<(), Ter>,
    pub(crate) flow: Flow,
    /// What changed, where it succeeded.
    pub(crate) settled: Option<Settled>,
    /// Offers that are to be removed where it did not.
    pub(crate) dead_offers: BTreeSet<Key>,
}
