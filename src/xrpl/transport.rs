//! How frames get to a server and back: websocket over TCP or TLS. Tests put a scripted one here.
//!
//! A [`Link`] is one open connection. It bounds the size of a message; what is larger ends it. It
//! answers the server's pings by itself.

use super::cause::Cause;
use futures_util::future::BoxFuture;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
use tokio_tungstenite::Connector;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};

/// The text of a frame: shared, not copied.
pub use tokio_tungstenite::tungstenite::Utf8Bytes as Text;

/// The largest message that is taken: a page of history can be long, a flood must end somewhere.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// One read of the socket. Three connections cost three of these.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// What comes from a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(Text),
    /// A message that is not text; no server sends one.
    Binary,
    /// The answer to a ping of ours, or a ping of the server's, which is answered already.
    Alive,
    /// The server closes; the code and reason where it gave them.
    Close(Option<(u16, String)>),
}

/// What goes to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// A request.
    Text(Text),
    /// A ping of the protocol.
    Ping,
    /// We close.
    Close,
}

/// Why a connection could not be made, or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The host's name cannot be resolved.
    #[error("the name cannot be resolved: {0}")]
    Dns(String),
    /// Nothing listens at the address.
    #[error("nothing listens there: {0}")]
    Refused(String),
    /// There is no way to the address.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// TLS does not stand.
    #[error("{why}")]
    Tls {
        /// What is wrong, more closely.
        cause: Cause,
        /// The same in words.
        why: String,
    },
    /// The server refuses connections for now (HTTP 429 or 503).
    #[error("the server refuses connections for now: HTTP {0}")]
    TurnedAway(u16),
    /// The server answered the handshake with another status.
    #[error("the server answered the handshake with HTTP {0}")]
    Http(u16),
    /// A message was larger than is taken.
    #[error("a message was too large: {0}")]
    TooLarge(String),
    /// Anything else, in words.
    #[error("{0}")]
    Broken(String),
}

impl LinkError {
    /// The cause, as it is shown.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Dns(_) => Cause::Dns,
            Self::Refused(_) => Cause::ConnectionRefused,
            Self::Unreachable(_) => Cause::Unreachable,
            Self::Tls { cause, .. } => *cause,
            Self::TurnedAway(_) => Cause::TurnedAway,
            Self::Http(_) => Cause::Http,
            Self::TooLarge(_) => Cause::TooLarge,
            Self::Broken(_) => Cause::Broken,
        }
    }
}

/// The way in.
pub type FrameStream = Pin<Box<dyn Stream<Item = Result<Incoming, LinkError>> + Send>>;
/// The way out. Feeding many and flushing once makes one write of them.
pub type FrameSink = Pin<Box<dyn Sink<Outgoing, Error = LinkError> + Send>>;

/// One open connection.
pub struct Link {
    /// The way out.
    pub sink: FrameSink,
    /// The way in.
    pub stream: FrameStream,
}

/// Opens connections.
pub trait Transport: Send + Sync + 'static {
    /// Opens one to `url`.
    fn connect<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Link, LinkError>>;
}

/// Websocket over TCP, or over TLS with the Mozilla roots.
pub struct WebSocket {
    message_bytes_max: usize,
    tls: Result<Arc<rustls::ClientConfig>, LinkError>,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self::new()
    }
}

impl WebSocket {
    /// The transport. A TLS set-up that cannot be made fails the connections that need it.
    #[must_use]
    pub fn new() -> Self {
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(|builder| Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
            .map_err(|error| LinkError::Broken(error.to_string()));
        Self {
            message_bytes_max: MESSAGE_BYTES_MAX,
            tls,
        }
    }

    async fn open(&self, url: &str) -> Result<Link, LinkError> {
        let settings = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(self.message_bytes_max))
            .max_frame_size(Some(self.message_bytes_max));
        let connector = if url.starts_with("wss:") {
            Connector::Rustls(self.tls.clone()?)
        } else {
            Connector::Plain
        };
        let nagle_off = true;
        let (socket, _) = tokio_tungstenite::connect_async_tls_with_config(
            url,
            Some(settings),
            nagle_off,
            Some(connector),
        )
        .await
        .map_err(link_error)?;
        let (sink, stream) = socket.split();
        let sink = sink
            .sink_map_err(link_error)
            .with(|out| std::future::ready(Ok::<_, LinkError>(message(out))));
        let stream = stream.map(|item| item.map(incoming).map_err(link_error));
        Ok(Link {
            sink: Box::pin(sink),
            stream: Box::pin(stream),
        })
    }
}

impl Transport for WebSocket {
    fn connect<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(self.open(url))
    }
}

fn message(out: Outgoing) -> Message {
    match out {
        Outgoing::Text(text) => Message::Text(text),
        Outgoing::Ping => Message::Ping(Bytes::new()),
        Outgoing::Close => Message::Close(None),
    }
}

fn incoming(message: Message) -> Incoming {
    match message {
        Message::Text(text) => Incoming::Text(text),
        Message::Binary(_) | Message::Frame(_) => Incoming::Binary,
        Message::Ping(_) | Message::Pong(_) => Incoming::Alive,
        Message::Close(frame) => {
            Incoming::Close(frame.map(|frame| (frame.code.into(), frame.reason.to_string())))
        }
    }
}

fn link_error(error: tungstenite::Error) -> LinkError {
    match error {
        tungstenite::Error::Http(response) => match response.status().as_u16() {
            status @ (429 | 503) => LinkError::TurnedAway(status),
            status => LinkError::Http(status),
        },
        tungstenite::Error::Capacity(error) => LinkError::TooLarge(error.to_string()),
        other => LinkError::Broken(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::Supervisor;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;

    /// Opens a connection to a server that is `serve`.
    async fn open<F: Future<Output = ()> + Send + 'static>(
        serve: impl FnOnce(WebSocketStream<TcpStream>) -> F + Send + 'static,
    ) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        Supervisor::new().spawn("server", async move {
            let (socket, _) = listener.accept().await.unwrap();
            serve(tokio_tungstenite::accept_async(socket).await.unwrap()).await;
        });
        let transport = WebSocket {
            message_bytes_max: 1_000,
            ..WebSocket::new()
        };
        transport.connect(&url).await.unwrap()
    }

    async fn echo(mut socket: WebSocketStream<TcpStream>) {
        socket.send(Message::Ping(Bytes::new())).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() || message.is_pong() {
                let text = if message.is_pong() { "ponged" } else { "echo" };
                socket.send(Message::text(text)).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn text_goes_both_ways_and_pings_are_answered() {
        let mut link = open(echo).await;
        assert_eq!(link.stream.next().await, Some(Ok(Incoming::Alive)));
        link.sink
            .send(Outgoing::Text("hello".into()))
            .await
            .unwrap();
        let mut seen = Vec::new();
        while seen.len() < 2 {
            if let Some(Ok(Incoming::Text(text))) = link.stream.next().await {
                seen.push(text.to_string());
            }
        }
        seen.sort();
        assert_eq!(seen, ["echo", "ponged"]);
        link.sink.send(Outgoing::Ping).await.unwrap();
        assert_eq!(link.stream.next().await, Some(Ok(Incoming::Alive)));
    }

    #[tokio::test]
    async fn a_message_over_the_bound_is_an_error_and_one_below_is_not() {
        let mut link = open(|mut socket| async move {
            socket.send(Message::text("x".repeat(1_000))).await.unwrap();
            socket.send(Message::text("x".repeat(1_001))).await.unwrap();
            let _ = socket.next().await;
        })
        .await;
        assert!(
            matches!(link.stream.next().await, Some(Ok(Incoming::Text(text))) if text.len() == 1_000)
        );
        assert!(matches!(
            link.stream.next().await,
            Some(Err(LinkError::TooLarge(_)))
        ));
    }

    #[tokio::test]
    async fn a_close_comes_with_its_code() {
        let mut link = open(|mut socket| async move {
            let frame = CloseFrame {
                code: 1_008.into(),
                reason: "threshold exceeded".into(),
            };
            socket.close(Some(frame)).await.unwrap();
            let _ = socket.next().await;
        })
        .await;
        let close = Incoming::Close(Some((1_008, "threshold exceeded".to_owned())));
        assert_eq!(link.stream.next().await, Some(Ok(close)));
    }

    #[tokio::test]
    async fn being_turned_away_is_told_from_being_broken() {
        for (status, turned_away) in [("503 Service Unavailable", true), ("404 Not Found", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("ws://{}", listener.local_addr().unwrap());
            Supervisor::new().spawn("server", async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                let _ = socket.read(&mut [0; 1_024]).await.unwrap();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                socket.write_all(answer.as_bytes()).await.unwrap();
            });
            let error = WebSocket::new().connect(&url).await.err().unwrap();
            assert_eq!(
                matches!(error, LinkError::TurnedAway(503)),
                turned_away,
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_server_without_tls_is_no_server_for_wss() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("wss://{}", listener.local_addr().unwrap());
        Supervisor::new().spawn("server", async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(b"this is not TLS at all").await.unwrap();
        });
        assert!(WebSocket::new().connect(&url).await.is_err());
    }
}
