//! What is known of one server, and how fit that makes it. Pure: the time is an argument.

use super::budget::Budget;
use super::cause::Cause;
use super::latency::Latencies;
use super::proto::ranges::Ranges;
use super::proto::stream::Load;
use super::quorum::parole::Quarantine;
use super::score::{self, Signs};
use std::time::Duration;
use tokio::time::Instant;
use xrpayd_core::ids::{LedgerIndex, UnixMs};

/// The state of a connection, as views, metrics and logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// No connection stands, or it has not answered yet.
    Connecting,
    /// Connected to a server that is not in sync with its network.
    Syncing,
    /// Fit for everything.
    Ready,
    /// Asked only where no ready server is left: it lags, is silent, or asked us to slow down.
    Degraded,
    /// Left alone for a while: it failed again and again, or turned us away.
    OpenCircuit,
    /// Of another network, or unable to follow ours; asked for nothing, and tried again only at long
    /// intervals or when the configuration has changed.
    Refused,
}

impl State {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Syncing => "syncing",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::OpenCircuit => "open_circuit",
            Self::Refused => "refused",
        }
    }

    /// Whether it may be asked at all.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Ready | Self::Degraded)
    }
}

/// Ledgers that a server may be behind the pool before it is passed over.
pub(super) const LAG_MAX: u32 = 3;

/// A connection on which nothing at all comes in while an answer is owed is passed over after so
/// many times what its answers usually take, long before its pings go unanswered.
const MUTE_AFTER_PATIENCES: u32 = 8;
/// But not sooner than this: an answer may be long, and a machine busy.
const MUTE_MIN: Duration = Duration::from_secs(1);
/// And no later.
const MUTE_MAX: Duration = Duration::from_secs(3);

/// An answer is waited for at least this long before another server is asked too: a quick server's
/// hiccup is not worth a second request.
const PATIENCE_MIN: Duration = Duration::from_millis(100);
/// And at most this long, however slow the server usually is.
const PATIENCE_MAX: Duration = Duration::from_secs(1);
/// While too few of its answers have been timed.
const PATIENCE_UNKNOWN: Duration = Duration::from_millis(250);

/// Where the connection itself is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stage {
    #[default]
    Down,
    /// The socket stands; the server has not yet said who it is.
    Greeting,
    /// It said who it is, and it is of our network.
    Known,
    /// No connection, and none is tried for a while.
    Open,
    /// It is not to be used.
    Refused,
}

impl Stage {
    /// Whether a socket stands.
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Greeting | Self::Known)
    }
}

/// What is known of one server.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    pub stage: Stage,
    /// Which connection stands, by its number; 0 while none does.
    pub connection: u64,
    /// Why the last connection ended.
    pub ended: Option<Cause>,
    /// Since when it is in the state that was shown last.
    pub since: Option<UnixMs>,
    /// What went wrong last, in words.
    pub last_error: Option<String>,
    /// `full`, `tracking`, …; absent at servers that do not say.
    pub server_state: Option<String>,
    pub validated: Option<LedgerIndex>,
    pub complete: Ranges,
    pub load_factor: Option<u64>,
    /// What its stream says of its fees; it tells every change.
    pub load: Option<Load>,
    pub network_id: Option<u32>,
    pub build_version: Option<String>,
    pub connected_since: Option<UnixMs>,
    /// The answers' times.
    pub latency: Latencies,
    /// Of a thousand answers, how many were of no use; the newest weigh most.
    pub errors_per_mille: u32,
    /// How often it may be asked.
    pub budget: Budget,
    /// It said on this connection that it cannot try a transaction without applying it.
    pub lacks_simulate: bool,
    /// When the oldest request that still waits was sent.
    pub waiting_since: Option<Instant>,
    /// Since when nothing at all has come in while an answer was owed.
    pub mute_since: Option<Instant>,
    /// When the oldest request was sent since which nothing at all has come in.
    pub unheard_since: Option<Instant>,
    /// No ledger for the silence time-out, and the server did not say that it stands alone.
    pub silent: bool,
    /// Why it is not heard any more: the ledger proved it wrong.
    pub quarantined: Option<Quarantine>,
    /// It asked us to slow down; until then it is asked last.
    pub cooling_until: Option<Instant>,
}

impl Health {
    /// The connection is gone; what the server held and how fast it was is worth remembering.
    pub(super) fn disconnected(&mut self, cause: Cause, why: String, stage: Stage) {
        *self = Self {
            stage,
            ended: Some(cause),
            since: self.since,
            last_error: Some(why),
            validated: self.validated,
            network_id: self.network_id,
            build_version: self.build_version.take(),
            latency: std::mem::take(&mut self.latency),
            errors_per_mille: self.errors_per_mille,
            budget: std::mem::take(&mut self.budget),
            cooling_until: self.cooling_until,
            quarantined: self.quarantined.take(),
            ..Self::default()
        };
    }

    /// What is wrong with it, or went wrong last.
    pub(super) fn trouble(&self) -> Option<String> {
        let proven = self.quarantined.as_ref().map(|case| case.why.clone());
        proven.or_else(|| self.last_error.clone())
    }

    /// Counts one answer's time.
    pub(super) fn note_latency(&mut self, took: Duration) {
        self.latency.note(took);
    }

    /// How long its answers usually take at most, within bounds: so long one of them is waited for
    /// before another server is asked too.
    pub(super) fn patience(&self) -> Duration {
        self.latency
            .p95()
            .unwrap_or(PATIENCE_UNKNOWN)
            .clamp(PATIENCE_MIN, PATIENCE_MAX)
    }

    /// How much longer a request of ours has been met by silence than an answer is waited for. Whoever
    /// has the choice asks another server first, long before this one counts as degraded.
    pub(super) fn overdue(&self, now: Instant) -> Duration {
        let unheard = |since| now.saturating_duration_since(since);
        let silence = self.unheard_since.map_or(Duration::ZERO, unheard);
        silence.saturating_sub(self.patience())
    }

    fn mute_after(&self) -> Duration {
        self.patience()
            .saturating_mul(MUTE_AFTER_PATIENCES)
            .clamp(MUTE_MIN, MUTE_MAX)
    }

    /// How many ledgers it is behind `tip`.
    pub(super) fn lag(&self, tip: Option<LedgerIndex>) -> Option<u32> {
        Some(tip?.ahead_of(self.validated?))
    }

    /// The state, given the pool's newest agreed ledger.
    pub(super) fn state(&self, tip: Option<LedgerIndex>, now: Instant) -> State {
        self.standing(tip, now).0
    }

    /// The state, and why it is not a better one.
    pub(super) fn standing(
        &self,
        tip: Option<LedgerIndex>,
        now: Instant,
    ) -> (State, Option<Cause>) {
        if self.quarantined.is_some() {
            return (State::Refused, Some(Cause::Quarantined));
        }
        match self.stage {
            Stage::Down | Stage::Greeting => return (State::Connecting, self.ended),
            Stage::Open => return (State::OpenCircuit, self.ended),
            Stage::Refused => return (State::Refused, self.ended),
            Stage::Known => {}
        }
        let synced = self
            .server_state
            .as_deref()
            .is_none_or(|state| matches!(state, "full" | "validating" | "proposing"));
        if !synced || self.validated.is_none() {
            return (State::Syncing, Some(Cause::NotSynced));
        }
        if self.complete.is_empty() {
            return (State::Syncing, Some(Cause::NoHistory));
        }
        match self.drawback(tip, now) {
            Some(cause) => (State::Degraded, Some(cause)),
            None => (State::Ready, None),
        }
    }

    /// Why a server in sync is asked last.
    fn drawback(&self, tip: Option<LedgerIndex>, now: Instant) -> Option<Cause> {
        let mute = |since: Instant| now.saturating_duration_since(since) >= self.mute_after();
        if self.lag(tip).is_some_and(|lag| lag > LAG_MAX) {
            Some(Cause::Lagging)
        } else if self.cooling_until.is_some_and(|until| until > now) {
            Some(Cause::Throttled)
        } else if self.mute_since.is_some_and(mute) {
            Some(Cause::Mute)
        } else if self.silent {
            Some(Cause::Silent)
        } else {
            None
        }
    }

    /// Counts whether an answer was of use; no answer in time is of none.
    pub(super) fn note_outcome(&mut self, is_error: bool) {
        self.errors_per_mille = score::errors_after(self.errors_per_mille, is_error);
    }

    /// How fit the server is, from 0 (not at all) to 1,000.
    pub(super) fn score(&self, tip: Option<LedgerIndex>, now: Instant) -> u32 {
        let state = self.state(tip, now);
        if !state.is_usable() {
            return 0;
        }
        let held = self.complete.lowest_of_newest().zip(self.validated);
        score::score(&Signs {
            is_ready: state == State::Ready,
            lag: self.lag(tip).unwrap_or(0),
            mean: self.latency.mean(),
            p95: self.latency.p95(),
            waiting: self
                .waiting_since
                .map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
            errors_per_mille: self.errors_per_mille,
            load_factor: self.load_factor.unwrap_or(1),
            history: held.map_or(0, |(low, high)| high.ahead_of(low).saturating_add(1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ready() -> Health {
        Health {
            stage: Stage::Known,
            server_state: Some("full".into()),
            validated: Some(LedgerIndex(100)),
            complete: "2-100".parse().unwrap(),
            ..Health::default()
        }
    }

    fn state_of(health: &Health) -> State {
        health.state(Some(LedgerIndex(100)), Instant::now())
    }

    #[test]
    fn each_state_is_reached_by_what_makes_it() {
        assert_eq!(state_of(&Health::default()), State::Connecting);
        assert_eq!(state_of(&ready()), State::Ready);
        let tracking = Health {
            server_state: Some("tracking".into()),
            ..ready()
        };
        assert_eq!(state_of(&tracking), State::Syncing);
        let without_history = Health {
            complete: Ranges::default(),
            ..ready()
        };
        assert_eq!(state_of(&without_history), State::Syncing);
        let refused = Health {
            stage: Stage::Refused,
            ..ready()
        };
        assert_eq!(state_of(&refused), State::Refused);
        let behind = Health {
            validated: Some(LedgerIndex(96)),
            ..ready()
        };
        assert_eq!(state_of(&behind), State::Degraded);
        let a_little_behind = Health {
            validated: Some(LedgerIndex(97)),
            ..ready()
        };
        assert_eq!(state_of(&a_little_behind), State::Ready);
        let silent = Health {
            silent: true,
            ..ready()
        };
        assert_eq!(state_of(&silent), State::Degraded);
        let now = Instant::now();
        let mute = Health {
            mute_since: Some(now),
            ..ready()
        };
        assert_eq!(mute.state(None, now), State::Ready);
        assert_eq!(mute.state(None, now + mute.mute_after()), State::Degraded);
        let cooling = Health {
            cooling_until: Some(now + Duration::from_secs(1)),
            ..ready()
        };
        assert_eq!(cooling.state(None, now), State::Degraded);
        assert_eq!(
            cooling.state(None, now + Duration::from_secs(2)),
            State::Ready
        );
    }

    #[test]
    fn a_disconnected_server_forgets_what_it_may_no_longer_be_asked_for() {
        let mut health = ready();
        health.note_latency(Duration::from_millis(8));
        health.disconnected(Cause::Closed, "reset".into(), Stage::Down);
        assert_eq!(state_of(&health), State::Connecting);
        assert!(health.complete.is_empty());
        assert_eq!(health.latency.mean(), Some(Duration::from_millis(8)));
    }

    proptest! {
        #[test]
        fn a_ready_server_always_outscores_a_degraded_one(
            latency in 0_u64..100_000, lag in 0_u32..=LAG_MAX, waited in 0_u64..100_000,
        ) {
            let now = Instant::now() + Duration::from_secs(200);
            let tip = Some(LedgerIndex(100));
            let mut worst_ready = Health {
                validated: Some(LedgerIndex(100 - lag)),
                waiting_since: Some(now - Duration::from_millis(waited)),
                ..ready()
            };
            worst_ready.note_latency(Duration::from_millis(latency));
            let best_degraded = Health { silent: true, ..ready() };
            let (high, low) = (worst_ready.score(tip, now), best_degraded.score(tip, now));
            prop_assert!(high > low, "{high} {low}");
            prop_assert!(high <= 1_000 && low >= 1);
        }
    }
}
