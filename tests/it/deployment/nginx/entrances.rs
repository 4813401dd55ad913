//! Who gets in by which entrance: names, versions of TLS, the operators' networks.

use super::super::front::{Answer, OPS, PAY};
use super::super::replica::{Manner, Replica};
use super::{front_of, is_guarded, is_problem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A TLS hello of a version before 1.3, as far as the server has to read it to answer.
fn hello(minor: u8) -> Vec<u8> {
    let name = PAY.as_bytes();
    let length = u8::try_from(name.len()).unwrap();
    let mut sni = vec![0, 0, 0, length + 5, 0, length + 3, 0, 0, length];
    sni.extend_from_slice(name);
    let mut body = vec![3, minor];
    body.extend_from_slice(&[7; 32]);
    // No session; ciphers of TLS 1.0 to 1.2; no compression; the server's name and the curves.
    body.extend_from_slice(&[
        0, 0, 8, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x0a, 0xc0, 0x13, 1, 0,
    ]);
    let curves = [0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 6, 0, 4, 4, 3, 2, 3];
    body.extend_from_slice(
        &u16::try_from(sni.len() + curves.len())
            .unwrap()
            .to_be_bytes(),
    );
    body.extend_from_slice(&sni);
    body.extend_from_slice(&curves);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend_from_slice(&body);
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_at_least_1_2_and_nothing_is_served_in_the_clear_or_to_other_names() {
    let replica = Replica::start(Manner::Answers).await;
    let Some(front) = front_of(&[&replica], &[]).await else {
        return;
    };
    for (minor, expected) in [(1, [21, 70]), (2, [21, 70]), (3, [22, 2])] {
        let mut socket = TcpStream::connect(("127.0.0.1", front.site)).await.unwrap();
        socket.write_all(&hello(minor)).await.unwrap();
        let mut answer = [0; 7];
        socket.read_exact(&mut answer).await.unwrap();
        // An alert and its number, or a handshake and the server's hello.
        let told = if answer[0] == 21 {
            answer[6]
        } else {
            answer[5]
        };
        assert_eq!(
            [answer[0], told],
            expected,
            "TLS 1.{}: {answer:?}",
            minor - 1
        );
    }
    for version in [
        ["--tlsv1.2", "--tls-max", "1.2"],
        ["--tlsv1.3", "--tls-max", "1.3"],
    ] {
        let answer = front.ask(2, &front.at("/v1/wallets"), &version).await;
        assert_eq!(answer.status, 200, "{version:?}");
    }
    for (port, name) in [(front.site, "other.example.com"), (front.ops, PAY)] {
        let place = format!("{name}:{port}:127.0.0.1");
        let more = ["--resolve", &place, "-k"];
        let url = format!("https://{name}:{port}/health");
        let (failed, answer) = front.try_ask(2, &url, &more).await;
        assert!(answer.is_none(), "{name} is not served");
        assert!(failed.contains("unrecognized name"), "{failed}");
    }
    let before = replica.requests().len();
    let plain = format!("http://{PAY}:{}", front.plain);
    let answer = front
        .ask(2, &format!("{plain}/v1/payments"), &["-d", "{}"])
        .await;
    assert_eq!(answer.status, 403);
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("revoked")
    );
    let answer = front.ask(2, &format!("{plain}/docs"), &[]).await;
    assert_eq!(answer.status, 301);
    assert_eq!(answer.one("location"), format!("https://{PAY}/docs"));
    assert_eq!(replica.requests().len(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_on_private_networks_have_all_of_it_and_others_nothing() {
    let (replica, grafana) = (
        Replica::start(Manner::Answers).await,
        Replica::start(Manner::Answers).await,
    );
    let more = [("172.30.81.13:3000", grafana.address.as_str())];
    let Some(front) = front_of(&[&replica], &more).await else {
        return;
    };
    front.write_runbook("WalletHalted.md", "# WalletHalted\nÜberblick\n");
    for path in ["/v1/pause", "/v1/audit", "/v1/payments", "/health"] {
        let answer = front.ask(1, &front.at_ops(path), &["-X", "POST"]).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(replica.heard(&format!("POST {path} ")), 1);
    }
    let answer = front
        .ask(1, &front.at_ops("/runbooks/WalletHalted.md"), &[])
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("Überblick"));
    assert_eq!(answer.one("content-type"), "text/plain; charset=utf-8");
    is_guarded(&answer);
    let answer = front
        .ask(1, &front.at_ops("/runbooks/../tls/ops.key"), &[])
        .await;
    assert!(!answer.body.contains("PRIVATE"), "{answer:?}");
    let missing = front.ask(1, &front.at_ops("/runbooks/None.md"), &[]).await;
    is_problem(&missing, 404, "not_found", "none");
    let metrics = front.ask(1, &front.at_ops("/metrics"), &[]).await;
    is_problem(&metrics, 404, "not_found", "none");

    let dashboard = front.at_ops("/grafana/d/xrpayd-overview");
    let answer = front.ask(1, &dashboard, &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.all("strict-transport-security").len(), 1);
    let heard = grafana.requests().pop().unwrap();
    assert!(heard.starts_with("GET /grafana/d/xrpayd-overview "));
    assert!(heard.contains(&format!("Host: {OPS}\r\n")), "{heard}");
    assert!(!heard.contains("Connection:"), "{heard}");
    let switch = ["-H", "Connection: upgrade", "-H", "Upgrade: websocket"];
    front
        .ask(1, &front.at_ops("/grafana/api/live/ws"), &switch)
        .await;
    let heard = grafana.requests().pop().unwrap();
    assert!(heard.contains("Connection: upgrade\r\n"), "{heard}");

    let before = replica.requests().len() + grafana.requests().len();
    for path in [
        "/v1/pause",
        "/health",
        "/runbooks/WalletHalted.md",
        "/grafana/",
        "/metrics",
    ] {
        let answer = front.ask(2, &front.at_ops(path), &[]).await;
        if path == "/metrics" {
            is_problem(&answer, 404, "not_found", "none");
        } else {
            is_forbidden(&answer, path);
        }
    }
    assert_eq!(replica.requests().len() + grafana.requests().len(), before);
}

/// Everything but Grafana's own pages says so with all headers.
fn is_forbidden(answer: &Answer, path: &str) {
    is_problem(answer, 403, "address_not_allowed", "none");
    assert!(answer.body.contains("may not ask here"), "{path}");
}
