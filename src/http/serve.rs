//! The listener: connections taken, served, and let go in order.
//!
//! One task owns a listener and all of its connections. On cancellation it takes no new ones, tells
//! the open ones to end after the request they are serving, and waits for them; whoever drains the
//! daemon bounds that wait. Every bound is one of [`Edges`]: so many connections, so many from one
//! address, so long and so large a head, so long without a request. What is wrong below HTTP goes the
//! way of every request, as one that is refused before it is looked at.

use super::auth::Peer;
use super::edges::Edges;
use super::head::Bounds;
use super::room::Room;
use super::router::{App, metrics_router, routes};
use super::state::{AppState, Live, Rules};
use super::usage;
use super::wire::{Carrier, Times, Wire};
use crate::cidr;
use crate::supervise::Supervisor;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, Response, header};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How many connections the metrics are served on: a handful of scrapers.
const METRICS_CONNECTIONS_MAX: usize = 64;
/// The server's own buffer: its least, for a head that is longer is bounded before it.
const BUFFER_BYTES_MIN: usize = 8 * 1024;
/// How long a stream may take to end by itself when the listener is cancelled: one whose reader does
/// not read cannot, and must not hold up a shutdown. The reader comes back with its place.
const STREAM_END: Duration = Duration::from_secs(2);
/// How long to wait when no connection can be taken, for want of descriptors above all.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What one too many of an address is told, where it still can be.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// The connection that a request came by.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// Whether its newest answer is one without an end.
    streams: Arc<AtomicBool>,
}

impl Connection {
    /// Notes that what is answered now has no end, so that nobody waits for one. That holds until the
    /// connection's next request: a stream that is over may still wait for its reader to read.
    pub fn streams(&self) {
        self.streams.store(true, Ordering::Relaxed);
    }

    fn begins_anew(&self) {
        self.streams.store(false, Ordering::Relaxed);
    }
}

/// Serves the API and the metrics until the supervisor is cancelled, and then until the open requests
/// are answered.
pub async fn serve(
    http: TcpListener,
    metrics: TcpListener,
    state: AppState,
    supervisor: &Supervisor,
) {
    let families = Arc::clone(&state.metrics);
    let edges = state.settings.edges.clone();
    let rules = state.rules.clone();
    let live = Arc::clone(&state.live);
    let of_metrics = Edges {
        connections_max: METRICS_CONNECTIONS_MAX,
        connections_per_address: METRICS_CONNECTIONS_MAX,
        ..edges.clone()
    };
    let app = App::new(state);
    usage::begin(&app).await;
    let counts = usage::keep(Arc::clone(&app), supervisor.token());
    supervisor.spawn_must_finish("key-counts", counts);
    for (name, listener, router, edges) in [
        ("http", http, routes(app), edges),
        ("metrics", metrics, metrics_router(families), of_metrics),
    ] {
        let cancelled = supervisor.token();
        let house = House {
            router,
            edges: Arc::new(edges),
            live: Arc::clone(&live),
        };
        let work = listen(listener, house, rules.clone(), cancelled);
        supervisor.spawn_must_finish(name, work);
    }
}

/// What every connection of a listener shares.
#[derive(Clone)]
struct House {
    router: Router,
    edges: Arc<Edges>,
    live: Arc<dyn Live>,
}

/// Serves a house on `listener` until `cancelled`, and then until the open requests are answered.
async fn listen(
    listener: TcpListener,
    house: House,
    rules: watch::Receiver<Arc<Rules>>,
    cancelled: CancellationToken,
) {
    let edges = Arc::clone(&house.edges);
    let room = Room::new(edges.connections_max);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = cancelled.cancelled() => break,
            // A place is looked for once somebody wants it, so that nobody makes way for nobody.
            accepted = async { (listener.accept().await, room.permit().await) } => accepted,
        };
        match accepted {
            (Ok((stream, peer)), Some(permit)) => {
                let carrier = Arc::new(Carrier::new());
                // Behind a proxy are many: it has as many places as there are.
                let is_proxy = cidr::holds(&rules.borrow().access.trusted_proxies, peer.ip());
                let share = (!is_proxy).then_some(edges.connections_per_address);
                let Some(place) = room.seat(permit, peer.ip(), share, &carrier) else {
                    // Whether it is taken or not: who floods is not waited for.
                    let _ = stream.try_write(TOO_MANY);
                    continue;
                };
                let work = Line {
                    house: house.clone(),
                    carrier,
                    peer,
                }
                .serve(stream, cancelled.clone());
                connections.spawn(async move {
                    work.await;
                    drop(place);
                });
            }
            (Err(error), _) => {
                tracing::warn!(error = %error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            (Ok(_), None) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One connection.
struct Line {
    house: House,
    carrier: Arc<Carrier>,
    peer: SocketAddr,
}

impl Line {
    async fn serve(self, stream: TcpStream, cancelled: CancellationToken) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection refused TCP_NODELAY");
        }
        let edges = &self.house.edges;
        let bounds = Bounds {
            bytes_max: edges.head_bytes_max,
            fields_max: edges.fields_max,
        };
        let times = Times {
            head: edges.head_timeout,
            idle: edges.idle_timeout,
        };
        let carrier = Arc::clone(&self.carrier);
        let wire = Wire::new(stream, Arc::clone(&carrier), bounds, times);
        let connection = Connection::default();
        let streams = Arc::clone(&connection.streams);
        let service = service_fn(move |request| self.answer(&connection, request));
        let mut serving = http1::Builder::new()
            // The wire keeps the time.
            .header_read_timeout(None)
            .max_headers(bounds.fields_max)
            .max_buf_size(bounds.bytes_max.saturating_mul(2).max(BUFFER_BYTES_MIN))
            .serve_connection(TokioIo::new(wire), service);
        let ended = tokio::select! {
            ended = std::future::poll_fn(|cx| serving.poll_without_shutdown(cx)) => ended,
            () = cancelled.cancelled() => {
                Pin::new(&mut serving).graceful_shutdown();
                carrier.let_go();
                tokio::select! {
                    ended = std::future::poll_fn(|cx| serving.poll_without_shutdown(cx)) => ended,
                    () = stays_a_stream(&streams) => return,
                }
            }
        };
        if let Err(error) = ended {
            // Clients go away in the middle of things all the time.
            tracing::trace!(error = %error, "a connection broke off");
        }
        serving.into_parts().io.into_inner().close().await;
    }

    fn answer(
        &self,
        connection: &Connection,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Result<Response<Told>, Infallible>> {
        let arrival = self.carrier.next();
        let carrier = Arc::clone(&self.carrier);
        let mut request = request.map(Body::new);
        if let Some(unfit) = arrival.unfit {
            request.extensions_mut().insert(unfit.problem());
        }
        request.extensions_mut().insert(Peer(self.peer));
        connection.begins_anew();
        request.extensions_mut().insert(connection.clone());
        let answer = self.house.router.clone().oneshot(request);
        let live = Arc::clone(&self.house.live);
        let work = async move {
            let mut response = answer.await?;
            // Who is told to come again by another connection finds another daemon behind the balancer.
            if arrival.last || live.is_leaving() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response.map(|body| Told { body, carrier }))
        };
        work.boxed()
    }
}

/// An answer's body, whose end the connection is told of.
struct Told {
    body: Body,
    carrier: Arc<Carrier>,
}

impl HttpBody for Told {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.carrier.answered();
    }
}

/// Waits until a stream has had its time to end; for ever where there is none.
async fn stays_a_stream(streams: &AtomicBool) {
    tokio::time::sleep(STREAM_END).await;
    if !streams.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}
