//! One client's connection: its frames in, its answers and news out, one request at a time.
//!
//! Owns the socket and the client's queue. Ends when the client leaves, when a drill cuts it off, or
//! when the client reads too slowly.

use super::dispatch::{self, Client};
use super::shared::Shared;
use super::streams::{Outgoing, QUEUE_MAX, Subscriber, too_slow};
use crate::clock;
use crate::faults::Loss;
use crate::random::Random;
use crate::tasks::Tasks;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

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

type Socket = WebSocketStream<TcpStream>;

/// Accepts connections until the network stops.
pub(crate) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    server: usize,
    role: Role,
    tasks: Weak<Tasks>,
) {
    let mut accepted = 0_u64;
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some(tasks) = tasks.upgrade() else { return };
        if shared.net().servers[server].faults.refuse {
            drop(stream);
            continue;
        }
        accepted += 1;
        let random = shared.connection_random(server, role, accepted);
        tasks.start(serve(
            stream,
            peer,
            Arc::clone(&shared),
            server,
            role,
            random,
        ));
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    server: usize,
    role: Role,
    random: Random,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "the socket keeps its delay");
    }
    let mut thaws = shared.thaws[server].subscribe();
    until_thawed(&shared, server, &mut thaws).await;
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_LEN_MAX))
        .max_frame_size(Some(FRAME_LEN_MAX))
        .write_buffer_size(WRITE_BUFFER_LEN);
    let handshake = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await;
    let socket = match handshake {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(%error, %peer, "the handshake failed");
            return;
        }
    };
    let (sink, source) = socket.split();
    let (out, queue) = mpsc::channel(QUEUE_MAX);
    let id = shared.next_client();
    shared
        .subscribers(server)
        .clients
        .insert(id, Subscriber::new(out.clone()));
    let client = Client {
        id,
        server,
        role,
        peer,
    };
    let cut_off = shared.disconnects[server].subscribe();
    tokio::select! {
        () = read(source, &shared, &client, random, out, thaws) => {}
        () = write(sink, queue) => {}
        () = until_changed(cut_off) => {}
    }
    shared.subscribers(server).clients.remove(&id);
    shared.note_proposed_wanted(server);
}

async fn until_changed(mut cut_off: watch::Receiver<u64>) {
    if cut_off.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits while the server is frozen. Looks again whenever the server's faults change.
async fn until_thawed(shared: &Shared, server: usize, thaws: &mut watch::Receiver<u64>) {
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
            Ok(Message::Binary(_)) => continue,
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
        if out.send(Outgoing::Text(answer.into())).await.is_err() {
            return;
        }
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
) -> Option<String> {
    let (latency, requests, responses) = {
        let net = shared.net();
        let faults = &net.servers[client.server].faults;
        (
            faults.latency,
            faults.drop_requests.clone(),
            faults.drop_responses.clone(),
        )
    };
    if let Some(latency) = latency {
        let jitter = match latency.jitter_ms {
            0 => 0,
            most => random.next() % most.saturating_add(1),
        };
        tokio::time::sleep(Duration::from_millis(latency.ms.saturating_add(jitter))).await;
    }
    let parsed = super::frame::read(text);
    let command = parsed
        .as_ref()
        .map_or("", |request| request.command.as_str())
        .to_owned();
    if is_lost(random, requests.as_ref(), &command) {
        return None;
    }
    let answer = match parsed {
        Ok(request) => dispatch::answer(shared, client, &request),
        Err(refusal) => refusal,
    };
    (!is_lost(random, responses.as_ref(), &command)).then_some(answer)
}

/// Whether this one is lost. The drill's own commands never are: a drill must be able to end.
fn is_lost(random: &mut Random, loss: Option<&Loss>, command: &str) -> bool {
    let Some(loss) = loss else { return false };
    let concerns = loss.command.as_deref().is_none_or(|only| only == command);
    concerns && !command.starts_with("sandbox_") && random.happens(loss.per_mille)
}

/// Sends what is queued; flushes when the queue is empty; pings a silent client.
async fn write(mut sink: SplitSink<Socket, Message>, mut queue: mpsc::Receiver<Outgoing>) {
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
                Outgoing::Text(text) => sink.feed(Message::Text(text)).await,
                Outgoing::Close(frame) => {
                    let _gone = sink.send(Message::Close(Some(frame))).await;
                    return;
                }
            };
            if result.is_err() {
                return;
            }
            next = queue.try_recv().ok();
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}
