//! How much of each offer a run through a book takes, and what the run came to.
//!
//! Owns the sums of one run. Parts are summed from the smallest, and a forward run is held to what the
//! reverse run before it found, so that rounding creates nothing.

use super::offers::Tip;
use super::search::Parts;
use crate::ledger::amount::{Flow, Overflow, QUALITY_ONE, Value, mul_ratio};
use crate::ledger::rules::offer::{Book, Offer};

/// What is taken of one offer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// What the offer itself takes in and gives.
    pub(super) offer: Flow,
    /// What the step takes in and puts out: with the transfer fees of both sides.
    pub(super) step: Flow,
    /// What the owner pays, his transfer fee included.
    pub(super) owner_gives: Value,
    /// What the issuers charge on either side, in billionths.
    pub(super) rates: Rates,
}

/// Transfer fees on either side of a book, in billionths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    pub(super) input: u32,
    pub(super) output: u32,
}

/// What all of an offer comes to, as far as its owner can fund it.
pub(super) fn terms(tip: &Tip, rates: Rates) -> Result<Terms, Overflow> {
    let offer = tip.offer.amounts();
    let mut terms = Terms {
        offer,
        step: Flow {
            input: mul_ratio(offer.input, rates.input, QUALITY_ONE, true)?,
            output: offer.output,
        },
        owner_gives: mul_ratio(offer.output, rates.output, QUALITY_ONE, false)?,
        rates,
    };
    if let Some(funds) = tip.funds.filter(|funds| *funds < terms.owner_gives) {
        terms.owner_gives = funds;
        terms.step.output = mul_ratio(funds, QUALITY_ONE, rates.output, false)?;
        let quality = tip.offer.quality();
        terms.offer = quality.ceil_out_strict(terms.offer, terms.step.output, false)?;
        terms.step.input = mul_ratio(terms.offer.input, rates.input, QUALITY_ONE, true)?;
    }
    Ok(terms)
}

/// What a run of the step is asked for, and how much of that is left.
pub(super) enum Wanted {
    Output(Value),
    Input { given: Value, before: Flow },
}

/// One run over the offers of one price.
pub(super) struct Run {
    wanted: Wanted,
    pub(super) left: Value,
    inputs: Parts,
    outputs: Parts,
    result: Flow,
}

impl Terms {
    /// No more than `limit` into the step.
    fn limit_input(&mut self, offer: &Offer, limit: Value) -> Result<(), Overflow> {
        if limit >= self.step.input {
            return Ok(());
        }
        self.step.input = limit;
        let into_offer = mul_ratio(limit, QUALITY_ONE, self.rates.input, false)?;
        self.offer = offer
            .quality()
            .ceil_in_strict(self.offer, into_offer, false)?;
        self.step.output = self.offer.output;
        self.owner_gives = mul_ratio(self.offer.output, self.rates.output, QUALITY_ONE, false)?;
        Ok(())
    }

    /// No more than `limit` out of the step.
    fn limit_output(&mut self, offer: &Offer, limit: Value) -> Result<(), Overflow> {
        if limit >= self.step.output {
            return Ok(());
        }
        self.step.output = limit;
        self.owner_gives = mul_ratio(limit, self.rates.output, QUALITY_ONE, false)?;
        self.offer = offer.quality().ceil_out_strict(self.offer, limit, true)?;
        self.step.input = mul_ratio(self.offer.input, self.rates.input, QUALITY_ONE, true)?;
        Ok(())
    }
}

impl Run {
    pub(super) fn new(book: &Book, wanted: Wanted) -> Self {
        let left = match wanted {
            Wanted::Output(value) | Wanted::Input { given: value, .. } => value,
        };
        Self {
            wanted,
            left,
            inputs: Parts::default(),
            outputs: Parts::default(),
            result: Flow {
                input: Value::zero(book.pays.kind()),
                output: Value::zero(book.gets.kind()),
            },
        }
    }

    fn add(&mut self, part: Flow) -> Result<(), Overflow> {
        self.inputs.add(part.input);
        self.outputs.add(part.output);
        self.result = Flow {
            input: self.inputs.sum(part.input)?,
            output: self.outputs.sum(part.output)?,
        };
        Ok(())
    }

    /// How much of the offer is taken: terms that what is left allows, and whether to go on even if the
    /// offer is not used up.
    pub(super) fn take(&mut self, offer: &Offer, terms: Terms) -> Result<(Terms, bool), Overflow> {
        match self.wanted {
            Wanted::Output(wanted) => self.take_for_output(offer, terms, wanted),
            Wanted::Input { given, before } => self.take_for_input(offer, terms, given, before),
        }
    }

    fn take_for_output(
        &mut self,
        offer: &Offer,
        mut terms: Terms,
        wanted: Value,
    ) -> Result<(Terms, bool), Overflow> {
        if terms.step.output <= self.left {
            self.add(terms.step)?;
            self.left = wanted.minus(self.result.output)?;
            // Even where that is enough the offer is used up and has to go.
            return Ok((terms, true));
        }
        terms.limit_output(offer, self.left)?;
        self.left = Value::zero(wanted.kind());
        self.add(Flow {
            input: terms.step.input,
            output: self.left,
        })?;
        self.result.output = wanted;
        Ok((terms, false))
    }

    fn take_for_input(
        &mut self,
        offer: &Offer,
        whole: Terms,
        given: Value,
        before: Flow,
    ) -> Result<(Terms, bool), Overflow> {
        let mut terms = whole;
        let is_whole = terms.step.input <= self.left;
        if is_whole {
            self.add(terms.step)?;
        } else {
            terms.limit_input(offer, self.left)?;
            self.add(Flow {
                input: self.left,
                output: terms.step.output,
            })?;
            self.result.input = given;
        }
        if self.result.output > before.output && self.result.input <= before.input {
            self.keep_to_reverse(offer, whole, &mut terms, given, before)?;
        }
        self.left = given.minus(self.result.input)?;
        Ok((terms, is_whole))
    }

    /// Going forwards must not give more than going backwards did for the same input. Where the output of
    /// then needs just what is left now, that is what is given.
    fn keep_to_reverse(
        &mut self,
        offer: &Offer,
        whole: Terms,
        terms: &mut Terms,
        given: Value,
        before: Flow,
    ) -> Result<(), Overflow> {
        let last = terms.step.output;
        self.outputs.take_back(last);
        let zero = Value::zero(before.output.kind());
        let output = before.output.minus(self.outputs.sum(zero)?)?;
        let mut reverse = whole;
        reverse.limit_output(offer, output)?;
        if reverse.step.input != self.left {
            self.outputs.add(last);
            return Ok(());
        }
        self.result = Flow {
            input: given,
            output: before.output,
        };
        self.inputs = Parts::default();
        self.inputs.add(given);
        self.outputs = Parts::default();
        self.outputs.add(before.output);
        terms.offer = reverse.offer;
        terms.step = Flow {
            input: self.left,
            output,
        };
        terms.owner_gives = reverse.owner_gives;
        Ok(())
    }

    /// What the run came to. Arithmetic that went beyond what was asked makes it nothing.
    pub(super) fn outcome(mut self, book: &Book) -> Flow {
        if self.left.is_negative() {
            return Flow {
                input: Value::zero(book.pays.kind()),
                output: Value::zero(book.gets.kind()),
            };
        }
        if self.left.is_zero() {
            // What is left can be nothing by rounding while the sum is not quite what was asked.
            match self.wanted {
                Wanted::Output(wanted) => self.result.output = wanted,
                Wanted::Input { given, .. } => self.result.input = given,
            }
        }
        self.result
    }
}
