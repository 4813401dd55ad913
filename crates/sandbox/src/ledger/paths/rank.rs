//! Which of the paths that were found are worth naming: each is tried, and the best come first.

use super::{Finder, PATHS_MAX, Path, Trial, largest, try_out};
use crate::ledger::amount::{Amount, Overflow, Quality, Value, divide};
use crate::ledger::rules::flow::Sandbox;
use std::cmp::Ordering;
use xrpayd_core::token::TokenValue;

/// What a trial of one path showed.
#[derive(Clone)]
struct Rank {
    quality: Quality,
    /// How much it can deliver.
    liquidity: Value,
    place: usize,
    path: Path,
}

/// The paths that an answer names, and one more that could carry all of it alone.
#[derive(Debug, Default)]
pub(crate) struct Best {
    pub(crate) paths: Vec<Path>,
    pub(crate) spare: Option<Path>,
}

impl Finder<'_> {
    fn sandbox(&self) -> Sandbox<'_> {
        Sandbox::over(self.ground.view, self.ground.setting)
    }

    fn trial<'t>(&self, deliver: Amount, paths: &'t [Path], is_partial: bool) -> Trial<'t> {
        Trial {
            deliver,
            send_max: self.source_max,
            paths,
            default_path: false,
            is_partial,
        }
    }

    /// What the default path leaves to be delivered.
    fn remaining(&self) -> Result<Value, Overflow> {
        let sandbox = self.sandbox();
        let trial = Trial {
            default_path: true,
            ..self.trial(self.wish.deliver, &[], true)
        };
        let found = try_out(&sandbox, self.wish, &trial);
        match found.result {
            Ok(()) => self.wish.deliver.value.minus(found.flow.output),
            Err(_) => Ok(self.wish.deliver.value),
        }
    }

    /// The least that a path must carry to be worth naming.
    fn least_useful(&self) -> Result<Amount, Overflow> {
        let deliver = self.wish.deliver;
        if self.wish.converts_all {
            return largest(deliver.asset);
        }
        let shares = u64::try_from(PATHS_MAX + 2).unwrap_or(u64::MAX);
        let shares = TokenValue::new(false, shares, 0).map_err(|_| Overflow)?;
        let kind = deliver.asset.kind();
        Ok(divide(deliver.value, Value::Token(shares), kind)?.of(deliver.asset))
    }

    fn rank(&self, place: usize, path: &Path, least: Amount) -> Result<Option<Rank>, Overflow> {
        let converts_all = self.wish.converts_all;
        let only = std::slice::from_ref(path);
        let mut sandbox = self.sandbox();
        let found = try_out(&sandbox, self.wish, &self.trial(least, only, converts_all));
        if found.result.is_err() {
            return Ok(None);
        }
        let quality = Quality::of(found.flow);
        let mut liquidity = found.flow.output;
        if let Some(settled) = found.settled
            && sandbox.absorb(settled).is_err()
        {
            return Ok(None);
        }
        let rest = self.wish.deliver.value.minus(liquidity)?;
        if !converts_all && rest.is_positive() {
            let rest = rest.of(self.wish.deliver.asset);
            let found = try_out(&sandbox, self.wish, &self.trial(rest, only, true));
            if found.result.is_ok() {
                liquidity = liquidity.plus(found.flow.output)?;
            }
        }
        Ok(Some(Rank {
            quality,
            liquidity,
            place,
            path: path.clone(),
        }))
    }

    fn ranks(&self, paths: &[Path]) -> Result<Vec<Rank>, Overflow> {
        let least = self.least_useful()?;
        let mut ranks = Vec::new();
        for (place, path) in paths
            .iter()
            .enumerate()
            .filter(|(_, path)| !path.is_empty())
        {
            ranks.extend(self.rank(place, path, least)?);
        }
        let converts_all = self.wish.converts_all;
        ranks.sort_by(|a, b| {
            let by_quality = if converts_all {
                Ordering::Equal
            } else {
                b.quality.cmp(&a.quality)
            };
            by_quality
                .then(
                    b.liquidity
                        .partial_cmp(&a.liquidity)
                        .unwrap_or(Ordering::Equal),
                )
                .then(a.path.len().cmp(&b.path.len()))
                .then(b.place.cmp(&a.place))
        });
        Ok(ranks)
    }

    /// The best paths, `before` being those that an earlier search of the same wish named.
    pub(crate) fn best(&self, before: &[Path]) -> Result<Best, Overflow> {
        let mut best = Best::default();
        if self.complete.is_empty() && before.is_empty() {
            return Ok(best);
        }
        let mut remaining = self.remaining()?;
        let merged = Merged {
            fresh: self.ranks(&self.complete)?.into_iter().peekable(),
            known: self.ranks(before)?.into_iter().peekable(),
        };
        for rank in merged {
            let left = PATHS_MAX.saturating_sub(best.paths.len());
            if left == 0 && best.spare.is_some() {
                break;
            }
            if left > 1 || (left > 0 && rank.liquidity >= remaining) {
                remaining = remaining.minus(rank.liquidity)?;
                best.paths.push(rank.path);
            } else if left == 0 && rank.liquidity >= self.wish.deliver.value {
                best.spare = Some(rank.path);
            }
        }
        Ok(best)
    }
}

/// Two ranked lists as one, the better first; what is alike in both counts once.
struct Merged<I: Iterator<Item = Rank>> {
    fresh: std::iter::Peekable<I>,
    known: std::iter::Peekable<I>,
}

impl<I: Iterator<Item = Rank>> Iterator for Merged<I> {
    type Item = Rank;

    fn next(&mut self) -> Option<Rank> {
        let (Some(fresh), Some(known)) = (self.fresh.peek(), self.known.peek()) else {
            return self.fresh.next().or_else(|| self.known.next());
        };
        let order = known.quality.cmp(&fresh.quality).then(
            known
                .liquidity
                .partial_cmp(&fresh.liquidity)
                .unwrap_or(Ordering::Equal),
        );
        match order {
            Ordering::Greater => self.known.next(),
            Ordering::Less => self.fresh.next(),
            Ordering::Equal => {
                self.known.next();
                self.fresh.next()
            }
        }
    }
}
