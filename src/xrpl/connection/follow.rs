//! What a server says about itself and about its ledgers, and the watch over its silence.
//!
//! Silence alone is no failure: a network may stand still, and a server that stands alone closes
//! ledgers only when told. So a silent server is asked to subscribe again, which answers with its
//! newest ledger: it moved on without telling (then what it missed is known now), or it is behind
//! the others (then the connection is made anew), or nobody moved (then it stays, and is asked last).

use super::in_flight::Own;
use super::session::Session;
use super::{End, RequestError, Waiter};
use crate::xrpl::cause::Cause;
use crate::xrpl::health::{LAG_MAX, Stage, State};
use crate::xrpl::proto;
use crate::xrpl::proto::server_info::{Info, ServerInfo};
use crate::xrpl::proto::stream::{LedgerClosed, ServerStatus};
use crate::xrpl::transport::Outgoing;
use std::time::Duration;
use tokio::time::Instant;

/// How often a server that is not in sync is asked how it is.
pub(super) const RECHECK_SYNCING: Duration = Duration::from_secs(1);
/// How often any other is: streams tell the rest.
const RECHECK_READY: Duration = Duration::from_secs(60);

impl Session<'_> {
    /// Who the server is. Nothing else that it says counts before this.
    pub(super) fn take_info(&mut self, frame: &str) -> Result<(), End> {
        let info = match proto::result::<ServerInfo<'_>>(frame) {
            Ok(ServerInfo { info }) => info,
            Err(error) => {
                self.connection.odd("wrong_shape", frame);
                return self.unless_greeting(format!("its server_info cannot be read: {error}"));
            }
        };
        self.check_network(info.network_id)?;
        if info.amendment_blocked {
            return Err(End::new(
                Cause::AmendmentBlocked,
                "the server is amendment blocked",
            ));
        }
        let is_new = self.server().health().stage == Stage::Greeting;
        self.remember(&info);
        let lacks_ledger = info.is_synced() && self.server().health().validated.is_none();
        if is_new || lacks_ledger {
            self.ask_own(Own::Subscribe);
        }
        self.connection.show();
        Ok(())
    }

    /// At the greeting a bad answer ends the connection; later the server is known already.
    fn unless_greeting(&self, why: String) -> Result<(), End> {
        if self.server().health().stage == Stage::Greeting {
            Err(End::new(Cause::BadGreeting, why))
        } else {
            Ok(())
        }
    }

    /// Mainnet servers of old say no network id; every other network's do.
    fn check_network(&self, said: Option<u32>) -> Result<(), End> {
        let wanted = self.connection.shared.config.network_id;
        if said.unwrap_or(0) == wanted {
            return Ok(());
        }
        let said = said.map_or_else(
            || "no network id".to_owned(),
            |id| format!("network id {id}"),
        );
        Err(End::new(
            Cause::WrongNetwork,
            format!("the server says {said}, not {wanted}"),
        ))
    }

    fn remember(&mut self, info: &Info<'_>) {
        let mut health = self.connection.server.health();
        if health.stage == Stage::Greeting {
            health.stage = Stage::Known;
            // What an earlier connection told may be long past; the subscription tells it anew.
            health.validated = None;
        }
        // Clio has no state of its own: it serves what is validated, or nothing.
        let state = match (&info.server_state, &info.clio_version) {
            (Some(state), _) => Some(state.clone().into_owned()),
            (None, Some(_)) if info.is_synced() => None,
            (None, _) => Some("unknown".to_owned()),
        };
        health.server_state = if info.is_synced() {
            state
        } else {
            Some("syncing".to_owned())
        };
        health.network_id = info.network_id;
        health.load_factor = info.load_factor();
        health.build_version = info
            .clio_version
            .as_ref()
            .or(info.build_version.as_ref())
            .map(|text| text.clone().into_owned());
        match info.complete_ledgers.as_deref().unwrap_or("empty").parse() {
            Ok(ranges) => health.complete = ranges,
            Err(error) => health.last_error = Some(format!("complete_ledgers {error}")),
        }
    }

    /// The answer to `subscribe`: the newest ledger, where the server is in sync.
    pub(super) fn take_subscribed(&mut self, frame: &str) -> Result<(), End> {
        let closed = match proto::result::<LedgerClosed<'_>>(frame) {
            Ok(closed) => closed,
            Err(error) => {
                self.connection.odd("wrong_shape", frame);
                let why = format!("its answer to subscribe cannot be read: {error}");
                return Err(End::new(Cause::BadGreeting, why));
            }
        };
        self.stand_alone |= closed.stand_alone;
        if let Some(load) = proto::result::<ServerStatus<'_>>(frame)
            .ok()
            .and_then(|status| status.load())
        {
            self.server().health().load = Some(load);
        }
        if closed.has_ledger() {
            self.take_header(&closed, frame)?;
        }
        self.end_probe()
    }

    /// A `ledgerClosed` message.
    pub(super) fn take_closed(&mut self, frame: &str) -> Result<(), End> {
        match serde_json::from_str::<LedgerClosed<'_>>(frame) {
            Ok(closed) => self.take_header(&closed, frame),
            Err(_) => {
                self.connection.odd("wrong_shape", frame);
                Ok(())
            }
        }
    }

    fn take_header(&mut self, closed: &LedgerClosed<'_>, frame: &str) -> Result<(), End> {
        if self.server().health().stage != Stage::Known {
            return Ok(());
        }
        if closed.network_id.is_some() {
            self.check_network(closed.network_id)?;
        }
        let header = match closed.header() {
            Ok(header) => header,
            Err(error) => {
                self.connection.odd("wrong_shape", frame);
                self.server().health().last_error = Some(error.to_string());
                return Ok(());
            }
        };
        {
            let mut health = self.connection.server.health();
            if health
                .validated
                .is_none_or(|validated| header.index > validated)
            {
                health.validated = Some(header.index);
                health.silent = false;
                self.last_ledger = Instant::now();
                self.next_probe = self.last_ledger + self.connection.shared.config.silence_timeout;
            }
            // The field is absent while the server is not in sync; then it holds nothing for sure.
            if let Ok(ranges) = closed
                .validated_ledgers
                .as_deref()
                .unwrap_or("empty")
                .parse()
            {
                health.complete = ranges;
            }
        }
        self.connection
            .shared
            .note_header(&self.connection.server, header);
        self.connection.show();
        Ok(())
    }

    /// A `serverStatus` message.
    pub(super) fn take_status(&mut self, frame: &str) {
        let Ok(status) = serde_json::from_str::<ServerStatus<'_>>(frame) else {
            self.connection.odd("wrong_shape", frame);
            return;
        };
        {
            let mut health = self.connection.server.health();
            if let Some(state) = &status.server_status {
                health.server_state = Some(state.clone().into_owned());
            }
            health.load_factor = status.load_factor().or(health.load_factor);
            health.load = status.load().or(health.load);
        }
        // A server that came back into sync has a new range of ledgers to tell of.
        self.next_info = Instant::now();
        self.connection.show();
    }

    /// Looks at everything that only the passing of time brings about.
    pub(super) fn tick(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.server().has_left() && !self.in_flight.has_callers() {
            return Err(End::new(
                Cause::Removed,
                "it was taken out of the configuration",
            ));
        }
        for waiting in self.in_flight.expired(now) {
            self.server().count(waiting.command, "timed_out");
            self.server().health().note_outcome(true);
            match waiting.waiter {
                Waiter::Caller(reply, _place) => {
                    let error = RequestError::TimedOut {
                        server: self.server().name().to_owned(),
                    };
                    // A caller that stopped waiting has no use for it.
                    let _ = reply.send(Err(error));
                }
                Waiter::Own(_) => return Err(End::new(Cause::NoAnswer, "it does not answer")),
            }
        }
        self.show_owed();
        let ping_interval = self.connection.shared.config.ping_every();
        if now.saturating_duration_since(self.last_in) >= ping_interval * 2 {
            return Err(End::new(Cause::NoAnswer, "it does not answer pings"));
        }
        if now >= self.next_ping {
            self.next_ping = now + ping_interval;
            self.queue(Outgoing::Ping);
        }
        if self.probe_until.is_some_and(|until| now >= until) {
            return Err(End::new(
                Cause::NoAnswer,
                "it told of no ledger and does not answer",
            ));
        }
        if self.server().health().stage == Stage::Known && now >= self.next_probe {
            self.next_probe = now + self.connection.shared.config.silence_timeout;
            self.probe_until = Some(now + ping_interval);
            self.ask_own(Own::Info);
            self.ask_own(Own::Subscribe);
        }
        if now >= self.next_info {
            self.ask_own(Own::Info);
            let state = self.server().state(self.connection.shared.tip_index());
            self.next_info = now
                + if state == State::Syncing {
                    RECHECK_SYNCING
                } else {
                    RECHECK_READY
                };
        }
        self.connection.show();
        Ok(())
    }

    /// The server answered the probe; what it said has been taken.
    fn end_probe(&mut self) -> Result<(), End> {
        if self.probe_until.take().is_none() {
            return Ok(());
        }
        let silence = self.connection.shared.config.silence_timeout;
        if self.last_ledger.elapsed() < silence {
            return Ok(());
        }
        let tip = self.connection.shared.tip_index();
        let lag = {
            let mut health = self.connection.server.health();
            health.silent = !self.stand_alone;
            health.lag(tip)
        };
        if lag.is_some_and(|lag| lag > LAG_MAX) {
            return Err(End::new(
                Cause::Lagging,
                "it stopped telling of ledgers while others went on",
            ));
        }
        self.connection.show();
        Ok(())
    }
}
