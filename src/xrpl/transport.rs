//! How frames get to a server and back: websocket over TCP or TLS. Tests put a scripted one here.
//!
//! A [`Link`] is one open connection. It bounds the size of a message; what is larger ends it. It
//! answers the server's pings by itself.

use super::cause::Cause;
use super::config::ServerConfig;
use super::tls::{self, Roots};
use futures_util::future::BoxFuture;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{Connector, client_async_tls_with_config};

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
    /// Opens one to a server.
    fn connect<'a>(&'a self, server: &'a ServerConfig) -> BoxFuture<'a, Result<Link, LinkError>>;
}

/// Websocket over TCP, or over TLS with the given roots.
#[derive(Debug)]
pub struct WebSocket {
    message_bytes_max: usize,
    roots: Roots,
}

impl WebSocket {
    /// The transport. A TLS set-up that cannot be made fails the connections that need it.
    #[must_use]
    pub const fn new(roots: Roots) -> Self {
        Self {
            message_bytes_max: MESSAGE_BYTES_MAX,
            roots,
        }
    }

    async fn open(&self, server: &ServerConfig) -> Result<Link, LinkError> {
        let request = server
            .url
            .as_str()
            .into_client_request()
            .map_err(link_error)?;
        let connector = if is_secure(&request) {
            Connector::Rustls(tls::client(&self.roots, &server.pins)?)
        } else {
            Connector::Plain
        };
        let socket = reach(&request).await?;
        let settings = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(self.message_bytes_max))
            .max_frame_size(Some(self.message_bytes_max));
        let (socket, _) =
            client_async_tls_with_config(request, socket, Some(settings), Some(connector))
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
    fn connect<'a>(&'a self, server: &'a ServerConfig) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(self.open(server))
    }
}

fn is_secure(request: &Request) -> bool {
    request.uri().scheme_str() == Some("wss")
}

/// A TCP connection to the host that the request names, told apart by where it fails.
async fn reach(request: &Request) -> Result<TcpStream, LinkError> {
    let uri = request.uri();
    let host = uri.host().unwrap_or_default();
    // An IPv6 address stands in brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = uri
        .port_u16()
        .unwrap_or(if is_secure(request) { 443 } else { 80 });
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<SocketAddr> = found
        .map_err(|error| LinkError::Dns(error.to_string()))?
        .collect();
    if addresses.is_empty() {
        return Err(LinkError::Dns(format!("{host} has no address")));
    }
    let socket = TcpStream::connect(&addresses[..]).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::ConnectionRefused {
            LinkError::Refused(error.to_string())
        } else {
            LinkError::Unreachable(error.to_string())
        }
    })?;
    // A submission is small, and must not wait for a second one to fill a packet.
    socket
        .set_nodelay(true)
        .map_err(|error| LinkError::Broken(error.to_string()))?;
    Ok(socket)
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
        tungstenite::Error::Io(error) => {
            tls::failure(&error).unwrap_or_else(|| LinkError::Broken(error.to_string()))
        }
        tungstenite::Error::Tls(error) => LinkError::Tls {
            cause: Cause::Tls,
            why: error.to_string(),
        },
        tungstenite::Error::Capacity(error) => LinkError::TooLarge(error.to_string()),
        other => LinkError::Broken(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::Supervisor;
    use crate::xrpl::config::Voice;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;

    fn server(url: String) -> ServerConfig {
        ServerConfig {
            name: "s".into(),
            url,
            operator: "o".into(),
            priority: 0,
            voice: Voice::Counts,
            pins: Vec::new(),
        }
    }

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
            ..WebSocket::new(Roots::Bundled)
        };
        transport.connect(&server(url)).await.unwrap()
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
            let error = WebSocket::new(Roots::Bundled)
                .connect(&server(url))
                .await
                .err()
                .unwrap();
            let expected = if turned_away {
                Cause::TurnedAway
            } else {
                Cause::Http
            };
            assert_eq!(error.cause(), expected, "{error}");
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
        let opened = WebSocket::new(Roots::Bundled).connect(&server(url)).await;
        assert_eq!(opened.err().map(|error| error.cause()), Some(Cause::Tls));
    }
}
