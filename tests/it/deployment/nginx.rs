//! nginx as it is shipped: what it lets through, what it refuses and how it says so, and what it does with
//! replicas that fail.

mod entrances;

use super::front::{Answer, Front, PAY};
use super::replica::{Manner, Replica};
use crate::drills::scene::{SHOP, Scene};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// What the daemon takes as a body (`http.body_max_bytes`).
const BODY_BYTES_MAX: usize = 10_240;

async fn front_of(replicas: &[&Replica], more: &[(&str, &str)]) -> Option<Front> {
    let addresses: Vec<String> = replicas.iter().map(|one| one.address.clone()).collect();
    Front::open(&addresses, more).await
}

/// What every answer says, whoever made it.
fn is_guarded(answer: &Answer) {
    assert!(
        answer
            .one("strict-transport-security")
            .starts_with("max-age=")
    );
    assert_eq!(answer.one("x-content-type-options"), "nosniff");
    assert_eq!(answer.one("x-frame-options"), "DENY");
    assert_eq!(answer.one("referrer-policy"), "no-referrer");
    assert_eq!(answer.all("content-security-policy").len(), 1, "{answer:?}");
    assert_eq!(answer.all("cache-control").len(), 1, "{answer:?}");
    assert!(!answer.one("x-request-id").is_empty());
    assert!(answer.all("server").iter().all(|server| *server == "nginx"));
}

/// A refusal of nginx's own has the daemon's form.
fn is_problem(answer: &Answer, status: u16, code: &str, effect: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    is_guarded(answer);
    assert_eq!(answer.one("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["code"], code);
    assert_eq!(problem["effect"], effect);
    assert_eq!(problem["type"], format!("urn:xrpayd:problem:{code}"));
    assert_eq!(problem["request_id"], *answer.one("x-request-id"));
    let known = xrpayd::http::problem::Code::ALL.iter();
    let known = known.copied().find(|known| known.as_str() == code);
    let known = known.expect("a code of the API");
    assert_eq!(known.status().as_u16(), status);
    assert_eq!(problem["retryable"], known.retryable());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nginx_refuses_by_itself_it_refuses_as_the_daemon_would() {
    let replica = Replica::start(Manner::Answers).await;
    let Some(front) = front_of(&[&replica], &[]).await else {
        return;
    };
    let payments = front.at("/v1/payments");
    let answer = front
        .ask(2, &payments, &["-H", "X-Request-Id: mine-1"])
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    is_guarded(&answer);
    assert_eq!(answer.one("x-request-id"), "mine-1");
    assert_eq!(replica.heard("X-Request-Id: mine-1"), 1);

    // A body as long as the daemon takes is handed on, and one byte more is not.
    let longest = "x".repeat(BODY_BYTES_MAX);
    let answer = front.ask(2, &payments, &["-d", &longest]).await;
    assert_eq!(answer.status, 200);
    let answer = front
        .ask(2, &payments, &["-d", &format!("{longest}x")])
        .await;
    is_problem(&answer, 413, "body_too_large", "none");
    let long = front.at(&format!("/v1/{}", "x".repeat(9_000)));
    let answer = front.ask(2, &long, &[]).await;
    is_problem(&answer, 414, "uri_too_long", "none");
    let long = format!("X-Long: {}", "x".repeat(9_000));
    let answer = front.ask(2, &payments, &["-H", &long]).await;
    is_problem(&answer, 431, "headers_too_large", "none");
    let answer = front
        .ask(2, &payments, &["-H", "Content-Length: some"])
        .await;
    is_problem(&answer, 400, "malformed_request", "none");

    let before = replica.requests().len();
    for path in [
        "/metrics",
        "/console",
        "/console/",
        "/v1/audit",
        "/v1/audit?after=0",
        "/v1/pause",
        "/v1/resume",
        "/v1/rollout/promote",
        "/v1/rollout/demote",
        "//v1//pause",
        "/v1/%70ause",
        "/v1/rollout/../pause",
        "/v1/./pause",
        "/v1/pause/",
        "/v1/pause/../pause",
        "/v1/pause%2f",
        "/.xrpayd/late",
    ] {
        let answer = front.ask(3, &front.at(path), &["-X", "POST"]).await;
        is_problem(&answer, 404, "not_found", "none");
    }
    assert_eq!(replica.requests().len(), before, "no replica heard of it");
    let alive = format!("http://127.0.0.1:{}/alive", front.alive);
    assert_eq!(front.ask(4, &alive, &[]).await.status, 204);
    let answer = front.ask(4, &front.at("/v1/rollout"), &[]).await;
    assert_eq!(answer.status, 200, "the stage is for clients to read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_address_is_refused_and_is_in_nobodys_way() {
    let replica = Replica::start(Manner::Answers).await;
    let Some(front) = front_of(&[&replica], &[]).await else {
        return;
    };
    let began = Instant::now();
    let mut flood = front.curl(5);
    flood.args(["-o", "/dev/null", "-w", "%{http_code}\n"]);
    flood.arg(front.at("/v1/payments?n=[1-400]"));
    flood.stdout(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || flood.output().unwrap());
    let output = output.await.unwrap();
    let took = began.elapsed().as_secs();
    let codes = String::from_utf8_lossy(&output.stdout).into_owned();
    let of = |code: &str| codes.lines().filter(|line| *line == code).count();
    let (served, refused) = (of("200"), of("429"));
    assert_eq!(served + refused, 400, "{codes}");
    // The first and twenty more at once, and ten a second for as long as it lasted.
    assert!(served >= 21, "{served}");
    let most = 21 + 10 * (usize::try_from(took).unwrap() + 1);
    assert!(served <= most, "{served} in {took} s");
    assert!(refused > 0, "{took} s is too slow to be a flood");
    // A monitor behind the same address, and another address.
    let answer = front.ask(5, &front.at("/health"), &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        front.ask(6, &front.at("/v1/payments"), &[]).await.status,
        200
    );
    // What the refusal says: the burst is used up again, and the last answer is looked at.
    let urls = front.at("/v1/payments?n=[1-60]");
    let mut again = front.curl(7);
    again.args(["-i", "-H", "X-Request-Id: flood-7"]).arg(urls);
    let output = tokio::task::spawn_blocking(move || again.output().unwrap());
    let text = String::from_utf8_lossy(&output.await.unwrap().stdout).into_owned();
    let at = text.find("HTTP/1.1 429").expect("a refusal");
    let (head, rest) = text[at..].split_once("\r\n\r\n").unwrap();
    let body = rest.split("HTTP/1.1").next().unwrap();
    let answer = Answer::read(&format!("{head}\r\n\r\n{body}"));
    is_problem(&answer, 429, "rate_limited", "none");
    assert_eq!(answer.one("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_to_a_replica_is_never_sent_again() {
    let (well, ill) = (
        Replica::start(Manner::Answers).await,
        Replica::start(Manner::HangsUp).await,
    );
    let Some(front) = front_of(&[&well, &ill], &[]).await else {
        return;
    };
    let payments = front.at("/v1/payments");
    let mut unknown = 0;
    for place in 0..12 {
        let key = format!("Idempotency-Key: order-{place}-");
        let more = ["-H", key.as_str(), "-d", "{}"];
        let answer = front.ask(10 + place, &payments, &more).await;
        if answer.status != 200 {
            is_problem(&answer, 503, "overloaded", "unknown");
            assert_eq!(answer.one("retry-after"), "1");
            unknown += 1;
        }
        let sent = well.heard(&key) + ill.heard(&key);
        assert_eq!(sent, 1, "{key} went to {sent} replicas");
    }
    assert!(unknown > 0, "nobody hung up");
    // What only looks goes to the next one.
    for place in 30..42 {
        let answer = front.ask(place, &front.at("/v1/wallets"), &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_gone_or_mute_is_told_from_one_that_answers() {
    let (well, mute) = (
        Replica::start(Manner::Answers).await,
        Replica::start(Manner::IsMute).await,
    );
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let Some(front) = Front::open(&[well.address.clone(), gone], &[]).await else {
        return;
    };
    for place in 10..18 {
        let more = ["-H", "Idempotency-Key: gone", "-d", "{}"];
        let answer = front.ask(place, &front.at("/v1/payments"), &more).await;
        assert_eq!(answer.status, 200, "nothing was sent to what is gone");
    }
    assert_eq!(well.heard("Idempotency-Key: gone"), 8);

    // The daemon gives up after 30 seconds, and so answers first; one that does not is given up on.
    let shortened = [("proxy_read_timeout 35s", "proxy_read_timeout 1s")];
    let Some(front) = front_of(&[&mute, &well], &shortened).await else {
        return;
    };
    let mut unknown = 0;
    for place in 10..14 {
        let key = format!("Idempotency-Key: mute-{place}");
        let more = ["-H", key.as_str(), "-d", "{}"];
        let answer = front.ask(place, &front.at("/v1/payments"), &more).await;
        if answer.status != 200 {
            is_problem(&answer, 504, "timed_out", "unknown");
            unknown += 1;
        }
        assert_eq!(well.heard(&key) + mute.heard(&key), 1);
    }
    assert!(unknown > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_hears_who_asks_from_nginx_alone_and_over_connections_that_are_kept() {
    let replica = Replica::start(Manner::Answers).await;
    let Some(front) = front_of(&[&replica], &[]).await else {
        return;
    };
    let lies = [
        "-H",
        "X-Forwarded-For: 203.0.113.9",
        "-H",
        "X-Real-IP: 203.0.113.9",
        "-H",
        "Forwarded: for=203.0.113.9",
        "-H",
        "X-Forwarded-Proto: http",
        "-H",
        "Connection: upgrade",
        "-H",
        "Upgrade: websocket",
        "-H",
        "X-Request-Id: a \"quoted\" one",
    ];
    let answer = front.ask(9, &front.at("/v1/wallets"), &lies).await;
    assert_eq!(answer.status, 200);
    let heard = replica.requests().pop().unwrap();
    assert!(heard.contains("X-Forwarded-For: 127.0.0.9\r\n"), "{heard}");
    assert!(heard.contains("X-Forwarded-Proto: https\r\n"), "{heard}");
    assert!(heard.contains(&format!("Host: {PAY}\r\n")), "{heard}");
    assert!(heard.contains("X-Request-Id: req_"), "{heard}");
    for word in ["203.0.113.9", "quoted", "Upgrade", "upgrade", "Connection"] {
        assert!(!heard.contains(word), "{word}: {heard}");
    }
    let before = replica.connections();
    for place in 20..40 {
        front.ask(place, &front.at("/v1/wallets"), &[]).await;
    }
    let made = replica.connections() - before;
    // Each worker of nginx has some of its own, and there are as many workers as cores.
    let workers = std::thread::available_parallelism().unwrap().get();
    assert!(made < workers.max(2) && made < 20, "{made} connections");
}

/// A reader of the stream behind nginx; ended when dropped.
struct Follower(Child);

impl Follower {
    fn of(front: &Front, key: &str) -> (Self, std::sync::mpsc::Receiver<String>) {
        let mut command = front.curl(1);
        command.args(["-N", "-H", &format!("Authorization: Bearer {key}")]);
        command.arg(front.at("/v1/events/stream?after=0"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        (Self(child), told)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_behind_nginx_says_what_it_says_alone_and_streams_as_it_goes() {
    let scene = Scene::new("1s", "500", "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    let api = scene.setup.api.trim_start_matches("http://").to_owned();
    let Some(front) = Front::open(&[api], &[]).await else {
        return;
    };
    let daemon = scene.start().await;
    let key = scene
        .setup
        .create_key("shop-behind-nginx", &["payments:read", "payments:write"]);
    let key = key.as_str();
    let bearer = format!("Authorization: Bearer {key}");
    let json = "Content-Type: application/json";
    let pay = |idempotency: &str, body: &str| {
        let url = front.at("/v1/payments");
        let words = [&bearer, json, &format!("Idempotency-Key: {idempotency}")];
        let words = words.map(str::to_owned);
        let (front, body) = (&front, body.to_owned());
        async move {
            let more = [
                "-H", &words[0], "-H", &words[1], "-H", &words[2], "-d", &body,
            ];
            front.ask(1, &url, &more).await
        }
    };
    let order = format!(
        r#"{{"destination":"{SHOP}","amount":{{"currency":"XRP","value":"1"}},"metadata":{{"pad":""}}}}"#
    );
    let (_follower, told) = Follower::of(&front, key);
    let accepted = pay("nginx-1", &order).await;
    assert_eq!(accepted.status, 201, "{accepted:?}");
    is_guarded(&accepted);
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    // The stream stands open and says nothing more after this payment: whatever nginx kept back would
    // stay there.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = told.recv_timeout(left).expect("the stream tells of it");
        if line.contains("payment.succeeded") && line.contains(&id) {
            break;
        }
    }
    // Both sides draw the line at the same byte.
    let room = BODY_BYTES_MAX - order.len();
    let full = order.replace("\"pad\":\"\"", &format!("\"pad\":\"{}\"", "x".repeat(room)));
    let answer = pay("nginx-2", &full).await;
    assert_ne!(answer.status, 413, "{answer:?}");
    let over = order.replace(
        "\"pad\":\"\"",
        &format!("\"pad\":\"{}\"", "x".repeat(room + 1)),
    );
    let alone = reqwest::Client::new().post(format!("{}/v1/payments", scene.setup.api));
    let alone = alone.body(over.clone()).bearer_auth(key);
    let alone = alone.header("content-type", "application/json");
    let alone = alone.header("idempotency-key", "nginx-3");
    assert_eq!(alone.send().await.unwrap().status(), 413);
    is_problem(&pay("nginx-3", &over).await, 413, "body_too_large", "none");

    // A stranger behind nginx is none of the operators, although nginx asks from this machine.
    let health = front.ask(1, &front.at("/health"), &[]).await;
    assert_eq!(health.status, 200);
    assert!(health.json()["checks"]["wallet"]["balance_xrp"].is_null());
    is_guarded(&health);
    let refused = front.ask(1, &front.at("/v1/payments"), &[]).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (401, &"unauthenticated".into())
    );
    is_guarded(&refused);

    let log = front.file("access.log");
    let paid = log
        .lines()
        .find(|line| line.contains("\"201\""))
        .expect("it is logged");
    let line: serde_json::Value = serde_json::from_str(paid).unwrap();
    assert_eq!(line["request.id"], *accepted.one("x-request-id"));
    assert_eq!(line["http.path"], "/v1/payments");
    assert_eq!(line["client.address"], "127.0.0.1");
    for word in ["/health", key, "Bearer"] {
        assert!(!log.contains(word), "{word} is in the log");
    }
    assert_eq!(daemon.terminate(Duration::from_secs(60)), Some(0));
}
