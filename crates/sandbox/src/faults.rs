//! What a drill may inflict on one server. Faults change what a server says and hears, never the chain.
//!
//! Owns one server's faults and the reading of `sandbox_fault` requests. A kind or a parameter that is
//! not known is an error: a drill that does nothing by a slip of the pen would prove nothing.

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
    pub(crate) gap: Option<Gap>,
    /// So many more requests are answered `slowDown`.
    pub(crate) slow_down: u64,
    pub(crate) network_id: Option<u32>,
    pub(crate) amendment_blocked: bool,
    pub(crate) lie_absent: Option<About>,
    pub(crate) lie_result: Option<FalseResult>,
}

impl Faults {
    /// The ledger that the server validates when the chain is at `tip`.
    pub(crate) fn validated_goal(&self, tip: u32) -> u32 {
        let lagging = tip.saturating_sub(self.lag_ledgers);
        self.stalled_at.map_or(lagging, |at| lagging.min(at))
    }

    /// The oldest ledger of the contiguous history that ends at the newest one.
    pub(crate) fn history_from(&self) -> u32 {
        self.gap.map_or(0, |gap| gap.to.saturating_add(1))
    }

    /// Whether the server lacks the ledger.
    pub(crate) fn lacks_ledger(&self, index: u32) -> bool {
        self.gap
            .is_some_and(|gap| (gap.from..=gap.to).contains(&index))
    }

    /// Whether the server denies that it knows the transaction.
    pub(crate) fn hides(&self, hash: TxHash, accounts: &[AccountId]) -> bool {
        self.lie_absent
            .as_ref()
            .is_some_and(|about| about.includes(hash, accounts))
    }

    /// The result that the server claims instead of the true one.
    pub(crate) fn claims(&self, hash: TxHash, accounts: &[AccountId]) -> Option<&str> {
        let lie = self.lie_result.as_ref()?;
        lie.about
            .includes(hash, accounts)
            .then_some(lie.result.as_str())
    }
}

/// What a request for a fault asks for, besides the change of the server's faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing more.
    None,
    /// The server's connections are closed.
    CloseConnections,
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
            request.only(&["on"])?;
            faults.refuse = on()?;
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
        "stall_ledger" => {
            request.only(&["on"])?;
            faults.stalled_at = on()?.then_some(validated);
        }
        "lag" => {
            request.only(&["ledgers"])?;
            faults.lag_ledgers = request.index("ledgers")?;
        }
        "history_gap" => {
            request.only(&["from", "to"])?;
            let gap = Gap {
                from: request.index("from")?,
                to: request.index("to")?,
            };
            if gap.from > gap.to {
                return Err(FaultError::BadParameter("to"));
            }
            faults.gap = Some(gap);
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
        "lie_result" => {
            request.only(&["hashes", "hash", "account", "result"])?;
            let result = request
                .text("result")?
                .ok_or(FaultError::BadParameter("result"))?;
            let known = crate::ledger::codes::Ter::from_name(&result);
            if !known.is_some_and(|code| code.is_success() || code.is_tec()) {
                return Err(FaultError::BadParameter("result"));
            }
            faults.lie_result = Some(FalseResult {
                about: request.about()?,
                result,
            });
        }
        _ => return Err(FaultError::UnknownKind(kind.to_owned())),
    }
    Ok(Effect::None)
}

struct Parameters<'a> {
    kind: &'a str,
    request: &'a Value,
}

impl Parameters<'_> {
    fn only(&self, allowed: &[&str]) -> Result<(), FaultError> {
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

    fn flag(&self, name: &'static str, default: bool) -> Result<bool, FaultError> {
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

    fn index(&self, name: &'static str) -> Result<u32, FaultError> {
        u32::try_from(self.number(name, None)?).map_err(|_| FaultError::BadParameter(name))
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, FaultError> {
        match self.request.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(FaultError::BadParameter(name)),
        }
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
