//! One try: a connection to a vetted address, one request, and as much of the answer as matters.
//!
//! Every try has a connection of its own, because what is vetted is an address and not a name. No
//! redirect is followed and no proxy of the surroundings is used. Bounded in everything: the whole
//! try in time, the answer's head and body in bytes.
//!
//! On failure the outcome says at what: whether a receiver has taken an event is decided by the
//! status alone, and a try that broke off counts as not taken.

use super::guard::{Blocked, Policy, Resolver, Target};
use super::schedule;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use xrpayd_core::ids::UnixMs;

/// The most of an answer's body that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The most of an answer's body that is kept, for a person to look at.
const EXCERPT_BYTES_MAX: usize = 1_024;
/// How long the body of an answer is waited for once its head has decided everything.
const BODY_PATIENCE: Duration = Duration::from_secs(2);
/// The longest head of an answer.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How many of a name's addresses are tried before the try fails.
const ADDRESSES_MAX: usize = 3;
/// The part of a try's time that one address may take to connect: three of them leave time for the rest.
const CONNECT_SHARE: u32 = 4;
/// What a receiver sees who asks.
const USER_AGENT: &str = concat!("xrpayd/", env!("CARGO_PKG_VERSION"));

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it means.
    pub outcome: Outcome,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// What was wrong, in a sentence, where something was.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub excerpt: String,
    /// How long the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// What a try means; also the label of `webhook_deliveries_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has taken the event: a status of 2xx.
    Delivered,
    /// The receiver is no more: 410.
    Gone,
    /// The receiver asks to be left alone for a while: 429 or 503.
    Busy,
    /// The receiver sent us elsewhere, and we do not go.
    Redirected,
    /// Any other status.
    Refused,
    /// The URL leads to where nothing is sent.
    Blocked,
    /// No address of the receiver could be found or connected to.
    Unreachable,
    /// The receiver could not prove who it is.
    Tls,
    /// The answer was no answer.
    Broken,
    /// The time was up.
    TimedOut,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 10] = [
        Self::Delivered,
        Self::Gone,
        Self::Busy,
        Self::Redirected,
        Self::Refused,
        Self::Blocked,
        Self::Unreachable,
        Self::Tls,
        Self::Broken,
        Self::TimedOut,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Busy => "busy",
            Self::Redirected => "redirected",
            Self::Refused => "refused",
            Self::Blocked => "blocked",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Broken => "broken",
            Self::TimedOut => "timed_out",
        }
    }

    const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Delivered,
            300..=399 => Self::Redirected,
            410 => Self::Gone,
            429 | 503 => Self::Busy,
            _ => Self::Refused,
        }
    }
}

impl Answer {
    pub(super) fn failed(outcome: Outcome, error: impl std::fmt::Display) -> Self {
        Self {
            outcome,
            status: None,
            error: Some(error.to_string()),
            excerpt: String::new(),
            retry_after: None,
        }
    }
}

/// Posts.
#[derive(Clone)]
pub struct Poster {
    resolver: Arc<dyn Resolver>,
    policy: Policy,
    tls: Arc<ClientConfig>,
    timeout: Duration,
}

impl Poster {
    /// Posts to what `policy` lets through and `roots` vouch for, each time within `timeout`.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(
        resolver: Arc<dyn Resolver>,
        policy: Policy,
        roots: RootCertStore,
        timeout: Duration,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            resolver,
            policy,
            tls: Arc::new(tls),
            timeout,
        })
    }

    /// What URLs are taken.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// Looks where a URL leads to, as a try would.
    ///
    /// # Errors
    /// Nothing is connected to there.
    pub async fn look(&self, target: &Target) -> Result<(), Blocked> {
        let looked = target.vetted(self.resolver.as_ref(), self.policy);
        looked.await.map(|_| ())
    }

    /// Posts once. Never takes longer than the time-out.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Bytes, now: UnixMs) -> Answer {
        let deadline = Instant::now() + self.timeout;
        match self.attempt(url, headers, body, now, deadline).await {
            Ok(answer) => answer,
            Err(failed) => failed,
        }
    }

    async fn attempt(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
        now: UnixMs,
        deadline: Instant,
    ) -> Result<Answer, Answer> {
        let target = Target::read(url, self.policy)
            .map_err(|error| Answer::failed(Outcome::Blocked, format!("the URL {error}")))?;
        let request = request(&target, headers, body)
            .map_err(|error| Answer::failed(Outcome::Blocked, error))?;
        let stream = self.within(deadline, self.reach(&target)).await??;
        if !target.is_tls() {
            return self.exchange(stream, request, now, deadline).await;
        }
        let stream = self.secure(&target, stream, deadline).await?;
        self.exchange(stream, request, now, deadline).await
    }

    /// Connects as a try would, and says nothing there.
    ///
    /// # Errors
    /// What a try would have failed at.
    pub async fn knock(&self, url: &str) -> Result<(), Answer> {
        let deadline = Instant::now() + self.timeout;
        let target = Target::read(url, self.policy)
            .map_err(|error| Answer::failed(Outcome::Blocked, format!("the URL {error}")))?;
        let stream = self.within(deadline, self.reach(&target)).await??;
        if target.is_tls() {
            self.secure(&target, stream, deadline).await?;
        }
        Ok(())
    }

    /// Makes sure of the receiver, and speaks TLS with it.
    async fn secure(
        &self,
        target: &Target,
        stream: TcpStream,
        deadline: Instant,
    ) -> Result<TlsStream<TcpStream>, Answer> {
        let name =
            server_name(target.host()).map_err(|error| Answer::failed(Outcome::Tls, error))?;
        let shaking = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream);
        self.within(deadline, shaking)
            .await?
            .map_err(|error| Answer::failed(Outcome::Tls, format!("TLS: {error}")))
    }

    /// Resolves the name once and connects to what was vetted of the answer.
    async fn reach(&self, target: &Target) -> Result<TcpStream, Answer> {
        let vetted = target.vetted(self.resolver.as_ref(), self.policy).await;
        let addresses = vetted.map_err(|error| match error {
            Blocked::Refused(_) => Answer::failed(Outcome::Blocked, error),
            Blocked::Resolve(_) | Blocked::NoAddress => Answer::failed(Outcome::Unreachable, error),
        })?;
        let patience = self.timeout / CONNECT_SHARE;
        let connected = connect(&addresses, patience).await;
        connected.map_err(|error| Answer::failed(Outcome::Unreachable, error))
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send,
        request: Request<Full<Bytes>>,
        now: UnixMs,
        deadline: Instant,
    ) -> Result<Answer, Answer> {
        let broken = |error: hyper::Error| Answer::failed(Outcome::Broken, error);
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let asking = async {
            let asked = self.within(deadline, sender.send_request(request)).await?;
            Ok(read(asked.map_err(broken)?, now, deadline).await)
        };
        // The connection is driven by whoever waits for its answer, and ends with it.
        let mut asking = std::pin::pin!(asking);
        tokio::select! {
            biased;
            answer = asking.as_mut() => answer,
            _ended = connection => asking.await,
        }
    }

    async fn within<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Result<T, Answer> {
        let done = tokio::time::timeout_at(deadline, work).await;
        done.map_err(|_| {
            let error = format!("there was no answer within {:?}", self.timeout);
            Answer::failed(Outcome::TimedOut, error)
        })
    }
}

/// A JSON body with what every request bears, and with these headers.
fn request(
    target: &Target,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut request = Request::post(target.path())
        .header(header::HOST, target.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Full::new(body))?;
    request.headers_mut().extend(headers);
    Ok(request)
}

/// Connects to the first address that answers, each within `patience`: a host may have addresses that
/// nothing can be reached at from here, such as those of IPv6.
async fn connect(
    addresses: &[SocketAddr],
    patience: Duration,
) -> Result<TcpStream, std::io::Error> {
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match tokio::time::timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = std::io::Error::from(std::io::ErrorKind::TimedOut),
        }
    }
    Err(last)
}

fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(ServerName::IpAddress(address.into())),
        Err(_) => ServerName::try_from(host.to_owned())
            .map_err(|_| format!("`{host}` is no name that a certificate could bear")),
    }
}

/// Reads an answer: its status decides, and the beginning of its body is kept.
async fn read(response: Response<Incoming>, now: UnixMs, deadline: Instant) -> Answer {
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| schedule::retry_after(text, now));
    let mut kept = Vec::new();
    let patience = deadline.min(Instant::now() + BODY_PATIENCE);
    // A body that breaks off or takes too long changes nothing about the status that came before it.
    let _ = tokio::time::timeout_at(patience, keep(response.into_body(), &mut kept)).await;
    let outcome = Outcome::of_status(status);
    let error = match outcome {
        Outcome::Delivered => None,
        Outcome::Redirected => {
            Some("the receiver redirects, and redirects are not followed".to_owned())
        }
        _ => Some(format!("the receiver answered {status}")),
    };
    Answer {
        outcome,
        status: Some(status),
        error,
        excerpt: excerpt(&kept),
        retry_after,
    }
}

/// Keeps the beginning of a body, and reads no more than is polite.
async fn keep(mut body: Incoming, kept: &mut Vec<u8>) {
    let mut taken = 0_usize;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(data) = frame.data_ref() else {
            continue;
        };
        taken = taken.saturating_add(data.len());
        let room = EXCERPT_BYTES_MAX.saturating_sub(kept.len());
        kept.extend(data.iter().take(room));
        if taken >= ANSWER_BYTES_MAX {
            return;
        }
    }
}

/// What a person may be shown of a stranger's bytes: text, of one kibibyte at most.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown: String = text
        .chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                ' '
            } else {
                c
            }
        })
        .collect();
    let mut end = shown.len().min(EXCERPT_BYTES_MAX);
    while !shown.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    shown.truncate(end);
    shown
}

#[cfg(test)]
mod tests;
