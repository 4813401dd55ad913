//! A connection's bytes, cut into requests before the server sees them.
//!
//! Stands between the socket and the HTTP server. It hands on one whole head at a time, and of what
//! follows just the body that the head announced, so that no byte is taken for the beginning of a
//! request that a stricter or laxer reader would take for something else. After a chunked body, whose
//! end only the server knows, the connection carries no further request. A head that is not fit to be
//! one is replaced by an empty request, and [`Carrier::next`] tells why: so what is wrong below HTTP is
//! answered by the same code, with the same headers, in the same order, as everything else.
//!
//! Owns the clocks of a connection: until its first request, of a head that has begun, between
//! requests, and of a reader who does not take its answer. They rest while a request is under way.

use super::edges::WRITE_STALL_MAX;
use super::head::{self, Bounds, Framing, Read, Unfit};
use futures_util::task::AtomicWaker;
use std::collections::VecDeque;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How much is read at once while a head is gathered.
const GULP: usize = 4 * 1024;
/// What the server is given in the place of a head that is not fit.
const PLACEHOLDER: &[u8] = b"GET / HTTP/1.1\r\nhost: unfit\r\nconnection: close\r\n\r\n";
/// What is still taken of a client that is cut off in the middle of its sending, and for how long: an
/// answer reaches only who is not reset under it.
const LINGER_BYTES_MAX: usize = 256 * 1024;
const LINGER: Duration = Duration::from_secs(1);
/// How long a reader may take nothing of an answer once the connection is to end.
const LAST_STALL_MAX: Duration = Duration::from_secs(5);

/// What the connection's owner and its requests know of it.
#[derive(Debug)]
pub struct Carrier {
    inner: Mutex<Inner>,
    leaving: AtomicBool,
    /// Whether a part of an answer waits for its reader.
    stalls: AtomicBool,
    waker: AtomicWaker,
}

#[derive(Debug)]
struct Inner {
    /// For each head that was handed on and not asked about: why it is not fit, and whether it is the
    /// connection's last.
    heads: VecDeque<Arrival>,
    /// How many requests are handed on and not answered to their end.
    under_way: usize,
    /// Since when nothing is under way.
    idle_since: Instant,
    /// Whether any request was answered.
    served: bool,
}

/// A head as it was handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Why it is no request.
    pub unfit: Option<Unfit>,
    /// Whether no other may come after it.
    pub last: bool,
}

impl Carrier {
    /// Of a connection that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                heads: VecDeque::new(),
                under_way: 0,
                idle_since: Instant::now(),
                served: false,
            }),
            leaving: AtomicBool::new(false),
            stalls: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn arrived(&self, arrival: Arrival) {
        self.with(|inner| {
            inner.heads.push_back(arrival);
            inner.under_way = inner.under_way.saturating_add(1);
        });
    }

    /// What is known of the request that the server begins with now.
    pub fn next(&self) -> Arrival {
        let next = self.with(|inner| inner.heads.pop_front());
        // The server made no request of its own: without one of ours it is not believed.
        next.unwrap_or(Arrival {
            unfit: Some(Unfit::Malformed("it cannot be told from what came before")),
            last: true,
        })
    }

    /// A request was answered to its end, or nobody waits for the rest.
    pub fn answered(&self) {
        let is_idle = self.with(|inner| {
            inner.under_way = inner.under_way.saturating_sub(1);
            inner.served = true;
            if inner.under_way == 0 {
                inner.idle_since = Instant::now();
            }
            inner.under_way == 0
        });
        if is_idle {
            // The clock of what came meanwhile begins.
            self.waker.wake();
        }
    }

    /// Since when the connection has waited for a request; nothing while one is under way, an answer is
    /// not all sent, or it leaves already.
    #[must_use]
    pub fn waits_since(&self) -> Option<Instant> {
        if self.is_leaving() || self.stalls.load(Ordering::Relaxed) {
            return None;
        }
        self.with(|inner| (inner.under_way == 0).then_some(inner.idle_since))
    }

    /// Ends the connection as soon as nothing is under way.
    pub fn let_go(&self) {
        self.leaving.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }
}

impl Default for Carrier {
    fn default() -> Self {
        Self::new()
    }
}

/// The times of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// For a head.
    pub head: Duration,
    /// Between requests.
    pub idle: Duration,
}

/// Where in a request the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A head is gathered.
    Head,
    /// So much of a body is still to come.
    Body(u64),
    /// Everything that comes is the body's, and no request comes after it.
    Rest,
    /// What came is refused: nothing more is read, and the answer is on its way.
    Refused,
    /// The connection is at its end.
    Over,
}

/// The socket, read a request at a time.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    carrier: Arc<Carrier>,
    bounds: Bounds,
    times: Times,
    phase: Phase,
    /// What was read and not handed on.
    held: Vec<u8>,
    /// How much of it may be handed on.
    ready: usize,
    /// When the first byte of the head came.
    head_since: Option<Instant>,
    clock: Pin<Box<Sleep>>,
    stall: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// Reads `stream` for the requests that `carrier` is told of.
    #[must_use]
    pub fn new(stream: TcpStream, carrier: Arc<Carrier>, bounds: Bounds, times: Times) -> Self {
        Self {
            stream,
            carrier,
            bounds,
            times,
            phase: Phase::Head,
            held: Vec::new(),
            ready: 0,
            head_since: None,
            clock: Box::pin(sleep_until(Instant::now() + times.head)),
            stall: None,
        }
    }

    /// Says that nothing more comes, and hears out for a moment who is still sending.
    pub async fn close(mut self) {
        let is_read = matches!(self.phase, Phase::Head | Phase::Over) && self.held.is_empty();
        let is_heard_out = is_read || self.carrier.is_leaving();
        if self.stream.shutdown().await.is_err() || is_heard_out {
            return;
        }
        let rest = async {
            let (mut taken, mut sink) = (0_usize, [0_u8; GULP]);
            while taken < LINGER_BYTES_MAX {
                match self.stream.read(&mut sink).await {
                    Ok(0) | Err(_) => return,
                    Ok(read) => taken = taken.saturating_add(read),
                }
            }
        };
        // Whoever has not ended by then is cut off.
        let _ = tokio::time::timeout(LINGER, rest).await;
    }

    /// Hands a placeholder on, and says why.
    fn refuse(&mut self, unfit: Unfit) {
        self.held = PLACEHOLDER.to_vec();
        self.ready = PLACEHOLDER.len();
        self.phase = Phase::Refused;
        self.carrier.arrived(Arrival {
            unfit: Some(unfit),
            last: true,
        });
    }

    /// Looks at what is held for a head, and says whether there is something to hand on.
    fn examine(&mut self) -> bool {
        // Empty lines before a request are passed over, as every server does.
        let empty = self.held.chunks(2).take_while(|two| two == b"\r\n").count() * 2;
        self.held.drain(..empty);
        match head::read(&self.held, self.bounds) {
            Read::Partial => false,
            Read::Unfit(unfit) => {
                self.refuse(unfit);
                true
            }
            Read::Whole { bytes, body } => {
                self.ready = bytes;
                self.head_since = None;
                self.phase = match body {
                    Framing::Length(0) => Phase::Head,
                    Framing::Length(length) => Phase::Body(length),
                    Framing::Chunked => Phase::Rest,
                };
                self.carrier.arrived(Arrival {
                    unfit: None,
                    last: body == Framing::Chunked,
                });
                true
            }
        }
    }

    /// Hands on what is ready.
    fn hand_on(&mut self, out: &mut ReadBuf<'_>) {
        let count = self.ready.min(out.remaining());
        out.put_slice(&self.held[..count]);
        self.held.drain(..count);
        self.ready -= count;
    }

    /// Whether the time is up, or the connection's place is wanted: then it ends here, with a word where
    /// somebody is in the middle of a head.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (waits, served) = self.carrier.with(|inner| {
            let waits = (inner.under_way == 0).then_some(inner.idle_since);
            (waits, inner.served)
        });
        self.carrier.waker.register(cx.waker());
        let Some(idle_since) = waits else {
            return Poll::Pending;
        };
        if self.stall.is_some() {
            // The end of the last answer is still on its way, and has a clock of its own.
            return Poll::Pending;
        }
        let deadline = match self.head_since {
            // What came while the last answer was under way counts from that answer's end.
            Some(since) => since.max(idle_since) + self.times.head,
            None if served => idle_since + self.times.idle,
            None => idle_since + self.times.head,
        };
        if self.carrier.is_leaving() {
            self.end(Unfit::GivenUp);
            return Poll::Ready(());
        }
        if self.clock.deadline() != deadline {
            self.clock.as_mut().reset(deadline);
        }
        ready!(self.clock.as_mut().poll(cx));
        self.end(Unfit::TooSlow);
        Poll::Ready(())
    }

    fn end(&mut self, unfit: Unfit) {
        if self.held.is_empty() {
            self.phase = Phase::Over;
        } else {
            self.refuse(unfit);
        }
    }

    /// So much of a body was handed on.
    fn taken(&mut self, bytes: usize) {
        if let Phase::Body(left) = self.phase {
            let left = left.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
            self.phase = match left {
                0 => Phase::Head,
                left => Phase::Body(left),
            };
        }
    }

    /// Notes that something was sent.
    fn moves(&mut self, cx: &Context<'_>) {
        if self.stall.take().is_some() {
            self.carrier.stalls.store(false, Ordering::Relaxed);
            // Whether the connection waits for a request now is looked at again.
            cx.waker().wake_by_ref();
        }
    }

    /// Gives a reader up who has taken nothing for [`WRITE_STALL_MAX`], or for [`LAST_STALL_MAX`] where
    /// the connection is to end.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.carrier.stalls.store(true, Ordering::Relaxed);
        self.carrier.waker.register(cx.waker());
        let stall = self
            .stall
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + WRITE_STALL_MAX)));
        let at_last = Instant::now() + LAST_STALL_MAX;
        if self.carrier.is_leaving() && stall.deadline() > at_last {
            stall.as_mut().reset(at_last);
        }
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        loop {
            if wire.ready > 0 {
                wire.hand_on(out);
                return Poll::Ready(Ok(()));
            }
            match wire.phase {
                Phase::Over => return Poll::Ready(Ok(())),
                // An end would be taken for a client who left, and the answer be dropped.
                Phase::Refused => return Poll::Pending,
                Phase::Rest | Phase::Body(_) if !wire.held.is_empty() => {
                    wire.ready = match wire.phase {
                        Phase::Body(left) => {
                            let held = u64::try_from(wire.held.len()).unwrap_or(u64::MAX);
                            usize::try_from(left.min(held)).unwrap_or(usize::MAX)
                        }
                        _ => wire.held.len(),
                    };
                    wire.taken(wire.ready);
                }
                Phase::Rest => return Pin::new(&mut wire.stream).poll_read(cx, out),
                Phase::Body(left) => {
                    let mut gulp = [0_u8; GULP];
                    let most = usize::try_from(left).unwrap_or(usize::MAX);
                    let mut buffer = ReadBuf::new(&mut gulp[..most.min(GULP).min(out.remaining())]);
                    ready!(Pin::new(&mut wire.stream).poll_read(cx, &mut buffer))?;
                    out.put_slice(buffer.filled());
                    wire.taken(buffer.filled().len());
                    return Poll::Ready(Ok(()));
                }
                Phase::Head => {
                    if !wire.held.is_empty() && wire.examine() {
                        continue;
                    }
                    if !wire.held.is_empty() {
                        wire.head_since.get_or_insert_with(Instant::now);
                    }
                    let mut gulp = [0_u8; GULP];
                    let mut buffer = ReadBuf::new(&mut gulp);
                    match Pin::new(&mut wire.stream).poll_read(cx, &mut buffer)? {
                        Poll::Ready(()) if buffer.filled().is_empty() => wire.phase = Phase::Over,
                        Poll::Ready(()) => wire.held.extend_from_slice(buffer.filled()),
                        Poll::Pending => ready!(wire.poll_end(cx)),
                    }
                }
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        match Pin::new(&mut wire.stream).poll_write(cx, bytes) {
            Poll::Ready(written) => {
                wire.moves(cx);
                Poll::Ready(written)
            }
            Poll::Pending => wire.poll_stall(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        match Pin::new(&mut wire.stream).poll_write_vectored(cx, slices) {
            Poll::Ready(written) => {
                wire.moves(cx);
                Poll::Ready(written)
            }
            Poll::Pending => wire.poll_stall(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
