//! A step through an order book: from one asset to another, at the price of whoever offers it.
//!
//! No offer can exist in the model yet, so every book is empty and gives nothing.

use super::{Debt, Direction, Making, Pass, Sandbox, Step, StepId, Stop};
use crate::ledger::amount::{Asset, Flow, Overflow, Quality, Value, XRP_ACCOUNT};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Key, Object};
use crate::ledger::fields::f;
use crate::ledger::rules::directory::{self, EmptyRoot};
use crate::ledger::rules::line::{Line, adjust_owner_count};
use crate::ledger::state::{Changes, Read};

/// A step through an order book.
#[derive(Debug)]
struct Book {
    input: Asset,
    output: Asset,
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
    Ok(Box::new(Book { input, output }))
}

impl Book {
    fn nothing(&self) -> Flow {
        Flow {
            input: Value::zero(self.input.kind()),
            output: Value::zero(self.output.kind()),
        }
    }
}

impl Step for Book {
    fn id(&self) -> StepId {
        StepId::Book {
            input: self.input,
            output: self.output,
        }
    }

    fn reverse(&mut self, _: &mut Pass<'_, '_>, _: Value) -> Result<Flow, Stop> {
        Ok(self.nothing())
    }

    fn forward(&mut self, _: &mut Pass<'_, '_>, _: Value) -> Result<Flow, Stop> {
        Ok(self.nothing())
    }

    fn cached(&self) -> Option<Flow> {
        Some(self.nothing())
    }

    fn debt(&self, _: &Sandbox<'_>, _: Direction) -> Debt {
        Debt::Issues
    }

    fn quality_bound(
        &self,
        _: &Sandbox<'_>,
        _: Debt,
        _: Option<&dyn Step>,
    ) -> Result<(Option<Quality>, Debt), Overflow> {
        Ok((None, Debt::Issues))
    }
}

/// Deletes an offer, its places in the book and with its owner, and what it counted for.
pub(crate) fn remove_offer(changes: &mut Changes<'_>, key: Key, offer: &Object) -> Result<(), Ter> {
    let owner = offer.account(f::ACCOUNT).ok_or(Ter::TEF_INTERNAL)?;
    let page = |id| offer.number(id).unwrap_or_default();
    directory::remove_owned(changes, owner, page(f::OWNER_NODE), &key);
    let book = offer.array(f::BOOK_DIRECTORY).ok_or(Ter::TEF_INTERNAL)?;
    directory::remove(changes, book, page(f::BOOK_NODE), &key, EmptyRoot::Goes);
    adjust_owner_count(changes, owner, -1)?;
    changes.delete(key);
    Ok(())
}
