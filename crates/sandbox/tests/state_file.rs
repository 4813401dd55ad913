//! The state file: whose it is, and what is done about damage.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use std::path::{Path, PathBuf};
use wire::{by_hand, fund, key};
use xrpayd_sandbox::{Network, NetworkConfig, StartError};

/// A file name of its own for each test.
fn state_file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("model-{}-{name}.log", std::process::id()));
    if path.exists() {
        std::fs::remove_file(&path).unwrap();
    }
    path
}

fn kept_in(path: &Path) -> NetworkConfig {
    NetworkConfig {
        state: Some(path.to_owned()),
        ..by_hand(1)
    }
}

async fn refusal(config: NetworkConfig) -> String {
    match Network::start(config).await {
        Err(StartError::BadState { reason, .. }) => reason,
        Err(other) => panic!("refused otherwise: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test]
async fn damage_before_the_end_of_a_state_file_is_refused_and_nothing_is_cut_off() {
    let path = state_file("damaged");
    let network = Network::start(kept_in(&path)).await.unwrap();
    for number in 1..10 {
        let _sequence = fund(&network, &key(number), 100);
    }
    let truth = network.truth();
    network.stop().await;
    let whole = std::fs::read(&path).unwrap();
    for at in [whole.len() / 3, whole.len() / 2, whole.len() * 2 / 3] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x01;
        std::fs::write(&path, &damaged).unwrap();
        let reason = refusal(kept_in(&path)).await;
        assert!(reason.contains("damaged"), "{reason}");
        assert_eq!(std::fs::read(&path).unwrap(), damaged);
    }
    // The beginning of a record at the end is what a killed process leaves, and no damage.
    std::fs::write(&path, [&whole[..], &[0, 0, 1, 0, 9]].concat()).unwrap();
    let network = Network::start(kept_in(&path)).await.unwrap();
    assert_eq!(network.truth(), truth);
    network.stop().await;
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn a_state_file_belongs_to_one_network_at_a_time() {
    let path = state_file("locked");
    let config = || NetworkConfig {
        retain_ledgers: Some(2),
        ..kept_in(&path)
    };
    // The second round finds a file that was made anew when it was opened.
    for _ in 0..2 {
        let network = Network::start(config()).await.unwrap();
        let _open = network.close_ledger();
        let reason = refusal(config()).await;
        assert!(reason.contains("another network"), "{reason}");
        network.stop().await;
    }
    std::fs::remove_file(&path).unwrap();
}
