//! The client against receivers on this machine that behave and misbehave.

use super::*;
use crate::webhooks::guard::{Plain, Private};
use crate::webhooks::sign::Headers;
use futures_util::future::BoxFuture;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

const NOW: UnixMs = UnixMs(1_800_000_000_000);
const ROOMY: Policy = Policy {
    plain: Plain::Allowed,
    private: Private::Allowed,
};

/// Says that every name is these addresses.
struct Fixed(Vec<IpAddr>);

impl Resolver for Fixed {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

fn poster(policy: Policy, roots: RootCertStore) -> Poster {
    let resolver = Arc::new(Fixed(vec![IpAddr::from([127, 0, 0, 1])]));
    Poster::new(resolver, policy, roots, Duration::from_secs(5)).unwrap()
}

fn headers() -> HeaderMap {
    let headers = Headers {
        id: "evt_1".to_owned(),
        timestamp: "1800000000".to_owned(),
        signature: "v1,AAAA".to_owned(),
    };
    headers.as_sent().unwrap()
}

/// A receiver that answers every connection with these bytes; tells how many there were and what
/// the last one sent.
struct Receiver {
    port: u16,
    met: Arc<AtomicUsize>,
    heard: Arc<std::sync::Mutex<String>>,
    _tasks: JoinSet<()>,
}

async fn receiver(answer: Vec<u8>, then: Duration) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let met = Arc::new(AtomicUsize::new(0));
    let heard: Arc<std::sync::Mutex<String>> = Arc::default();
    let mut tasks = JoinSet::new();
    let (count, ear) = (Arc::clone(&met), Arc::clone(&heard));
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let mut taken = vec![0; 8_192];
            let size = stream.read(&mut taken).await.unwrap();
            *ear.lock().unwrap() = String::from_utf8_lossy(&taken[..size]).into_owned();
            let _ = stream.write_all(&answer).await;
            tokio::time::sleep(then).await;
        }
    });
    Receiver {
        port,
        met,
        heard,
        _tasks: tasks,
    }
}

async fn post_to(url: &str, policy: Policy) -> Answer {
    let body = Bytes::from_static(b"{\"type\":\"webhook.test\"}");
    poster(policy, RootCertStore::empty())
        .post(url, headers(), body, NOW)
        .await
}

async fn answered(text: &str) -> Answer {
    let receiver = receiver(text.as_bytes().to_vec(), Duration::ZERO).await;
    post_to(
        &format!("http://shop.test:{}/hook?x=1", receiver.port),
        ROOMY,
    )
    .await
}

#[tokio::test]
async fn a_receiver_is_sent_the_signed_body_under_its_own_name() {
    let text = "HTTP/1.1 204 No Content\r\n\r\n";
    let receiver = receiver(text.as_bytes().to_vec(), Duration::ZERO).await;
    let url = format!("http://shop.test:{}/hook?x=1", receiver.port);
    let answer = post_to(&url, ROOMY).await;
    assert_eq!(
        (answer.outcome, answer.status),
        (Outcome::Delivered, Some(204))
    );
    let heard = receiver.heard.lock().unwrap().to_lowercase();
    for line in [
        "post /hook?x=1 http/1.1\r\n".to_owned(),
        format!("host: shop.test:{}\r\n", receiver.port),
        "content-type: application/json\r\n".to_owned(),
        "webhook-id: evt_1\r\n".to_owned(),
        "webhook-timestamp: 1800000000\r\n".to_owned(),
        "webhook-signature: v1,aaaa\r\n".to_owned(),
        "content-length: 23\r\n".to_owned(),
        "\r\n\r\n{\"type\":\"webhook.test\"}".to_owned(),
    ] {
        assert!(heard.contains(&line), "{line} in\n{heard}");
    }
}

#[tokio::test]
async fn the_status_decides_and_a_wait_is_heard() {
    for (text, outcome, wait) in [
        (
            "200 OK\r\ncontent-length: 2\r\n\r\nok",
            Outcome::Delivered,
            None,
        ),
        ("410 Gone\r\ncontent-length: 0\r\n\r\n", Outcome::Gone, None),
        ("429 Slow\r\nretry-after: 7\r\n\r\n", Outcome::Busy, Some(7)),
        ("503 Busy\r\ncontent-length: 0\r\n\r\n", Outcome::Busy, None),
        (
            "500 No\r\ncontent-length: 0\r\n\r\n",
            Outcome::Refused,
            None,
        ),
        (
            "404 No\r\ncontent-length: 0\r\n\r\n",
            Outcome::Refused,
            None,
        ),
    ] {
        let answer = answered(&format!("HTTP/1.1 {text}")).await;
        assert_eq!(answer.outcome, outcome, "{text}");
        assert_eq!(answer.retry_after, wait.map(Duration::from_secs), "{text}");
    }
    for garbage in ["", "hello\r\n\r\n", "HTTP/1.1 abc\r\n\r\n"] {
        assert_eq!(
            answered(garbage).await.outcome,
            Outcome::Broken,
            "{garbage}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_wherever_it_leads() {
    let elsewhere = receiver(Vec::new(), Duration::ZERO).await;
    for status in [301, 302, 303, 307, 308] {
        let text = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: http://127.0.0.1:{}/\r\n\r\n",
            elsewhere.port
        );
        assert_eq!(
            answered(&text).await.outcome,
            Outcome::Redirected,
            "{status}"
        );
    }
    assert_eq!(elsewhere.met.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_never_connected_to() {
    let private = receiver(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), Duration::ZERO).await;
    let strict = Policy {
        plain: Plain::Allowed,
        private: Private::Refused,
    };
    for host in ["shop.test", "127.0.0.1", "[::ffff:127.0.0.1]", "2130706433"] {
        let answer = post_to(&format!("http://{host}:{}/", private.port), strict).await;
        assert_eq!(answer.outcome, Outcome::Blocked, "{host}");
    }
    assert_eq!(private.met.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_a_body_that_never_ends_changes_no_status() {
    let mut endless = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_vec();
    endless.extend(std::iter::repeat_n(b'x', 200 * 1024));
    let far = receiver(endless, Duration::from_secs(60)).await;
    let answer = post_to(&format!("http://a.test:{}/", far.port), ROOMY).await;
    assert_eq!(answer.outcome, Outcome::Delivered);
    assert_eq!(answer.excerpt.len(), EXCERPT_BYTES_MAX);

    let stuck = b"HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\nnot\x00\x1b\xff".to_vec();
    let stuck = receiver(stuck, Duration::from_secs(60)).await;
    let answer = post_to(&format!("http://a.test:{}/", stuck.port), ROOMY).await;
    assert_eq!(answer.outcome, Outcome::Refused);
    assert_eq!(answer.excerpt, "not  \u{fffd}");

    let huge_head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    assert_eq!(answered(&huge_head).await.outcome, Outcome::Broken);
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_given_up_and_one_that_is_away_is_told() {
    let mute = receiver(Vec::new(), Duration::from_secs(60)).await;
    let resolver = Arc::new(Fixed(vec![IpAddr::from([127, 0, 0, 1])]));
    let hasty = Poster::new(
        resolver,
        ROOMY,
        RootCertStore::empty(),
        Duration::from_millis(100),
    )
    .unwrap();
    let url = format!("http://a.test:{}/", mute.port);
    let answer = hasty.post(&url, headers(), Bytes::new(), NOW).await;
    assert_eq!(answer.outcome, Outcome::TimedOut);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let answer = post_to(&format!("http://a.test:{port}/"), ROOMY).await;
    assert_eq!(answer.outcome, Outcome::Unreachable);
}

#[tokio::test]
async fn tls_proves_the_name_of_the_url_and_not_the_address() {
    let root = CertifiedIssuer::self_signed(
        {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params
        },
        KeyPair::generate().unwrap(),
    )
    .unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["shop.test".to_owned()])
        .unwrap()
        .signed_by(&key, &root)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut taken = [0; 4_096];
            let _ = stream.read(&mut taken).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await;
            let _ = stream.shutdown().await;
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    for (host, roots, outcome) in [
        ("shop.test", roots.clone(), Outcome::Delivered),
        ("shop.test.", roots.clone(), Outcome::Delivered),
        ("other.test", roots, Outcome::Tls),
        ("shop.test", RootCertStore::empty(), Outcome::Tls),
    ] {
        let url = format!("https://{host}:{port}/");
        let answer = poster(ROOMY, roots)
            .post(&url, headers(), Bytes::new(), NOW)
            .await;
        assert_eq!(answer.outcome, outcome, "{host}: {:?}", answer.error);
    }
}
