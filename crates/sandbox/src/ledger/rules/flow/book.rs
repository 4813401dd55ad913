//! A step through an order book: from one asset to another, at the prices of those who offer it.
//!
//! One run of the step takes offers of one price only, so that the search may compare strands after each.
//! In a payment the sender bears the transfer fee of what goes in; where an offer crosses others, the owner
//! of each pays that of what he gives. A new offer takes nothing at a worse price than its own, and meeting
//! its own account's offers it deletes them.

use super::offers::{self, OFFERS_MAX, Offers, Tip};
use super::take::{Rates, Run, Terms, Wanted, terms};
use super::{Debt, Direction, Making, Pass, Purpose, Sandbox, Step, StepId, Stop};
use crate::ledger::amount::{
    Asset, Flow, Overflow, QUALITY_ONE, Quality, Value, XRP_ACCOUNT, rate_value,
};
use crate::ledger::codes::Ter;
use crate::ledger::entry::lsf;
use crate::ledger::rules::line::{Line, transfer_rate};
use crate::ledger::rules::offer::{Book, Offer};
use crate::ledger::state::Read;
use xrpayd_core::address::AccountId;

/// What a new offer that crosses minds, and a payment does not.
#[derive(Debug, Clone, Copy)]
struct Crossing {
    /// Whether it is the offer's own book, not a way around over XRP.
    is_direct: bool,
    /// The worst price it takes.
    threshold: Quality,
}

/// A step through an order book.
#[derive(Debug)]
struct BookStep {
    book: Book,
    source: AccountId,
    destination: AccountId,
    crossing: Option<Crossing>,
    cache: Option<Flow>,
    offers_used: u32,
    is_exhausted: bool,
}

/// Makes the step, or says why it cannot be.
pub(super) fn make(
    making: &mut Making<'_>,
    input: Asset,
    output: Asset,
) -> Result<Box<dyn Step>, Ter> {
    if input == output {
        return Err(Ter::TEM_BAD_PATH);
    }
    if !making.seen.books.insert(output)
        || making.seen.sources.contains(&output)
        || making.seen.targets.contains(&output)
    {
        return Err(Ter::TEM_BAD_PATH_LOOP);
    }
    let has_issuer = |asset: &Asset| {
        asset.issuer() == XRP_ACCOUNT || making.view.account(asset.issuer()).is_some()
    };
    if !has_issuer(&input) || !has_issuer(&output) {
        return Err(Ter::TEC_NO_ISSUER);
    }
    if let (Some(StepId::Direct { from, .. }), Asset::Token { currency, issuer }) =
        (making.previous(), input)
    {
        let line = Line::read(making.view, from, issuer, &currency).ok_or(Ter::TER_NO_LINE)?;
        if line.has(line.side(issuer).no_ripple) {
            return Err(Ter::TER_NO_RIPPLE);
        }
    }
    let crossing = match (making.purpose, making.limit_quality) {
        (Purpose::Payment, _) => None,
        (_, Some(threshold)) => Some(Crossing {
            is_direct: making.is_default_path,
            threshold,
        }),
        (_, None) => return Err(Ter::TEF_INTERNAL),
    };
    Ok(Box::new(BookStep {
        book: Book {
            pays: input,
            gets: output,
        },
        source: making.source,
        destination: making.destination,
        crossing,
        cache: None,
        offers_used: 0,
        is_exhausted: false,
    }))
}

/// Whether the next offer is to be met.
#[derive(PartialEq, Eq)]
enum Onward {
    Yes,
    No,
}

impl From<bool> for Onward {
    fn from(onward: bool) -> Self {
        if onward { Self::Yes } else { Self::No }
    }
}

impl BookStep {
    /// What an issuer charges, which the destination of the payment never pays.
    fn rate(&self, view: &dyn Read, asset: &Asset) -> u32 {
        let issuer = asset.issuer();
        if issuer == XRP_ACCOUNT || issuer == self.destination {
            QUALITY_ONE
        } else {
            transfer_rate(view, issuer)
        }
    }

    fn rates(&self, view: &Sandbox<'_>, before: Debt) -> Rates {
        Rates {
            input: if before == Debt::Redeems {
                self.rate(view, &self.book.pays)
            } else {
                QUALITY_ONE
            },
            output: if self.crossing.is_some() {
                self.rate(view, &self.book.gets)
            } else {
                QUALITY_ONE
            },
        }
    }

    /// The rates for one owner: a new offer that meets its own account's offer pays itself nothing.
    fn rates_for(&self, owner: AccountId, rates: Rates, previous: Option<&dyn Step>) -> Rates {
        if self.crossing.is_none() {
            return rates;
        }
        match previous.map(Step::id) {
            Some(StepId::Direct { from, .. }) if from == owner => Rates {
                input: QUALITY_ONE,
                ..rates
            },
            Some(StepId::Book { .. }) if owner == self.destination => Rates {
                output: QUALITY_ONE,
                ..rates
            },
            _ => rates,
        }
    }

    /// Whether the offer is the crossing account's own, which it deletes instead of taking.
    fn is_own(&self, offer: &Offer) -> bool {
        self.crossing.is_some_and(|crossing| {
            crossing.is_direct
                && offer.quality() >= crossing.threshold
                && self.source == offer.owner
                && self.destination == offer.owner
        })
    }

    fn is_good_enough(&self, quality: Quality) -> bool {
        self.crossing
            .is_none_or(|crossing| !crossing.is_direct || quality >= crossing.threshold)
    }

    fn run(
        &mut self,
        pass: &mut Pass<'_, '_>,
        wanted: Wanted,
        direction: Direction,
    ) -> Result<Flow, Stop> {
        let before = pass
            .previous
            .map_or(Debt::Issues, |step| step.debt(pass.sandbox, direction));
        let rates = self.rates(pass.sandbox, before);
        let mut run = Run::new(&self.book, wanted);
        let mut offers = Offers::of(self.book);
        let mut quality: Option<Quality> = None;
        let mut was_tried = false;
        while let Some(tip) = offers.next(pass)? {
            let own = tip.offer.quality();
            if *quality.get_or_insert(own) != own {
                break;
            }
            if self.is_own(&tip.offer) || !may_hold(pass.funds, &tip.offer) {
                pass.dead_offers.insert(tip.offer.key);
                if !was_tried {
                    quality = None;
                }
                continue;
            }
            if !self.is_good_enough(own) {
                break;
            }
            let rates = self.rates_for(tip.offer.owner, rates, pass.previous);
            let terms = terms(&tip, rates)?;
            was_tried = true;
            if self.consume(pass, &mut run, tip, terms)? == Onward::No {
                break;
            }
        }
        self.offers_used = offers.met;
        self.is_exhausted = self.is_exhausted || offers.met >= OFFERS_MAX;
        let flow = run.outcome(&self.book);
        self.cache = Some(flow);
        Ok(flow)
    }

    /// Takes of one offer what the run still wants.
    fn consume(
        &self,
        pass: &mut Pass<'_, '_>,
        run: &mut Run,
        tip: Tip,
        terms: Terms,
    ) -> Result<Onward, Stop> {
        if !run.left.is_positive() {
            return Ok(Onward::No);
        }
        let mut offer = tip.offer;
        let (terms, goes_on) = run.take(&offer, terms)?;
        let (pays, gets) = (self.book.pays, self.book.gets);
        let sandbox = &mut *pass.sandbox;
        sandbox.send(pays.issuer(), offer.owner, &terms.offer.input.of(pays))?;
        sandbox.send(offer.owner, gets.issuer(), &terms.owner_gives.of(gets))?;
        offer.consume(&mut sandbox.changes, terms.offer)?;
        Ok((goes_on || offer.is_consumed()).into())
    }
}

/// Whether the owner of an offer may hold what it asks.
fn may_hold(view: &dyn Read, offer: &Offer) -> bool {
    let Asset::Token { currency, issuer } = offer.pays.asset else {
        return true;
    };
    let needs_auth = issuer != offer.owner
        && view
            .account(issuer)
            .is_some_and(|root| root.has(lsf::REQUIRE_AUTH));
    !needs_auth
        || Line::read(view, offer.owner, issuer, &currency)
            .is_some_and(|line| line.has(line.side(issuer).auth))
}

impl Step for BookStep {
    fn id(&self) -> StepId {
        StepId::Book {
            input: self.book.pays,
            output: self.book.gets,
        }
    }

    fn reverse(&mut self, pass: &mut Pass<'_, '_>, output: Value) -> Result<Flow, Stop> {
        self.cache = None;
        self.run(pass, Wanted::Output(output), Direction::Reverse)
    }

    fn forward(&mut self, pass: &mut Pass<'_, '_>, input: Value) -> Result<Flow, Stop> {
        let before = self.cache.ok_or(Stop::Strand)?;
        let wanted = Wanted::Input {
            given: input,
            before,
        };
        self.run(pass, wanted, Direction::Forward)
    }

    fn cached(&self) -> Option<Flow> {
        self.cache
    }

    fn debt(&self, _: &Sandbox<'_>, _: Direction) -> Debt {
        if self.crossing.is_some() {
            Debt::Issues
        } else {
            Debt::Redeems
        }
    }

    fn quality_bound(
        &self,
        view: &Sandbox<'_>,
        before: Debt,
        _: Option<&dyn Step>,
    ) -> Result<(Option<Quality>, Debt), Overflow> {
        let debt = self.debt(view, Direction::Forward);
        let Some(best) = offers::best(view, &self.book) else {
            return Ok((None, debt));
        };
        // Where an offer crosses, an owner may be spared the fee: the bound is that without one.
        if self.crossing.is_some() {
            return Ok((Some(best), debt));
        }
        let rates = self.rates(view, before);
        let fees = Quality::of(Flow {
            input: rate_value(rates.input),
            output: rate_value(rates.output),
        });
        Ok((Some(fees.then(best)?), debt))
    }

    fn offers_used(&self) -> u32 {
        self.offers_used
    }

    fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }
}
