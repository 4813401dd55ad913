//! Running one strand: backwards from what is asked for until a step limits it, then forwards again.
//!
//! Owns nothing; what the strand did is in the sandbox it returns.

use super::{Pass, Sandbox, Settled, Step, Stop, Strand};
use crate::ledger::amount::{Flow, Value};
use crate::ledger::entry::Key;
use std::collections::BTreeSet;

/// What a strand did.
pub(super) struct Ran {
    pub(super) flow: Flow,
    pub(super) settled: Settled,
}

/// Which call a step gets.
#[derive(Clone, Copy)]
enum Call {
    Reverse(Value),
    Forward(Value),
}

struct Runner<'r, 's> {
    base: &'s Sandbox<'s>,
    sandbox: Sandbox<'s>,
    funds: Sandbox<'s>,
    dead_offers: &'r mut BTreeSet<Key>,
}

impl<'s> Runner<'_, 's> {
    fn reset(&mut self) {
        self.sandbox = Sandbox::within(self.base);
    }

    fn step(&mut self, strand: &mut Strand, at: usize, call: Call) -> Result<Flow, Stop> {
        let (before, rest) = strand.split_at_mut(at);
        let step = rest.first_mut().ok_or(Stop::Broken)?;
        let mut pass = Pass {
            sandbox: &mut self.sandbox,
            funds: &self.funds,
            dead_offers: self.dead_offers,
            previous: before.last().map(|step| &**step as &dyn Step),
        };
        let flow = match call {
            Call::Reverse(output) => step.reverse(&mut pass, output)?,
            Call::Forward(input) => step.forward(&mut pass, input)?,
        };
        if flow.output.is_zero() {
            return Err(Stop::Strand);
        }
        Ok(flow)
    }
}

/// Asks a strand for `output` for no more than `input_max`. Dry strands are `Err(Stop::Strand)`.
pub(super) fn run<'s>(
    base: &'s Sandbox<'s>,
    strand: &mut Strand,
    input_max: Option<Value>,
    output: Value,
    dead_offers: &mut BTreeSet<Key>,
) -> Result<Ran, Stop> {
    let mut runner = Runner {
        base,
        sandbox: Sandbox::within(base),
        funds: Sandbox::within(base),
        dead_offers,
    };
    let mut limit = strand.len();
    let mut limit_output = output;
    let mut wanted = output;
    for at in (0..strand.len()).rev() {
        let mut flow = runner.step(strand, at, Call::Reverse(wanted))?;
        if at == 0
            && let Some(most) = input_max.filter(|most| *most < flow.input)
        {
            runner.reset();
            limit = at;
            flow = runner.step(strand, at, Call::Forward(most))?;
            limit_output = flow.output;
            if flow.input != most {
                return Err(Stop::Strand);
            }
        } else if flow.output != wanted {
            runner.reset();
            runner.funds = Sandbox::within(base);
            limit = at;
            wanted = flow.output;
            flow = runner.step(strand, at, Call::Reverse(wanted))?;
            limit_output = flow.output;
            if flow.output != wanted {
                return Err(Stop::Strand);
            }
        }
        wanted = flow.input;
    }
    let mut given = limit_output;
    for at in limit.saturating_add(1)..strand.len() {
        let flow = runner.step(strand, at, Call::Forward(given))?;
        if flow.input != given {
            return Err(Stop::Strand);
        }
        given = flow.output;
    }
    let ends = |step: Option<&Box<dyn Step>>| step.and_then(|step| step.cached());
    let input = ends(strand.first()).ok_or(Stop::Strand)?.input;
    let output = ends(strand.last()).ok_or(Stop::Strand)?.output;
    Ok(Ran {
        flow: Flow { input, output },
        settled: runner.sandbox.settle(),
    })
}
