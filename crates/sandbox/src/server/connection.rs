//! One client's connection: its frames in, its answers and news out, one request at a time.
//!
//! Owns the socket and the client's queue. Ends when the client leaves, when a drill cuts it off, or
//! when the client reads too slowly.

use super::clio;
use super::dispatch::{self, Client, Transport};
use super::limits::{self, Load};
use super::shared::Shared;
use super::streams::{Outgoing, QUEUE_MAX, Subscriber, too_slow};
use crate::clock;
use crate::condition::{Condition, Leave};
use crate::faults::{Latency, Loss};
use crate::random::Random;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{self, CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Who a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Admin,
    User,
}

/// Frames larger than this end the connection; a request is refused long before.
const FRAME_LEN_MAX: usize = 4 << 20;
/// A silent client is pinged after this long.
const PING_AFTER: Duration = Duration::from_secs(30);
/// Bytes that are gathered before they go to the socket.
const WRITE_BUFFER_LEN: usize = 64 << 10;
/// How long a client may take to hear that the server leaves.
const GOODBYE: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TcpStream>;

/// That all of a server's connections are to end, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    times: u64,
    leave: Leave,
}

impl Cut {
    /// No connection was ever cut.
    pub(crate) const NONE: Self = Self {
        times: 0,
        leave: Leave::Abrupt,
    };

    /// Cuts all of a server's connections.
    pub(crate) fn now(cuts: &watch::Sender<Self>, leave: Leave) {
        cuts.send_modify(|cut| {
            *cut = Self {
                times: cut.times + 1,
                leave,
            };
        });
    }
}

/// Waits until the server's connections are cut.
pub(crate) async fn until_cut(mut cuts: watch::Receiver<Cut>) -> Leave {
    if cuts.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    let cut = *cuts.borrow();
    cut.leave
}

/// Serves a client that has upgraded, and has perhaps sent its first frame already.
pub(crate) async fn serve(
    stream: TcpStream,
    early: Vec<u8>,
    peer: SocketAddr,
    shared: Arc<Shared>,
    server: usize,
    role: Role,
    random: Random,
) {
    let thaws = shared.thaws[server].subscribe();
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_LEN_MAX))
        .max_frame_size(Some(FRAME_LEN_MAX))
        .write_buffer_size(WRITE_BUFFER_LEN);
    let socket =
        WebSocketStream::from_partially_read(stream, early, protocol::Role::Server, Some(config))
            .await;
    let (mut sink, source) = socket.split();
    let (out, queue) = mpsc::channel(QUEUE_MAX);
    let id = shared.next_client();
    let cut_off = shared.cuts[server].subscribe();
    shared
        .subscribers(server)
        .clients
        .insert(id, Subscriber::new(out.clone()));
    let client = Client {
        id,
        server,
        role,
        transport: Transport::WebSocket,
        peer,
    };
    let leave = tokio::select! {
        () = read(source, &shared, &client, random, out, thaws) => Leave::Abrupt,
        () = write(&mut sink, queue, &shared, server) => Leave::Abrupt,
        leave = until_cut(cut_off) => {
            shared.until_shut(server).await;
            leave
        }
    };
    shared.subscribers(server).clients.remove(&id);
    shared.note_wanted(server);
    if leave == Leave::Goodbye {
        let goodbye = sink.send(Message::Close(None));
        let _gone_or_deaf = tokio::time::timeout(GOODBYE, goodbye).await;
    }
}

/// Waits while the server is frozen. Looks again whenever the server's faults change.
pub(crate) async fn until_thawed(shared: &Shared, server: usize, thaws: &mut watch::Receiver<u64>) {
    loop {
        thaws.mark_unchanged();
        let freeze = shared.net().servers[server].faults.freeze;
        let Some(freeze) = freeze else { return };
        let left_us = match freeze.until_us {
            Some(until_us) => until_us.saturating_sub(clock::unix_us()),
            None => u64::MAX,
        };
        if left_us == 0 {
            return;
        }
        tokio::select! {
            changed = thaws.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(Duration::from_micros(left_us)) => {}
        }
    }
}

/// Answers requests, one after the other.
async fn read(
    mut source: SplitStream<Socket>,
    shared: &Arc<Shared>,
    client: &Client,
    mut random: Random,
    out: mpsc::Sender<Outgoing>,
    mut thaws: watch::Receiver<u64>,
) {
    loop {
        let frame = tokio::select! {
            frame = source.next() => frame,
            changed = thaws.changed() => {
                if changed.is_err() {
                    return;
                }
                until_thawed(shared, client.server, &mut thaws).await;
                continue;
            }
        };
        let Some(frame) = frame else { return };
        if thaws.has_changed().unwrap_or_default() {
            until_thawed(shared, client.server, &mut thaws).await;
        }
        let text = match frame {
            Ok(Message::Text(text)) => text,
            // A server reads a request, whichever kind of frame it comes in.
            Ok(Message::Binary(bytes)) => String::from_utf8_lossy(&bytes).into_owned().into(),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
            // The next look at the socket sends the goodbye back, and ends: a client that never hears it
            // takes the connection for lost, and comes again.
            Ok(Message::Close(_)) => continue,
            Err(error) => {
                tracing::debug!(%error, peer = %client.peer, "the connection broke");
                return;
            }
        };
        let Some(answer) = answer(shared, client, &mut random, &text).await else {
            continue;
        };
        let is_last = matches!(answer, Outgoing::Close(_));
        if out.send(answer).await.is_err() {
            return;
        }
        if is_last {
            // The frame that ends the connection is on its way; whoever writes it ends all of this.
            std::future::pending::<()>().await;
        }
        super::history::tell_past(shared, client, &out).await;
        let is_known = shared
            .subscribers(client.server)
            .clients
            .contains_key(&client.id);
        if !is_known {
            // The publisher gave this client up; there is no more room than for the goodbye.
            let _full = out.try_send(Outgoing::Close(too_slow()));
            return;
        }
    }
}

/// The answer to a frame, unless a drill loses the one or the other.
async fn answer(
    shared: &Arc<Shared>,
    client: &Client,
    random: &mut Random,
    text: &str,
) -> Option<Outgoing> {
    let exchange = Exchange::of(shared, client.server);
    exchange.delay(random).await;
    if client.role == Role::User && shared.is_over_limit(client) {
        return Some(Outgoing::Close(over_limit()));
    }
    let request = match super::frame::read(text) {
        Ok(request) => request,
        Err(refusal) => {
            if client.role == Role::User {
                shared.charge(client, limits::MALFORMED);
            }
            return Some(Outgoing::Text(refusal.into()));
        }
    };
    if exchange.loses_request(random, &request.command) {
        return None;
    }
    let marks = clio::marks(&exchange.condition, &request);
    let outcome = dispatch::call(shared, client, &request);
    let load = match client.role {
        Role::User => shared.charge(client, limits::cost(&request.command, &outcome)),
        Role::Admin => Load::Fine,
    };
    let answer = match outcome {
        Ok(result) => super::frame::success(result, &request.params, load, marks),
        Err(error) => super::frame::failure(&error, &request.params, marks),
    };
    (!exchange.loses_answer(random, &request.command)).then(|| Outgoing::Text(answer.into()))
}

/// The close frame for a client that asks for too much.
fn over_limit() -> CloseFrame {
    CloseFrame {
        code: CloseCode::Policy,
        reason: Utf8Bytes::from_static("threshold exceeded"),
    }
}

/// What a drill does to one request and its answer on their way.
pub(crate) struct Exchange {
    latency: Option<Latency>,
    requests: Option<Loss>,
    answers: Option<Loss>,
    /// How the server stands when the request reaches it.
    pub(crate) condition: Condition,
}

impl Exchange {
    /// What happens to a request that reaches the server now.
    pub(crate) fn of(shared: &Shared, server: usize) -> Self {
        let net = shared.net();
        let faults = &net.servers[server].faults;
        Self {
            latency: faults.latency,
            requests: faults.drop_requests.clone(),
            answers: faults.drop_responses.clone(),
            condition: faults.condition.clone(),
        }
    }

    /// Waits as long as the request is on its way.
    pub(crate) async fn delay(&self, random: &mut Random) {
        let Some(latency) = self.latency else { return };
        let jitter = match latency.jitter_ms {
            0 => 0,
            most => random.next() % most.saturating_add(1),
        };
        tokio::time::sleep(Duration::from_millis(latency.ms.saturating_add(jitter))).await;
    }

    /// Whether the request never arrives.
    pub(crate) fn loses_request(&self, random: &mut Random, command: &str) -> bool {
        is_lost(random, self.requests.as_ref(), command)
    }

    /// Whether the answer never arrives.
    pub(crate) fn loses_answer(&self, random: &mut Random, command: &str) -> bool {
        is_lost(random, self.answers.as_ref(), command)
    }
}

/// Whether this one is lost. The drill's own commands never are: a drill must be able to end.
fn is_lost(random: &mut Random, loss: Option<&Loss>, command: &str) -> bool {
    let Some(loss) = loss else { return false };
    let concerns = loss.command.as_deref().is_none_or(|only| only == command);
    concerns && !command.starts_with("sandbox_") && random.happens(loss.per_mille)
}

/// Sends what is queued; flushes when the queue is empty; pings a silent client.
async fn write(
    sink: &mut SplitSink<Socket, Message>,
    mut queue: mpsc::Receiver<Outgoing>,
    shared: &Shared,
    server: usize,
) {
    loop {
        let first = match tokio::time::timeout(PING_AFTER, queue.recv()).await {
            Ok(Some(first)) => first,
            Ok(None) => return,
            Err(_) => {
                if sink.send(Message::Ping(Vec::new().into())).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let mut next = Some(first);
        while let Some(outgoing) = next {
            let result = match outgoing {
                Outgoing::Text(text) => {
                    let fed = sink.feed(Message::Text(text));
                    tokio::time::timeout(shared.patience(server), fed).await
                }
                Outgoing::Close(frame) => {
                    let _gone = sink.send(Message::Close(Some(frame))).await;
                    return;
                }
            };
            // A socket that takes nothing for so long is cut off in the middle of a frame.
            if !matches!(result, Ok(Ok(()))) {
                return;
            }
            next = queue.try_recv().ok();
        }
        let flushed = tokio::time::timeout(shared.patience(server), sink.flush()).await;
        if !matches!(flushed, Ok(Ok(()))) {
            return;
        }
    }
}
