//! Real TLS servers in the test, and what is believed of their certificates.

use crate::supervise::Supervisor;
use crate::xrpl::transport::{Incoming, LinkError, Transport as _, WebSocket};
use crate::xrpl::{Cause, Pin, Roots, ServerConfig, Voice};
use futures_util::StreamExt as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData as _};
use rustls::pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;

/// An authority of the test's own, and a server with a certificate of it.
struct Secured {
    port: u16,
    /// The authority's certificate, as an operator would write it to a file.
    authority_pem: String,
    /// The SHA-256 of the server's public key.
    key_sha256: [u8; 32],
}

impl Secured {
    /// A server whose certificate names `name`, and is past its time where `expired`.
    async fn start(name: &str, expired: Expired) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired == Expired::Yes {
            leaf.not_before = rcgen::date_time_ymd(2000, 1, 1);
            leaf.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let certificate = leaf.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], secret)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Supervisor::new().spawn("server", async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                // A client that does not believe us hangs up in the handshake.
                let Ok(stream) = acceptor.accept(socket).await else {
                    continue;
                };
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
                    continue;
                };
                let greeting = Message::text("hello");
                futures_util::SinkExt::send(&mut socket, greeting)
                    .await
                    .unwrap();
            }
        });
        Self {
            port,
            authority_pem,
            key_sha256: Sha256::digest(key.subject_public_key_info()).into(),
        }
    }

    fn roots(&self) -> Roots {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, &self.authority_pem).unwrap();
        Roots::read(&path).unwrap()
    }

    async fn open(&self, roots: Roots, pins: &[[u8; 32]]) -> Result<(), LinkError> {
        let server = server(&format!("wss://localhost:{}", self.port), pins);
        let mut link = WebSocket::new(roots).connect(&server).await?;
        let first = link.stream.next().await.unwrap();
        assert_eq!(first, Ok(Incoming::Text("hello".into())));
        Ok(())
    }

    async fn cause(&self, roots: Roots, pins: &[[u8; 32]]) -> Option<Cause> {
        self.open(roots, pins)
            .await
            .err()
            .map(|error| error.cause())
    }
}

#[derive(PartialEq, Eq)]
enum Expired {
    Yes,
    No,
}

fn server(url: &str, pins: &[[u8; 32]]) -> ServerConfig {
    ServerConfig {
        name: "s".into(),
        url: url.into(),
        operator: "o".into(),
        priority: 0,
        voice: Voice::Counts,
        pins: pins.iter().copied().map(Pin).collect(),
    }
}

#[tokio::test]
async fn a_chain_to_a_root_of_the_operators_own_is_believed_and_to_no_other() {
    let secured = Secured::start("localhost", Expired::No).await;
    assert_eq!(secured.cause(secured.roots(), &[]).await, None);
    let bundled = secured.cause(Roots::Bundled, &[]).await;
    assert_eq!(bundled, Some(Cause::Certificate));
    let other = Secured::start("localhost", Expired::No).await;
    let strange = secured.cause(other.roots(), &[]).await;
    assert_eq!(strange, Some(Cause::Certificate));
}

#[tokio::test]
async fn a_certificate_for_another_name_or_past_its_time_is_told_apart() {
    let named = Secured::start("other.example", Expired::No).await;
    let cause = named.cause(named.roots(), &[]).await;
    assert_eq!(cause, Some(Cause::CertificateName));
    let old = Secured::start("localhost", Expired::Yes).await;
    let cause = old.cause(old.roots(), &[]).await;
    assert_eq!(cause, Some(Cause::Certificate));
}

#[tokio::test]
async fn a_pin_is_checked_in_addition_to_the_chain() {
    let secured = Secured::start("localhost", Expired::No).await;
    let (key, other) = (secured.key_sha256, [0; 32]);
    for pins in [&[key][..], &[other, key]] {
        assert_eq!(secured.cause(secured.roots(), pins).await, None);
    }
    let wrong = secured.open(secured.roots(), &[other]).await.unwrap_err();
    assert_eq!(wrong.cause(), Cause::CertificatePin);
    assert!(wrong.to_string().contains(&hex::encode(key)), "{wrong}");
    let unchained = secured.cause(Roots::Bundled, &[key]).await;
    assert_eq!(unchained, Some(Cause::Certificate));
}

#[tokio::test]
async fn a_name_that_nobody_has_and_a_port_where_nobody_listens_are_told_apart() {
    let transport = WebSocket::new(Roots::Bundled);
    let cause = async |url: &str| {
        let opened = transport.connect(&server(url, &[])).await;
        opened.err().map(|error| error.cause())
    };
    assert_eq!(cause("wss://nobody.invalid").await, Some(Cause::Dns));
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let refused = cause(&format!("ws://127.0.0.1:{port}")).await;
    assert_eq!(refused, Some(Cause::ConnectionRefused));
}

#[test]
fn a_file_of_roots_that_cannot_be_used_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.pem");
    assert!(Roots::read(&path).is_err());
    std::fs::write(&path, "no certificate here").unwrap();
    let empty = Roots::read(&path).unwrap_err().to_string();
    assert!(empty.contains("holds no certificate"), "{empty}");
    let spoiled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&path, spoiled).unwrap();
    assert!(Roots::read(&path).is_err());
}
