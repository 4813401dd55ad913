//! One open connection: greeting, subscription, answers, streams, and the watch over all of them.

use super::follow::RECHECK_SYNCING;
use super::in_flight::{InFlight, Own, Waiter, Waiting};
use super::{Connection, End, Text};
use crate::xrpl::cause::Cause;
use crate::xrpl::config::AccountStreams;
use crate::xrpl::error::RequestError;
use crate::xrpl::health::Stage;
use crate::xrpl::proto::envelope::{self, Envelope};
use crate::xrpl::proto::looks_like_stream_transaction;
use crate::xrpl::server::{Answer, Call, Command, On, Server};
use crate::xrpl::submit::MaySend;
use crate::xrpl::transport::{FrameSink, Incoming, Link, LinkError, Outgoing};
use futures_util::StreamExt as _;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::ready;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

/// How often time-outs, pings and silence are looked at.
const TICK: Duration = Duration::from_millis(200);
/// Requests written with one flush.
const BATCH_MAX: usize = 256;
/// Requests that may wait to be written; beyond it the callers wait.
const OUT_MAX: usize = 1_024;
/// How long a server that asked us to slow down is passed over.
const COOLING: Duration = Duration::from_secs(10);

/// One open connection.
pub(super) struct Session<'a> {
    pub(super) connection: &'a mut Connection,
    /// The number of this connection.
    number: u64,
    pub(super) in_flight: InFlight,
    pub(super) out: VecDeque<(Outgoing, MaySend)>,
    /// Something was queued or written that has not been flushed.
    pub(super) dirty: bool,
    /// When anything last came in.
    pub(super) last_in: Instant,
    /// When a newer ledger was last told of.
    pub(super) last_ledger: Instant,
    pub(super) next_ping: Instant,
    pub(super) next_info: Instant,
    /// A probe for silence: when the next is due, and when the one under way must be answered.
    pub(super) next_probe: Instant,
    pub(super) probe_until: Option<Instant>,
    pub(super) stand_alone: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(connection: &'a mut Connection) -> Self {
        let now = Instant::now();
        let config = &connection.shared.config;
        Self {
            number: connection.shared.next_connection(),
            in_flight: InFlight::new(config.request_timeout),
            out: VecDeque::new(),
            dirty: false,
            last_in: now,
            last_ledger: now,
            next_ping: now + config.ping_every(),
            next_info: now + RECHECK_SYNCING,
            next_probe: now + config.silence_timeout,
            probe_until: None,
            stand_alone: false,
            connection,
        }
    }

    /// Talks until the connection ends.
    pub(super) async fn run(mut self, link: Link, calls: &mut mpsc::Receiver<Call>) -> End {
        let Link {
            mut sink,
            mut stream,
        } = link;
        {
            let mut health = self.server().health();
            health.stage = Stage::Greeting;
            health.connection = self.number;
            health.connected_since = Some(self.connection.shared.deps.clock.now());
        }
        self.ask_own(Own::Info);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let end = loop {
            let step = tokio::select! {
                frame = stream.next() => match frame {
                    None => Err(End::new(Cause::Closed, "the connection ended")),
                    Some(frame) => self.take(frame),
                },
                written = write_out(&mut sink, &mut self.out), if self.dirty => {
                    self.dirty = false;
                    written.map_err(End::from)
                }
                count = calls.recv_many(&mut batch, BATCH_MAX), if self.out.len() < OUT_MAX => {
                    if count == 0 { Err(End::new(Cause::Closed, "the pool has stopped")) } else { self.send(&mut batch); Ok(()) }
                }
                _ = ticks.tick() => self.tick(),
            };
            if let Err(end) = step {
                break end;
            }
        };
        self.in_flight.fail_all(&self.connection.server, &end.why);
        end
    }

    pub(super) fn server(&self) -> &Server {
        &self.connection.server
    }

    pub(super) fn queue(&mut self, out: Outgoing) {
        self.queue_with(out, MaySend::always());
    }

    fn queue_with(&mut self, out: Outgoing, may: MaySend) {
        self.out.push_back((out, may));
        self.dirty = true;
    }

    fn send(&mut self, batch: &mut Vec<Call>) {
        let now = Instant::now();
        for call in batch.drain(..) {
            // It was meant for a connection that is gone: its sender counts on it there.
            if matches!(call.on, On::Connection(meant, _) if meant != self.number) {
                self.server().count(call.command, "not_connected");
                let error = RequestError::NotConnected {
                    server: self.server().name().to_owned(),
                };
                // A caller that stopped waiting has no use for it.
                let _ = call.reply.send(Err(error));
                continue;
            }
            // A caller that stopped waiting before anything was sent changed its mind; but what
            // was handed to this very connection is counted as sent on it.
            if call.reply.is_closed() && matches!(call.on, On::Any) {
                self.server().count(call.command, "abandoned");
                continue;
            }
            let (text, may) = self.in_flight.sent(call, now);
            self.queue_with(Outgoing::Text(text), may);
        }
        self.show_owed();
    }

    /// Notes since when the server owes an answer.
    pub(super) fn show_owed(&self) {
        self.in_flight
            .show(&mut self.server().health(), self.last_in);
    }

    pub(super) fn ask_own(&mut self, own: Own) {
        if self.in_flight.has_own(own) {
            return;
        }
        let subscription = &self.connection.shared.subscription;
        let (command, params) = match own {
            Own::Info => (Command::ServerInfo, ""),
            Own::Subscribe => (Command::Subscribe, subscription.full.as_str()),
            Own::SubscribePlain => (Command::Subscribe, subscription.plain.as_str()),
        };
        self.server().health().budget.spend(Instant::now());
        let id = self.server().next_id();
        let text = Server::request_text(id, command, params);
        let waiting = Waiting {
            command,
            sent: Instant::now(),
            waiter: Waiter::Own(own),
        };
        self.in_flight.insert(id, waiting);
        self.show_owed();
        self.queue(Outgoing::Text(text));
    }

    fn take(&mut self, frame: Result<Incoming, LinkError>) -> Result<(), End> {
        self.last_in = Instant::now();
        match frame {
            Ok(Incoming::Text(text)) => self.take_text(text),
            Ok(Incoming::Binary) => {
                self.connection.odd("binary", "");
                Ok(())
            }
            Ok(Incoming::Alive) => {
                // The answer to a ping of the server's is queued in the socket.
                self.dirty = true;
                Ok(())
            }
            Ok(Incoming::Close(Some((1_008, reason)))) => Err(End::new(
                Cause::TurnedAway,
                format!("closed: 1008 {reason}"),
            )),
            Ok(Incoming::Close(Some((code, reason)))) => {
                Err(End::new(Cause::Closed, format!("closed: {code} {reason}")))
            }
            Ok(Incoming::Close(None)) => Err(End::new(Cause::Closed, "closed without a reason")),
            Err(error) => {
                if let LinkError::TooLarge(why) = &error {
                    self.connection.odd("too_large", why);
                }
                Err(error.into())
            }
        }
    }

    fn take_text(&mut self, text: Text) -> Result<(), End> {
        if looks_like_stream_transaction(&text) {
            match self.connection.shared.config.account_streams {
                AccountStreams::On => self.connection.shared.hint.notify_one(),
                // Nobody asked for it: a flood of them must wake nobody.
                AccountStreams::Off => self.server().count_as("frame", "unasked"),
            }
            return Ok(());
        }
        let Some(head) = envelope::parse(&text) else {
            self.connection.odd("not_json", &text);
            return Ok(());
        };
        if head.has_id() {
            return self.take_answer(&head, &text);
        }
        match head.kind.as_deref() {
            Some("ledgerClosed") => self.take_closed(&text),
            Some("serverStatus") => {
                self.take_status(&text);
                Ok(())
            }
            Some("error") => {
                self.connection.odd("error_without_id", &text);
                Ok(())
            }
            Some(_) | None => {
                self.connection.odd("unknown", &text);
                Ok(())
            }
        }
    }

    fn take_answer(&mut self, head: &Envelope<'_>, text: &Text) -> Result<(), End> {
        let Some(waiting) = head.id().and_then(|id| self.in_flight.take(id)) else {
            // An answer that came after its time-out bears an id that was given out.
            let is_late = head.id().is_some_and(|id| self.server().was_used(id));
            self.connection
                .odd(if is_late { "late" } else { "wrong_id" }, text);
            return Ok(());
        };
        let took = waiting.sent.elapsed();
        let error = head.error.as_deref().map(str::to_owned);
        let is_of_no_use = error.as_deref().is_some_and(is_its_own_fault);
        // That there is no such account, or no such ledger here, is a good answer.
        let outcome = match (&error, is_of_no_use) {
            (None, _) => "ok",
            (Some(_), false) => "refused",
            (Some(_), true) => "error",
        };
        self.server().answered(waiting.command, took, outcome);
        {
            let mut health = self.server().health();
            health.note_outcome(is_of_no_use);
            self.in_flight.show(&mut health, self.last_in);
        }
        if head.warning.as_deref() == Some("load") {
            self.cool("the server warns of too much load");
        }
        let verdict = error
            .as_deref()
            .map_or(Ok(()), |error| self.take_error(error));
        let answer = Answer {
            frame: text.clone(),
            error,
        };
        match waiting.waiter {
            Waiter::Caller(reply, _place) => {
                // A caller that stopped waiting has no use for it.
                let _ = reply.send(Ok(answer));
                verdict
            }
            Waiter::Own(own) => verdict.and_then(|()| self.take_own(own, &answer)),
        }
    }

    /// What an error says about the server itself.
    fn take_error(&mut self, error: &str) -> Result<(), End> {
        match error {
            "noNetwork" | "notSynced" | "noCurrent" | "noClosed" | "notReady" => {
                {
                    let mut health = self.server().health();
                    health.server_state = Some(error.to_owned());
                    health.last_error = Some(error.to_owned());
                }
                self.next_info = Instant::now() + RECHECK_SYNCING;
                self.connection.show();
                Ok(())
            }
            "amendmentBlocked" | "unlBlocked" => Err(End::new(Cause::AmendmentBlocked, error)),
            "tooBusy" | "slowDown" => {
                self.cool(error);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn cool(&mut self, why: &str) {
        {
            let mut health = self.server().health();
            health.cooling_until = Some(Instant::now() + COOLING);
            health.budget.throttled(Instant::now());
            health.last_error = Some(why.to_owned());
        }
        self.connection.show();
    }

    fn take_own(&mut self, own: Own, answer: &Answer) -> Result<(), End> {
        match (own, answer.error.as_deref()) {
            (Own::Info, None) => self.take_info(&answer.frame),
            (Own::Subscribe | Own::SubscribePlain, None) => self.take_subscribed(&answer.frame),
            (Own::Subscribe, Some("slowDown" | "tooBusy")) => Ok(()),
            // Not every make of server has the stream of its own state.
            (Own::Subscribe, Some(_)) => {
                self.ask_own(Own::SubscribePlain);
                Ok(())
            }
            (Own::Info | Own::SubscribePlain, Some(error)) => Err(End::new(
                Cause::BadGreeting,
                format!("the greeting was answered with {error}"),
            )),
        }
    }
}

/// Whether an error says that the server could not answer, and not that there is nothing to tell.
fn is_its_own_fault(error: &str) -> bool {
    matches!(
        error,
        "internal"
            | "slowDown"
            | "tooBusy"
            | "noNetwork"
            | "notSynced"
            | "noCurrent"
            | "noClosed"
            | "notReady"
            | "amendmentBlocked"
            | "unlBlocked"
    )
}

/// Writes what is queued, and flushes once. May be dropped at any time: what is not written yet is
/// still queued, and what is written is flushed by the next call. What may not be sent any more is
/// left out, and whoever waits for its answer waits in vain.
async fn write_out(
    sink: &mut FrameSink,
    out: &mut VecDeque<(Outgoing, MaySend)>,
) -> Result<(), LinkError> {
    poll_fn(|cx| {
        while !out.is_empty() {
            ready!(sink.as_mut().poll_ready(cx))?;
            if let Some((item, may)) = out.pop_front()
                && may.still()
            {
                sink.as_mut().start_send(item)?;
            }
        }
        sink.as_mut().poll_flush(cx)
    })
    .await
}
