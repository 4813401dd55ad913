//! XRP at either end of a strand: out of the source, or into the destination.

use super::{Debt, Direction, Making, Pass, Purpose, Sandbox, Step, StepId, Stop};
use crate::ledger::amount::{Asset, Flow, Overflow, Quality, Value};
use crate::ledger::codes::Ter;
use crate::ledger::rules::line::Line;
use crate::ledger::state::Read;
use xrpayd_core::address::AccountId;

/// XRP out of or into an account.
#[derive(Debug)]
struct Endpoint {
    account: AccountId,
    is_last: bool,
    /// How many objects less than it owns the account keeps a reserve for.
    less: i32,
    cache: Option<Value>,
}

/// Makes the step, or says why it cannot be.
pub(super) fn make(making: &mut Making<'_>, account: AccountId) -> Result<Box<dyn Step>, Ter> {
    if account.0 == [0; 20] {
        return Err(Ter::TEM_BAD_PATH);
    }
    if making.view.account(account).is_none() {
        return Err(Ter::TER_NO_ACCOUNT);
    }
    if !making.is_first() && !making.is_last {
        return Err(Ter::TEM_BAD_PATH);
    }
    let seen = if making.is_last {
        &mut making.seen.sources
    } else {
        &mut making.seen.targets
    };
    if !seen.insert(Asset::Xrp) {
        return Err(Ter::TEM_BAD_PATH_LOOP);
    }
    Ok(Box::new(Endpoint {
        account,
        is_last: making.is_last,
        less: reserve_reduction(making, account),
        cache: None,
    }))
}

/// An offer may dig into the reserve for the line that its crossing will make.
fn reserve_reduction(making: &Making<'_>, account: AccountId) -> i32 {
    let Asset::Token { currency, issuer } = making.deliver else {
        return 0;
    };
    let makes_line = making.purpose != Purpose::Payment
        && making.is_first()
        && Line::read(making.view, account, issuer, &currency).is_none();
    if makes_line { -1 } else { 0 }
}

impl Endpoint {
    fn run(&mut self, pass: &mut Pass<'_, '_>, value: Value) -> Result<Flow, Stop> {
        let moved = if self.is_last {
            value
        } else {
            value.least(pass.sandbox.xrp_liquid(self.account, self.less)?)
        };
        let drops = moved.integral().and_then(|drops| u64::try_from(drops).ok());
        let drops = drops.ok_or(Stop::Broken)?;
        let done = if self.is_last {
            pass.sandbox.give_xrp(self.account, drops)
        } else {
            pass.sandbox.take_xrp(self.account, drops)
        };
        if done.is_err() {
            let nothing = Value::Xrp(0);
            return Ok(Flow {
                input: nothing,
                output: nothing,
            });
        }
        self.cache = Some(moved);
        Ok(Flow {
            input: moved,
            output: moved,
        })
    }
}

impl Step for Endpoint {
    fn id(&self) -> StepId {
        StepId::Endpoint {
            account: self.account,
            is_last: self.is_last,
        }
    }

    fn reverse(&mut self, pass: &mut Pass<'_, '_>, output: Value) -> Result<Flow, Stop> {
        self.run(pass, output)
    }

    fn forward(&mut self, pass: &mut Pass<'_, '_>, input: Value) -> Result<Flow, Stop> {
        self.run(pass, input)
    }

    fn cached(&self) -> Option<Flow> {
        self.cache.map(|value| Flow {
            input: value,
            output: value,
        })
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
        Ok((Some(Quality::ONE), Debt::Issues))
    }
}
