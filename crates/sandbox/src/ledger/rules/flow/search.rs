//! Taking from all strands what is asked for: the best first, until there is enough or nothing is left.

use super::{Debt, Found, Purpose, Request, Sandbox, Step, Stop, Strand, path, strand};
use crate::ledger::amount::{Flow, Overflow, Quality, Value};
use crate::ledger::codes::Ter;
use crate::ledger::entry::Key;
use crate::ledger::rules::offer::Offer;
use std::collections::BTreeSet;

/// Rounds of the search, which end by themselves long before.
const ROUNDS_MAX: usize = 1000;
/// Offers that one search may look at.
const OFFERS_MAX: u32 = 1500;

/// What was taken so far, each part on its own: they are summed from the smallest, which rounds least.
#[derive(Default)]
pub(super) struct Parts(Vec<Value>);

impl Parts {
    pub(super) fn add(&mut self, value: Value) {
        let at = self.0.partition_point(|part| *part <= value);
        self.0.insert(at, value);
    }

    /// Takes one part of this value away again.
    pub(super) fn take_back(&mut self, value: Value) {
        if let Some(at) = self.0.iter().position(|part| *part == value) {
            self.0.remove(at);
        }
    }

    pub(super) fn sum(&self, zero: Value) -> Result<Value, Overflow> {
        let mut parts = self.0.iter();
        let first = parts.next().copied().unwrap_or(zero);
        parts.try_fold(first, |sum, part| sum.plus(*part))
    }
}

/// The best that a strand may give, `None` where it has nothing.
pub(super) fn bound(view: &Sandbox<'_>, strand: &Strand) -> Result<Option<Quality>, Overflow> {
    let mut quality = Quality::ONE;
    let mut debt = Debt::Issues;
    let mut previous: Option<&dyn Step> = None;
    for step in strand {
        let (own, next) = step.quality_bound(view, debt, previous)?;
        let Some(own) = own else { return Ok(None) };
        quality = quality.then(own)?;
        debt = next;
        previous = Some(&**step);
    }
    Ok(Some(quality))
}

/// Finds what `request` asks for. What changed is in the result; `view` is left alone.
pub(crate) fn flow(view: &Sandbox<'_>, request: &Request<'_>) -> Found {
    let mut search = match path::strands(view, request) {
        Ok(strands) => Search::new(view, request, strands),
        Err(code) => return failed(request, code, BTreeSet::new()),
    };
    match search.all() {
        Ok(flow) => Found {
            result: Ok(()),
            flow,
            settled: Some(search.sandbox.settle()),
            dead_offers: BTreeSet::new(),
        },
        Err((code, flow)) => Found {
            flow,
            ..failed(request, code, search.dead_offers)
        },
    }
}

fn nothing(request: &Request<'_>) -> Flow {
    Flow {
        input: Value::zero(request.source_asset().kind()),
        output: Value::zero(request.deliver.asset.kind()),
    }
}

fn failed(request: &Request<'_>, code: Ter, dead_offers: BTreeSet<Key>) -> Found {
    Found {
        result: Err(code),
        flow: nothing(request),
        settled: None,
        dead_offers,
    }
}

struct Search<'s, 'r> {
    request: &'s Request<'r>,
    sandbox: Sandbox<'s>,
    strands: Vec<Strand>,
    /// The strands that may still have something, by their place.
    active: Vec<usize>,
    inputs: Parts,
    outputs: Parts,
    offers_considered: u32,
    dead_offers: BTreeSet<Key>,
}

impl<'s, 'r> Search<'s, 'r> {
    fn new(view: &'s Sandbox<'s>, request: &'s Request<'r>, strands: Vec<Strand>) -> Self {
        Self {
            request,
            sandbox: Sandbox::within(view),
            active: (0..strands.len()).collect(),
            strands,
            inputs: Parts::default(),
            outputs: Parts::default(),
            offers_considered: 0,
            dead_offers: BTreeSet::new(),
        }
    }

    fn taken(&self) -> Result<Flow, Overflow> {
        let zero = nothing(self.request);
        Ok(Flow {
            input: self.inputs.sum(zero.input)?,
            output: self.outputs.sum(zero.output)?,
        })
    }

    /// Goes round until there is enough, and says what was taken.
    fn all(&mut self) -> Result<Flow, (Ter, Flow)> {
        let zero = nothing(self.request);
        let broken = |_: Overflow| (Ter::TEC_INTERNAL, zero);
        for round in 0.. {
            let taken = self.taken().map_err(broken)?;
            let left = self.left(taken).map_err(broken)?;
            let Some((input, output)) = left else { break };
            if round + 1 >= ROUNDS_MAX {
                return Err((Ter::TEL_FAILED_PROCESSING, zero));
            }
            if !self.round(input, output).map_err(|code| (code, zero))? {
                break;
            }
        }
        let taken = self.taken().map_err(broken)?;
        self.judge(taken).map_err(|code| (code, taken))?;
        Ok(taken)
    }

    /// What may still go in and should still come out; nothing where it is enough.
    fn left(&self, taken: Flow) -> Result<Option<(Option<Value>, Value)>, Overflow> {
        let output = self.request.deliver.value.minus(taken.output)?;
        let input = match self.request.limit() {
            Some(max) => Some(max.value.minus(taken.input)?),
            None => None,
        };
        let goes_on = output.is_positive() && input.is_none_or(|input| input.is_positive());
        Ok(goes_on.then_some((input, output)))
    }

    /// Whether what was taken will do.
    fn judge(&self, taken: Flow) -> Result<(), Ter> {
        let wanted = self.request.deliver.value;
        let crossing = self.request.purpose != Purpose::Payment;
        if taken.output > wanted {
            return Err(Ter::TEF_EXCEPTION);
        }
        if taken.output != wanted {
            if !self.request.is_partial {
                if self.request.purpose != Purpose::CrossingSell {
                    return Err(Ter::TEC_PATH_PARTIAL);
                }
            } else if taken.output.is_zero() {
                return Err(Ter::TEC_PATH_DRY);
            }
        }
        let all_spent = self
            .request
            .limit()
            .is_none_or(|max| max.value == taken.input);
        let sells = self.request.purpose == Purpose::CrossingSell;
        if crossing && !self.request.is_partial && sells && !all_spent {
            return Err(Ter::TEC_PATH_PARTIAL);
        }
        Ok(())
    }

    /// Puts the strands in the order of what they may give, and drops those that cannot be good enough.
    fn sort(&mut self) -> Result<(), Overflow> {
        if self.active.len() < 2 {
            return Ok(());
        }
        let mut bounds = Vec::with_capacity(self.active.len());
        for &place in &self.active {
            let Some(strand) = self.strands.get(place) else {
                continue;
            };
            let Some(quality) = bound(&self.sandbox, strand)? else {
                continue;
            };
            if self
                .request
                .limit_quality
                .is_none_or(|limit| quality >= limit)
            {
                bounds.push((quality, place));
            }
        }
        // The sort is stable, so equal strands keep the order in which they were named.
        bounds.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
        self.active = bounds.into_iter().map(|(_, place)| place).collect();
        Ok(())
    }

    /// Takes from the best strand that gives anything. Says whether another round makes sense.
    fn round(&mut self, input: Option<Value>, output: Value) -> Result<bool, Ter> {
        let broken = |_: Overflow| Ter::TEC_INTERNAL;
        self.sort().map_err(broken)?;
        let mut dead = BTreeSet::new();
        let mut best = None;
        let mut next = Vec::new();
        for (order, &place) in self.active.iter().enumerate() {
            let Some(strand) = self.strands.get_mut(place) else {
                continue;
            };
            if let (true, Some(limit)) = (
                self.request.purpose != Purpose::Payment,
                self.request.limit_quality,
            ) && bound(&self.sandbox, strand)
                .map_err(broken)?
                .is_none_or(|bound| bound < limit)
            {
                continue;
            }
            let ran = strand::run(&self.sandbox, strand, input, output, &mut dead);
            let used = strand.iter().map(|step| step.offers_used()).sum::<u32>();
            self.offers_considered = self.offers_considered.saturating_add(used);
            let ran = match ran {
                Ok(ran) if !ran.flow.output.is_zero() => ran,
                Ok(_) | Err(Stop::Strand) => continue,
                Err(Stop::Broken) => return Err(Ter::TEC_INTERNAL),
            };
            let quality = Quality::of(ran.flow);
            if self
                .request
                .limit_quality
                .is_some_and(|limit| quality < limit)
            {
                continue;
            }
            if !strand.iter().any(|step| step.is_exhausted()) {
                next.push(place);
            }
            next.extend_from_slice(self.active.get(order + 1..).unwrap_or_default());
            best = Some(ran);
            break;
        }
        self.active = next;
        let found = best.is_some();
        if let Some(ran) = best {
            self.inputs.add(ran.flow.input);
            self.outputs.add(ran.flow.output);
            self.sandbox.absorb(ran.settled)?;
        }
        self.bury(dead)?;
        Ok(found && self.offers_considered < OFFERS_MAX)
    }

    /// Removes offers that were found unfunded or expired, and remembers them in case all of it fails.
    fn bury(&mut self, dead: BTreeSet<Key>) -> Result<(), Ter> {
        for key in &dead {
            if let Some(offer) = Offer::read(&self.sandbox, *key) {
                self.sandbox.remove_offer(&offer)?;
            }
        }
        self.dead_offers.extend(dead);
        Ok(())
    }
}
