//! HTTP/1.1 on the servers' ports: heads and bodies in, replies out, and the upgrade to websocket.
//!
//! Owns the socket until a client upgrades. Ends when the client leaves, does not speak HTTP, sends a
//! body that is too large, lets the server wait for the rest of a request, or asks for the end. As on a real server a body beyond the limit is not
//! answered: the connection breaks.

use super::connection::{self, Role};
use super::dispatch::{Client, Transport};
use super::jsonrpc::{self, Reply};
use super::shared::Shared;
use crate::clock;
use crate::random::Random;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The head of a request may be so long.
const HEAD_LEN_MAX: usize = 8 << 10;
/// A request's body may be so long.
const BODY_LEN_MAX: usize = 1 << 20;
/// Bytes that are read at once.
const READ_LEN: usize = 16 << 10;
/// How long the server waits for the head of a request, and then for its body. Whoever sends them by the
/// drop, or not at all, is let go.
const REQUEST_PATIENCE: Duration = Duration::from_secs(30);

/// The head of a request.
#[derive(Debug)]
struct Head {
    method: String,
    target: String,
    is_http_1_0: bool,
    headers: Vec<(String, String)>,
}

impl Head {
    /// Reads a head without its empty line.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let is_http_1_0 = match version {
            "HTTP/1.1" => false,
            "HTTP/1.0" => true,
            _ => return None,
        };
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Some(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            is_http_1_0,
            headers: lines.map(header).collect::<Option<_>>()?,
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(have, _)| have == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether a header that is a list has this word.
    fn lists(&self, name: &str, word: &str) -> bool {
        self.header(name).is_some_and(|list| {
            list.split(',')
                .any(|item| item.trim().eq_ignore_ascii_case(word))
        })
    }

    fn is_upgrade(&self) -> bool {
        self.lists("connection", "upgrade") && self.lists("upgrade", "websocket")
    }

    fn keeps_alive(&self) -> bool {
        if self.is_http_1_0 {
            self.lists("connection", "keep-alive")
        } else {
            !self.lists("connection", "close")
        }
    }
}

/// A socket and what was read from it too early.
struct Wire {
    stream: TcpStream,
    early: Vec<u8>,
}

fn broken(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl Wire {
    async fn more(&mut self) -> io::Result<()> {
        self.early.reserve(READ_LEN);
        match self.stream.read_buf(&mut self.early).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Takes everything up to `end` and drops `end` itself.
    async fn until(&mut self, end: &[u8], len_max: usize) -> io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let window = self.early.get(searched..).unwrap_or_default();
            if let Some(at) = window.windows(end.len()).position(|found| found == end) {
                let rest = self.early.split_off(searched + at + end.len());
                let mut taken = std::mem::replace(&mut self.early, rest);
                taken.truncate(searched + at);
                return Ok(taken);
            }
            if self.early.len() > len_max {
                return Err(broken("the head is too long"));
            }
            searched = self.early.len().saturating_sub(end.len());
            self.more().await?;
        }
    }

    async fn exactly(&mut self, len: usize) -> io::Result<Vec<u8>> {
        while self.early.len() < len {
            self.more().await?;
        }
        let rest = self.early.split_off(len);
        Ok(std::mem::replace(&mut self.early, rest))
    }

    async fn head(&mut self) -> io::Result<Head> {
        let head = self.until(b"\r\n\r\n", HEAD_LEN_MAX).await?;
        let text = std::str::from_utf8(&head).map_err(|_| broken("the head is not text"))?;
        Head::parse(text).ok_or_else(|| broken("the head is malformed"))
    }

    async fn body(&mut self, head: &Head) -> io::Result<Vec<u8>> {
        if head.lists("transfer-encoding", "chunked") {
            return self.chunks().await;
        }
        let len = match head.header("content-length") {
            None => 0,
            Some(text) => text
                .parse()
                .map_err(|_| broken("the length is no number"))?,
        };
        if len > BODY_LEN_MAX {
            return Err(broken("the body is too long"));
        }
        self.exactly(len).await
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n", HEAD_LEN_MAX).await?;
            let text = std::str::from_utf8(&line).unwrap_or_default();
            let size = text.split(';').next().unwrap_or_default().trim();
            let len = usize::from_str_radix(size, 16).map_err(|_| broken("a bad chunk"))?;
            if len > BODY_LEN_MAX - body.len() {
                return Err(broken("the body is too long"));
            }
            if len == 0 {
                while !self.until(b"\r\n", HEAD_LEN_MAX).await?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.exactly(len).await?);
            self.exactly(2).await?;
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Waits until the client is gone, whatever it may send.
    async fn wait_for_the_end(&mut self) -> io::Result<()> {
        loop {
            self.early.clear();
            self.more().await?;
        }
    }
}

/// Serves one connection, whichever of the two it wants to be.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    server: usize,
    role: Role,
    mut random: Random,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "the socket keeps its delay");
    }
    let cut_off = shared.cuts[server].subscribe();
    let client = Client {
        id: 0,
        server,
        role,
        transport: Transport::Http,
        peer,
    };
    let mut wire = Wire {
        stream,
        early: Vec::new(),
    };
    let ended = tokio::select! {
        ended = converse(&mut wire, &shared, &client, &mut random) => ended,
        _cut = connection::until_cut(cut_off) => {
            shared.until_shut(server).await;
            return;
        }
    };
    match ended {
        Ok(Some(key)) => {
            let reply = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {}\r\nServer: rippled-{}\r\n\r\n",
                derive_accept_key(key.as_bytes()),
                super::info::BUILD_VERSION,
            );
            if wire.send(reply.as_bytes()).await.is_ok() {
                connection::serve(wire.stream, wire.early, peer, shared, server, role, random)
                    .await;
            }
        }
        Ok(None) => {}
        Err(error) => tracing::debug!(%error, %peer, "the connection ended"),
    }
}

/// What a client sends, if it comes in time.
async fn in_time<T>(coming: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(REQUEST_PATIENCE, coming).await {
        Ok(come) => come,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Answers requests until the client upgrades; then its key is returned.
async fn converse(
    wire: &mut Wire,
    shared: &Arc<Shared>,
    client: &Client,
    random: &mut Random,
) -> io::Result<Option<String>> {
    let mut thaws = shared.thaws[client.server].subscribe();
    loop {
        let head = in_time(wire.head()).await?;
        connection::until_thawed(shared, client.server, &mut thaws).await;
        if head.is_upgrade() {
            let key = head.header("sec-websocket-key");
            return match (key, head.header("sec-websocket-version")) {
                (Some(key), Some("13")) => Ok(Some(key.to_owned())),
                _ => {
                    let refusal = plain(400, "Bad Request", "");
                    wire.send(refusal.as_bytes()).await?;
                    Ok(None)
                }
            };
        }
        let body = in_time(wire.body(&head)).await?;
        if head.method == "GET" && head.target == "/" && body.is_empty() && !head.is_http_1_0 {
            let page = plain(200, "OK", STATUS_PAGE);
            wire.send(page.as_bytes()).await?;
            return Ok(None);
        }
        let Some(reply) = jsonrpc::reply(shared, client, random, &body).await else {
            wire.wait_for_the_end().await?;
            return Ok(None);
        };
        wire.send(render(&reply).as_bytes()).await?;
        if !head.keeps_alive() {
            return Ok(None);
        }
    }
}

/// What a browser sees.
const STATUS_PAGE: &str = "<!DOCTYPE html><html><head><title>rippled</title></head><body><h1>rippled</h1><p>This server takes requests over http and websocket.</p></body></html>";

fn plain(status: u16, reason: &str, content: &str) -> String {
    format!(
        "HTTP/1.1 {status} {reason}\r\nServer: rippled-{}\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{content}",
        super::info::BUILD_VERSION,
        content.len(),
    )
}

fn render(reply: &Reply) -> String {
    format!(
        "HTTP/1.1 {} {}\r\nDate: {}\r\nConnection: Keep-Alive\r\nContent-Length: {}\r\nContent-Type: application/json; charset=UTF-8\r\nServer: ripple-json-rpc/rippled-{}\r\n\r\n{}\r\n",
        reply.status,
        jsonrpc::reason(reply.status),
        clock::http_date(),
        reply.body.len() + 2,
        super::info::BUILD_VERSION,
        reply.body,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_and_a_malformed_one_is_not() {
        let head = Head::parse("POST / HTTP/1.1\r\nHost: here\r\nConnection: Keep-Alive, Upgrade\r\nUPGRADE: WebSocket").unwrap();
        assert!(head.is_upgrade() && head.keeps_alive());
        assert_eq!(head.header("host"), Some("here"));
        let old = Head::parse("GET /any HTTP/1.0").unwrap();
        assert!(!old.keeps_alive() && old.target == "/any");
        assert!(Head::parse("GET /").is_none());
        assert!(Head::parse("GET / HTTP/2").is_none());
        assert!(Head::parse("GET / HTTP/1.1\r\nno colon").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_go_on_is_given_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, accepted) = tokio::join!(
            TcpStream::connect(listener.local_addr().unwrap()),
            listener.accept()
        );
        let mut client = client.unwrap();
        let mut wire = Wire {
            stream: accepted.unwrap().0,
            early: Vec::new(),
        };
        let began = tokio::time::Instant::now();
        client.write_all(b"POST / HTTP/1.1\r\nX").await.unwrap();
        let ended = in_time(wire.head()).await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= REQUEST_PATIENCE);
        let rest = b": y\r\nContent-Length: 9\r\n\r\n{}";
        client.write_all(rest).await.unwrap();
        let head = in_time(wire.head()).await.unwrap();
        let ended = in_time(wire.body(&head)).await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
    }
}
