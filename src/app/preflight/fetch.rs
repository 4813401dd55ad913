//! One look at an address on the network: its certificate, or one small answer over HTTP.
//!
//! Bounded in time and in bytes. What goes wrong is told in words, because that is all that becomes of it.

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;
use xrpayd_core::ids::UnixMs;

/// The longest answer that is taken.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// An answer.
pub(super) struct Got {
    /// The status.
    pub(super) status: u16,
    /// The body.
    pub(super) body: Bytes,
    /// Until when the certificate holds, where there was one.
    pub(super) certificate: Option<UnixMs>,
}

/// Until when the certificate holds that `host` shows, and that `roots` vouch for.
pub(super) async fn certificate(
    host: &str,
    port: u16,
    roots: &Arc<RootCertStore>,
    patience: Duration,
) -> Result<UnixMs, String> {
    let looked = async {
        let stream = connect(host, port).await?;
        until(&secure(host, stream, roots).await?)
    };
    within(patience, looked).await
}

/// Asks once, by GET; follows nobody elsewhere.
pub(super) async fn get(
    url: &Url,
    roots: &Arc<RootCertStore>,
    patience: Duration,
) -> Result<Got, String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let asked = async {
        let stream = connect(host, port).await?;
        if url.scheme() != "https" {
            let (status, body) = exchange(stream, url).await?;
            return Ok(Got {
                status,
                body,
                certificate: None,
            });
        }
        let stream = secure(host, stream, roots).await?;
        let certificate = Some(until(&stream)?);
        let (status, body) = exchange(stream, url).await?;
        Ok(Got {
            status,
            body,
            certificate,
        })
    };
    let got = within(patience, asked).await;
    got.map_err(|why| format!("{}: {why}", url.origin().ascii_serialization()))
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done,
        Err(_) => Err(format!("no answer within {} s", patience.as_secs())),
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let connected = TcpStream::connect((bare, port)).await;
    connected.map_err(|error| format!("cannot be connected to: {error}"))
}

async fn secure(
    host: &str,
    stream: TcpStream,
    roots: &Arc<RootCertStore>,
) -> Result<TlsStream<TcpStream>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(Arc::clone(roots))
        .with_no_client_auth();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|_| format!("{host} is no name that a certificate could bear"))?;
    let shaken = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await;
    shaken.map_err(|error| format!("TLS: {error}"))
}

/// Until when the certificate holds that was shown; the handshake has made sure of everything else.
fn until(stream: &TlsStream<TcpStream>) -> Result<UnixMs, String> {
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(<[_]>::first);
    end_of(shown.ok_or("no certificate was shown")?)
}

fn end_of(certificate: &CertificateDer<'_>) -> Result<UnixMs, String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|error| format!("the certificate cannot be read: {error}"))?;
    let end_s = parsed.validity().not_after.timestamp();
    Ok(UnixMs(end_s.saturating_mul(1_000)))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    url: &Url,
) -> Result<(u16, Bytes), String> {
    let broken = |error: &dyn std::fmt::Display| format!("its answer cannot be read: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    let authority = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err("the URL names no host".to_owned()),
    };
    let request = Request::get(url.path())
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(&error))?;
    let asking = async {
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| broken(&error))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let body = body.map_err(|error| broken(&error))?;
        Ok((status, body.to_bytes()))
    };
    // The connection is driven by whoever waits for its answer, and ends with it.
    let mut asking = std::pin::pin!(asking);
    tokio::select! {
        biased;
        answer = asking.as_mut() => answer,
        _ended = connection => asking.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read_from_it() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec!["pay.example".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(2031, 5, 17);
        let certificate = parameters.self_signed(&key).unwrap();
        assert_eq!(end_of(certificate.der()), Ok(UnixMs(1_936_742_400_000)));
        let broken = CertificateDer::from(vec![0x30, 0x03, 0x02, 0x01]);
        assert!(end_of(&broken).is_err());
    }
}
