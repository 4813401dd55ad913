//! One question to a running daemon over its own API, as the commands that need its memory ask it.
//!
//! Plain HTTP on one connection that is closed afterwards. Whoever asks bounds the time; the size of the
//! answer is bounded here.

use super::failure::Failure;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::TcpStream;

/// The longest answer that is taken: the lists that are asked for have a handful of entries.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Gets `path` from the daemon at `daemon` (`host:port`), with an API key where one is given: the status
/// and the body.
///
/// # Errors
/// Nobody answers there, or not in HTTP.
pub(super) async fn get(
    daemon: &str,
    path: &str,
    key: Option<&str>,
) -> Result<(StatusCode, Bytes), Failure> {
    let socket = TcpStream::connect(daemon)
        .await
        .map_err(|error| Failure::because(format!("No daemon answers at {daemon}."), error))?;
    let broken = |error| Failure::because("The daemon's answer cannot be read.", error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket))
        .await
        .map_err(broken)?;
    let mut request = Request::get(path).header(header::HOST, daemon);
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::because("The question cannot be sent.", error))?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|error| {
            Failure::new(format!("The daemon's answer cannot be read: {error}."))
        })?;
        Ok((status, body.to_bytes()))
    };
    // The connection moves the bytes of the exchange; where it ends first, the rest has come.
    let (exchange, connection) = (std::pin::pin!(exchange), std::pin::pin!(connection));
    match futures_util::future::select(exchange, connection).await {
        futures_util::future::Either::Left((done, _)) => done,
        futures_util::future::Either::Right((_, exchange)) => exchange.await,
    }
}

/// Where a daemon that listens on this address is reached from its own machine.
pub(super) fn reached_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
