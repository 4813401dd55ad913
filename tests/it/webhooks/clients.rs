//! A receiver in another language, with the specification's reference library and nothing of ours: the
//! sample of `docs/API.md`, as it stands there.
//!
//! The library is found in XRPAYD_TEST_CLIENTS, which `tests/clients.sh` sets; without it the test says
//! that it is left out, and under CI that is a failure.

use super::bed::{Bed, all};
use crate::support::outside::outside;
use crate::support::process::free_port;
use crate::support::receiver::{Manner, Receiver};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use xrpayd::store::Actor;
use xrpayd::store::webhooks::{DeliveryState, EndpointChange};

const PAGE: &str = include_str!("../../../docs/API.md");

fn installed() -> Option<PathBuf> {
    outside(
        "XRPAYD_TEST_CLIENTS",
        "the documentation's webhook receiver",
        "clients.sh",
    )
    .map(PathBuf::from)
}

/// The one sample in JavaScript on the page.
fn sample() -> &'static str {
    let (_, rest) = PAGE
        .split_once("```js\n")
        .expect("docs/API.md has a sample");
    let (sample, rest) = rest.split_once("```").unwrap();
    assert!(!rest.contains("```js\n"), "which of the samples is it?");
    sample
}

struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receiver_of_the_documentation_takes_what_we_sign_and_nothing_else() {
    let Some(place) = installed() else { return };
    let mut bed = Bed::new().await;
    let nobody = Receiver::down(Manner::Well);
    let (endpoint, secret) = bed.endpoint(&nobody, &["*"]).await;
    let (stranger, _) = bed.endpoint(&nobody, &["*"]).await;

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("receiver.mjs"), sample()).unwrap();
    let modules = folder.path().join("node_modules");
    std::os::unix::fs::symlink(place.join("node_modules"), modules).unwrap();
    let port = free_port();
    let script = Command::new(place.join("bin/node"))
        .arg("receiver.mjs")
        .current_dir(folder.path())
        .env("WEBHOOK_SECRET", &secret)
        .env("PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _script = Script(script);
    let deadline = Instant::now() + Duration::from_secs(60);
    while tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_err()
    {
        assert!(Instant::now() < deadline, "the sample does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let moved = EndpointChange {
        url: Some(format!("http://127.0.0.1:{port}/hooks")),
        ..EndpointChange::default()
    };
    for endpoint in [endpoint.id, stranger.id] {
        bed.store
            .change_endpoint(endpoint, &moved, &Actor::Daemon, bed.now())
            .await
            .unwrap();
    }
    bed.dispatch();
    bed.happen(5).await;
    bed.until(&endpoint, |deliveries| {
        deliveries.len() == 5 && all(DeliveryState::Delivered)(deliveries)
    })
    .await;
    let refused = bed
        .until(&stranger, |deliveries| {
            deliveries.len() == 5 && deliveries.iter().all(|one| one.attempts.len() == 1)
        })
        .await;
    assert!(
        refused
            .iter()
            .all(|one| one.attempts[0].status == Some(400)),
        "{refused:#?}"
    );
    bed.end_dispatchers(Duration::from_secs(10)).await;
}
