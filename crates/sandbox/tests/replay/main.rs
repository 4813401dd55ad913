//! Replays recordings of a real rippled against the model, over real websockets, and holds every answer
//! and every stream message against what the real server said.
//!
//! Where the model answers otherwise, the difference stands in `replay_deviations.txt` with its reason;
//! a difference that is not listed fails the test, and so does a listed one that no longer occurs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod compare;
mod deviations;
mod http;
mod limits;
mod player;
mod recording;

use compare::Held;
use deviations::Deviations;
use player::Player;
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

/// Where a recording begins that has unrecorded steps before it: its signed transactions fit only there.
struct Begins {
    /// The genesis account's next sequence number.
    sequence: u32,
    /// The open ledger.
    ledger: u32,
    /// Accounts that exist already, and the ledger in which each is to be made: an account's first
    /// sequence number is that ledger's index, so this also stands for what the account has sent.
    accounts: &'static [(&'static str, u32)],
}

/// One recording of a server's life.
struct Chapter {
    recording: &'static str,
    held: Held,
    begins: Option<Begins>,
}

const fn exactly(recording: &'static str) -> Chapter {
    Chapter {
        recording,
        held: Held::Exactly,
        begins: None,
    }
}

const fn in_shape(recording: &'static str, begins: Option<Begins>) -> Chapter {
    Chapter {
        recording,
        held: Held::InShape,
        begins,
    }
}

/// The recordings, server by server, each in the order of the recorded server's life. Every line is a
/// network of its own.
const LIVES: [&[Chapter]; 4] = [
    &[
        exactly("s01_server"),
        exactly("s02_fund_tx"),
        exactly("s02v2_fund_tx"),
        exactly("s03_subscribe"),
        exactly("s03v2_subscribe"),
        exactly("s04_failures"),
        exactly("s05_tickets"),
        exactly("s06_partial"),
        exactly("s06v2_partial"),
        exactly("s07_misc"),
        exactly("s08_queue"),
    ],
    // The same server as before, later: these two follow one another without a gap.
    &[
        in_shape(
            "s14_pathfind",
            Some(Begins {
                sequence: 50,
                ledger: 461,
                accounts: &[
                    ("rN8KXoZrm7DoqDJ3CYyHeCsqYKEg9J5wnm", 451),
                    ("rssERCWFJrC9CR7nkRPPiFq87Xq43YV7ST", 453),
                ],
            }),
        ),
        in_shape("s10_searched", None),
    ],
    &[in_shape("s15_stop", None)],
    &[exactly("s18_restart")],
];

/// Brings a new network to where a recording begins, by steps that nobody recorded.
fn bring_to(network: &Network, begins: &Begins) {
    let mut sequence = 1;
    let mut pay = |account: AccountId| {
        assert!(network.fund(account, Drops::new(1_000_000_000).unwrap()));
        sequence += 1;
        sequence
    };
    for (account, ledger) in begins.accounts {
        while network.close_ledger() < *ledger {}
        pay(account.parse().unwrap());
    }
    while pay(AccountId([7; 20])) < begins.sequence {}
    while network.close_ledger() < begins.ledger {}
}

async fn live(chapters: &[Chapter]) -> Deviations {
    let config = NetworkConfig {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        listen_public: vec!["127.0.0.1:0".parse().unwrap()],
        close_interval: CloseInterval::Manual,
        ..NetworkConfig::default()
    };
    let network = Network::start(config).await.unwrap();
    let mut deviations = Deviations::default();
    for chapter in chapters {
        if let Some(begins) = &chapter.begins {
            bring_to(&network, begins);
        }
        let player = Player::new(chapter.recording, chapter.held, &network);
        deviations.merge(player.play().await);
    }
    network.stop().await;
    deviations
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_answers_as_a_real_server_did() {
    let mut deviations = Deviations::default();
    let lives = LIVES.iter().map(|chapters| live(chapters));
    for found in futures_util::future::join_all(lives).await {
        deviations.merge(found);
    }
    deviations.merge(http::play().await);
    deviations.merge(limits::play().await);
    deviations.check();
}
