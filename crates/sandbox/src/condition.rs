//! How one server stands to its network: up or down, in which state, and how old its news is.
//!
//! Owns the part of a server's faults that is about the whole server, the reading of those kinds, and
//! the account of the time that a server spent in each state.

use crate::faults::{FaultError, Parameters};
use serde_json::{Map, Value, json};

/// A server's state, from worst to best.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Disconnected,
    Connected,
    Syncing,
    Tracking,
    #[default]
    Full,
}

impl State {
    const ALL: [Self; 5] = [
        Self::Disconnected,
        Self::Connected,
        Self::Syncing,
        Self::Tracking,
        Self::Full,
    ];

    /// The name that servers print.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connected => "connected",
            Self::Syncing => "syncing",
            Self::Tracking => "tracking",
            Self::Full => "full",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    const fn place(self) -> usize {
        self as usize
    }
}

/// What of a whole server is not as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// The server is stopped: it hears nothing, follows nothing and takes no connections.
    pub(crate) down: bool,
    /// When a server that takes no connections does so again by itself, in microseconds of the Unix epoch.
    pub(crate) back_at_us: Option<u64>,
    pub(crate) state: State,
    /// The server holds no ledger for validated, as in the first seconds after a start.
    pub(crate) without_validated: bool,
    /// So many seconds are added to the age of its validated ledger.
    pub(crate) older_s: u32,
    /// The server answers as Clio does.
    pub(crate) clio: bool,
    /// How long a client's socket may take nothing.
    pub(crate) patience_ms: Option<u64>,
}

/// How a server takes its leave of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// With a close frame that says nothing (a client sees code 1005).
    Goodbye,
    /// Without a word (a client sees code 1006).
    Abrupt,
}

/// What a server knows of the ledgers before its restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    /// All of them.
    Kept,
    /// They lie in its database, and it does not count them as complete.
    Lost,
}

/// What becomes of a server beside the change of its condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing more.
    None,
    /// It goes down.
    Stop(Leave),
    /// It goes down, if it was up, and comes up again.
    Restart(Leave, History),
}

/// Reads a kind that is about the whole server; `None` when this is none.
pub(crate) fn inflict(
    condition: &mut Condition,
    request: &Parameters<'_>,
) -> Option<Result<Change, FaultError>> {
    Some(match request.kind {
        "state" => state(condition, request),
        "stale" => stale(condition, request),
        "clio" => clio(condition, request),
        "slow_reader" => slow_reader(condition, request),
        "stop" => stop(condition, request),
        "restart" => restart(condition, request),
        _ => return None,
    })
}

fn state(condition: &mut Condition, request: &Parameters<'_>) -> Result<Change, FaultError> {
    request.only(&["state", "validated"])?;
    let name = request.text("state")?;
    let state = name.as_deref().and_then(State::named);
    let state = state.ok_or(FaultError::BadParameter("state"))?;
    condition.without_validated = !request.flag("validated", true)?;
    condition.state = state;
    Ok(Change::None)
}

fn stale(condition: &mut Condition, request: &Parameters<'_>) -> Result<Change, FaultError> {
    request.only(&["seconds"])?;
    condition.older_s = request.index("seconds")?;
    Ok(Change::None)
}

fn clio(condition: &mut Condition, request: &Parameters<'_>) -> Result<Change, FaultError> {
    request.only(&["on"])?;
    condition.clio = request.flag("on", true)?;
    Ok(Change::None)
}

fn slow_reader(condition: &mut Condition, request: &Parameters<'_>) -> Result<Change, FaultError> {
    request.only(&["after_ms"])?;
    condition.patience_ms = Some(u64::from(request.index("after_ms")?));
    Ok(Change::None)
}

fn leave(request: &Parameters<'_>) -> Result<Leave, FaultError> {
    Ok(if request.flag("graceful", true)? {
        Leave::Goodbye
    } else {
        Leave::Abrupt
    })
}

fn stop(condition: &mut Condition, request: &Parameters<'_>) -> Result<Change, FaultError> {
    request.only(&["graceful", "ms"])?;
    let leave = leave(request)?;
    condition.back_at_us = request.until_us()?;
    condition.down = true;
    Ok(Change::Stop(leave))
}

fn restart(condition: &mut Condition, request: &Parameters<'_>) -> Result<Change, FaultError> {
    request.only(&["graceful", "history"])?;
    let leave = leave(request)?;
    let history = match request.text("history")?.as_deref() {
        None | Some("lost") => History::Lost,
        Some("kept") => History::Kept,
        Some(_) => return Err(FaultError::BadParameter("history")),
    };
    condition.down = false;
    condition.back_at_us = None;
    Ok(Change::Restart(leave, history))
}

/// The time that a server has spent in each state since it started.
#[derive(Debug, Clone)]
pub(crate) struct Accounting {
    /// When the server started, in microseconds of the Unix epoch.
    pub(crate) started_us: u64,
    state: State,
    since_us: u64,
    spent_us: [u64; 5],
    entered: [u64; 5],
}

/// What a server takes to come up.
pub(crate) const SYNC_US: u64 = 1_000;

impl Accounting {
    /// Of a server that started now, and was fit to serve a moment later.
    pub(crate) const fn started(now_us: u64) -> Self {
        Self {
            started_us: now_us,
            state: State::Full,
            since_us: now_us,
            spent_us: [SYNC_US, 0, 0, 0, 0],
            entered: [1, 0, 0, 0, 1],
        }
    }

    /// Notes that the server is in this state from now on. Returns whether it was in another.
    pub(crate) fn enter(&mut self, state: State, now_us: u64) -> bool {
        if self.state == state {
            return false;
        }
        self.spent_us[self.state.place()] += self.in_state_us(now_us);
        self.entered[state.place()] += 1;
        self.state = state;
        self.since_us = now_us;
        true
    }

    /// How long the server has been in its state.
    pub(crate) const fn in_state_us(&self, now_us: u64) -> u64 {
        now_us.saturating_sub(self.since_us)
    }

    /// The account as servers print it.
    pub(crate) fn render(&self, now_us: u64) -> Value {
        let mut out = Map::new();
        for state in State::ALL {
            let mut spent = self.spent_us[state.place()];
            if state == self.state {
                spent += self.in_state_us(now_us);
            }
            let entered = self.entered[state.place()].to_string();
            out.insert(
                state.name().to_owned(),
                json!({"duration_us": spent.to_string(), "transitions": entered}),
            );
        }
        Value::Object(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_accounted_to_the_state_it_was_spent_in() {
        let mut accounting = Accounting::started(1_000_000);
        assert!(!accounting.enter(State::Full, 1_500_000));
        assert!(accounting.enter(State::Tracking, 3_000_000));
        assert!(accounting.enter(State::Full, 3_000_500));
        let shown = accounting.render(4_000_500);
        assert_eq!(shown["full"]["duration_us"], "3000000");
        assert_eq!(shown["full"]["transitions"], "2");
        assert_eq!(shown["tracking"]["duration_us"], "500");
        assert_eq!(accounting.in_state_us(4_000_500), 1_000_000);
    }
}
