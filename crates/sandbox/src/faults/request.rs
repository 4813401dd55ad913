//! Reading what a `sandbox_fault` request asks for.
//!
//! Owns nothing. A request that does not read leaves everything as it was.

use super::{
    About, Apart, Effect, FalseDelivery, FalseResult, FalseRoot, FaultError, Faults, FeeSpike,
    Forced, Freeze, Gap, Latency, Loss, QuorumLost, Target, results,
};
use crate::clock;
use crate::condition;
use serde_json::Value;
use std::collections::BTreeSet;

/// How long a real server goes on as if all were well when no ledger is validated.
const STALE_AFTER_MS: u64 = 120_000;
/// How fast a real server's history followed its validated index after an outage.
const LEDGERS_PER_CLOSE: u64 = 2;
/// What a spike asks where the request does not say.
const MULTIPLIER: u64 = 100;
/// What a submission that is turned away is answered where the request does not say.
const TURNED_AWAY: &str = "terQUEUED";
/// The most that a spike may ask, in base fees.
const FACTOR_MAX: u64 = 1_000_000_000;

/// Reads which servers a request is about.
pub(crate) fn target(request: &Value) -> Result<Target, FaultError> {
    match request.get("server") {
        None | Some(Value::Null) => Ok(Target::Asked),
        Some(Value::String(text)) if text == "all" => Ok(Target::All),
        Some(Value::String(text)) => Ok(Target::Address(text.clone())),
        Some(number) => number
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .map(Target::Index)
            .ok_or(FaultError::BadParameter("server")),
    }
}

/// Parameters of a request that are not a fault's own.
const COMMON: [&str; 6] = ["command", "method", "id", "api_version", "server", "kind"];

/// Changes `faults` as the request says; `validated` is the server's validated ledger.
pub(crate) fn inflict(
    faults: &mut Faults,
    request: &Value,
    validated: u32,
) -> Result<Effect, FaultError> {
    let kind = request
        .get("kind")
        .and_then(Value::as_str)
        .ok_or(FaultError::BadParameter("kind"))?;
    let request = Parameters { kind, request };
    let on = || request.flag("on", true);
    match kind {
        "clear" => {
            request.only(&[])?;
            *faults = Faults::default();
        }
        "disconnect" => {
            request.only(&[])?;
            return Ok(Effect::CloseConnections);
        }
        "refuse" => {
            request.only(&["on", "ms"])?;
            let (refuse, until_us) = (on()?, request.until_us()?);
            faults.refuse = refuse;
            faults.condition.back_at_us = until_us.filter(|_| refuse);
            return Ok(if faults.refuse {
                Effect::CloseConnections
            } else {
                Effect::None
            });
        }
        "latency" => {
            request.only(&["ms", "jitter_ms"])?;
            let ms = request.number("ms", None)?;
            let jitter_ms = request.number("jitter_ms", Some(0))?;
            faults.latency = (ms > 0 || jitter_ms > 0).then_some(Latency { ms, jitter_ms });
        }
        "drop_requests" => faults.drop_requests = request.loss()?,
        "drop_responses" => faults.drop_responses = request.loss()?,
        "jump" => {
            request.only(&["on", "ledgers_per_close"])?;
            let per_close = request.ledgers_per_close()?;
            faults.jump = on()?.then_some(per_close);
        }
        "freeze" => {
            request.only(&["on", "ms"])?;
            let until_us = request.until_us()?;
            faults.freeze = on()?.then_some(Freeze { until_us });
        }
        "fork" => {
            request.only(&["on"])?;
            faults.apart = on()?.then_some(Apart::Fork);
        }
        "partition" => {
            request.only(&["on", "stale_after_ms"])?;
            let stale_after_ms = request.number("stale_after_ms", Some(STALE_AFTER_MS))?;
            faults.apart = on()?.then_some(Apart::Partition { stale_after_ms });
        }
        "fee_spike" => {
            request.only(&["on", "multiplier", "load_factor"])?;
            let spike = request.fee_spike()?;
            faults.fee_spike = on()?.then_some(spike);
        }
        "queue_full" => {
            request.only(&["on"])?;
            faults.queue_full = on()?;
        }
        "lie_balance" => {
            request.only(&["account", "balance", "sequence"])?;
            faults.lie_balance = Some(request.false_root()?);
        }
        "answer_submit" => results::answer(&mut faults.answers, &request)?,
        "stall_ledger" => {
            request.only(&["on"])?;
            faults.stalled_at = on()?.then_some(validated);
        }
        "lag" => {
            request.only(&["ledgers", "ms"])?;
            let ms = request.number("ms", Some(0))?;
            let is_late = request.request.get("ms").is_some();
            let ledgers = match request.request.get("ledgers") {
                None if is_late => 0,
                _ => request.index("ledgers")?,
            };
            (faults.lag_ledgers, faults.lag_ms) = (ledgers, ms);
        }
        "history_gap" => {
            request.only(&["from", "to", "ranges"])?;
            faults.gaps = request.gaps()?;
        }
        "slow_down" => {
            request.only(&["requests"])?;
            faults.slow_down = request.number("requests", Some(u64::MAX))?;
        }
        "wrong_network" => {
            request.only(&["network_id"])?;
            faults.network_id = Some(request.index("network_id")?);
        }
        "amendment_blocked" => {
            request.only(&["on"])?;
            faults.amendment_blocked = on()?;
        }
        "lie_absent" => {
            request.only(&["hashes", "hash", "account"])?;
            faults.lie_absent = Some(request.about()?);
        }
        "turn_away" => {
            request.only(&["on", "hashes", "hash", "account", "result"])?;
            let result = request.text("result")?;
            let result = result.unwrap_or_else(|| TURNED_AWAY.to_owned());
            crate::ledger::codes::Ter::from_name(&result)
                .ok_or(FaultError::BadParameter("result"))?;
            let about = request.about()?;
            faults.turn_away = on()?.then_some(FalseResult { about, result });
        }
        "lie_result" => {
            request.only(&["hashes", "hash", "account", "result"])?;
            // A liar may claim what no validated ledger can hold.
            let result = results::known(&request)?.to_owned();
            faults.lie_result = Some(FalseResult {
                about: request.about()?,
                result,
            });
        }
        "lie_delivered" => {
            request.only(&["hashes", "hash", "account", "amount"])?;
            let amount = request.value("amount");
            faults.lie_delivered = Some(FalseDelivery {
                about: request.about()?,
                amount: amount.ok_or(FaultError::BadParameter("amount"))?,
            });
        }
        _ => {
            return condition::inflict(&mut faults.condition, &request)
                .unwrap_or_else(|| Err(FaultError::UnknownKind(kind.to_owned())))
                .map(Effect::Server);
        }
    }
    Ok(Effect::None)
}

/// Changes what is wrong with the whole network, where the request is about that. Returns whether it is
/// about nothing else.
pub(crate) fn network_wide(
    quorum_lost: &mut Option<QuorumLost>,
    forced: &mut Forced,
    request: &Value,
) -> Result<bool, FaultError> {
    let kind = request.get("kind").and_then(Value::as_str);
    match kind {
        Some(kind @ "clear") => {
            Parameters { kind, request }.only(&[])?;
            *quorum_lost = None;
            forced.clear();
            Ok(false)
        }
        Some(kind @ "quorum_lost") => {
            let request = Parameters { kind, request };
            request.only(&["on", "stale_after_ms", "ledgers_per_close"])?;
            let lost = QuorumLost {
                stale_after_ms: request.number("stale_after_ms", Some(STALE_AFTER_MS))?,
                ledgers_per_close: request.ledgers_per_close()?,
            };
            *quorum_lost = request.flag("on", true)?.then_some(lost);
            Ok(true)
        }
        Some(kind @ "force_result") => {
            results::force(forced, &Parameters { kind, request })?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// A request for a fault, and the reading of its parameters.
pub(crate) struct Parameters<'a> {
    pub(crate) kind: &'a str,
    request: &'a Value,
}

impl Parameters<'_> {
    /// Refuses parameters that the kind does not have.
    pub(crate) fn only(&self, allowed: &[&str]) -> Result<(), FaultError> {
        let keys = self
            .request
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys());
        for key in keys {
            if !COMMON.contains(&key.as_str()) && !allowed.contains(&key.as_str()) {
                let (kind, parameter) = (self.kind.to_owned(), key.clone());
                return Err(FaultError::UnknownParameter { kind, parameter });
            }
        }
        Ok(())
    }

    /// Whether a parameter is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.request.get(name).is_some()
    }

    /// A parameter as it is.
    fn value(&self, name: &str) -> Option<Value> {
        self.request.get(name).cloned()
    }

    /// A parameter that is true or false.
    pub(crate) fn flag(&self, name: &'static str, default: bool) -> Result<bool, FaultError> {
        match self.request.get(name) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or(FaultError::BadParameter(name)),
        }
    }

    fn number(&self, name: &'static str, default: Option<u64>) -> Result<u64, FaultError> {
        match (self.request.get(name), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(FaultError::BadParameter(name)),
            (Some(value), _) => value.as_u64().ok_or(FaultError::BadParameter(name)),
        }
    }

    /// When a fault that lasts for `ms` is over, in microseconds of the Unix epoch.
    pub(crate) fn until_us(&self) -> Result<Option<u64>, FaultError> {
        if self.request.get("ms").is_none() {
            return Ok(None);
        }
        let us = self.number("ms", None)?.saturating_mul(1_000);
        Ok(Some(clock::unix_us().saturating_add(us)))
    }

    /// A parameter that is a number of 32 bits.
    pub(crate) fn index(&self, name: &'static str) -> Result<u32, FaultError> {
        u32::try_from(self.number(name, None)?).map_err(|_| FaultError::BadParameter(name))
    }

    /// A parameter that is a text.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, FaultError> {
        match self.request.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(FaultError::BadParameter(name)),
        }
    }

    /// One gap by its ends, or many as a list of pairs.
    fn gaps(&self) -> Result<Vec<Gap>, FaultError> {
        let bad = || FaultError::BadParameter("ranges");
        let Some(ranges) = self.request.get("ranges") else {
            let (from, to) = (self.index("from")?, self.index("to")?);
            return if from <= to {
                Ok(vec![Gap { from, to }])
            } else {
                Err(FaultError::BadParameter("to"))
            };
        };
        let gaps: Vec<(u32, u32)> = serde_json::from_value(ranges.clone()).map_err(|_| bad())?;
        let ordered = gaps.iter().all(|(from, to)| from <= to)
            && gaps.windows(2).all(|pair| pair[0].1 < pair[1].0);
        let with_ends = ["from", "to"]
            .iter()
            .any(|name| self.request.get(name).is_some());
        if gaps.is_empty() || !ordered || with_ends {
            return Err(bad());
        }
        let gap = |(from, to)| Gap { from, to };
        Ok(gaps.into_iter().map(gap).collect())
    }

    fn loss(&self) -> Result<Option<Loss>, FaultError> {
        self.only(&["per_mille", "only"])?;
        let per_mille = self.number("per_mille", Some(1_000))?;
        let per_mille = u32::try_from(per_mille)
            .ok()
            .filter(|&n| n <= 1_000)
            .ok_or(FaultError::BadParameter("per_mille"))?;
        let command = self.text("only")?;
        Ok((per_mille > 0).then_some(Loss { per_mille, command }))
    }

    fn ledgers_per_close(&self) -> Result<u32, FaultError> {
        const NAME: &str = "ledgers_per_close";
        let count = self.number(NAME, Some(LEDGERS_PER_CLOSE))?;
        let count = u32::try_from(count).ok().filter(|&count| count > 0);
        count.ok_or(FaultError::BadParameter(NAME))
    }

    fn fee_spike(&self) -> Result<FeeSpike, FaultError> {
        let factor = |name| -> Result<Option<u64>, FaultError> {
            match self.request.get(name) {
                None => Ok(None),
                Some(value) => value
                    .as_u64()
                    .filter(|factor| (1..=FACTOR_MAX).contains(factor))
                    .map(Some)
                    .ok_or(FaultError::BadParameter(name)),
            }
        };
        let (multiplier, load_factor) = (factor("multiplier")?, factor("load_factor")?);
        let neither = multiplier.is_none() && load_factor.is_none();
        Ok(FeeSpike {
            multiplier: multiplier.or(neither.then_some(MULTIPLIER)),
            load_factor,
        })
    }

    fn false_root(&self) -> Result<FalseRoot, FaultError> {
        let account = self
            .text("account")?
            .map(|text| text.parse())
            .transpose()
            .map_err(|_| FaultError::BadParameter("account"))?;
        let balance = match self.request.get("balance") {
            None => None,
            Some(Value::String(text)) => Some(text.parse().ok()),
            Some(number) => Some(number.as_u64()),
        };
        let balance = balance
            .map(|balance| balance.ok_or(FaultError::BadParameter("balance")))
            .transpose()?;
        let sequence = match self.request.get("sequence") {
            None => None,
            Some(_) => Some(self.index("sequence")?),
        };
        if balance.is_none() && sequence.is_none() {
            return Err(FaultError::BadParameter("balance"));
        }
        Ok(FalseRoot {
            account,
            balance,
            sequence,
        })
    }

    fn about(&self) -> Result<About, FaultError> {
        let parse = |text: &str| text.parse().map_err(|_| FaultError::BadParameter("hash"));
        if let Some(account) = self.text("account")? {
            let account = account
                .parse()
                .map_err(|_| FaultError::BadParameter("account"))?;
            return Ok(About::Account(account));
        }
        if let Some(hash) = self.text("hash")? {
            return Ok(About::Hashes(BTreeSet::from([parse(&hash)?])));
        }
        match self.request.get("hashes") {
            None => Ok(About::All),
            Some(Value::Array(hashes)) => hashes
                .iter()
                .map(|hash| {
                    hash.as_str()
                        .ok_or(FaultError::BadParameter("hashes"))
                        .and_then(parse)
                })
                .collect::<Result<_, _>>()
                .map(About::Hashes),
            Some(_) => Err(FaultError::BadParameter("hashes")),
        }
    }
}
