//! The listener: connections taken, served, and let go in order.
//!
//! One task owns a listener and all of its connections. On cancellation it takes no new ones, tells
//! the open ones to end after the request they are serving, and waits for them; whoever drains the
//! daemon bounds that wait. Bounded: [`CONNECTIONS_MAX`] at once; a client that does not send its
//! request's head in [`HEAD_TIMEOUT`] is let go.

use super::auth::Peer;
use super::router::{metrics_router, router};
use super::state::AppState;
use crate::supervise::Supervisor;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The most connections at once: each costs some kilobytes and a descriptor.
const CONNECTIONS_MAX: usize = 4096;
/// How long the head of a request may take, and how long a connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a stream may take to end by itself when the listener is cancelled: one whose reader does
/// not read cannot, and must not hold up a shutdown. The reader comes back with its place.
const STREAM_END: Duration = Duration::from_secs(2);
/// How long to wait when no connection can be taken, for want of descriptors above all.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
pub fn serve(http: TcpListener, metrics: TcpListener, state: AppState, supervisor: &Supervisor) {
    let families = Arc::clone(&state.metrics);
    for (name, listener, router) in [
        ("http", http, router(state)),
        ("metrics", metrics, metrics_router(families)),
    ] {
        let cancelled = supervisor.token();
        supervisor.spawn_must_finish(name, listen(listener, router, cancelled));
    }
}

/// Serves `router` on `listener` until `cancelled`, and then until the open requests are answered.
async fn listen(listener: TcpListener, router: Router, cancelled: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = cancelled.cancelled() => break,
            accepted = async {
                let place = Arc::clone(&room).acquire_owned().await;
                (place, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (Ok(place), Ok((stream, peer))) => {
                let work = connection(stream, peer, router.clone(), cancelled.clone());
                connections.spawn(async move {
                    work.await;
                    drop(place);
                });
            }
            (_, Err(error)) => {
                tracing::warn!(error = %error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            (Err(_), Ok(_)) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    cancelled: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "a connection refused TCP_NODELAY");
    }
    let carrier = Connection::default();
    let streams = Arc::clone(&carrier.streams);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        carrier.begins_anew();
        request.extensions_mut().insert(carrier.clone());
        router.clone().oneshot(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = cancelled.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                ended = serving.as_mut() => ended,
                () = stays_a_stream(&streams) => return,
            }
        }
    };
    if let Err(error) = ended {
        // Clients go away in the middle of things all the time.
        tracing::trace!(error = %error, "a connection broke off");
    }
}

/// Waits until a stream has had its time to end; for ever where there is none.
async fn stays_a_stream(streams: &AtomicBool) {
    tokio::time::sleep(STREAM_END).await;
    if !streams.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}
